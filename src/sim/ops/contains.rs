//! `t:Contains`: where a text must lie in a property, and which differences do not count.

use roxmltree::Node;

use super::value::Value;
use crate::sim::soap_in::{Refusal, choice};

/// Where the text is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    FullString,
    Prefixed,
    Substring,
    PrefixOnWords,
    ExactPhrase,
}

/// What does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Containment {
    mode: Mode,
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

/// Reads the attributes; without them the whole text must be the same.
pub(super) fn read(node: Node<'_, '_>) -> Result<Containment, Refusal> {
    let mode = match choice(node, "ContainmentMode", &MODES)? {
        Some("Prefixed") => Mode::Prefixed,
        Some("Substring") => Mode::Substring,
        Some("PrefixOnWords") => Mode::PrefixOnWords,
        Some("ExactPhrase") => Mode::ExactPhrase,
        _ => Mode::FullString,
    };
    let how = choice(node, "ContainmentComparison", &COMPARISONS)?.unwrap_or("Exact");
    // "Loose" is what the store itself takes for the same: neither case nor accents count.
    let loose = how == "Loose";
    let case = !loose && !how.contains("IgnoreCase");
    Ok(Containment { mode, case, accents: !loose && !how.contains("NonSpac") })
}

impl Containment {
    /// Whether a value has the text; only texts can.
    pub(super) fn holds(self, value: &Value, wanted: &str) -> Result<bool, Refusal> {
        let (Value::Text(text) | Value::Shown(_, text)) = value else {
            return Err(Refusal::new("ErrorContainsFilterWrongType", "The property is no string."));
        };
        Ok(self.finds(&self.folded(text), &self.folded(wanted)))
    }

    fn finds(self, text: &str, wanted: &str) -> bool {
        match self.mode {
            Mode::FullString => text == wanted,
            Mode::Prefixed => text.starts_with(wanted),
            Mode::Substring => text.contains(wanted),
            Mode::PrefixOnWords => at_words(text, wanted).next().is_some(),
            Mode::ExactPhrase => at_words(text, wanted).any(|rest| !rest.starts_with(char::is_alphanumeric)),
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

/// What follows the wanted text wherever it stands at the beginning of a word.
fn at_words<'a>(text: &'a str, wanted: &str) -> impl Iterator<Item = &'a str> {
    text.match_indices(wanted)
        .filter(|(at, _)| !text[..*at].ends_with(char::is_alphanumeric))
        .map(|(at, found)| &text[at + found.len()..])
}

/// A letter of Latin-1 without what stands above or below it.
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
        let exact = Containment { mode: Mode::FullString, case: true, accents: true };
        let holds = |how: Containment, text: &str, wanted: &str| {
            how.holds(&Value::Text(text.to_owned()), wanted).unwrap()
        };
        for (mode, text, wanted, found) in [
            (Mode::FullString, "Planning", "Planning", true),
            (Mode::FullString, "Planning", "Plan", false),
            (Mode::Prefixed, "Planning", "Plan", true),
            (Mode::Prefixed, "Planning", "ann", false),
            (Mode::Substring, "Planning", "ann", true),
            (Mode::PrefixOnWords, "Spring planning", "plan", true),
            (Mode::PrefixOnWords, "Spring planning", "lan", false),
            (Mode::ExactPhrase, "Spring planning", "plan", false),
            (Mode::ExactPhrase, "Spring planning day", "planning", true),
        ] {
            assert_eq!(holds(Containment { mode, ..exact }, text, wanted), found, "{mode:?} {wanted}");
        }
        assert!(!holds(exact, "Café", "cafe"));
        assert!(!holds(Containment { case: false, ..exact }, "Café", "cafe"));
        assert!(holds(Containment { case: false, accents: false, ..exact }, "Café", "CAFE"));
        assert!(holds(Containment { accents: false, ..exact }, "Cafe\u{301} ÿ", "Cafe y"));
        assert!(exact.holds(&Value::Flag(true), "true").is_err());
    }
}
