//! Builds Exchange connections from the configuration. Reads secrets; connects to nothing yet.

use std::error::Error;

use super::exit::{CommandError, Exit};
use super::secrets;
use crate::calendar::RoomAddress;
use crate::config::{
    AuthConfig, CertificateFiles, ClientCredentialSource, Config, DEFAULT_NAME, ExchangeConfig, ProxyConfig,
    SecretSource, ServerLocation, WindowsCredentialSource,
};
use crate::ews::soap::ServerVersion;
use crate::exchange::{self, ClientCertificate, ConnectionRouter, Exchange, Settings};
use crate::live::SILENCE_MAX;
use crate::login::{
    ClientAuthentication as Proof, ClientCredentials, ClientKey, ExternalToken, KeytabKey, Windows,
    WindowsScheme, WindowsSecret as Proves,
};

/// Routes rooms to every Exchange of the configuration.
pub(super) fn router(config: &Config) -> Result<ConnectionRouter, CommandError> {
    let mut sites = ConnectionRouter::default();
    for connection in &config.connections {
        let exchange = open_exchange(&connection.name, &connection.server)?;
        sites.add(connection.rooms.clone(), exchange);
    }
    match &config.server {
        Some(server) => sites.set_fallback(open_exchange(DEFAULT_NAME, server)?),
        None if config.connections.is_empty() => {
            return Err(no_exchange());
        }
        None => {}
    }
    Ok(sites)
}

pub(super) fn no_exchange() -> CommandError {
    CommandError::new(
        Exit::Usage,
        "no Exchange is configured: set server.url in adjourn.toml, or give --url or ADJOURN_URL",
    )
}

/// The name of the connection that covers this room.
pub(super) fn connection_name<'c>(config: &'c Config, room: &RoomAddress) -> Option<&'c str> {
    let named = config.connections.iter().find(|one| one.rooms.iter().any(|pattern| pattern.matches(room)));
    named.map(|one| one.name.as_str()).or(config.server.is_some().then_some(DEFAULT_NAME))
}

/// Every server of the configuration, with its name.
pub(super) fn servers(config: &Config) -> impl Iterator<Item = (&str, &ExchangeConfig)> {
    let named = config.connections.iter().map(|connection| (connection.name.as_str(), &connection.server));
    named.chain(config.server.as_ref().map(|server| (DEFAULT_NAME, server)))
}

fn open_exchange(name: &str, server: &ExchangeConfig) -> Result<Exchange, CommandError> {
    Exchange::new(&connection_settings(name, server)?).map_err(|error| {
        CommandError::new(Exit::Usage, format!("cannot use the connection {name}")).caused_by(error)
    })
}

/// The settings of a connection to this server.
pub(super) fn connection_settings(name: &str, server: &ExchangeConfig) -> Result<Settings, CommandError> {
    Ok(Settings {
        name: name.to_owned(),
        location: endpoint(&server.location)?,
        sign_in: sign_in(&server.auth)?,
        access: server.access,
        client_certificate: server.client_certificate.as_ref().map(certificate),
        proxy: server.proxy.as_ref().map(proxy).transpose()?,
        ca_file: server.ca_file.clone(),
        connect_timeout: server.connect_timeout,
        first_byte_timeout: server.first_byte_timeout,
        response_timeout: server.response_timeout,
        impersonate_by: server.impersonate_by,
        max_concurrent_requests_per_room: server.max_concurrent_requests_per_room,
        max_concurrent_requests: server.max_concurrent_requests,
        operation_timeout: server.operation_timeout,
        stream_idle_timeout: SILENCE_MAX.to_std().unwrap_or_default(),
        version: ServerVersion::default(),
    })
}

fn endpoint(at: &ServerLocation) -> Result<exchange::ExchangeLocation, CommandError> {
    match at {
        ServerLocation::Url(url) => Ok(exchange::ExchangeLocation::Url(url.clone())),
        ServerLocation::Autodiscover(policy) => Ok(exchange::ExchangeLocation::Discovered(policy.clone())),
    }
}

fn sign_in(sign_in: &AuthConfig) -> Result<exchange::SignInMethod, CommandError> {
    let windows = |scheme, username: &String, proof, binding, kdc: Option<String>| {
        exchange::SignInMethod::Windows(Windows {
            scheme,
            username: username.clone(),
            secret: proof,
            binding,
            kdc,
        })
    };
    Ok(match sign_in {
        AuthConfig::Basic { username, password } => exchange::SignInMethod::Basic {
            username: username.clone(),
            password: secrets::read("password", password)?,
        },
        AuthConfig::Ntlm { username, password, binding } => {
            let proof = Proves::Password(secrets::read("password", password)?);
            windows(WindowsScheme::Ntlm, username, proof, *binding, None)
        }
        AuthConfig::Negotiate { username, credential: proof, binding, kdc } => {
            let proof = match proof {
                WindowsCredentialSource::Password(password) => {
                    Proves::Password(secrets::read("password", password)?)
                }
                WindowsCredentialSource::Keytab(path) => {
                    Proves::Key(usable("keytab", KeytabKey::read(path, username))?)
                }
            };
            windows(WindowsScheme::Negotiate, username, proof, *binding, kdc.clone())
        }
        AuthConfig::OAuth { endpoint, client_id, scope, credential: proof } => {
            exchange::SignInMethod::OAuth(ClientCredentials {
                endpoint: endpoint.clone(),
                client_id: client_id.clone(),
                scope: scope.clone(),
                authentication: match proof {
                    ClientCredentialSource::Secret(secret) => {
                        Proof::Secret(secrets::read("client secret", secret)?)
                    }
                    ClientCredentialSource::Certificate(CertificateFiles { certificate_file, key_file }) => {
                        Proof::Key(usable(
                            "certificate of the application",
                            ClientKey::read(certificate_file, key_file),
                        )?)
                    }
                },
            })
        }
        AuthConfig::Token(source) => exchange::SignInMethod::Token(external_token(source)?),
        AuthConfig::Certificate => exchange::SignInMethod::Certificate,
    })
}

fn external_token(source: &SecretSource) -> Result<ExternalToken, CommandError> {
    Ok(match source {
        SecretSource::File(path) => ExternalToken::File(path.clone()),
        SecretSource::Command(words) => ExternalToken::Command(words.clone()),
        SecretSource::Credential(name) => ExternalToken::File(secrets::credential(name)?),
        SecretSource::Environment(name) => {
            return Err(CommandError::new(
                Exit::Usage,
                format!(
                    "a token in the environment variable {name} cannot be renewed: use a file or a command"
                ),
            ));
        }
    })
}

fn certificate(pair: &CertificateFiles) -> ClientCertificate {
    ClientCertificate { certificate: pair.certificate_file.clone(), key: pair.key_file.clone() }
}

fn proxy(proxy: &ProxyConfig) -> Result<exchange::ProxySettings, CommandError> {
    let login = proxy.credentials.as_ref().map(|(username, password)| {
        Ok((username.clone(), secrets::read("password of the proxy", password)?))
    });
    Ok(exchange::ProxySettings { url: proxy.url.clone(), login: login.transpose()? })
}

fn usable<T>(what: &str, read: Result<T, impl Error>) -> Result<T, CommandError> {
    read.map_err(|error| CommandError::new(Exit::Usage, format!("cannot use the {what}")).caused_by(error))
}
