//! The filter of the log, from `ADJOURN_LOG`. A mistake in it is an error that names it, never a filter that logs less or more
//! than its author meant. No filter lets the `sspi` crate write: it traces whole messages, of which some are as good as the password.

use tracing::Metadata;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{Directive, LevelFilter, ParseError};

/// The environment variable: directives of `tracing_subscriber`'s `EnvFilter`, separated by commas.
pub(super) const LOG_VARIABLE: &str = "ADJOURN_LOG";

/// The filter where the variable is not set.
const DEFAULT_FILTER: &str = "info";

/// The crate that never writes to the log. A target that begins with its name is refused too, since `EnvFilter` compares beginnings.
const SILENT_CRATE: &str = "sspi";

/// A directive of `ADJOURN_LOG` cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum LogFilterError {
    /// The syntax is wrong.
    #[error("the directive `{directive}` is not valid; write a level, or TARGET=LEVEL")]
    Syntax { directive: String, source: ParseError },
    /// `EnvFilter` would take the most verbose level.
    #[error("the directive `{0}` has no level; write TARGET=LEVEL")]
    NoLevel(String),
    /// A word that is no level would silence everything else.
    #[error("`{0}` is no level; the levels are off, error, warn, info, debug and trace")]
    UnknownLevel(String),
    /// The crate's messages contain secrets.
    #[error(
        "`{0}` enables messages of the crate sspi, which contain secrets and are never logged; leave it out"
    )]
    Secrets(String),
    /// The value is not Unicode.
    #[error("the value is not valid Unicode")]
    NotUnicode,
}

/// The filter in the environment variable.
pub(super) fn from_environment() -> Result<EnvFilter, LogFilterError> {
    match std::env::var(LOG_VARIABLE) {
        Ok(text) => parse(&text),
        Err(std::env::VarError::NotPresent) => parse(DEFAULT_FILTER),
        Err(std::env::VarError::NotUnicode(_)) => Err(LogFilterError::NotUnicode),
    }
}

/// Whether spans and events of this origin may be written at all. A filter of its own: a directive about a span, such as
/// `[exchange]=trace`, enables everything within the span, whatever other directives say.
pub(super) fn may_write(metadata: &Metadata<'_>) -> bool {
    !metadata.target().starts_with(SILENT_CRATE)
}

/// The filter of these directives; of none, the default.
fn parse(text: &str) -> Result<EnvFilter, LogFilterError> {
    let text = if split(text).next().is_none() { DEFAULT_FILTER } else { text };
    let mut filter = EnvFilter::new("off");
    for part in split(text) {
        filter = filter.add_directive(directive(part)?);
    }
    Ok(filter)
}

/// The directives of a value. A comma within `[…]` or `{…}` separates fields of a span.
fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_usize;
    let parts = text.split(move |letter| {
        match letter {
            '[' | '{' => depth += 1,
            ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        letter == ',' && depth == 0
    });
    parts.map(str::trim).filter(|part| !part.is_empty())
}

fn directive(text: &str) -> Result<Directive, LogFilterError> {
    if text.starts_with(SILENT_CRATE) {
        return Err(LogFilterError::Secrets(text.to_owned()));
    }
    if text.ends_with('=') {
        return Err(LogFilterError::NoLevel(text.to_owned()));
    }
    let is_one_word = !text.contains(['=', '[', ':']);
    if is_one_word && text != env!("CARGO_PKG_NAME") && text.parse::<LevelFilter>().is_err() {
        return Err(LogFilterError::UnknownLevel(text.to_owned()));
    }
    text.parse().map_err(|source| LogFilterError::Syntax { directive: text.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::filter::filter_fn;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[test]
    fn a_filter_has_the_directives_that_were_written() {
        for (text, shown) in [
            ("", "info"),
            (" , ", "info"),
            ("debug", "debug"),
            ("warn,adjourn::exchange=debug", "adjourn::exchange=debug,warn"),
            ("info, adjourn::request=off", "adjourn::request=off,info"),
            ("adjourn", "adjourn=trace,off"),
        ] {
            assert_eq!(parse(text).unwrap().to_string(), shown, "{text}");
        }
        let span = "info,[request{method=POST,status=500}]=debug";
        assert!(parse(span).unwrap().to_string().contains("method=POST"), "{span}");
    }

    #[test]
    fn a_mistake_is_named_and_nothing_is_logged_instead() {
        for (text, named) in [
            ("inof", "`inof` is no level"),
            ("info,adjourn::api=loud", "`adjourn::api=loud`"),
            ("info,adjourn::api=", "`adjourn::api=` has no level"),
            ("info,[request{=debug", "`[request{=debug`"),
            ("info,sspi=trace", "`sspi=trace` enables"),
            ("sspi::ntlm=debug", "`sspi::ntlm=debug` enables"),
            ("sspi:=debug", "`sspi:=debug` enables"),
        ] {
            let error = parse(text).map(|filter| filter.to_string()).unwrap_err().to_string();
            assert!(error.contains(named), "{text}: {error}");
        }
    }

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn no_filter_lets_messages_with_secrets_through() {
        for text in ["trace", "off,[exchange]=trace"] {
            let (written, filter) = (Written::default(), parse(text).unwrap());
            let to = written.clone();
            let lines = tracing_subscriber::fmt::layer().with_writer(move || to.clone());
            let subscriber =
                tracing_subscriber::registry().with(filter_fn(may_write)).with(filter).with(lines);
            tracing::subscriber::with_default(subscriber, || {
                let _in_span = tracing::info_span!("exchange").entered();
                tracing::trace!(target: "sspi::ntlm", "AUTHENTICATE");
                tracing::trace!(target: "adjourn::exchange", "ordinary");
            });
            let written = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
            assert!(written.contains("ordinary") && !written.contains("AUTHENTICATE"), "{text}: {written}");
        }
    }
}
