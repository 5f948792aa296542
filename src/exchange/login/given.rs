//! Tokens that somebody else fetches: from a file that is kept fresh, or from a command that prints one.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;
use tokio::process::Command;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::bearer::{Source, Token};
use crate::clock::{Clock as _, SystemClock};
use crate::exchange::delivery::Failure;
use crate::exchange::secret::Secret;
use crate::json::seconds;
use crate::text_file;

/// How long a token is taken to be good that does not say so itself: not long, since asking again is cheap.
const LIFETIME: Duration = Duration::from_secs(5 * 60);
/// How long a command may take.
const COMMAND_PATIENCE: Duration = Duration::from_secs(30);
/// The largest file that is read for the token in its first line.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// The longest text that is taken for a token.
const TOKEN_BYTES_MAX: usize = 64 << 10;

/// Where a token is given to us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Given {
    /// The first line of this file.
    File(PathBuf),
    /// The first line that this command, run without a shell, prints.
    Command(Vec<String>),
}

#[async_trait]
impl Source for Given {
    async fn fetch(&self) -> Result<Token, Failure> {
        let text = match self {
            Self::File(path) => text_file::read(path, FILE_BYTES_MAX)
                .map_err(|error| Failure::sign_in(&format!("no token in {}: {error}", path.display())))?,
            Self::Command(words) => printed(words).await.map_err(|why| Failure::sign_in(&why))?,
        };
        let line = text.lines().next().unwrap_or_default().trim();
        if line.is_empty() {
            return Err(Failure::sign_in("the token is empty"));
        }
        if line.len() > TOKEN_BYTES_MAX {
            return Err(Failure::sign_in("what was given as a token is too long to be one"));
        }
        let lifetime = ends_in(line).unwrap_or(LIFETIME);
        Ok(Token { secret: Secret::new(line.to_owned()), lifetime })
    }
}

async fn printed(words: &[String]) -> Result<Zeroizing<String>, String> {
    let (program, arguments) = words.split_first().ok_or("the token's command is empty")?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let output = timeout(COMMAND_PATIENCE, command.output())
        .await
        .map_err(|_| format!("`{program}` gave no token within {} s", COMMAND_PATIENCE.as_secs()))?
        .map_err(|error| format!("`{program}` cannot be run: {error}"))?;
    if !output.status.success() {
        return Err(format!("`{program}` gave no token: {}", output.status));
    }
    let printed = Zeroizing::new(output.stdout);
    let text =
        text_file::decode(&printed).map_err(|error| format!("`{program}` printed no text: {error}"))?;
    Ok(Zeroizing::new(text.into_owned()))
}

/// How much longer a JWT says it is good. What is none, or is over, says nothing.
fn ends_in(token: &str) -> Option<Duration> {
    #[derive(Deserialize)]
    struct Claims {
        exp: serde_json::Value,
    }
    let claims = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let Claims { exp } = serde_json::from_slice(&claims).ok()?;
    let now = Duration::from_secs(u64::try_from(SystemClock.now().timestamp()).ok()?);
    seconds(&exp)?.checked_sub(now).filter(|left| !left.is_zero())
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
        let token = Given::File(file.path().to_owned()).fetch().await.unwrap();
        assert_eq!((token.secret.expose(), token.lifetime), ("opaque", LIFETIME));
        std::fs::write(file.path(), b"\xff\xfeo\0p\0\r\0\n\0").unwrap();
        let token = Given::File(file.path().to_owned()).fetch().await.unwrap();
        assert_eq!(token.secret.expose(), "op", "UTF-16, as PowerShell writes it");
        let command = ["printf", "%s\\n%s", "from-a-command", "x"].map(str::to_owned).to_vec();
        assert_eq!(Given::Command(command).fetch().await.unwrap().secret.expose(), "from-a-command");
    }

    #[tokio::test]
    async fn what_gives_none_is_named_without_its_output() {
        for words in [&["sh", "-c", "echo top-secret >&2; echo top-secret; exit 3"][..], &["/nowhere/x"], &[]]
        {
            let words = words.iter().map(|word| (*word).to_owned()).collect();
            let failure = Given::Command(words).fetch().await.err().unwrap().to_string();
            assert!(failure.contains("token") || failure.contains("cannot be run"), "{failure}");
            assert!(!failure.contains("top-secret"), "{failure}");
        }
        assert!(Given::File("/nowhere/token".into()).fetch().await.is_err());
    }

    #[tokio::test]
    async fn an_empty_token_is_no_token() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for content in ["", "\n", " \t\r\nopaque"] {
            std::fs::write(file.path(), content).unwrap();
            let failure = Given::File(file.path().to_owned()).fetch().await.err().unwrap().to_string();
            assert!(failure.contains("the token is empty"), "{failure}");
        }
        let command = vec!["true".to_owned()];
        assert!(Given::Command(command).fetch().await.is_err(), "it printed nothing");
    }

    #[test]
    fn a_jwt_says_how_long_it_is_good() {
        let now = SystemClock.now().timestamp();
        let left = ends_in(&jwt(now + 3600)).unwrap();
        assert!((3590..=3600).contains(&left.as_secs()), "{left:?}");
        let text = BASE64_URL_SAFE_NO_PAD.encode(format!(r#"{{"exp":"{}.5"}}"#, now + 3600));
        assert!(ends_in(&format!("e30.{text}.c2ln")).is_some(), "as text, and with a fraction");
        assert_eq!(ends_in(&jwt(now - 5)), None);
        assert_eq!(ends_in("opaque"), None);
    }
}
