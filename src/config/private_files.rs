//! Lists the files of a configuration that hold a secret, so that their permissions can be checked. Opens none of them.

use std::path::Path;

use super::Config;
use super::secrets::SecretSource;
use super::server::ConnectionSource;
use super::sign_in::{ApplicationSecretSource, SignInSource, WindowsSecretSource};

/// A private file's name in messages, and its path.
type PrivateFile<'c> = (&'static str, &'c Path);

impl Config {
    /// Every file that holds a secret. Credentials of systemd are not listed: systemd protects those itself.
    pub fn private_files(&self) -> Vec<PrivateFile<'_>> {
        let tls = self.api.tls.as_ref().map(|tls| ("private key", tls.key.as_path()));
        let webhooks = self.webhooks.iter();
        let webhooks = webhooks.filter_map(|one| private_file_of_secret("webhook secret", &one.secret));
        let database = self.journal.database.iter();
        let database = database.filter_map(|one| private_file_of_secret("database URL", &one.url));
        self.exchanges()
            .flat_map(private_files_of_exchange)
            .chain(tls)
            .chain(webhooks)
            .chain(database)
            .collect()
    }
}

fn private_files_of_exchange(connection: &ConnectionSource) -> impl Iterator<Item = PrivateFile<'_>> {
    let certificate = match connection {
        ConnectionSource::Ews(settings) => settings.client_certificate.as_ref(),
        ConnectionSource::Graph(_) => None,
    };
    let certificate = certificate.map(|pair| ("private key", pair.key.as_path()));
    let proxy = connection.proxy_password();
    let proxy = proxy.and_then(|password| private_file_of_secret("password file", password));
    private_file_of_sign_in(connection.sign_in()).into_iter().chain(certificate).chain(proxy)
}

fn private_file_of_sign_in(sign_in: &SignInSource) -> Option<PrivateFile<'_>> {
    match sign_in {
        SignInSource::Basic { password, .. } => private_file_of_secret("password file", password),
        SignInSource::Windows(windows) => match &windows.secret {
            WindowsSecretSource::Password(password) => private_file_of_secret("password file", password),
            WindowsSecretSource::Keytab(path) => Some(("keytab", path)),
        },
        SignInSource::OAuth(application) => match &application.authentication {
            ApplicationSecretSource::Secret(secret) => private_file_of_secret("client secret", secret),
            ApplicationSecretSource::Key(pair) => Some(("private key", &pair.key)),
            // The platform writes it and sets its mode: a kubelet makes it readable for all users of the container.
            ApplicationSecretSource::Federated(_) => None,
        },
        SignInSource::Token(token) => private_file_of_secret("token", token),
        SignInSource::ManagedIdentity(_) | SignInSource::Certificate => None,
    }
}

fn private_file_of_secret<'c>(what: &'static str, source: &'c SecretSource) -> Option<PrivateFile<'c>> {
    match source {
        SecretSource::File(path) => Some((what, path)),
        SecretSource::Environment(_) | SecretSource::Command(_) | SecretSource::Credential(_) => None,
    }
}
