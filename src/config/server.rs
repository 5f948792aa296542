//! Checks `[server]` and `[[connections]]`: each Exchange's location, its sign-in method, its rooms and limits. The result names
//! files and variables with secrets and never holds a secret.

use std::path::PathBuf;
use std::time::Duration;

use super::Overrides;
use super::error::{ConfigError, SourceText};
use super::file::{self, AuthMethod, Cloud, Located};
use crate::autodiscover::Policy;
use crate::calendar::RoomPattern;
use crate::exchange::{Access, ImpersonateBy};
use crate::http::url::{has_userinfo, is_loopback_host, without_userinfo};
use crate::login::ChannelBinding;

/// Name of the connection that `[server]` describes.
pub const DEFAULT_NAME: &str = "default";
/// The environment variable with the password, when the file has no `password`.
pub const PASSWORD_VARIABLE: &str = "ADJOURN_PASSWORD";
/// The value of `url` that turns Autodiscover on.
const AUTODISCOVER: &str = "autodiscover";

/// One Exchange: its location, the sign-in there, and limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExchangeConfig {
    /// Its location.
    pub location: ServerLocation,
    /// How Adjourn signs in.
    pub auth: AuthConfig,
    /// How the account acts in rooms.
    pub access: Access,
    /// Client certificate for the TLS handshake.
    pub client_certificate: Option<CertificateFiles>,
    /// HTTP proxy in front of it.
    pub proxy: Option<ProxyConfig>,
    /// PEM file with certificates to trust besides those of the platform.
    pub ca_file: Option<PathBuf>,
    /// Time within which a connection must stand, TLS included.
    pub connect_timeout: Duration,
    /// Time within which the first byte of a response must arrive.
    pub first_byte_timeout: Duration,
    /// Time within which a whole response must arrive.
    pub response_timeout: Duration,
    /// Time for one operation with all its retries.
    pub operation_timeout: Duration,
    /// How `ExchangeImpersonation` names a room.
    pub impersonate_by: ImpersonateBy,
    /// Requests to one room at once. Exchange budgets each mailbox; 2 stay far below.
    pub max_concurrent_requests_per_room: usize,
    /// Requests to this Exchange at once.
    pub max_concurrent_requests: usize,
}

/// A further Exchange and its rooms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionConfig {
    /// Its name in logs, metrics and the doctor's report.
    pub name: String,
    /// Its rooms. The first connection that matches a room has it.
    pub rooms: Vec<RoomPattern>,
    /// The Exchange.
    pub server: ExchangeConfig,
}

/// The location of an Exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerLocation {
    /// `https://…/EWS/Exchange.asmx`.
    Url(String),
    /// Autodiscover finds each room's server, within this policy.
    Autodiscover(Policy),
}

/// Where a secret is. Never the secret itself: people print, mail and commit configurations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// In a file, up to its first line end.
    File(PathBuf),
    /// In an environment variable.
    Environment(String),
    /// The output of a command, up to its first line end; run without a shell.
    Command(Vec<String>),
    /// A systemd credential of this name (`LoadCredential=`).
    Credential(String),
}

/// A certificate and its key, in PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate, and what leads from it to its issuer.
    pub certificate_file: PathBuf,
    /// Its private key.
    pub key_file: PathBuf,
}

/// A sign-in method, and where its credentials are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthConfig {
    /// User name and password in every request.
    Basic {
        /// Account name.
        username: String,
        /// Where its password is.
        password: SecretSource,
    },
    /// NTLM.
    Ntlm {
        /// Account name.
        username: String,
        /// Where its password is.
        password: SecretSource,
        /// Extended Protection.
        binding: ChannelBinding,
    },
    /// Kerberos, else NTLM.
    Negotiate {
        /// Account name.
        username: String,
        /// Where its credentials are.
        credential: WindowsCredentialSource,
        /// Extended Protection.
        binding: ChannelBinding,
        /// Address of a KDC; `None`: the system's configuration names it.
        kdc: Option<String>,
    },
    /// OAuth client credentials of an application.
    OAuth {
        /// Token endpoint.
        endpoint: String,
        /// Application id.
        client_id: String,
        /// Scope of the token.
        scope: String,
        /// Where the application's credentials are.
        credential: ClientCredentialSource,
    },
    /// A bearer token that another program renews.
    Token(SecretSource),
    /// The client certificate alone.
    Certificate,
}

/// Where the credentials of a Windows account are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WindowsCredentialSource {
    /// A password.
    Password(SecretSource),
    /// A keytab file.
    Keytab(PathBuf),
}

/// Where the credentials of an application are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientCredentialSource {
    /// A client secret.
    Secret(SecretSource),
    /// A certificate with its key.
    Certificate(CertificateFiles),
}

/// An HTTP proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyConfig {
    /// `http://host:port`.
    pub url: String,
    /// User name and password, if the proxy wants them.
    pub credentials: Option<(String, SecretSource)>,
}

impl ExchangeConfig {
    /// The account name or the application's id; `None` where only a token or a certificate identifies the account.
    pub fn account(&self) -> Option<&str> {
        match &self.auth {
            AuthConfig::Basic { username, .. }
            | AuthConfig::Ntlm { username, .. }
            | AuthConfig::Negotiate { username, .. } => Some(username),
            AuthConfig::OAuth { client_id, .. } => Some(client_id),
            AuthConfig::Token(_) | AuthConfig::Certificate => None,
        }
    }

    /// The sources of all its secrets.
    pub fn secrets(&self) -> Vec<&SecretSource> {
        let own = match &self.auth {
            AuthConfig::Basic { password, .. } | AuthConfig::Ntlm { password, .. } => Some(password),
            AuthConfig::Negotiate { credential: WindowsCredentialSource::Password(password), .. } => {
                Some(password)
            }
            AuthConfig::OAuth { credential: ClientCredentialSource::Secret(secret), .. } => Some(secret),
            AuthConfig::Negotiate { .. }
            | AuthConfig::OAuth { .. }
            | AuthConfig::Token(_)
            | AuthConfig::Certificate => None,
        };
        let proxy = self.proxy.as_ref().and_then(|proxy| Some(&proxy.credentials.as_ref()?.1));
        own.into_iter().chain(proxy).collect()
    }
}

impl Cloud {
    /// Its token endpoint's host (Microsoft, "National clouds", authentication endpoints).
    fn authority(self) -> &'static str {
        match self {
            Self::Worldwide => "https://login.microsoftonline.com",
            Self::UsGovernment | Self::UsGovernmentDod => "https://login.microsoftonline.us",
            Self::China => "https://login.partner.microsoftonline.cn",
        }
    }

    /// Its Exchange's host.
    fn exchange(self) -> &'static str {
        match self {
            Self::Worldwide => "https://outlook.office365.com",
            Self::UsGovernment => "https://outlook.office365.us",
            Self::UsGovernmentDod => "https://outlook-dod.office365.us",
            Self::China => "https://partner.outlook.cn",
        }
    }
}

/// `[server]` with the flags that override it; `None` when neither has a URL.
pub(super) fn check_server(
    source: &SourceText<'_>,
    file: file::ServerSection,
    overrides: Overrides,
) -> Result<Option<ExchangeConfig>, ConfigError> {
    if let Some(rooms) = &file.rooms {
        return Err(source.error_at(rooms, "only [[connections]] take rooms; [server] has all other rooms"));
    }
    let url = match &overrides.url {
        Some(url) => Some(ServerLocation::Url(
            check_url(url).map_err(|error| ConfigError::invalid_flag("--url", error))?,
        )),
        None => server_location(source, &file)?,
    };
    let Some(at) = url else { return Ok(None) };
    let file = file::ServerSection {
        username: overrides.username.or(file.username),
        ca_file: overrides.ca_file.or(file.ca_file),
        ..file
    };
    check(source, file, at).map(Some)
}

/// `[[connections]]`.
pub(super) fn check_connections(
    source: &SourceText<'_>,
    files: Vec<file::ServerSection>,
) -> Result<Vec<ConnectionConfig>, ConfigError> {
    let mut all: Vec<ConnectionConfig> = Vec::new();
    for mut file in files {
        let name = file.name.take().ok_or_else(|| source.missing("connections.name"))?;
        let taken = name.get_ref() == DEFAULT_NAME || all.iter().any(|other| other.name == *name.get_ref());
        if taken || name.get_ref().is_empty() {
            return Err(source.error_at(&name, "a connection's name must be unique, and not \"default\""));
        }
        let rooms = file.rooms.take().ok_or_else(|| source.missing("connections.rooms"))?;
        let patterns =
            rooms.get_ref().iter().map(|room| room.parse().map_err(|error| source.error_at(&rooms, error)));
        let patterns = patterns.collect::<Result<_, _>>()?;
        let at = server_location(source, &file)?
            .ok_or_else(|| source.error_at(&name, "this connection has neither url nor oauth"))?;
        all.push(ConnectionConfig {
            name: name.into_inner(),
            rooms: patterns,
            server: check(source, file, at)?,
        });
    }
    Ok(all)
}

fn check(
    source: &SourceText<'_>,
    file: file::ServerSection,
    at: ServerLocation,
) -> Result<ExchangeConfig, ConfigError> {
    if let (Access::Delegate, Some(oauth)) = (file.access, &file.oauth) {
        let why = "an application cannot be a delegate; with [server.oauth], set access = \"impersonation\"";
        return Err(source.error_at(oauth, why));
    }
    Ok(ExchangeConfig {
        location: at,
        auth: auth_config(source, &file)?,
        access: file.access,
        client_certificate: file.client_certificate.map(certificate_files),
        proxy: file.proxy.map(|proxy| check_proxy(source, proxy)).transpose()?,
        ca_file: file.ca_file,
        connect_timeout: file.connect_timeout_s.as_seconds(),
        first_byte_timeout: file.first_byte_timeout_s.as_seconds(),
        response_timeout: file.response_timeout_s.as_seconds(),
        operation_timeout: file.operation_timeout_s.as_seconds(),
        impersonate_by: file.impersonate_by,
        max_concurrent_requests_per_room: file.max_concurrent_requests_per_room.count(),
        max_concurrent_requests: file.max_concurrent_requests.count(),
    })
}

/// The location that the file has, or, for an application, its cloud's.
fn server_location(
    source: &SourceText<'_>,
    file: &file::ServerSection,
) -> Result<Option<ServerLocation>, ConfigError> {
    match (&file.url, &file.oauth) {
        (Some(url), _) if url.get_ref() == AUTODISCOVER => {
            let trusting = file.autodiscover.as_ref().filter(|table| !table.trusted_hosts.is_empty());
            let table = trusting.ok_or_else(|| {
                source.error_at(
                    url,
                    "list your own hosts in autodiscover.trusted_hosts; Adjourn sends the password to no other host",
                )
            })?;
            let trusted = Policy::new(table.trusted_hosts.iter().cloned());
            let policy = Policy { preferred_host: table.preferred_host.clone(), ..trusted };
            Ok(Some(ServerLocation::Autodiscover(policy)))
        }
        (Some(url), _) => check_url(url.get_ref())
            .map(|url| Some(ServerLocation::Url(url)))
            .map_err(|error| source.error_at(url, error)),
        (None, Some(oauth)) => {
            Ok(Some(ServerLocation::Url(format!("{}/EWS/Exchange.asmx", oauth.get_ref().cloud.exchange()))))
        }
        (None, None) => Ok(None),
    }
}

fn auth_config(source: &SourceText<'_>, file: &file::ServerSection) -> Result<AuthConfig, ConfigError> {
    let auth = match (&file.auth, &file.oauth, &file.token) {
        (Some(auth), ..) => *auth.get_ref(),
        (None, Some(_), _) => AuthMethod::Oauth,
        (None, None, Some(_)) => AuthMethod::Token,
        (None, None, None) => AuthMethod::Basic,
    };
    let username = || file.username.clone().ok_or_else(|| source.missing("server.username"));
    let password = || {
        let default = SecretSource::Environment(PASSWORD_VARIABLE.to_owned());
        file.password.as_ref().map_or(Ok(default), |secret| secret_source(source, secret))
    };
    let binding = file.channel_binding;
    Ok(match auth {
        AuthMethod::Basic => AuthConfig::Basic { username: username()?, password: password()? },
        AuthMethod::Ntlm => AuthConfig::Ntlm { username: username()?, password: password()?, binding },
        AuthMethod::Negotiate => {
            let proof = match &file.keytab_file {
                Some(path) => WindowsCredentialSource::Keytab(path.clone()),
                None => WindowsCredentialSource::Password(password()?),
            };
            let kdc = file.kdc.as_ref().map(|kdc| check_kdc(source, kdc)).transpose()?;
            AuthConfig::Negotiate { username: username()?, credential: proof, binding, kdc }
        }
        AuthMethod::Oauth => {
            let oauth = file.oauth.as_ref().ok_or_else(|| source.missing("server.oauth"))?;
            check_oauth(source, oauth)?
        }
        AuthMethod::Token => {
            let token = file.token.as_ref().ok_or_else(|| source.missing("server.token"))?;
            match secret_source(source, token)? {
                SecretSource::Environment(_) => {
                    return Err(
                        source.error_at(token, "a token expires, so it must come from a file or a command")
                    );
                }
                renewable => AuthConfig::Token(renewable),
            }
        }
        AuthMethod::Certificate if file.client_certificate.is_none() => {
            return Err(source.missing("server.client_certificate"));
        }
        AuthMethod::Certificate => AuthConfig::Certificate,
    })
}

fn check_oauth(
    source: &SourceText<'_>,
    oauth: &Located<file::OAuthSection>,
) -> Result<AuthConfig, ConfigError> {
    let file = oauth.get_ref();
    let tenant = file.tenant.get_ref();
    if tenant.is_empty() || !tenant.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c)) {
        return Err(
            source.error_at(&file.tenant, "a tenant is a domain or an id, such as example.onmicrosoft.com")
        );
    }
    let endpoint = match &file.endpoint {
        Some(endpoint) => check_url(endpoint.get_ref()).map_err(|error| source.error_at(endpoint, error))?,
        None => format!("{}/{tenant}/oauth2/v2.0/token", file.cloud.authority()),
    };
    let proof = match (&file.secret, &file.certificate_file, &file.key_file) {
        (Some(secret), None, None) => ClientCredentialSource::Secret(to_secret_source(secret)),
        (None, Some(certificate), Some(key)) => ClientCredentialSource::Certificate(CertificateFiles {
            certificate_file: certificate.clone(),
            key_file: key.clone(),
        }),
        _ => return Err(source.error_at(oauth, "set either secret, or certificate_file and key_file")),
    };
    let scope = file.scope.clone().unwrap_or_else(|| format!("{}/.default", file.cloud.exchange()));
    Ok(AuthConfig::OAuth { endpoint, client_id: file.client_id.clone(), scope, credential: proof })
}

fn check_kdc(source: &SourceText<'_>, kdc: &Located<String>) -> Result<String, ConfigError> {
    let host = kdc.get_ref().strip_prefix("tcp://").filter(|host| !host.is_empty() && !host.contains('@'));
    host.map(|_| kdc.get_ref().clone()).ok_or_else(|| source.error_at(kdc, "write the KDC as tcp://host:88"))
}

fn check_proxy(
    source: &SourceText<'_>,
    proxy: Located<file::ProxySection>,
) -> Result<ProxyConfig, ConfigError> {
    let file = proxy.get_ref();
    if has_userinfo(&file.url) {
        return Err(source.error_at(
            &proxy,
            "write user name and password as keys of their own beside the url, not in it",
        ));
    }
    let login = match (&file.username, &file.password) {
        (None, None) => None,
        (Some(username), Some(password)) => Some((username.clone(), to_secret_source(password))),
        _ => return Err(source.error_at(&proxy, "set username and password, or neither")),
    };
    Ok(ProxyConfig { url: file.url.clone(), credentials: login })
}

fn secret_source(
    source: &SourceText<'_>,
    secret: &Located<file::SecretReference>,
) -> Result<SecretSource, ConfigError> {
    match to_secret_source(secret.get_ref()) {
        SecretSource::Command(words) if words.is_empty() => {
            Err(source.error_at(secret, "the command is empty"))
        }
        fine => Ok(fine),
    }
}

fn to_secret_source(secret: &file::SecretReference) -> SecretSource {
    match secret {
        file::SecretReference::File(path) => SecretSource::File(path.clone()),
        file::SecretReference::Env(name) => SecretSource::Environment(name.clone()),
        file::SecretReference::Command(words) => SecretSource::Command(words.clone()),
        file::SecretReference::Credential(name) => SecretSource::Credential(name.clone()),
    }
}

fn certificate_files(file: file::CertificateSection) -> CertificateFiles {
    CertificateFiles { certificate_file: file.certificate_file, key_file: file.key_file }
}

/// Plain `http` is allowed to this machine only: elsewhere credentials would cross the network unencrypted.
fn check_url(url: &str) -> Result<String, String> {
    if has_userinfo(url) {
        let shown = without_userinfo(url);
        return Err(format!("`{shown}`: write user name and password as keys of their own, not in the URL"));
    }
    let uri: http::Uri = url.parse().map_err(|error| format!("`{url}` is not a URL: {error}"))?;
    let host = uri.host().unwrap_or_default();
    match uri.scheme_str() {
        Some("https") if !host.is_empty() => Ok(url.to_owned()),
        Some("http") if is_loopback_host(host) => Ok(url.to_owned()),
        Some("http") => Err(format!("`{url}` would send the password unencrypted; use https")),
        _ => Err(format!("`{url}` is not of the form https://host/EWS/Exchange.asmx")),
    }
}
