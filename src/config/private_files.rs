//! The files of a configuration that hold a secret: what each is, and where.

use std::path::Path;

use super::{ClientProof, Config, SecretSource, Server, SignIn, WindowsProof};

/// What a private file is called in a message, and where it is.
type PrivateFile<'c> = (&'static str, &'c Path);

impl Config {
    /// Every file that holds a secret. Systemd's credentials are not among them: systemd guards those itself.
    pub fn private_files(&self) -> Vec<PrivateFile<'_>> {
        let servers = self.connections.iter().map(|one| &one.server).chain(&self.server);
        let tls = self.api.tls.as_ref().map(|tls| ("private key", tls.key.as_path()));
        let webhook = self.webhook.as_ref().map(|hook| ("webhook secret", hook.secret_file.as_path()));
        servers.flat_map(of_server).chain(tls).chain(webhook).collect()
    }
}

fn of_server(server: &Server) -> impl Iterator<Item = PrivateFile<'_>> {
    let certificate = server.client_certificate.as_ref().map(|pair| ("private key", pair.key_file.as_path()));
    let proxy = server.proxy.as_ref().and_then(|proxy| proxy.login.as_ref());
    let proxy = proxy.and_then(|(_, password)| of_source("password file", password));
    of_sign_in(&server.sign_in).into_iter().chain(certificate).chain(proxy)
}

fn of_sign_in(sign_in: &SignIn) -> Option<PrivateFile<'_>> {
    match sign_in {
        SignIn::Basic { password, .. }
        | SignIn::Ntlm { password, .. }
        | SignIn::Negotiate { proof: WindowsProof::Password(password), .. } => {
            of_source("password file", password)
        }
        SignIn::Negotiate { proof: WindowsProof::Keytab(path), .. } => Some(("keytab", path)),
        SignIn::OAuth { proof: ClientProof::Secret(secret), .. } => of_source("client secret", secret),
        SignIn::OAuth { proof: ClientProof::Certificate(pair), .. } => Some(("private key", &pair.key_file)),
        SignIn::Token(token) => of_source("token", token),
        SignIn::Certificate => None,
    }
}

fn of_source<'c>(what: &'static str, source: &'c SecretSource) -> Option<PrivateFile<'c>> {
    match source {
        SecretSource::File(path) => Some((what, path)),
        SecretSource::Environment(_) | SecretSource::Command(_) | SecretSource::Credential(_) => None,
    }
}
