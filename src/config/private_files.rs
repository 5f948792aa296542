//! Lists the files of a configuration that hold a secret, so that their permissions can be checked. Opens none of them.

use std::path::Path;

use super::{
    AuthConfig, ClientCredentialSource, Config, ExchangeConfig, SecretSource, WindowsCredentialSource,
};

/// A private file's name in messages, and its path.
type PrivateFile<'c> = (&'static str, &'c Path);

impl Config {
    /// Every file that holds a secret. Credentials of systemd are not listed: systemd protects those itself.
    pub fn private_files(&self) -> Vec<PrivateFile<'_>> {
        let servers = self.connections.iter().map(|one| &one.server).chain(&self.server);
        let tls = self.api.tls.as_ref().map(|tls| ("private key", tls.key.as_path()));
        let webhook = self.webhook.as_ref().map(|hook| ("webhook secret", hook.secret_file.as_path()));
        servers.flat_map(private_files_of_server).chain(tls).chain(webhook).collect()
    }
}

fn private_files_of_server(server: &ExchangeConfig) -> impl Iterator<Item = PrivateFile<'_>> {
    let certificate = server.client_certificate.as_ref().map(|pair| ("private key", pair.key_file.as_path()));
    let proxy = server.proxy.as_ref().and_then(|proxy| proxy.credentials.as_ref());
    let proxy = proxy.and_then(|(_, password)| private_file_of_secret("password file", password));
    private_file_of_auth(&server.auth).into_iter().chain(certificate).chain(proxy)
}

fn private_file_of_auth(sign_in: &AuthConfig) -> Option<PrivateFile<'_>> {
    match sign_in {
        AuthConfig::Basic { password, .. }
        | AuthConfig::Ntlm { password, .. }
        | AuthConfig::Negotiate { credential: WindowsCredentialSource::Password(password), .. } => {
            private_file_of_secret("password file", password)
        }
        AuthConfig::Negotiate { credential: WindowsCredentialSource::Keytab(path), .. } => {
            Some(("keytab", path))
        }
        AuthConfig::OAuth { credential: ClientCredentialSource::Secret(secret), .. } => {
            private_file_of_secret("client secret", secret)
        }
        AuthConfig::OAuth { credential: ClientCredentialSource::Certificate(pair), .. } => {
            Some(("private key", &pair.key_file))
        }
        AuthConfig::Token(token) => private_file_of_secret("token", token),
        AuthConfig::Certificate => None,
    }
}

fn private_file_of_secret<'c>(what: &'static str, source: &'c SecretSource) -> Option<PrivateFile<'c>> {
    match source {
        SecretSource::File(path) => Some((what, path)),
        SecretSource::Environment(_) | SecretSource::Command(_) | SecretSource::Credential(_) => None,
    }
}
