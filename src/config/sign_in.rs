//! The sign-in to an Exchange: checks its keys in `[server]`, and reads its secrets when the connection opens.

use std::path::PathBuf;

use super::error::{ConfigError, SourceText};
use super::file::{self, AuthMethod, Located};
use super::secrets::{SecretError, SecretResolver, SecretSource};
use super::url::check_url;
use crate::http::settings::ClientCertificate;
use crate::login::{
    ClientAuthentication, ClientCredentials, ClientKey, ExternalToken, INSTANCE_METADATA_ENDPOINT, KeytabKey,
    ManagedIdentity, SignInMethod, Windows, WindowsScheme, WindowsSecret,
};

/// The environment variable with the password, when the file has no `password`.
pub const PASSWORD_VARIABLE: &str = "ADJOURN_PASSWORD";

/// A sign-in method, and where its secrets are: a [`SignInMethod`] before they are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignInSource {
    /// User name and password in every request.
    Basic {
        /// Account name.
        username: String,
        /// Where its password is.
        password: SecretSource,
    },
    /// NTLM or Negotiate.
    Windows(Windows<WindowsSecretSource>),
    /// OAuth, as an application.
    OAuth(ClientCredentials<ApplicationSecretSource>),
    /// OAuth, with a token that another program renews.
    Token(SecretSource),
    /// OAuth, as the managed identity of the Azure machine.
    ManagedIdentity(ManagedIdentity),
    /// The client certificate alone.
    Certificate,
}

/// Where the secret of a Windows account is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WindowsSecretSource {
    /// A password.
    Password(SecretSource),
    /// A keytab file.
    Keytab(PathBuf),
}

/// Where the secret of an application is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApplicationSecretSource {
    /// A client secret.
    Secret(SecretSource),
    /// A certificate with its key.
    Key(ClientCertificate),
    /// A file with a token of another issuer; read for each token request.
    Federated(PathBuf),
}

impl SignInSource {
    /// Reads the secrets.
    pub(super) fn read(&self, secrets: &dyn SecretResolver) -> Result<SignInMethod, SecretError> {
        Ok(match self {
            Self::Basic { username, password } => SignInMethod::Basic {
                username: username.clone(),
                password: secrets.read("password", password)?,
            },
            Self::Windows(windows) => SignInMethod::Windows(Windows {
                scheme: windows.scheme,
                username: windows.username.clone(),
                secret: windows.secret.read(&windows.username, secrets)?,
                binding: windows.binding,
                kdc: windows.kdc.clone(),
            }),
            Self::OAuth(application) => SignInMethod::OAuth(ClientCredentials {
                endpoint: application.endpoint.clone(),
                client_id: application.client_id.clone(),
                scope: application.scope.clone(),
                authentication: application.authentication.read(secrets)?,
            }),
            Self::Token(token) => SignInMethod::Token(external_token(token, secrets)?),
            Self::ManagedIdentity(identity) => SignInMethod::ManagedIdentity(identity.clone()),
            Self::Certificate => SignInMethod::Certificate,
        })
    }

    /// The account name or the application's id; `None` where only a token or a certificate identifies the account.
    pub fn account(&self) -> Option<&str> {
        match self {
            Self::Basic { username, .. } => Some(username),
            Self::Windows(windows) => Some(&windows.username),
            Self::OAuth(application) => Some(&application.client_id),
            Self::ManagedIdentity(identity) => identity.client_id.as_deref(),
            Self::Token(_) | Self::Certificate => None,
        }
    }

    /// The source of the secret that is read once, when the connection opens.
    pub(super) fn secret(&self) -> Option<&SecretSource> {
        match self {
            Self::Basic { password, .. } => Some(password),
            Self::Windows(Windows { secret: WindowsSecretSource::Password(password), .. }) => Some(password),
            Self::OAuth(ClientCredentials {
                authentication: ApplicationSecretSource::Secret(secret),
                ..
            }) => Some(secret),
            Self::Windows(_)
            | Self::OAuth(_)
            | Self::Token(_)
            | Self::ManagedIdentity(_)
            | Self::Certificate => None,
        }
    }
}

impl WindowsSecretSource {
    fn read(&self, username: &str, secrets: &dyn SecretResolver) -> Result<WindowsSecret, SecretError> {
        Ok(match self {
            Self::Password(password) => WindowsSecret::Password(secrets.read("password", password)?),
            Self::Keytab(path) => WindowsSecret::Key(KeytabKey::read(path, username)?),
        })
    }
}

impl ApplicationSecretSource {
    fn read(&self, secrets: &dyn SecretResolver) -> Result<ClientAuthentication, SecretError> {
        Ok(match self {
            Self::Secret(secret) => ClientAuthentication::Secret(secrets.read("client secret", secret)?),
            Self::Key(ClientCertificate { certificate, key }) => {
                ClientAuthentication::Key(ClientKey::read(certificate, key)?)
            }
            Self::Federated(path) => ClientAuthentication::Federated(path.clone()),
        })
    }
}

/// The token itself is read with each renewal; a systemd credential is a file from here on.
fn external_token(token: &SecretSource, secrets: &dyn SecretResolver) -> Result<ExternalToken, SecretError> {
    match token {
        SecretSource::File(path) => Ok(ExternalToken::File(path.clone())),
        SecretSource::Command(words) => Ok(ExternalToken::Command(words.clone())),
        SecretSource::Credential(name) => Ok(ExternalToken::File(secrets.credential_file(name)?)),
        SecretSource::Environment(name) => Err(SecretError::NotRenewable { name: name.clone() }),
    }
}

/// The sign-in that `auth` names, or else the keys that are set. `resource` is what a token is for, unless the file has a scope.
pub(super) fn check_sign_in(
    source: &SourceText<'_>,
    file: &file::ServerSection,
    resource: Option<&str>,
) -> Result<SignInSource, ConfigError> {
    let auth = match (&file.auth, &file.oauth, &file.token) {
        (Some(auth), ..) => *auth.get_ref(),
        (None, Some(_), _) => AuthMethod::Oauth,
        (None, None, Some(_)) => AuthMethod::Token,
        (None, None, None) => AuthMethod::Basic,
    };
    Ok(match auth {
        AuthMethod::Basic => SignInSource::Basic {
            username: check_username(source, file)?,
            password: check_password(source, file)?,
        },
        AuthMethod::Ntlm | AuthMethod::Negotiate => SignInSource::Windows(check_windows(source, file, auth)?),
        AuthMethod::Oauth => {
            let oauth = file.oauth.as_ref().ok_or_else(|| source.missing("server.oauth"))?;
            check_oauth(source, oauth, resource)?
        }
        AuthMethod::Token => SignInSource::Token(check_token(source, file)?),
        AuthMethod::Certificate if file.client_certificate.is_none() => {
            return Err(source.missing("server.client_certificate"));
        }
        AuthMethod::Certificate => SignInSource::Certificate,
    })
}

fn check_username(source: &SourceText<'_>, file: &file::ServerSection) -> Result<String, ConfigError> {
    file.username.clone().ok_or_else(|| source.missing("server.username"))
}

fn check_password(source: &SourceText<'_>, file: &file::ServerSection) -> Result<SecretSource, ConfigError> {
    match &file.password {
        Some(password) => check_secret(source, password),
        None => Ok(SecretSource::Environment(PASSWORD_VARIABLE.to_owned())),
    }
}

fn check_secret(
    source: &SourceText<'_>,
    secret: &Located<SecretSource>,
) -> Result<SecretSource, ConfigError> {
    match secret.get_ref() {
        SecretSource::Command(words) if words.is_empty() => {
            Err(source.error_at(secret, "the command is empty"))
        }
        fine => Ok(fine.clone()),
    }
}

/// The keytab and the KDC are for Negotiate alone.
fn check_windows(
    source: &SourceText<'_>,
    file: &file::ServerSection,
    auth: AuthMethod,
) -> Result<Windows<WindowsSecretSource>, ConfigError> {
    let (scheme, keytab, kdc) = match auth {
        AuthMethod::Negotiate => (WindowsScheme::Negotiate, &file.keytab_file, &file.kdc),
        _ => (WindowsScheme::Ntlm, &None, &None),
    };
    let secret = match keytab {
        Some(path) => WindowsSecretSource::Keytab(path.clone()),
        None => WindowsSecretSource::Password(check_password(source, file)?),
    };
    Ok(Windows {
        kdc: kdc.as_ref().map(|kdc| check_kdc(source, kdc)).transpose()?,
        username: check_username(source, file)?,
        binding: *file.channel_binding.get_ref(),
        scheme,
        secret,
    })
}

fn check_kdc(source: &SourceText<'_>, kdc: &Located<String>) -> Result<String, ConfigError> {
    let host = kdc.get_ref().strip_prefix("tcp://").filter(|host| !host.is_empty() && !host.contains('@'));
    host.map(|_| kdc.get_ref().clone()).ok_or_else(|| source.error_at(kdc, "write the KDC as tcp://host:88"))
}

/// An application, or the identity of the machine.
fn check_oauth(
    source: &SourceText<'_>,
    oauth: &Located<file::OAuthSection>,
    resource: Option<&str>,
) -> Result<SignInSource, ConfigError> {
    let file = oauth.get_ref();
    let default_scope = || resource.map(|resource| format!("{resource}/.default"));
    let scope = file.scope.clone().or_else(default_scope).ok_or_else(|| {
        source.error_at(oauth, "Microsoft documents no EWS in this cloud; set the scope of its tokens")
    })?;
    match file.managed_identity {
        true => check_managed_identity(source, oauth, &scope).map(SignInSource::ManagedIdentity),
        false => check_application(source, oauth, scope).map(SignInSource::OAuth),
    }
}

fn check_application(
    source: &SourceText<'_>,
    oauth: &Located<file::OAuthSection>,
    scope: String,
) -> Result<ClientCredentials<ApplicationSecretSource>, ConfigError> {
    let file = oauth.get_ref();
    let tenant = file.tenant.as_ref().ok_or_else(|| source.error_at(oauth, "tenant is missing"))?;
    let name = tenant.get_ref();
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c)) {
        let why = "a tenant is a domain or an id, such as example.onmicrosoft.com";
        return Err(source.error_at(tenant, why));
    }
    let client_id = file.client_id.clone().ok_or_else(|| source.error_at(oauth, "client_id is missing"))?;
    let endpoint = match check_endpoint(source, file)? {
        Some(endpoint) => endpoint,
        None => format!("{}/{name}/oauth2/v2.0/token", file.cloud.authority()),
    };
    let proofs = (&file.secret, &file.certificate_file, &file.key_file, &file.federated_token_file);
    let authentication = match proofs {
        (Some(secret), None, None, None) => ApplicationSecretSource::Secret(secret.clone()),
        (None, Some(certificate), Some(key), None) => ApplicationSecretSource::Key(ClientCertificate {
            certificate: certificate.clone(),
            key: key.clone(),
        }),
        (None, None, None, Some(path)) => ApplicationSecretSource::Federated(path.clone()),
        _ => {
            let why = "set one of: secret; certificate_file and key_file; federated_token_file; managed_identity = true";
            return Err(source.error_at(oauth, why));
        }
    };
    Ok(ClientCredentials { endpoint, client_id, scope, authentication })
}

/// The machine proves the identity, and belongs to one tenant.
fn check_managed_identity(
    source: &SourceText<'_>,
    oauth: &Located<file::OAuthSection>,
    scope: &str,
) -> Result<ManagedIdentity, ConfigError> {
    let file = oauth.get_ref();
    let needless = [
        ("tenant", file.tenant.is_some()),
        ("secret", file.secret.is_some()),
        ("certificate_file", file.certificate_file.is_some()),
        ("key_file", file.key_file.is_some()),
        ("federated_token_file", file.federated_token_file.is_some()),
    ];
    if let Some((key, _)) = needless.into_iter().find(|(_, is_set)| *is_set) {
        let why = format!("a managed identity needs no `{key}`: the Azure machine proves it; remove the key");
        return Err(source.error_at(oauth, why));
    }
    // The service is on this machine and has no certificate, so a request to it uses neither proxy nor TLS.
    if let Some(url) = file.endpoint.as_ref().filter(|url| url.get_ref().starts_with("https:")) {
        let why = "a managed identity's token comes from this machine, in plain http; remove endpoint";
        return Err(source.error_at(url, why));
    }
    Ok(ManagedIdentity {
        endpoint: check_endpoint(source, file)?.unwrap_or_else(|| INSTANCE_METADATA_ENDPOINT.to_owned()),
        resource: ManagedIdentity::resource_of(scope).to_owned(),
        client_id: file.client_id.clone(),
    })
}

fn check_endpoint(source: &SourceText<'_>, file: &file::OAuthSection) -> Result<Option<String>, ConfigError> {
    let endpoint = file.endpoint.as_ref();
    let checked = endpoint.map(|url| check_url(url.get_ref()).map_err(|error| source.error_at(url, error)));
    checked.transpose()
}

fn check_token(source: &SourceText<'_>, file: &file::ServerSection) -> Result<SecretSource, ConfigError> {
    let token = file.token.as_ref().ok_or_else(|| source.missing("server.token"))?;
    match check_secret(source, token)? {
        SecretSource::Environment(_) => {
            Err(source.error_at(token, "a token expires, so it must come from a file or a command"))
        }
        renewable => Ok(renewable),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::path::Path;

    use super::*;
    use crate::config::{Config, ConnectionSource, Overrides};
    use crate::http::error::error_chain;
    use crate::secret::Secret;

    /// Records each request for a secret, and reads none.
    #[derive(Default)]
    struct NotedReads(RefCell<Vec<(&'static str, SecretSource)>>);

    impl SecretResolver for NotedReads {
        fn read(&self, what: &'static str, source: &SecretSource) -> Result<Secret, SecretError> {
            self.0.borrow_mut().push((what, source.clone()));
            Ok(Secret::new("read".to_owned()))
        }

        fn credential_file(&self, name: &str) -> Result<PathBuf, SecretError> {
            Ok(PathBuf::from("/credentials").join(name))
        }
    }

    /// The sign-in of a server with these keys, and the secrets that it needed.
    fn signed_in(keys: &str) -> (Result<SignInMethod, SecretError>, Vec<(&'static str, SecretSource)>) {
        let text = format!("[server]\nurl = \"https://x.example/EWS\"\nusername = \"u\"\n{keys}\n");
        let config = Config::parse(None, &text, Overrides::default()).unwrap();
        let secrets = NotedReads::default();
        let sign_in = match config.server.unwrap() {
            ConnectionSource::Ews(settings) => settings.read_secrets(&secrets).map(|read| read.sign_in),
            ConnectionSource::Graph(graph) => graph.sign_in.read(&secrets),
        };
        (sign_in, secrets.0.into_inner())
    }

    #[test]
    fn each_secret_is_read_from_its_source_when_the_connection_opens() {
        let env = |name: &str| SecretSource::Environment(name.to_owned());
        let proxy = "proxy = { url = \"http://p:1\", username = \"u\", password = { env = \"P\" } }";
        let (basic, read) = signed_in(proxy);
        assert!(matches!(basic, Ok(SignInMethod::Basic { username, .. }) if username == "u"));
        assert_eq!(read, [("password", env(PASSWORD_VARIABLE)), ("password of the proxy", env("P"))]);
        let (ntlm, read) = signed_in("auth = \"ntlm\"\npassword = { env = \"W\" }");
        let is_ntlm = |windows: &Windows| windows.scheme == WindowsScheme::Ntlm;
        assert!(matches!(ntlm, Ok(SignInMethod::Windows(windows)) if is_ntlm(&windows)));
        assert_eq!(read, [("password", env("W"))]);
        let oauth = "oauth = { tenant = \"t\", client_id = \"c\", secret = { env = \"S\" } }";
        let (application, read) = signed_in(oauth);
        assert!(matches!(application, Ok(SignInMethod::OAuth(application)) if application.client_id == "c"));
        assert_eq!(read, [("client secret", env("S"))]);
    }

    #[test]
    fn a_federated_file_and_a_managed_identity_have_no_secret_to_read() {
        let federated =
            "oauth = { tenant = \"t\", client_id = \"c\", federated_token_file = \"/run/token\" }";
        let (application, read) = signed_in(federated);
        let Ok(SignInMethod::OAuth(application)) = application else { panic!("{application:?}") };
        let proof = application.authentication;
        assert!(matches!(proof, ClientAuthentication::Federated(path) if path == Path::new("/run/token")));
        assert_eq!(read, []);
        let (machine, read) = signed_in("oauth = { managed_identity = true, client_id = \"c\" }");
        let Ok(SignInMethod::ManagedIdentity(identity)) = machine else { panic!("{machine:?}") };
        assert_eq!(identity.endpoint, INSTANCE_METADATA_ENDPOINT);
        assert_eq!(identity.resource, "https://outlook.office365.com");
        assert_eq!(identity.client_id.as_deref(), Some("c"));
        assert_eq!(read, []);
    }

    #[test]
    fn a_token_is_not_read_and_its_credential_is_a_file() {
        let (token, read) = signed_in("token = { credential = \"token\" }");
        let file = ExternalToken::File("/credentials/token".into());
        assert!(matches!(token, Ok(SignInMethod::Token(token)) if token == file));
        assert_eq!(read, []);
    }

    #[test]
    fn a_keytab_or_certificate_that_cannot_be_used_is_named() {
        let (keytab, _) = signed_in("auth = \"negotiate\"\nkeytab_file = \"/nowhere/keytab\"");
        let error = error_chain(&keytab.unwrap_err());
        assert!(error.starts_with("cannot use the keytab: /nowhere/keytab: "), "{error}");
        let pair = "oauth = { tenant = \"t\", client_id = \"c\", certificate_file = \"/nowhere/c\", key_file = \"k\" }";
        let error = error_chain(&signed_in(pair).0.unwrap_err());
        assert!(error.starts_with("cannot use the certificate of the application: /nowhere/c: "), "{error}");
    }
}
