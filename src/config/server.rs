//! Which Exchanges there are, which rooms live where, and who we are there. Names where secrets are; never holds one.

use std::path::PathBuf;
use std::time::Duration;

use super::error::{ConfigError, SourceText};
use super::file::{self, AuthMethod, Cloud, Spanned};
use super::{Overrides, in_range, seconds};
use crate::calendar::RoomPattern;
use crate::exchange::autodiscover::Policy;
use crate::exchange::login::ChannelBinding;
use crate::exchange::{Access, ImpersonateBy};
use crate::net::{has_userinfo, is_loopback_host, without_userinfo};

/// What an Exchange is called that `[server]` describes.
pub const DEFAULT_NAME: &str = "default";
/// The variable that holds the password when the configuration names no other place.
pub const PASSWORD_VARIABLE: &str = "ADJOURN_PASSWORD";
/// What stands for the URL of an Exchange that is to be found room by room.
const AUTODISCOVER: &str = "autodiscover";

/// Where Exchange is and who we are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExchangeConfig {
    /// Where it is.
    pub location: ServerLocation,
    /// Who we are there.
    pub auth: AuthConfig,
    /// What the account may do in rooms it does not own.
    pub access: Access,
    /// A certificate of our own, in PEM files, for servers that ask for one.
    pub client_certificate: Option<CertificateFiles>,
    /// What connections go through.
    pub proxy: Option<ProxyConfig>,
    /// More certificates to trust, in PEM.
    pub ca_file: Option<PathBuf>,
    /// How long a connection may take to come up, TLS included.
    pub connect_timeout: Duration,
    /// How long the server may think before its first byte.
    pub first_byte_timeout: Duration,
    /// How long a whole answer may take.
    pub answer_timeout: Duration,
    /// How long one operation may take with all its waiting, when Exchange is busy.
    pub operation_timeout: Duration,
    /// How rooms are named in `ExchangeImpersonation`.
    pub impersonate_by: ImpersonateBy,
    /// Requests under way at once to one room. Exchange budgets each mailbox; 2 never troubles it.
    pub max_concurrent_requests_per_room: usize,
    /// Requests under way at once to the server.
    pub max_concurrent_requests: usize,
}

/// An Exchange besides that of `[server]`, and its rooms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionConfig {
    /// What it is called in logs, metrics and the doctor's report.
    pub name: String,
    /// The rooms that live there. Of several connections that match, the first counts.
    pub rooms: Vec<RoomPattern>,
    /// The Exchange.
    pub server: ExchangeConfig,
}

/// Where an Exchange is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerLocation {
    /// `https://…/EWS/Exchange.asmx`.
    Url(String),
    /// Wherever Autodiscover says that each room lives.
    Autodiscover(Policy),
}

/// Where a secret is. Never the secret itself: a configuration is printed, mailed and committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// In a file, up to its first line end.
    File(PathBuf),
    /// In an environment variable.
    Environment(String),
    /// What a command prints, up to its first line end; run without a shell.
    Command(Vec<String>),
    /// A systemd credential of this name (`LoadCredential=`).
    Credential(String),
}

/// A certificate and its key, in PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct CertificateFiles {
    pub certificate_file: PathBuf,
    pub key_file: PathBuf,
}

/// A way of signing in, and where what it needs is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum AuthConfig {
    Basic {
        username: String,
        password: SecretSource,
    },
    Ntlm {
        username: String,
        password: SecretSource,
        binding: ChannelBinding,
    },
    Negotiate {
        username: String,
        credential: WindowsCredentialSource,
        binding: ChannelBinding,
        kdc: Option<String>,
    },
    OAuth {
        endpoint: String,
        client_id: String,
        scope: String,
        credential: ClientCredentialSource,
    },
    Token(SecretSource),
    Certificate,
}

/// What proves a Windows account to Kerberos.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum WindowsCredentialSource {
    Password(SecretSource),
    Keytab(PathBuf),
}

/// What proves an application to its tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum ClientCredentialSource {
    Secret(SecretSource),
    Certificate(CertificateFiles),
}

/// An HTTP proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyConfig {
    /// `http://host:port`.
    pub url: String,
    /// User name and password, if it wants them.
    pub credentials: Option<(String, SecretSource)>,
}

impl ExchangeConfig {
    /// What Exchange calls us: the account, or the application's id; `None` where only a token or a certificate says.
    pub fn account(&self) -> Option<&str> {
        match &self.auth {
            AuthConfig::Basic { username, .. }
            | AuthConfig::Ntlm { username, .. }
            | AuthConfig::Negotiate { username, .. } => Some(username),
            AuthConfig::OAuth { client_id, .. } => Some(client_id),
            AuthConfig::Token(_) | AuthConfig::Certificate => None,
        }
    }

    /// Where all its secrets are.
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
    /// Where its tokens come from (Microsoft, "National clouds", authentication endpoints).
    fn authority(self) -> &'static str {
        match self {
            Self::Worldwide => "https://login.microsoftonline.com",
            Self::UsGovernment | Self::UsGovernmentDod => "https://login.microsoftonline.us",
            Self::China => "https://login.partner.microsoftonline.cn",
        }
    }

    /// Where its Exchange is.
    fn exchange(self) -> &'static str {
        match self {
            Self::Worldwide => "https://outlook.office365.com",
            Self::UsGovernment => "https://outlook.office365.us",
            Self::UsGovernmentDod => "https://outlook-dod.office365.us",
            Self::China => "https://partner.outlook.cn",
        }
    }
}

/// `[server]`, under what the flags say; `None` when nobody says where it is.
pub(super) fn check_server(
    source: &SourceText<'_>,
    file: file::ServerSection,
    overrides: Overrides,
) -> Result<Option<ExchangeConfig>, ConfigError> {
    if let Some(rooms) = &file.rooms {
        return Err(source
            .error_at(rooms, "which rooms live where is said in [[connections]]; [server] has the others"));
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
            return Err(source.error_at(&name, "every connection needs a name of its own"));
        }
        let rooms = file.rooms.take().ok_or_else(|| source.missing("connections.rooms"))?;
        let patterns =
            rooms.get_ref().iter().map(|room| room.parse().map_err(|error| source.error_at(&rooms, error)));
        let patterns = patterns.collect::<Result<_, _>>()?;
        let at = server_location(source, &file)?.ok_or_else(|| source.error_at(&name, "it has no url"))?;
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
        let why = "an application has no mailbox access of its own: with [server.oauth], access is \"impersonation\"";
        return Err(source.error_at(oauth, why));
    }
    Ok(ExchangeConfig {
        location: at,
        auth: auth_config(source, &file)?,
        access: file.access,
        client_certificate: file.client_certificate.map(certificate_files),
        proxy: file.proxy.map(|proxy| check_proxy(source, proxy)).transpose()?,
        ca_file: file.ca_file,
        connect_timeout: seconds(source, &file.connect_timeout_s)?,
        first_byte_timeout: seconds(source, &file.first_byte_timeout_s)?,
        answer_timeout: seconds(source, &file.answer_timeout_s)?,
        operation_timeout: seconds(source, &file.patience_s)?,
        impersonate_by: file.impersonate_by,
        max_concurrent_requests_per_room: in_range(source, &file.requests_per_room, 1, 27)?,
        max_concurrent_requests: in_range(source, &file.requests_at_once, 1, 1_000)?,
    })
}

/// Where it is: as written, or, of Exchange Online, where that cloud's is.
fn server_location(
    source: &SourceText<'_>,
    file: &file::ServerSection,
) -> Result<Option<ServerLocation>, ConfigError> {
    match (&file.url, &file.oauth) {
        (Some(url), _) if url.get_ref() == AUTODISCOVER => {
            let confirmed = file.autodiscover.as_ref().filter(|said| !said.hosts.is_empty());
            let said = confirmed.ok_or_else(|| {
                source.error_at(
                    url,
                    "name your own hosts in autodiscover.hosts: only they hear the account's password",
                )
            })?;
            let policy =
                Policy { preferred_host: said.first.clone(), ..Policy::new(said.hosts.iter().cloned()) };
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
                        source.error_at(token, "a token wears out, so it must come from a file or a command")
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
    oauth: &Spanned<file::OAuthSection>,
) -> Result<AuthConfig, ConfigError> {
    let file = oauth.get_ref();
    let tenant = file.tenant.get_ref();
    if tenant.is_empty() || !tenant.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c)) {
        return Err(source.error_at(&file.tenant, "a tenant is a domain or an id"));
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
        _ => return Err(source.error_at(oauth, "it needs either secret, or certificate_file and key_file")),
    };
    let scope = file.scope.clone().unwrap_or_else(|| format!("{}/.default", file.cloud.exchange()));
    Ok(AuthConfig::OAuth { endpoint, client_id: file.client_id.clone(), scope, credential: proof })
}

fn check_kdc(source: &SourceText<'_>, kdc: &Spanned<String>) -> Result<String, ConfigError> {
    let host = kdc.get_ref().strip_prefix("tcp://").filter(|host| !host.is_empty() && !host.contains('@'));
    host.map(|_| kdc.get_ref().clone()).ok_or_else(|| source.error_at(kdc, "a KDC is written tcp://host:88"))
}

fn check_proxy(
    source: &SourceText<'_>,
    proxy: Spanned<file::ProxySection>,
) -> Result<ProxyConfig, ConfigError> {
    let file = proxy.get_ref();
    if has_userinfo(&file.url) {
        return Err(source.error_at(&proxy, "a user name and a password stand beside the url, not in it"));
    }
    let login = match (&file.username, &file.password) {
        (None, None) => None,
        (Some(username), Some(password)) => Some((username.clone(), to_secret_source(password))),
        _ => return Err(source.error_at(&proxy, "username and password go together")),
    };
    Ok(ProxyConfig { url: file.url.clone(), credentials: login })
}

fn secret_source(
    source: &SourceText<'_>,
    secret: &Spanned<file::SecretReference>,
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

/// Plain `http` is let through for this machine only: credentials would cross the network readable.
fn check_url(url: &str) -> Result<String, String> {
    if has_userinfo(url) {
        let shown = without_userinfo(url);
        return Err(format!(
            "`{shown}`: a user name and a password stand in keys of their own, not in the URL"
        ));
    }
    let uri: http::Uri = url.parse().map_err(|error| format!("`{url}` is not a URL: {error}"))?;
    let host = uri.host().unwrap_or_default();
    match uri.scheme_str() {
        Some("https") if !host.is_empty() => Ok(url.to_owned()),
        Some("http") if is_loopback_host(host) => Ok(url.to_owned()),
        Some("http") => Err(format!("`{url}` would send the password readable over the network; use https")),
        _ => Err(format!("`{url}` is not of the form https://host/EWS/Exchange.asmx")),
    }
}
