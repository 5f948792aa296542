//! Bearer tokens from outside: from a file that another program refreshes, or from a command that prints one. Never
//! stores a token.

use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;
use tokio::process::Command;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::bearer::{AccessToken, TokenSource};
use crate::clock::{Clock as _, SystemClock};
use crate::http::error::{TransportError, error_chain};
use crate::json::duration_in_seconds;
use crate::secret::Secret;
use crate::text_file::{self, TextDecodeError};

/// Assumed lifetime of a token that names none: short, since reading it again is cheap.
const LIFETIME_DEFAULT: Duration = Duration::from_secs(5 * 60);
/// Time limit of the command.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);
/// Largest file that is read for the token in its first line.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// Longest text that is accepted as a token.
const TOKEN_BYTES_MAX: usize = 64 << 10;

/// Source of an external token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExternalToken {
    /// The first line of this file.
    File(PathBuf),
    /// The first line that this command, run without a shell, prints.
    Command(Vec<String>),
}

#[async_trait]
impl TokenSource for ExternalToken {
    async fn fetch(&self) -> Result<AccessToken, TransportError> {
        let text = match self {
            Self::File(path) => text_file::read(path, FILE_BYTES_MAX).map_err(|error| {
                TransportError::sign_in(&format!("cannot read the token file {}: {error}", path.display()))
            })?,
            Self::Command(words) => {
                run_command(words).await.map_err(|error| TransportError::sign_in(&error_chain(&error)))?
            }
        };
        let line = text.lines().next().unwrap_or_default().trim();
        if line.is_empty() {
            return Err(TransportError::sign_in(
                "the token is empty: the first line of the token file or command is blank",
            ));
        }
        if line.len() > TOKEN_BYTES_MAX {
            return Err(TransportError::sign_in(
                "the first line of the token file or command is too long for a token",
            ));
        }
        let lifetime = remaining_lifetime(line).unwrap_or(LIFETIME_DEFAULT);
        Ok(AccessToken { secret: Secret::new(line.to_owned()), lifetime })
    }
}

/// Why a command printed no token. Contains nothing that it printed.
#[derive(Debug, thiserror::Error)]
enum TokenCommandError {
    #[error("the token command is empty")]
    Empty,
    #[error("the token command `{0}` did not finish within {limit} s", limit = COMMAND_TIMEOUT.as_secs())]
    Timeout(String),
    #[error("the token command `{0}` cannot be run")]
    NotRun(String, #[source] io::Error),
    #[error("the token command `{0}` failed: {1}")]
    Failed(String, ExitStatus),
    #[error("the token command `{0}` did not print text")]
    NotText(String, #[source] TextDecodeError),
}

async fn run_command(words: &[String]) -> Result<Zeroizing<String>, TokenCommandError> {
    let (program, arguments) = words.split_first().ok_or(TokenCommandError::Empty)?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let output = timeout(COMMAND_TIMEOUT, command.output())
        .await
        .map_err(|_| TokenCommandError::Timeout(program.clone()))?
        .map_err(|error| TokenCommandError::NotRun(program.clone(), error))?;
    if !output.status.success() {
        return Err(TokenCommandError::Failed(program.clone(), output.status));
    }
    let output = Zeroizing::new(output.stdout);
    let text =
        text_file::decode(&output).map_err(|error| TokenCommandError::NotText(program.clone(), error))?;
    Ok(Zeroizing::new(text.into_owned()))
}

/// Remaining lifetime of a JWT; `None` if the token is no JWT or has expired.
fn remaining_lifetime(token: &str) -> Option<Duration> {
    #[derive(Deserialize)]
    struct ExpiryClaim {
        exp: serde_json::Value,
    }
    let claims = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let ExpiryClaim { exp } = serde_json::from_slice(&claims).ok()?;
    let now = Duration::from_secs(u64::try_from(SystemClock.now().timestamp()).ok()?);
    duration_in_seconds(&exp)?.checked_sub(now).filter(|left| !left.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jwt(exp: i64) -> String {
        let claims = BASE64_URL_SAFE_NO_PAD.encode(format!(r#"{{"exp":{exp}}}"#));
        format!("e30.{claims}.c2ln")
    }

    #[tokio::test]
    async fn a_file_and_a_command_give_their_first_line() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "opaque\nmore").unwrap();
        let token = ExternalToken::File(file.path().to_owned()).fetch().await.unwrap();
        assert_eq!((token.secret.expose(), token.lifetime), ("opaque", LIFETIME_DEFAULT));
        std::fs::write(file.path(), b"\xff\xfeo\0p\0\r\0\n\0").unwrap();
        let token = ExternalToken::File(file.path().to_owned()).fetch().await.unwrap();
        assert_eq!(token.secret.expose(), "op", "UTF-16, as PowerShell writes it");
        let command = ["printf", "%s\\n%s", "from-a-command", "x"].map(str::to_owned).to_vec();
        assert_eq!(ExternalToken::Command(command).fetch().await.unwrap().secret.expose(), "from-a-command");
    }

    #[tokio::test]
    async fn what_gives_none_is_named_without_its_output() {
        for words in [&["sh", "-c", "echo top-secret >&2; echo top-secret; exit 3"][..], &["/nowhere/x"], &[]]
        {
            let words = words.iter().map(|word| (*word).to_owned()).collect();
            let failure = ExternalToken::Command(words).fetch().await.err().unwrap().to_string();
            assert!(failure.contains("token") || failure.contains("cannot be run"), "{failure}");
            assert!(!failure.contains("top-secret"), "{failure}");
        }
        assert!(ExternalToken::File("/nowhere/token".into()).fetch().await.is_err());
    }

    #[tokio::test]
    async fn an_empty_token_is_no_token() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for content in ["", "\n", " \t\r\nopaque"] {
            std::fs::write(file.path(), content).unwrap();
            let failure =
                ExternalToken::File(file.path().to_owned()).fetch().await.err().unwrap().to_string();
            assert!(failure.contains("the token is empty"), "{failure}");
        }
        let command = vec!["true".to_owned()];
        assert!(ExternalToken::Command(command).fetch().await.is_err(), "it printed nothing");
    }

    #[test]
    fn a_jwt_says_how_long_it_is_good() {
        let now = SystemClock.now().timestamp();
        let left = remaining_lifetime(&jwt(now + 3600)).unwrap();
        assert!((3590..=3600).contains(&left.as_secs()), "{left:?}");
        let text = BASE64_URL_SAFE_NO_PAD.encode(format!(r#"{{"exp":"{}.5"}}"#, now + 3600));
        assert!(remaining_lifetime(&format!("e30.{text}.c2ln")).is_some(), "as text, and with a fraction");
        assert_eq!(remaining_lifetime(&jwt(now - 5)), None);
        assert_eq!(remaining_lifetime("opaque"), None);
    }
}
