//! Reads secrets from their configured sources, once at start. An empty secret, or one that is not text, is refused before any
//! request: each failed sign-in counts towards account lockout.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use zeroize::Zeroizing;

use super::exit::{CommandError, Exit};
use crate::config::SecretSource;
use crate::exchange::Secret;
use crate::text_file;

/// Bytes of a file whose first line is a secret.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Reads a secret. `what` names it for error messages.
pub(super) fn read(what: &str, source: &SecretSource) -> Result<Secret, CommandError> {
    match source {
        SecretSource::File(path) => in_file(what, path),
        SecretSource::Environment(name) => in_environment(what, name),
        SecretSource::Command(words) => printed(what, words),
        SecretSource::Credential(name) => in_file(what, &credential(name)?),
    }
}

/// Reads the first line of a file.
pub(super) fn in_file(what: &str, path: &Path) -> Result<Secret, CommandError> {
    let text = text_file::read(path, FILE_BYTES_MAX).map_err(|error| {
        CommandError::new(Exit::Usage, format!("cannot read the {what} from {}", path.display()))
            .caused_by(error)
    })?;
    first_line(what, &text, || format!("in {}", path.display()))
}

/// Reads the first line of an environment variable: tools that fill it from a file keep the line end and the byte order mark.
fn in_environment(what: &str, name: &str) -> Result<Secret, CommandError> {
    if !is_variable_name(name) {
        // The value may be the secret itself by mistake, so it is not printed.
        return Err(CommandError::new(
            Exit::Usage,
            format!("`env` of the {what} is not the name of an environment variable"),
        ));
    }
    let value = std::env::var(name).map(Zeroizing::new);
    let value = value.map_err(|error| {
        CommandError::new(Exit::Usage, format!("cannot read the {what} from the environment variable {name}"))
            .caused_by(unset(&error))
    })?;
    first_line(what, value.trim_start_matches('\u{feff}'), || format!("in {name}"))
}

fn is_variable_name(name: &str) -> bool {
    let mut letters = name.chars();
    letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

/// The standard library's error would print the value of a variable that is not Unicode.
fn unset(error: &std::env::VarError) -> std::io::Error {
    std::io::Error::other(match error {
        std::env::VarError::NotPresent => "environment variable not found",
        std::env::VarError::NotUnicode(_) => "the environment variable is not UTF-8",
    })
}

/// The path of a systemd credential (`LoadCredential=`; systemd.exec(5), "Credentials").
pub(super) fn credential(name: &str) -> Result<PathBuf, CommandError> {
    let directory = std::env::var_os("CREDENTIALS_DIRECTORY").ok_or_else(|| {
        let why = format!(
            "cannot read the systemd credential {name}: systemd did not start this process with credentials"
        );
        CommandError::new(Exit::Usage, why)
    })?;
    if name.is_empty() || name.contains('/') {
        return Err(CommandError::new(Exit::Usage, format!("`{name}` is not the name of a credential")));
    }
    Ok(Path::new(&directory).join(name))
}

/// Runs a command and reads the first line of its output. Its stderr is passed through to the administrator.
fn printed(what: &str, words: &[String]) -> Result<Secret, CommandError> {
    let Some((program, arguments)) = words.split_first() else {
        return Err(CommandError::new(Exit::Usage, format!("the command for the {what} is empty")));
    };
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| {
        CommandError::new(Exit::Usage, format!("cannot run `{program}` for the {what}")).caused_by(error)
    })?;
    if !output.status.success() {
        let why = format!("`{program}` failed to print the {what}: {}", output.status);
        return Err(CommandError::new(Exit::Usage, why));
    }
    let bytes = Zeroizing::new(output.stdout);
    let text = text_file::decode(&bytes).map_err(|error| {
        CommandError::new(Exit::Usage, format!("the output of `{program}` is not text")).caused_by(error)
    })?;
    first_line(what, &Zeroizing::new(text.into_owned()), || format!("in the output of `{program}`"))
}

fn first_line(what: &str, text: &str, place: impl Fn() -> String) -> Result<Secret, CommandError> {
    match text.lines().next() {
        Some(line) if !line.trim().is_empty() => Ok(Secret::new(line.to_owned())),
        _ => Err(CommandError::new(Exit::Usage, format!("the {what} {} is empty", place()))),
    }
}
