//! "Did you mean …?": the known word that is nearest to a mistyped one. Pure; it never decides anything, it only words a message.

/// The candidate that differs from `word` by few letters, if there is one: a third of the letters at most, a swap of two
/// neighbours counts as one.
pub(crate) fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let distance = |candidate: &str| strsim::damerau_levenshtein(&word, &candidate.to_lowercase());
    let near = candidates.into_iter().map(|candidate| (distance(candidate), candidate));
    near.filter(|(distance, candidate)| *distance <= (word.len().max(candidate.len()) / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_recognized_and_another_word_is_not() {
        let keys = ["strikes", "release_by", "grace_minutes"];
        assert_eq!(closest("strkies", keys), Some("strikes"));
        assert_eq!(closest("Grace_Minuts", keys), Some("grace_minutes"));
        assert_eq!(closest("password", keys), None);
        assert_eq!(closest("x", keys), None);
    }
}
