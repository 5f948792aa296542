//! Writes log lines to stderr, one line per event, with control characters escaped: log lines contain subjects, names and server
//! messages.

use std::io::{self, Write};

use tracing_subscriber::fmt::MakeWriter;

use super::args::LogFormat;
use crate::printable::{escape, escape_json};

/// Creates a writer for each event.
pub(super) struct LogLines(pub(super) LogFormat);

impl<'w> MakeWriter<'w> for LogLines {
    type Writer = EscapedWriter<io::StderrLock<'static>>;

    fn make_writer(&'w self) -> Self::Writer {
        EscapedWriter { format: self.0, to: io::stderr().lock() }
    }
}

/// Escapes and writes one event, which the subscriber passes as one piece with its line end.
pub(super) struct EscapedWriter<W> {
    format: LogFormat,
    to: W,
}

impl<W: Write> Write for EscapedWriter<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let (line, end) = text.strip_suffix('\n').map_or((&*text, ""), |line| (line, "\n"));
        let safe = match self.format {
            LogFormat::Text => escape(line),
            LogFormat::Json => escape_json(line),
        };
        self.to.write_all(format!("{safe}{end}").as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(format: LogFormat, event: &str) -> String {
        let mut line = EscapedWriter { format, to: Vec::new() };
        line.write_all(event.as_bytes()).unwrap();
        String::from_utf8(line.to).unwrap()
    }

    #[test]
    fn an_event_is_one_line_that_controls_nothing() {
        let event = " WARN adjourn: room=fjord subject=a\n WARN adjourn: forged\u{1b}[2J\u{202e}\u{85}b\n";
        let shown =
            " WARN adjourn: room=fjord subject=a\\n WARN adjourn: forged\\u{1b}[2J\\u{202e}\\u{85}b\n";
        assert_eq!(written(LogFormat::Text, event), shown);
    }

    #[test]
    fn a_json_event_stays_json() {
        let event = "{\"message\":\"a\u{202e}b\u{9b}c\"}\n";
        assert_eq!(written(LogFormat::Json, event), "{\"message\":\"a\\u202eb\\u009bc\"}\n");
    }
}
