//! `t:Contains`: compares text with a property, by containment mode and comparison. Reads no item.

use roxmltree::Node;

use super::property_value::PropertyValue;
use crate::sim::ews_error::EwsError;
use crate::sim::soap_request::enum_attribute;

/// `ContainmentModeType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ContainmentMode {
    FullString,
    Prefixed,
    Substring,
    PrefixOnWords,
    ExactPhrase,
}

/// The containment mode, and the differences that count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Containment {
    mode: ContainmentMode,
    case: bool,
    accents: bool,
}

const MODES: [&str; 5] = ["FullString", "Prefixed", "Substring", "PrefixOnWords", "ExactPhrase"];
const COMPARISONS: [&str; 8] = [
    "Exact",
    "IgnoreCase",
    "IgnoreNonSpacingCharacters",
    "Loose",
    "IgnoreCaseAndNonSpacingCharacters",
    "LooseAndIgnoreCase",
    "LooseAndIgnoreNonSpace",
    "LooseAndIgnoreCaseAndIgnoreNonSpace",
];

/// Parses the attributes; the default is `FullString` and `Exact`.
pub(super) fn read(node: Node<'_, '_>) -> Result<Containment, EwsError> {
    let mode = match enum_attribute(node, "ContainmentMode", &MODES)? {
        Some("Prefixed") => ContainmentMode::Prefixed,
        Some("Substring") => ContainmentMode::Substring,
        Some("PrefixOnWords") => ContainmentMode::PrefixOnWords,
        Some("ExactPhrase") => ContainmentMode::ExactPhrase,
        _ => ContainmentMode::FullString,
    };
    let how = enum_attribute(node, "ContainmentComparison", &COMPARISONS)?.unwrap_or("Exact");
    // "Loose" is the store's own comparison: it ignores case and accents.
    let loose = how == "Loose";
    let case = !loose && !how.contains("IgnoreCase");
    Ok(Containment { mode, case, accents: !loose && !how.contains("NonSpac") })
}

impl Containment {
    /// Whether a value contains the text; fails for values other than text.
    pub(super) fn holds(self, value: &PropertyValue, wanted: &str) -> Result<bool, EwsError> {
        let (PropertyValue::Text(text) | PropertyValue::XmlWithText(_, text)) = value else {
            return Err(EwsError::new("ErrorContainsFilterWrongType", "The property is not a string."));
        };
        Ok(self.finds(&self.folded(text), &self.folded(wanted)))
    }

    fn finds(self, text: &str, wanted: &str) -> bool {
        match self.mode {
            ContainmentMode::FullString => text == wanted,
            ContainmentMode::Prefixed => text.starts_with(wanted),
            ContainmentMode::Substring => text.contains(wanted),
            ContainmentMode::PrefixOnWords => at_words(text, wanted).next().is_some(),
            ContainmentMode::ExactPhrase => {
                at_words(text, wanted).any(|rest| !rest.starts_with(char::is_alphanumeric))
            }
        }
    }

    fn folded(self, text: &str) -> String {
        let bare: String = match self.accents {
            true => text.to_owned(),
            false => text.chars().filter(|mark| !('\u{300}'..='\u{36f}').contains(mark)).map(bare).collect(),
        };
        if self.case { bare } else { bare.to_lowercase() }
    }
}

/// The rest of the text after each match at the beginning of a word.
fn at_words<'a>(text: &'a str, wanted: &str) -> impl Iterator<Item = &'a str> {
    text.match_indices(wanted)
        .filter(|(at, _)| !text[..*at].ends_with(char::is_alphanumeric))
        .map(|(at, found)| &text[at + found.len()..])
}

/// The base letter of a Latin-1 letter.
fn bare(letter: char) -> char {
    const BARE: &str = "AAAAAA\u{c6}CEEEEIIII\u{d0}NOOOOO\u{d7}OUUUUY\u{de}\u{df}aaaaaa\u{e6}ceeeeiiii\u{f0}nooooo\u{f7}ouuuuy\u{fe}y";
    let number = u32::from(letter).checked_sub(0xc0).and_then(|number| usize::try_from(number).ok());
    number.and_then(|number| BARE.chars().nth(number)).unwrap_or(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_found_where_and_how_a_request_says() {
        let exact = Containment { mode: ContainmentMode::FullString, case: true, accents: true };
        let holds = |how: Containment, text: &str, wanted: &str| {
            how.holds(&PropertyValue::Text(text.to_owned()), wanted).unwrap()
        };
        for (mode, text, wanted, found) in [
            (ContainmentMode::FullString, "Planning", "Planning", true),
            (ContainmentMode::FullString, "Planning", "Plan", false),
            (ContainmentMode::Prefixed, "Planning", "Plan", true),
            (ContainmentMode::Prefixed, "Planning", "ann", false),
            (ContainmentMode::Substring, "Planning", "ann", true),
            (ContainmentMode::PrefixOnWords, "Spring planning", "plan", true),
            (ContainmentMode::PrefixOnWords, "Spring planning", "lan", false),
            (ContainmentMode::ExactPhrase, "Spring planning", "plan", false),
            (ContainmentMode::ExactPhrase, "Spring planning day", "planning", true),
        ] {
            assert_eq!(holds(Containment { mode, ..exact }, text, wanted), found, "{mode:?} {wanted}");
        }
        assert!(!holds(exact, "Café", "cafe"));
        assert!(!holds(Containment { case: false, ..exact }, "Café", "cafe"));
        assert!(holds(Containment { case: false, accents: false, ..exact }, "Café", "CAFE"));
        assert!(holds(Containment { accents: false, ..exact }, "Cafe\u{301} ÿ", "Cafe y"));
        assert!(exact.holds(&PropertyValue::Boolean(true), "true").is_err());
    }
}
