//! Reads secrets from the sources that the configuration names, once, at start. A secret that is empty, only white space, or no
//! text is refused before any request: each failed sign-in counts towards an account lockout.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use zeroize::Zeroizing;

use super::exit::{CommandError, Exit};
use crate::config::SecretSource;
use crate::exchange::Secret;
use crate::text_file;

/// The largest file that is read for the secret in its first line.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The secret, or why it is not to be had. `what` it is, as an administrator calls it.
pub(super) fn read(what: &str, source: &SecretSource) -> Result<Secret, CommandError> {
    match source {
        SecretSource::File(path) => in_file(what, path),
        SecretSource::Environment(name) => in_environment(what, name),
        SecretSource::Command(words) => printed(what, words),
        SecretSource::Credential(name) => in_file(what, &credential(name)?),
    }
}

/// The first line of a file.
pub(super) fn in_file(what: &str, path: &Path) -> Result<Secret, CommandError> {
    let text = text_file::read(path, FILE_BYTES_MAX).map_err(|error| {
        CommandError::new(Exit::Usage, format!("cannot read the {what} in {}", path.display()))
            .caused_by(error)
    })?;
    first_line(what, &text, || format!("in {}", path.display()))
}

/// The first line of an environment variable: tools that fill it from a file keep the line end and the byte order mark.
fn in_environment(what: &str, name: &str) -> Result<Secret, CommandError> {
    if !is_variable_name(name) {
        // An administrator may have written the secret itself here, so the value is not printed.
        return Err(CommandError::new(
            Exit::Usage,
            format!("`env` of the {what} is not the name of an environment variable"),
        ));
    }
    let value = std::env::var(name).map(Zeroizing::new);
    let value = value.map_err(|error| {
        CommandError::new(Exit::Usage, format!("the {what} is not in {name}")).caused_by(unset(&error))
    })?;
    first_line(what, value.trim_start_matches('\u{feff}'), || format!("in {name}"))
}

fn is_variable_name(name: &str) -> bool {
    let mut letters = name.chars();
    letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

/// The standard library's error shows the value of a variable that is not Unicode.
fn unset(error: &std::env::VarError) -> std::io::Error {
    std::io::Error::other(match error {
        std::env::VarError::NotPresent => "environment variable not found",
        std::env::VarError::NotUnicode(_) => "the environment variable is not UTF-8",
    })
}

/// Where systemd puts what `LoadCredential=` names (systemd.exec(5), "Credentials").
pub(super) fn credential(name: &str) -> Result<PathBuf, CommandError> {
    let directory = std::env::var_os("CREDENTIALS_DIRECTORY").ok_or_else(|| {
        let why =
            format!("the credential {name} is systemd's, and systemd did not start this process with any");
        CommandError::new(Exit::Usage, why)
    })?;
    if name.is_empty() || name.contains('/') {
        return Err(CommandError::new(Exit::Usage, format!("`{name}` is not the name of a credential")));
    }
    Ok(Path::new(&directory).join(name))
}

/// The first line that a command prints. What it says on stderr is the administrator's to see.
fn printed(what: &str, words: &[String]) -> Result<Secret, CommandError> {
    let Some((program, arguments)) = words.split_first() else {
        return Err(CommandError::new(Exit::Usage, format!("the command for the {what} is empty")));
    };
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| {
        CommandError::new(Exit::Usage, format!("cannot run `{program}` for the {what}")).caused_by(error)
    })?;
    if !output.status.success() {
        let why = format!("`{program}` gave no {what}: {}", output.status);
        return Err(CommandError::new(Exit::Usage, why));
    }
    let bytes = Zeroizing::new(output.stdout);
    let text = text_file::decode(&bytes).map_err(|error| {
        CommandError::new(Exit::Usage, format!("what `{program}` prints is no text")).caused_by(error)
    })?;
    first_line(what, &Zeroizing::new(text.into_owned()), || format!("in the output of `{program}`"))
}

fn first_line(what: &str, text: &str, place: impl Fn() -> String) -> Result<Secret, CommandError> {
    match text.lines().next() {
        Some(line) if !line.trim().is_empty() => Ok(Secret::new(line.to_owned())),
        _ => Err(CommandError::new(Exit::Usage, format!("the {what} {} is empty", place()))),
    }
}
