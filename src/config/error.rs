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
    #[error("{place}: {key}: {what}")]
    Wrong {
        /// File and line.
        place: String,
        /// Which key.
        key: String,
        /// What is wrong with it.
        what: String,
    },
    /// A flag or its environment variable is wrong.
    #[error("{flag}: {what}")]
    Flag {
        /// Which flag.
        flag: &'static str,
        /// What is wrong with it.
        what: String,
    },
    /// Something must be said and is not.
    #[error("{place}: {key} is needed and not given")]
    Missing {
        /// Which file.
        place: String,
        /// Which key.
        key: &'static str,
    },
}

impl ConfigError {
    pub(super) fn flag(flag: &'static str, what: impl fmt::Display) -> Self {
        Self::Flag { flag, what: what.to_string() }
    }
}

/// The text a value came from, to say where it stands.
pub(super) struct Source<'a> {
    pub(super) path: Option<&'a Path>,
    pub(super) text: &'a str,
}

impl Source<'_> {
    /// A value that is well-formed and still wrong.
    pub(super) fn at<T>(&self, value: &Spanned<T>, what: impl fmt::Display) -> ConfigError {
        self.wrong(value.span(), what)
    }

    /// Not TOML, or not our keys and types.
    pub(super) fn syntax(&self, error: &toml::de::Error) -> ConfigError {
        self.wrong(error.span().unwrap_or_default(), error.message())
    }

    pub(super) fn missing(&self, key: &'static str) -> ConfigError {
        ConfigError::Missing { place: self.file(), key }
    }

    fn wrong(&self, span: Range<usize>, what: impl fmt::Display) -> ConfigError {
        let before = self.text.get(..span.start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        ConfigError::Wrong {
            place: format!("{}:{line}", self.file()),
            key: self.key(line),
            what: what.to_string(),
        }
    }

    fn file(&self) -> String {
        self.path.map_or_else(|| "configuration".to_owned(), |path| path.display().to_string())
    }

    /// The dotted key that a line belongs to: the nearest table header above, and the key to the left of a `=`.
    fn key(&self, line: usize) -> String {
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
