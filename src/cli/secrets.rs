//! Reads secrets from their configured sources, once at start. An empty secret, or one that is not text, is refused before any
//! request: each failed sign-in counts towards account lockout.

use std::env::VarError;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use zeroize::Zeroizing;

use crate::config::{SecretError, SecretResolver, SecretSource, VariableError};
use crate::secret::Secret;
use crate::text_file;

/// Bytes of a file whose first line is a secret.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The secrets that this process can read: files, its environment, the output of commands.
pub(super) struct ProcessSecrets;

impl SecretResolver for ProcessSecrets {
    fn read(&self, what: &'static str, source: &SecretSource) -> Result<Secret, SecretError> {
        match source {
            SecretSource::File(path) => in_file(what, path),
            SecretSource::Environment(name) => in_environment(what, name),
            SecretSource::Command(words) => printed(what, words),
            SecretSource::Credential(name) => in_file(what, &self.credential_file(name)?),
        }
    }

    /// See `LoadCredential=` and systemd.exec(5), "Credentials".
    fn credential_file(&self, name: &str) -> Result<PathBuf, SecretError> {
        let directory = std::env::var_os("CREDENTIALS_DIRECTORY")
            .ok_or_else(|| SecretError::NoCredentials { name: name.to_owned() })?;
        if name.is_empty() || name.contains('/') {
            return Err(SecretError::CredentialName { name: name.to_owned() });
        }
        Ok(Path::new(&directory).join(name))
    }
}

/// Reads the first line of a file.
fn in_file(what: &'static str, path: &Path) -> Result<Secret, SecretError> {
    let text = text_file::read(path, FILE_BYTES_MAX);
    let text = text.map_err(|error| SecretError::File { what, path: path.to_owned(), error })?;
    first_line(what, &text, || path.display().to_string())
}

/// Reads the first line of an environment variable: tools that fill it from a file keep the line end and the byte order mark.
fn in_environment(what: &'static str, name: &str) -> Result<Secret, SecretError> {
    if !is_variable_name(name) {
        // The value may be the secret itself by mistake, so it is not printed.
        return Err(SecretError::VariableName { what });
    }
    let value = std::env::var(name).map(Zeroizing::new).map_err(|error| SecretError::Variable {
        what,
        name: name.to_owned(),
        error: match error {
            VarError::NotPresent => VariableError::NotFound,
            VarError::NotUnicode(_) => VariableError::NotUtf8,
        },
    })?;
    first_line(what, value.trim_start_matches('\u{feff}'), || name.to_owned())
}

fn is_variable_name(name: &str) -> bool {
    let mut letters = name.chars();
    letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

/// Runs a command and reads the first line of its output. Its stderr is passed through to the administrator.
fn printed(what: &'static str, words: &[String]) -> Result<Secret, SecretError> {
    let Some((program, arguments)) = words.split_first() else {
        return Err(SecretError::NoCommand { what });
    };
    let named = || program.clone();
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| SecretError::Command { what, program: named(), error })?;
    if !output.status.success() {
        return Err(SecretError::CommandFailed { what, program: named(), status: output.status });
    }
    let bytes = Zeroizing::new(output.stdout);
    let text = text_file::decode(&bytes)
        .map_err(|error| SecretError::CommandOutput { program: named(), error: io::Error::other(error) })?;
    first_line(what, &Zeroizing::new(text.into_owned()), || format!("the output of `{program}`"))
}

fn first_line(what: &'static str, text: &str, place: impl FnOnce() -> String) -> Result<Secret, SecretError> {
    match text.lines().next() {
        Some(line) if !line.trim().is_empty() => Ok(Secret::new(line.to_owned())),
        _ => Err(SecretError::Empty { what, place: place() }),
    }
}
