//! What is wrong with a configuration, and where: file, line, key.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::file::Spanned;

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        error: std::io::Error,
    },
    /// Something in the file is wrong.
    #[error("{location}: {key}: {reason}")]
    Invalid {
        /// File and line.
        location: String,
        /// Which key.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A flag or its environment variable is wrong.
    #[error("{flag}: {reason}")]
    InvalidFlag {
        /// Which flag.
        flag: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// Something must be said and is not.
    #[error("{location}: {key} is needed and not given")]
    Missing {
        /// Which file.
        location: String,
        /// Which key.
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

/// The text a value came from, to say where it stands.
pub(super) struct SourceText<'a> {
    pub(super) path: Option<&'a Path>,
    pub(super) text: &'a str,
}

impl SourceText<'_> {
    /// A value that is well-formed and still wrong.
    pub(super) fn error_at<T>(&self, value: &Spanned<T>, what: impl fmt::Display) -> ConfigError {
        self.error_at_span(value.span(), what)
    }

    /// Not TOML, or not our keys and types. The parser's message quotes the value, which may be a secret that an administrator
    /// wrote in place of its source.
    pub(super) fn parse_error(&self, error: &toml::de::Error) -> ConfigError {
        let span = error.span().unwrap_or_default();
        // These messages quote names of keys only.
        let names_keys =
            ["unknown field", "missing field"].iter().any(|start| error.message().starts_with(start));
        if !names_keys && self.concerns_secret(&span) {
            let what = "it names where the secret is, and never holds it: { file = \"…\" }, { env = \"…\" }, { command = [\"…\"] } or \
                        { credential = \"…\" }";
            return self.error_at_span(span, what);
        }
        self.error_at_span(span, without_values(error.message()))
    }

    /// Whether a secret belongs to the key, or stands on the lines, that the span lies in.
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

    /// The dotted key that a line belongs to: the nearest table header above, and the key to the left of a `=`.
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
