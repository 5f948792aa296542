//! Where the configuration says that a secret is, there it is read: once, at start.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use zeroize::Zeroizing;

use super::exit::{Exit, Failure};
use crate::config::SecretSource;
use crate::exchange::Secret;

/// The secret, or why it is not to be had. `what` it is, as an administrator calls it.
pub(super) fn read(what: &str, source: &SecretSource) -> Result<Secret, Failure> {
    match source {
        SecretSource::File(path) => in_file(what, path),
        SecretSource::Environment(name) => std::env::var(name).map(Secret::new).map_err(|error| {
            Failure::new(Exit::Usage, format!("the {what} is not in {name}")).because(error)
        }),
        SecretSource::Command(words) => printed(what, words),
        SecretSource::Credential(name) => in_file(what, &credential(name)?),
    }
}

/// The first line of a file.
pub(super) fn in_file(what: &str, path: &Path) -> Result<Secret, Failure> {
    let text = std::fs::read_to_string(path).map(Zeroizing::new).map_err(|error| {
        Failure::new(Exit::Usage, format!("cannot read the {what} in {}", path.display())).because(error)
    })?;
    Ok(first_line(&text))
}

/// Where systemd puts what `LoadCredential=` names (systemd.exec(5), "Credentials").
pub(super) fn credential(name: &str) -> Result<PathBuf, Failure> {
    let directory = std::env::var_os("CREDENTIALS_DIRECTORY").ok_or_else(|| {
        let why =
            format!("the credential {name} is systemd's, and systemd did not start this process with any");
        Failure::new(Exit::Usage, why)
    })?;
    if name.is_empty() || name.contains('/') {
        return Err(Failure::new(Exit::Usage, format!("`{name}` is not the name of a credential")));
    }
    Ok(Path::new(&directory).join(name))
}

/// The first line that a command prints. What it says on stderr is the administrator's to see.
fn printed(what: &str, words: &[String]) -> Result<Secret, Failure> {
    let Some((program, arguments)) = words.split_first() else {
        return Err(Failure::new(Exit::Usage, format!("the command for the {what} is empty")));
    };
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| {
        Failure::new(Exit::Usage, format!("cannot run `{program}` for the {what}")).because(error)
    })?;
    if !output.status.success() {
        let why = format!("`{program}` gave no {what}: {}", output.status);
        return Err(Failure::new(Exit::Usage, why));
    }
    let bytes = Zeroizing::new(output.stdout);
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| Failure::new(Exit::Usage, format!("what `{program}` prints is no text")))?;
    Ok(first_line(text))
}

fn first_line(text: &str) -> Secret {
    Secret::new(text.lines().next().unwrap_or_default().to_owned())
}
