//! Text from other systems (subjects, names, reasons, server messages) made safe for a terminal and a log: every character that
//! moves the cursor, starts an escape sequence, reverses the reading direction, breaks the line or is invisible is written as
//! its escape, such as `\u{202e}`. All other text stays as it is. Nothing here does I/O.

use std::borrow::Cow;
use std::fmt::Write as _;

/// How an escape is spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Escape {
    /// As Rust does: `\n`, `\u{202e}`.
    Text,
    /// As JSON does inside a string (RFC 8259, section 7): `\n`, `\u202e`, a surrogate pair beyond U+FFFF.
    Json,
}

/// A value on one line: line breaks and tabs are escaped too.
pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    escape_except(text, Escape::Text, &[])
}

/// Text of several lines that Adjourn composed itself: line breaks and tabs stay.
pub(crate) fn escape_lines(text: &str) -> Cow<'_, str> {
    escape_except(text, Escape::Text, &['\n', '\t'])
}

/// A JSON text. Its white space stays; other control characters can stand inside strings only.
pub(crate) fn escape_json(text: &str) -> Cow<'_, str> {
    escape_except(text, Escape::Json, &['\n', '\t', '\r'])
}

/// Whether a terminal shows every character of the text as it is.
pub(crate) fn is_printable(text: &str) -> bool {
    !text.chars().any(is_unprintable)
}

/// Whether the text can be a name in lists and logs: printable, not empty, and without white space at its ends.
pub(crate) fn is_printable_name(text: &str) -> bool {
    !text.is_empty() && text.trim() == text && is_printable(text)
}

fn escape_except<'t>(text: &'t str, form: Escape, kept: &[char]) -> Cow<'t, str> {
    let is_escaped = |c: char| is_unprintable(c) && !kept.contains(&c);
    if !text.contains(is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_escaped(c) { push_escape(&mut safe, c, form) } else { safe.push(c) }
    }
    Cow::Owned(safe)
}

fn push_escape(text: &mut String, c: char, form: Escape) {
    // Writing to a string does not fail.
    let _ = match (c, form) {
        ('\n', _) => text.write_str("\\n"),
        ('\r', _) => text.write_str("\\r"),
        ('\t', _) => text.write_str("\\t"),
        (c, Escape::Text) => write!(text, "\\u{{{:x}}}", u32::from(c)),
        (c, Escape::Json) => {
            c.encode_utf16(&mut [0; 2]).iter().try_for_each(|unit| write!(text, "\\u{unit:04x}"))
        }
    };
}

/// Characters that a terminal obeys or hides: C0, DEL and C1 controls (ECMA-48), the bidirectional controls (UAX #9), line and
/// paragraph separators, zero-width and default-ignorable characters (UAX #44) and interlinear annotation. Variation selectors
/// are not among them: emoji need them, and they change neither direction nor order.
fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(
            u32::from(c),
            0xad | 0x034f | 0x061c | 0x115f..=0x1160 | 0x17b4..=0x17b5 | 0x180b..=0x180f
                | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f | 0x3164 | 0xfeff | 0xffa0
                | 0xfff9..=0xfffb | 0x1bca0..=0x1bca3 | 0x1d173..=0x1d17a | 0xe0000..=0xe0fff
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_or_hides_becomes_an_escape() {
        for (text, shown) in [
            ("Board\x1b[2Jroom", "Board\\u{1b}[2Jroom"),
            ("a\u{9b}2J", "a\\u{9b}2J"),
            ("a\x7fb\0c", "a\\u{7f}b\\u{0}c"),
            ("room\u{202e}txt.exe\u{202c}", "room\\u{202e}txt.exe\\u{202c}"),
            ("\u{2066}a\u{2069}\u{200e}\u{200f}\u{61c}", "\\u{2066}a\\u{2069}\\u{200e}\\u{200f}\\u{61c}"),
            ("line\nline\rline\tcell", "line\\nline\\rline\\tcell"),
            ("a\u{2028}b\u{2029}c\u{85}", "a\\u{2028}b\\u{2029}c\\u{85}"),
            ("ad\u{200b}min\u{feff}", "ad\\u{200b}min\\u{feff}"),
            ("\u{e0041}", "\\u{e0041}"),
        ] {
            assert_eq!(escape(text), shown);
            assert!(!is_printable(text), "{shown}");
        }
    }

    #[test]
    fn text_of_any_script_stays_as_it_is() {
        for text in [
            "Jour fixe – 3. Stock",
            "会議室",
            "اجتماع",
            "פגישה",
            "Ünïcødé",
            "EXAMPLE\\svc",
            "❤\u{fe0f} 🚪",
            "",
        ] {
            assert!(matches!(escape(text), Cow::Borrowed(same) if same == text), "{text}");
            assert!(is_printable(text));
        }
    }

    #[test]
    fn json_stays_the_same_json() {
        let value = serde_json::json!({ "subject": "a\u{202e}b\u{9b}c\u{e0041}\n\u{1b}d", "n": [1, 2] });
        for text in [serde_json::to_string(&value).unwrap(), serde_json::to_string_pretty(&value).unwrap()] {
            let safe = escape_json(&text);
            assert!(safe.contains("a\\u202eb\\u009bc\\udb40\\udc41"), "{safe}");
            assert!(safe.chars().all(|c| c == '\n' || !is_unprintable(c)), "{safe}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&safe).unwrap(), value);
        }
    }

    #[test]
    fn lines_that_we_composed_stay_lines() {
        assert_eq!(escape_lines("ROOM\tWHO\nfjord\x1b[1m\r"), "ROOM\tWHO\nfjord\\u{1b}[1m\\r");
    }

    #[test]
    fn a_name_is_printable_and_trimmed() {
        assert!(is_printable_name("lobby display 3"));
        for name in ["", " ", "lobby ", "\u{a0}lobby", "lo\nbby", "lobby\u{202e}", "lob\u{200b}by"] {
            assert!(!is_printable_name(name), "{name:?}");
        }
    }
}
