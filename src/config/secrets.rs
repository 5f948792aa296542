//! Where secrets are, and how they are read. A configuration holds [`SecretSource`]s; a [`SecretResolver`] reads them when a
//! connection opens, and never before: loading and checking a configuration reads no secret.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

use schemars::JsonSchema;
use serde::Deserialize;
use thiserror::Error;

use crate::login::{ClientKeyError, KeytabError};
use crate::secret::Secret;

/// Where a secret is, never the secret itself, since people print, mail and commit configurations: one of `{ file = "…" }`,
/// `{ env = "VARIABLE" }`, `{ command = ["…"] }` and `{ credential = "NAME" }`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
pub enum SecretSource {
    /// In a file, up to its first line end.
    File(PathBuf),
    /// In an environment variable.
    #[serde(rename = "env")]
    Environment(String),
    /// The output of a command, up to its first line end; run without a shell.
    Command(Vec<String>),
    /// A systemd credential of this name (`LoadCredential=`).
    Credential(String),
}

/// Reads secrets from their sources.
pub trait SecretResolver {
    /// Reads a secret. `what` names it for error messages.
    ///
    /// # Errors
    /// When the source cannot be read, or what it holds cannot be a secret.
    fn read(&self, what: &'static str, source: &SecretSource) -> Result<Secret, SecretError>;

    /// The file of a systemd credential.
    ///
    /// # Errors
    /// When systemd gave this process no credentials, or the name cannot be one.
    fn credential_file(&self, name: &str) -> Result<PathBuf, SecretError>;
}

/// Why a secret cannot be used. No message quotes a secret, nor a value that may be one by mistake.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SecretError {
    /// The file cannot be read as text.
    #[error("cannot read the {what} from {}", path.display())]
    File {
        /// The secret's name.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        error: io::Error,
    },
    /// `env` is no name. It may be the secret itself by mistake.
    #[error("`env` of the {what} is not the name of an environment variable")]
    VariableName {
        /// The secret's name.
        what: &'static str,
    },
    /// The environment variable is missing, or no text.
    #[error("cannot read the {what} from the environment variable {name}")]
    Variable {
        /// The secret's name.
        what: &'static str,
        /// The variable.
        name: String,
        /// The cause.
        #[source]
        error: VariableError,
    },
    /// The process has no credentials.
    #[error("cannot read the systemd credential {name}: systemd did not start this process with credentials")]
    NoCredentials {
        /// The credential.
        name: String,
    },
    /// A credential's name is the name of a file.
    #[error("`{name}` is not the name of a credential")]
    CredentialName {
        /// The text.
        name: String,
    },
    /// The command has no words.
    #[error("the command for the {what} is empty")]
    NoCommand {
        /// The secret's name.
        what: &'static str,
    },
    /// The command does not start.
    #[error("cannot run `{program}` for the {what}")]
    Command {
        /// The secret's name.
        what: &'static str,
        /// The program.
        program: String,
        /// The cause.
        #[source]
        error: io::Error,
    },
    /// The command failed.
    #[error("`{program}` failed to print the {what}: {status}")]
    CommandFailed {
        /// The secret's name.
        what: &'static str,
        /// The program.
        program: String,
        /// How it ended.
        status: ExitStatus,
    },
    /// The command did not print text.
    #[error("the output of `{program}` is not text")]
    CommandOutput {
        /// The program.
        program: String,
        /// The cause.
        #[source]
        error: io::Error,
    },
    /// The first line is blank.
    #[error("the {what} in {place} is empty")]
    Empty {
        /// The secret's name.
        what: &'static str,
        /// The file, the variable, or the output of a command.
        place: String,
    },
    /// The keytab has no key for the account.
    #[error("cannot use the keytab")]
    Keytab(#[from] KeytabError),
    /// The application's certificate or its key cannot be used.
    #[error("cannot use the certificate of the application")]
    ClientKey(#[from] ClientKeyError),
    /// An environment variable keeps its value, and a token expires.
    #[error("a token in the environment variable {name} cannot be renewed: use a file or a command")]
    NotRenewable {
        /// The variable.
        name: String,
    },
}

/// Why an environment variable has no text. (The standard library's error prints the value that is not Unicode.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum VariableError {
    /// It is not set.
    #[error("environment variable not found")]
    NotFound,
    /// Its value is not Unicode.
    #[error("the environment variable is not UTF-8")]
    NotUtf8,
}

/// The reference shows it as one type of its own.
impl JsonSchema for SecretSource {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SecretSource".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "secret" })
    }
}
