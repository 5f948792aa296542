//! Arguments of `adjourn init`. Types only.

use std::str::FromStr;

use clap::{Args, ValueEnum};

/// `adjourn init`. `--url`, `--username`, `--ca-file` and `--config` are those of every command.
#[derive(Debug, Clone, Default, Args)]
pub struct InitArgs {
    /// Kind of Exchange deployment
    #[arg(long, value_enum)]
    pub deployment: Option<Deployment>,
    /// Online: protocol by which Adjourn reaches the rooms
    #[arg(long, value_enum)]
    pub protocol: Option<InitProtocol>,
    /// On premises, instead of --url: find each room's server by Autodiscover, which may name hosts of this domain; may be repeated
    #[arg(long, value_name = "DOMAIN")]
    pub autodiscover: Vec<String>,
    /// On premises: how the account signs in [default: negotiate]
    #[arg(long, value_enum)]
    pub auth: Option<InitAuth>,
    /// Online: the tenant, as a domain or an id
    #[arg(long, value_name = "TENANT")]
    pub tenant: Option<String>,
    /// Online: application (client) id
    #[arg(long, value_name = "ID")]
    pub client_id: Option<String>,
    /// Where the account's password, or the application's client secret, is: file:PATH, env:VARIABLE, credential:NAME (of systemd) or
    /// command:WORDS
    #[arg(long, value_name = "SOURCE")]
    pub secret: Option<String>,
    /// SMTP address of a room that Adjourn may act in; may be repeated
    #[arg(long = "room", value_name = "ROOM")]
    pub rooms: Vec<String>,
    /// Mail domain of which every mailbox is a room that Adjourn may act in; may be repeated
    #[arg(long = "domain", value_name = "DOMAIN")]
    pub domains: Vec<String>,
    /// A mailbox that Exchange must refuse to the account, which adjourn doctor proves; may be repeated
    #[arg(long, value_name = "ADDRESS")]
    pub protected: Vec<String>,
    /// Replace the file if it exists
    #[arg(long)]
    pub force: bool,
}

/// Kind of Exchange deployment
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Deployment {
    /// Exchange Server, with a service account
    #[value(alias = "server")]
    OnPremises,
    /// Exchange Online, with an Entra application; EWS ends there on 1 April 2027
    Online,
}

/// Protocols of Exchange Online.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum InitProtocol {
    /// Microsoft Graph
    Graph,
    /// Exchange Web Services, until 31 March 2027
    Ews,
}

/// Sign-ins of an account of Exchange Server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum InitAuth {
    /// Kerberos, else NTLM
    Negotiate,
    /// NTLM
    Ntlm,
    /// Basic, over TLS
    Basic,
}

/// Where a secret is, as `file:PATH`, `env:VARIABLE`, `credential:NAME` or `command:WORDS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SecretPlace {
    /// In a file.
    File(String),
    /// In an environment variable.
    Environment(String),
    /// A credential of systemd.
    Credential(String),
    /// The output of a command.
    Command(Vec<String>),
}

/// A text names no place of a secret. The text is not quoted: it may be the secret itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "write where the secret is, not the secret itself: file:PATH, env:VARIABLE, credential:NAME or command:WORDS"
)]
pub(super) struct SecretPlaceError;

impl FromStr for SecretPlace {
    type Err = SecretPlaceError;

    fn from_str(text: &str) -> Result<Self, SecretPlaceError> {
        let (kind, place) = text.split_once(':').ok_or(SecretPlaceError)?;
        let place = place.trim();
        if place.is_empty() {
            return Err(SecretPlaceError);
        }
        match kind.trim() {
            "file" => Ok(Self::File(place.to_owned())),
            "env" => Ok(Self::Environment(place.to_owned())),
            "credential" => Ok(Self::Credential(place.to_owned())),
            "command" => Ok(Self::Command(place.split_whitespace().map(str::to_owned).collect())),
            _ => Err(SecretPlaceError),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_named_and_a_secret_is_refused_without_being_quoted() {
        let place = |text: &str| text.parse::<SecretPlace>();
        assert_eq!(
            place("file:/etc/adjourn/password"),
            Ok(SecretPlace::File("/etc/adjourn/password".to_owned()))
        );
        assert_eq!(place("env:PASSWORD"), Ok(SecretPlace::Environment("PASSWORD".to_owned())));
        let words = ["pass", "show", "rooms"].map(str::to_owned).to_vec();
        assert_eq!(place("command:pass show rooms"), Ok(SecretPlace::Command(words)));
        for text in ["hunter2", "hunter2:x", "file:", "env: ", ""] {
            let error = place(text).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
