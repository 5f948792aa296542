//! Parses HTTP header fields (RFC 9110, section 5): lists in one field or several, challenges, dates, and text for
//! people. Reads values; sends nothing.

mod challenge;
mod date;

use http::{HeaderMap, HeaderName};

pub(crate) use challenge::challenges;
pub(crate) use date::{parse_date, response_date, retry_after};

/// Whether a list field contains this element, in any case (section 5.6.1).
pub(crate) fn list_contains(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|element| element.trim().eq_ignore_ascii_case(word))
}

/// A field's text for people: one line of at most `chars_max` characters, with control characters escaped.
pub(crate) fn printable_line(text: &[u8], chars_max: usize) -> String {
    let mut shown = String::new();
    let text = String::from_utf8_lossy(text);
    let mut letters = text.trim().chars();
    for letter in letters.by_ref().take(chars_max) {
        match letter {
            letter if letter.is_control() || is_format(letter) => shown.extend(letter.escape_unicode()),
            letter => shown.push(letter),
        }
    }
    if letters.next().is_some() {
        shown.push('…');
    }
    shown
}

/// Invisible characters and those that change the direction of writing (Unicode: separators, category Cf).
fn is_format(letter: char) -> bool {
    matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, header};

    use super::*;

    #[test]
    fn a_word_is_found_in_any_place_of_a_list_and_in_any_case() {
        let headers = |values: &[&'static str]| {
            let values = values.iter().map(|value| (header::CONNECTION, HeaderValue::from_static(value)));
            values.collect::<HeaderMap>()
        };
        for yes in [&["close"][..], &["Close"], &["keep-alive, close"], &["keep-alive", "CLOSE ,x"]] {
            assert!(list_contains(&headers(yes), &header::CONNECTION, "close"), "{yes:?}");
        }
        for no in [&[][..], &["keep-alive"], &["closed"], &["x-close"]] {
            assert!(!list_contains(&headers(no), &header::CONNECTION, "close"), "{no:?}");
        }
    }

    #[test]
    fn text_for_people_is_one_line_of_limited_length() {
        assert_eq!(
            printable_line(b" said \x1b[31m so\r\nand more", 100),
            r"said \u{1b}[31m so\u{d}\u{a}and more"
        );
        assert_eq!(printable_line("a\u{202e}b".as_bytes(), 100), r"a\u{202e}b");
        assert_eq!(printable_line(b"abcdef", 3), "abc…");
        assert_eq!(printable_line(b"caf\xe9", 10), "caf\u{fffd}");
    }
}
