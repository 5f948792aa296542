//! Patterns of room addresses. They never list rooms: they match addresses, and compare themselves with other patterns.

use std::fmt;
use std::str::FromStr;

use wildmatch::WildMatch;

use super::RoomAddress;

/// A room address in which `*` matches any text and `?` one character: `berlin-*@example.com`, `*@example.com`, `*`.
#[derive(Debug, Clone, PartialEq)]
pub struct RoomPattern(WildMatch);

impl Eq for RoomPattern {}

impl RoomPattern {
    /// The pattern that every room matches.
    pub fn any() -> Self {
        Self(WildMatch::new("*"))
    }

    /// The pattern that this room alone matches; `None` where `*` or `?` in its address would match other rooms too.
    pub fn of_room(room: &RoomAddress) -> Option<Self> {
        (!room.as_str().contains(['*', '?'])).then(|| Self(WildMatch::new(room.as_str())))
    }

    /// Whether the room matches.
    pub fn matches(&self, room: &RoomAddress) -> bool {
        self.0.matches(room.as_str())
    }

    /// Whether this pattern matches every address that the other one matches, as far as it can be proven character by character: `*` takes the
    /// place of any characters, `?` of any one character except `*`, and a letter of itself only. The comparison takes `steps` and proves
    /// nothing when none are left.
    pub fn covers(&self, other: &Self, steps: &mut usize) -> bool {
        let (own, other) = (self.0.pattern_chars(), other.0.pattern_chars());
        let (mut at, mut read) = (0, 0);
        // The last `*` of this pattern: the character after it, and the first one of the other pattern that it does not take yet.
        let mut star = None;
        while read < other.len() {
            let Some(left) = steps.checked_sub(1) else { return false };
            *steps = left;
            match (own.get(at), star) {
                (Some('*'), _) => {
                    at += 1;
                    star = Some((at, read));
                }
                (Some(&own), _) if covers_character(own, other[read]) => (at, read) = (at + 1, read + 1),
                (_, Some((after, taken))) => {
                    (at, read) = (after, taken + 1);
                    star = Some((at, read));
                }
                (_, None) => return false,
            }
        }
        own[at..].iter().all(|&left| left == '*')
    }
}

/// Whether one character that is not `*` takes the place of the other.
fn covers_character(own: char, other: char) -> bool {
    own == other || (own == '?' && other != '*')
}

/// Whether any address can match the pattern.
pub fn can_match_address(pattern: &str) -> bool {
    pattern.contains('*') || pattern.contains('?') || pattern.contains('@')
}

impl FromStr for RoomPattern {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(WildMatch::new(&text.trim().to_lowercase())))
    }
}

impl fmt::Display for RoomPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> RoomPattern {
        text.parse().unwrap()
    }

    fn covers(own: &str, other: &str) -> bool {
        pattern(own).covers(&pattern(other), &mut 1_000)
    }

    #[test]
    fn a_room_with_a_wildcard_in_its_address_is_no_pattern() {
        let of = |room: &str| RoomPattern::of_room(&room.parse().unwrap());
        assert_eq!(of("b-1@x.y"), Some(pattern("b-1@x.y")));
        assert_eq!((of("b*@x.y"), of("b?@x.y")), (None, None));
    }

    #[test]
    fn a_pattern_covers_what_it_matches_and_narrower_patterns() {
        for (own, other) in [
            ("*", "*"),
            ("*", ""),
            ("*", "a?b*"),
            ("one@x.y", "One@X.y"),
            ("*@a", "b*@a"),
            ("b*@a", "b*@a"),
            ("b*@a", "b?c*@a"),
            ("b*@a", "b1@a"),
            ("?@a", "b@a"),
            ("?@a", "?@a"),
            ("*a*b", "xa*ya*b"),
        ] {
            assert!(covers(own, other), "{own} covers {other}");
        }
    }

    #[test]
    fn a_wider_pattern_is_never_covered() {
        for (own, other) in [
            ("b*@a", "*@a"),
            ("*@a", "*"),
            ("*@a", "*@a*"),
            ("?@a", "*@a"),
            ("b@a", "?@a"),
            ("one@x.y", "two@x.y"),
            ("one@x.y", "one@x.yz"),
            ("", "*"),
            ("", "a@b"),
        ] {
            assert!(!covers(own, other), "{own} does not cover {other}");
        }
    }

    #[test]
    fn a_covered_pattern_matches_no_address_that_the_other_does_not_match() {
        let texts = |signs: &[char], length| {
            let mut all = vec![String::new()];
            for _ in 0..length {
                let longer =
                    all.iter().flat_map(|text| signs.iter().map(move |sign| format!("{text}{sign}")));
                all = std::iter::once(String::new()).chain(longer).collect();
            }
            all
        };
        let (patterns, addresses) = (texts(&['a', '*', '?'], 4), texts(&['a', 'b'], 5));
        let mut covered = 0;
        for own in &patterns {
            let own_pattern = WildMatch::new(own);
            for other in patterns.iter().filter(|other| covers(own, other)) {
                covered += 1;
                let other_pattern = WildMatch::new(other);
                let mut matched = addresses.iter().filter(|address| other_pattern.matches(address));
                assert!(matched.all(|address| own_pattern.matches(address)), "{own} covers {other}");
            }
        }
        assert!(covered > 1_000, "{covered}");
    }

    #[test]
    fn without_steps_nothing_is_proven() {
        let mut steps = 3;
        assert!(!pattern("aaaa").covers(&pattern("aaaa"), &mut steps));
        assert_eq!(steps, 0);
    }
}
