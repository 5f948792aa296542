//! Finds every error of a configuration file, for `adjourn config check`: what is wrong is left out, and the rest is checked again. A
//! program that starts stops at the first error instead ([`Config::load`]). Reads no secret and connects to nothing.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;

use serde::Deserialize as _;
use serde_spanned::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::error::{ConfigError, SourceText};
use super::file::ConfigFile;
use super::{Config, FILE_BYTES_MAX, Overrides, check};
use crate::text_file;

/// Errors that are listed. A file with more is no configuration of Adjourn.
pub(crate) const CHECK_ERRORS_MAX: usize = 100;

impl Config {
    /// Reads the file and checks everything, as [`Config::load`] does.
    ///
    /// # Errors
    /// All that were found, in the order of the file. Of values that are wrong together, the first one of each table is among them, since
    /// it may cause the next.
    pub fn load_or_every_error(path: &Path, overrides: &Overrides) -> Result<Self, Vec<ConfigError>> {
        let text = text_file::read(path, FILE_BYTES_MAX)
            .map_err(|error| vec![ConfigError::Unreadable { path: path.to_owned(), error }])?;
        Self::parse_or_every_error(Some(path), &text, overrides)
    }

    /// Checks the text of a configuration file, as [`Config::parse`] does.
    ///
    /// # Errors
    /// See [`Config::load_or_every_error`].
    pub fn parse_or_every_error(
        path: Option<&Path>,
        text: &str,
        overrides: &Overrides,
    ) -> Result<Self, Vec<ConfigError>> {
        let source = SourceText { path, text };
        let table = DeTable::parse(text).map_err(|error| vec![source.parse_error(&error)])?;
        let mut search = Search { source, table, errors: Vec::new() };
        search.types();
        let config = search.meanings(overrides);
        let mut errors = search.errors;
        if let (Some(config), true) = (config, errors.is_empty()) {
            return Ok(config);
        }
        errors.sort_by_key(line);
        Err(errors)
    }
}

/// What is left of the file, and the errors so far.
struct Search<'s> {
    source: SourceText<'s>,
    table: Spanned<DeTable<'s>>,
    errors: Vec<ConfigError>,
}

impl Search<'_> {
    fn parsed(&self) -> Result<ConfigFile, toml::de::Error> {
        ConfigFile::deserialize(toml::de::Deserializer::from(self.table.clone()))
    }

    /// Finds unknown keys and values of a wrong type or beyond their limits, each by itself; leaves out the tables where they are.
    fn types(&mut self) {
        let (mut faulty, mut removed) = (BTreeSet::new(), BTreeSet::new());
        while let Err(error) = self.parsed() {
            if !is_missing(&error, &removed) {
                self.errors.push(self.source.parse_error(&error));
            }
            let at = error.span().unwrap_or_default();
            faulty.extend(top_level(self.table.get_ref(), &at));
            match remove(self.table.get_mut(), &at) {
                Some(key) if self.errors.len() < CHECK_ERRORS_MAX => _ = removed.insert(key),
                _ => return,
            }
        }
        for key in faulty {
            self.table.get_mut().remove(key.as_str());
        }
    }

    /// Finds values that are wrong by themselves or together, one in each table.
    fn meanings(&mut self, overrides: &Overrides) -> Option<Config> {
        while self.errors.len() < CHECK_ERRORS_MAX {
            let error = match check(&self.source, self.parsed().ok()?, overrides.clone()) {
                Ok(config) => return Some(config),
                Err(error) => error,
            };
            let key = match &error {
                ConfigError::Invalid { key, .. } => key.split('.').next().unwrap_or_default().to_owned(),
                ConfigError::Missing { key, .. } => key.split('.').next().unwrap_or_default().to_owned(),
                _ => String::new(),
            };
            let is_new = self.errors.iter().all(|known| known.to_string() != error.to_string());
            self.errors.extend(is_new.then_some(error));
            self.table.get_mut().remove(key.as_str())?;
        }
        None
    }
}

/// Whether a table lacks a key only because its value was wrong, and was removed.
fn is_missing(error: &toml::de::Error, removed: &BTreeSet<String>) -> bool {
    let key = error.message().strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`'));
    key.is_some_and(|key| removed.contains(key))
}

/// The line of an error, for the order; errors of the whole file come first.
fn line(error: &ConfigError) -> usize {
    let ConfigError::Invalid { location, .. } = error else { return 0 };
    location.rsplit(':').next().and_then(|line| line.parse().ok()).unwrap_or_default()
}

fn covers(span: &Range<usize>, at: &Range<usize>) -> bool {
    span.start <= at.start && at.start < span.end
}

/// The key at the top of the file in whose value the place is.
fn top_level(table: &DeTable<'_>, at: &Range<usize>) -> Option<String> {
    let found = table.iter().find(|(key, value)| covers(&key.span(), at) || holds(value, at));
    found.map(|(key, _)| key.get_ref().to_string())
}

/// Whether the place is in the value. The span of a table with a header is its header, so its keys are asked too.
fn holds(value: &Spanned<DeValue<'_>>, at: &Range<usize>) -> bool {
    covers(&value.span(), at)
        || match value.get_ref() {
            DeValue::Table(table) => top_level(table, at).is_some(),
            DeValue::Array(array) => array.iter().any(|one| holds(one, at)),
            _ => false,
        }
}

/// Removes the innermost entry in which the place is, and returns its key.
fn remove(table: &mut DeTable<'_>, at: &Range<usize>) -> Option<String> {
    let mut within = table.iter_mut().filter(|(key, _)| !covers(&key.span(), at));
    if let Some(key) = within.find_map(|(key, value)| remove_within(key.get_ref(), value, at)) {
        return Some(key);
    }
    let key = table.iter().find(|(key, value)| covers(&key.span(), at) || covers(&value.span(), at));
    let key = key.map(|(key, _)| key.clone())?;
    table.remove(&key).map(|_| key.get_ref().to_string())
}

/// Removes the innermost entry, or the item of a list, in which the place is.
fn remove_within(key: &str, value: &mut Spanned<DeValue<'_>>, at: &Range<usize>) -> Option<String> {
    match value.get_mut() {
        DeValue::Table(table) => remove(table, at),
        DeValue::Array(array) => {
            if let Some(key) = array.iter_mut().find_map(|one| remove_within(key, one, at)) {
                return Some(key);
            }
            let before = array.len();
            let kept = std::mem::replace(array, DeArray::new());
            *array = kept.into_iter().filter(|one| !covers(&one.span(), at)).collect();
            (array.len() < before).then(|| key.to_owned())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(text: &str) -> Vec<String> {
        let path = Some(Path::new("adjourn.toml"));
        match Config::parse_or_every_error(path, text, &Overrides::default()) {
            Ok(_) => Vec::new(),
            Err(errors) => errors.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn a_valid_file_has_no_error() {
        assert_eq!(
            errors("[server]\nurl = \"https://m.example/EWS/Exchange.asmx\"\nusername = \"u\"\n"),
            [""; 0]
        );
    }

    #[test]
    fn every_error_is_found_at_its_line() {
        let text = "\
[server]
urll = \"https://m.example/EWS/Exchange.asmx\"
first_byte_timeout_s = 0
username = 5
[live]
mode = \"stream\"
poll_interval_s = 1
[[webhooks]]
name = \"a\"
url = \"https://h.example\"
secret = \"hunter2\"
[[schedules]]
name = \"x\"
cron = \"never\"
time_zone = \"UTC\"
[scope]
rooms = [
  \"no address\",
]
";
        let errors = errors(text);
        let wanted = [
            ("adjourn.toml:2: server.urll: ", "did you mean `url`?"),
            ("adjourn.toml:3: server.first_byte_timeout_s: ", "not between 1 and 3600"),
            ("adjourn.toml:4: server.username: ", "expected a string"),
            ("adjourn.toml:6: live.mode: ", "did you mean `streaming`?"),
            ("adjourn.toml:7: live.poll_interval_s: ", "not between 5 and 3600"),
            ("adjourn.toml:11: webhooks.secret: ", "write where the secret is"),
            ("adjourn.toml:14: schedules.cron: ", ""),
            ("adjourn.toml:18: scope.rooms: ", ""),
        ];
        assert_eq!(errors.len(), wanted.len(), "{errors:#?}");
        for (error, (start, part)) in errors.iter().zip(wanted) {
            assert!(error.starts_with(start) && error.contains(part), "{error} is not {start}… {part}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_missing_key_hides_no_other_error() {
        let text = "[[webhooks]]\nname = \"a\"\n[[webhooks]]\nname = 1\nurl = \"u\"\nsecret = { env = \"S\" }\n[engine]\nverify_delay_ms = -1\n";
        let errors = errors(text);
        assert_eq!(errors.len(), 3, "{errors:#?}");
        assert!(errors[0].starts_with("adjourn.toml:1: webhooks: missing key `"), "{errors:#?}");
        // That its name is missing once it is left out is no error of the file.
        assert!(errors[1].starts_with("adjourn.toml:4: webhooks.name: "), "{errors:#?}");
        assert!(errors[2].starts_with("adjourn.toml:8: engine.verify_delay_ms: "), "{errors:#?}");
    }

    #[test]
    fn one_error_of_each_table_where_values_are_wrong_together() {
        let errors =
            errors("[server]\nurl = \"http://m.example/EWS\"\nauth = \"token\"\n[api]\nlisten = \"here\"\n");
        assert_eq!(errors.len(), 2, "{errors:#?}");
        assert!(errors[0].starts_with("adjourn.toml:2: server.url"), "{errors:#?}");
        assert!(errors[1].starts_with("adjourn.toml:5: api.listen"), "{errors:#?}");
    }

    #[test]
    fn a_file_of_errors_ends() {
        let text: String = (0..300).map(|number| format!("unknown_{number} = 1\n")).collect();
        assert_eq!(errors(&text).len(), CHECK_ERRORS_MAX);
        assert_eq!(errors("[server\n").len(), 1);
    }
}
