//! Configuration errors: each names the file, the line and the key. A key or value that was renamed is answered with its new
//! name, a mistyped one with the nearest known word.
//!
//! No message ever quotes the value of a key that may hold a secret.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::file::{ConfigFile, Located};
use super::renamed;
use crate::suggestion::closest;

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        error: std::io::Error,
    },
    /// A key or value in the file is wrong.
    #[error("{location}: {key}: {reason}")]
    Invalid {
        /// File and line.
        location: String,
        /// The key, with its table.
        key: String,
        /// The fault, and the allowed values.
        reason: String,
    },
    /// A flag or its environment variable is wrong.
    #[error("{flag}: {reason}")]
    InvalidFlag {
        /// The flag.
        flag: &'static str,
        /// The fault, and the allowed values.
        reason: String,
    },
    /// Neither the file nor a flag names an Exchange.
    #[error("no Exchange is configured: set server.url in adjourn.toml, or give --url or ADJOURN_URL")]
    NoExchange,
    /// A required key is missing.
    #[error("{location}: {key} is missing")]
    Missing {
        /// The file.
        location: String,
        /// The key.
        key: &'static str,
    },
}

impl ConfigError {
    pub(super) fn invalid_flag(flag: &'static str, what: impl fmt::Display) -> Self {
        Self::InvalidFlag { flag, reason: what.to_string() }
    }
}

/// Parts of the keys that hold or locate a secret, and of common misspellings.
const SECRET_WORDS: [&str; 6] = ["password", "passwd", "passphrase", "secret", "token", "credential"];

/// The parser's message without quoted values. Names of keys and of choices stay.
fn without_values(message: &str) -> String {
    let Some(begins) = message.find("string \"") else { return message.to_owned() };
    let (before, found) = message.split_at(begins + "string ".len());
    match found.rfind("\", ") {
        Some(ends) => format!("{before}\"…{}", &found[ends..]),
        None => format!("{before}\"…\""),
    }
}

/// Whether the parser would have taken the source of a secret there, whatever the key is called.
fn expects_secret(message: &str) -> bool {
    message.ends_with("expected one of `file`, `env`, `command`, `credential`")
}

/// A word of the file that the parser does not know, and those that it would have taken there.
struct Unknown<'m> {
    is_key: bool,
    word: &'m str,
    accepted: Vec<&'m str>,
}

impl<'m> Unknown<'m> {
    /// Serde's message, such as ``unknown field `x`, expected one of `a`, `b` ``.
    fn parse(message: &'m str) -> Option<Self> {
        let is_key = message.starts_with("unknown field `");
        if !is_key && !message.starts_with("unknown variant `") {
            return None;
        }
        let mut words = message.split('`').skip(1).step_by(2);
        Some(Self { is_key, word: words.next()?, accepted: words.collect() })
    }

    fn explain(&self) -> String {
        let Self { is_key, word, accepted } = self;
        let (renamed, kind) = match is_key {
            true => (renamed::explain_key(word, accepted), "key"),
            false => (renamed::explain_value(word, accepted), "value"),
        };
        if let Some(sentence) = renamed {
            return sentence;
        }
        if let Some(near) = closest(word, accepted.iter().copied()) {
            return format!("unknown {kind} `{word}`; did you mean `{near}`?");
        }
        format!("unknown {kind} `{word}`; known here: {}", accepted.join(", "))
    }
}

/// The keys that a table takes, in the order in which its type has them: the parser itself names them.
pub(super) fn accepted_keys(header: &str) -> Vec<String> {
    let text = format!("{header}\n_ = 0\n");
    let message = toml::from_str::<ConfigFile>(&text).map_err(|error| error.message().to_owned());
    let accepted = message.err().and_then(|message| {
        let unknown = Unknown::parse(&message)?;
        Some(unknown.accepted.into_iter().map(str::to_owned).collect())
    });
    accepted.unwrap_or_default()
}

/// The text of the file, which turns a span into a line and a key.
pub(super) struct SourceText<'a> {
    pub(super) path: Option<&'a Path>,
    pub(super) text: &'a str,
}

impl SourceText<'_> {
    /// An error about a value that parsed.
    pub(super) fn error_at<T>(&self, value: &Located<T>, what: impl fmt::Display) -> ConfigError {
        self.error_at_span(value.span(), what)
    }

    /// An error of the parser: no TOML, an unknown key, or a value of another type. The parser quotes values, and an
    /// administrator may have written a secret where its file belongs, so quoted values are cut.
    pub(super) fn parse_error(&self, error: &toml::de::Error) -> ConfigError {
        let span = error.span().unwrap_or_default();
        // These messages quote names of keys only.
        let message = error.message();
        let names_keys = ["unknown field", "missing field"].iter().any(|start| message.starts_with(start));
        if !names_keys && (expects_secret(message) || self.concerns_secret(&span)) {
            let what = "write where the secret is, not the secret itself: { file = \"…\" }, { env = \"…\" }, { command = [\"…\"] } or \
                        { credential = \"…\" }";
            return self.error_at_span(span, what);
        }
        if let Some(unknown) = Unknown::parse(message) {
            return self.error_at_span(span, unknown.explain());
        }
        self.error_at_span(span, without_values(&message.replace("missing field", "missing key")))
    }

    /// Whether the key, or a line that the span covers, may hold a secret.
    fn concerns_secret(&self, span: &Range<usize>) -> bool {
        let before = self.text.get(..span.start).unwrap_or_default();
        let from = before.rfind('\n').map_or(0, |end| end + 1);
        let rest = self.text.get(from..).unwrap_or_default();
        let within = span.end.saturating_sub(from).min(rest.len());
        let to = rest.get(within..).and_then(|after| after.find('\n')).map_or(rest.len(), |end| within + end);
        let lines = rest.get(..to).unwrap_or_default();
        let key = self.key_at_line(before.matches('\n').count() + 1);
        [key.as_str(), lines].iter().any(|text| {
            let text = text.to_ascii_lowercase();
            SECRET_WORDS.iter().any(|word| text.contains(word))
        })
    }

    pub(super) fn missing(&self, key: &'static str) -> ConfigError {
        ConfigError::Missing { location: self.file_name(), key }
    }

    fn error_at_span(&self, span: Range<usize>, what: impl fmt::Display) -> ConfigError {
        let before = self.text.get(..span.start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        ConfigError::Invalid {
            location: format!("{}:{line}", self.file_name()),
            key: self.key_at_line(line),
            reason: what.to_string(),
        }
    }

    fn file_name(&self) -> String {
        self.path.map_or_else(|| "configuration".to_owned(), |path| path.display().to_string())
    }

    /// The dotted key of a line: the nearest table header above it, and the word left of `=`.
    fn key_at_line(&self, line: usize) -> String {
        let mut key: Option<&str> = None;
        let lines: Vec<&str> = self.text.lines().take(line).collect();
        for text in lines.iter().rev() {
            let text = text.trim();
            if let Some(table) = text.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
                let table = table.trim_matches(|c| c == '[' || c == ' ');
                // An array's line such as `["a", "b"]` is no table header.
                if !table.contains(['"', '\'', ',', '@']) {
                    return key.map_or_else(|| table.to_owned(), |key| format!("{table}.{key}"));
                }
            }
            key = key.or_else(|| text.split_once('=').map(|(name, _)| name.trim()));
        }
        key.unwrap_or_default().to_owned()
    }
}
