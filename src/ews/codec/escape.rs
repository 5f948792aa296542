//! Escapes text for XML, so that it never becomes markup. A reader of the XML gets the same text back, except that characters which
//! XML 1.0 cannot carry become U+FFFD.
//!
//! Those are replaced, not dropped: dropping a character could turn one address or id into another that exists, and could empty
//! a value that needs at least one character (`t:NonEmptyStringType`). Character references are no alternative: `&#x1;` is as
//! ill-formed as the character itself (XML 1.0, 4.1, "Legal Character"), and Exchange answers it with `ErrorSchemaValidation` or
//! HTTP 400.

use super::byte_scanner::is_unescaped;

/// A byte that is written as it is.
const PLAIN: u8 = 0;
/// A byte that may need escaping.
const SPECIAL: u8 = 1;

/// Bytes that may need escaping in text.
static IN_TEXT: [u8; 256] = table(b"&<>\r");
/// Bytes that may need escaping in an attribute: a reader turns a literal TAB or LF there into a space (XML 1.0, 3.3.3).
static IN_ATTRIBUTE: [u8; 256] = table(b"&<>\"\r\n\t");

/// Marks the given bytes, the control characters that XML forbids, and 0xEF: U+FFFE and U+FFFF begin with it.
const fn table(special: &[u8]) -> [u8; 256] {
    let mut table = [PLAIN; 256];
    let mut control = 0;
    while control < 0x20 {
        if control != b'\t' as usize && control != b'\n' as usize && control != b'\r' as usize {
            table[control] = SPECIAL;
        }
        control += 1;
    }
    table[0xEF] = SPECIAL;
    let mut at = 0;
    while at < special.len() {
        table[special[at] as usize] = SPECIAL;
        at += 1;
    }
    table
}

/// Appends `text` as the content of an element.
pub(super) fn push_text(out: &mut Vec<u8>, text: &str) {
    push(out, text, &IN_TEXT);
}

/// Appends `text` as the value of an attribute in double quotes (which it does not write).
pub(super) fn push_attribute(out: &mut Vec<u8>, text: &str) {
    push(out, text, &IN_ATTRIBUTE);
}

fn push(out: &mut Vec<u8>, text: &str, table: &[u8; 256]) {
    if is_unescaped(text.as_bytes()) {
        out.extend_from_slice(text.as_bytes());
    } else {
        push_special(out, text.as_bytes(), table);
    }
}

#[inline(never)]
fn push_special(out: &mut Vec<u8>, mut rest: &[u8], table: &[u8; 256]) {
    while let Some(at) = rest.iter().position(|&byte| table[usize::from(byte)] == SPECIAL) {
        let (plain, special) = rest.split_at(at);
        out.extend_from_slice(plain);
        let (replacement, taken) = replacement(special);
        out.extend_from_slice(replacement);
        rest = special.get(taken..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
}

/// The replacement of the first character, and the character's length in bytes.
fn replacement(bytes: &[u8]) -> (&[u8], usize) {
    match bytes {
        [b'&', ..] => (b"&amp;", 1),
        [b'<', ..] => (b"&lt;", 1),
        // XML forbids only `]]>` in text; escaping every `>` is simpler and equally valid.
        [b'>', ..] => (b"&gt;", 1),
        [b'"', ..] => (b"&quot;", 1),
        // A reader turns a literal CR, and CR LF, into LF (XML 1.0, 2.11); as a reference it survives.
        [b'\r', ..] => (b"&#xD;", 1),
        [b'\n', ..] => (b"&#xA;", 1),
        [b'\t', ..] => (b"&#x9;", 1),
        [0xEF, 0xBF, 0xBE | 0xBF, ..] => (REPLACEMENT, 3),
        [0xEF, _, _, ..] => (&bytes[..3], 3),
        _ => (REPLACEMENT, 1),
    }
}

/// U+FFFD in UTF-8.
const REPLACEMENT: &[u8] = "\u{FFFD}".as_bytes();

#[cfg(test)]
mod tests {
    use super::*;

    fn both(text: &str) -> (String, String) {
        let (mut content, mut value) = (Vec::new(), Vec::new());
        push_text(&mut content, text);
        push_attribute(&mut value, text);
        (String::from_utf8(content).unwrap(), String::from_utf8(value).unwrap())
    }

    #[test]
    fn whatever_a_table_marks_is_not_plain_wherever_it_stands() {
        for byte in 0..=u8::MAX {
            let marked = IN_TEXT[usize::from(byte)] == SPECIAL || IN_ATTRIBUTE[usize::from(byte)] == SPECIAL;
            for len in 1..=72 {
                for at in 0..len {
                    let mut bytes = vec![b'x'; len];
                    bytes[at] = byte;
                    assert!(!marked || !is_unescaped(&bytes), "{byte} at {at} of {len}");
                }
                assert!(is_unescaped(&vec![b'x'; len]));
            }
        }
    }

    #[test]
    fn markup_and_line_ends_are_escaped() {
        let (content, value) = both("a&b<c>d\"e'f\r\n\tg]]>");
        assert_eq!(content, "a&amp;b&lt;c&gt;d\"e'f&#xD;\n\tg]]&gt;");
        assert_eq!(value, "a&amp;b&lt;c&gt;d&quot;e'f&#xD;&#xA;&#x9;g]]&gt;");
    }

    #[test]
    fn what_xml_forbids_is_replaced_and_neighbours_stay() {
        let (content, value) =
            both("\0\u{1}\u{1F}\u{FFFE}\u{FFFF}\u{FFFD}\u{FF5E}\u{F000}\u{7F}\u{85}\u{1F600}");
        assert_eq!(
            content,
            "\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\u{FF5E}\u{F000}\u{7F}\u{85}\u{1F600}"
        );
        assert_eq!(content, value);
    }
}
