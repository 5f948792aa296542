//! "Did you mean …?": the known word that is nearest to a mistyped one. Pure; it never decides anything, it only words a message.

/// The candidate that differs from `word` by few letters, if there is one: a third of the letters at most, a swap of two neighbours
/// counts as one.
pub(crate) fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let distance = |candidate: &str| strsim::damerau_levenshtein(&word, &candidate.to_lowercase());
    let near = candidates.into_iter().map(|candidate| (distance(candidate), candidate));
    near.filter(|(distance, candidate)| *distance <= (word.len().max(candidate.len()) / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The candidate that differs from `word` by at most `edits_max` letters, case ignored. For addresses: those of one domain have most
/// letters in common, so [`closest`] would propose any of them.
pub(crate) fn closest_within<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
    edits_max: usize,
) -> Option<&'a str> {
    let word = word.to_lowercase();
    let near = candidates.into_iter().filter(|candidate| candidate.len().abs_diff(word.len()) <= edits_max);
    near.map(|candidate| (strsim::osa_distance(&word, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= edits_max)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Letters by which a mistyped address or id may differ.
pub(crate) const EDITS_MAX: usize = 2;
/// The shortest start of an id that is completed.
const ID_START_MIN: usize = 8;

/// The id that `typed` most likely stands for: the only one that begins with it (an id that was cut off), else one with a letter or two
/// mistyped.
pub(crate) fn closest_id<'a>(typed: &str, ids: impl IntoIterator<Item = &'a str> + Clone) -> Option<&'a str> {
    let mut completed =
        ids.clone().into_iter().filter(|id| typed.len() >= ID_START_MIN && id.starts_with(typed));
    match (completed.next(), completed.next()) {
        (Some(id), None) => Some(id),
        _ => closest_within(typed, ids, EDITS_MAX),
    }
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

    #[test]
    fn a_mistyped_address_is_recognized_and_a_neighbour_s_is_not() {
        let rooms = ["berlin-aurora@example.com", "berlin-borealis@example.com"];
        assert_eq!(closest_within("berlin-auorra@example.com", rooms, EDITS_MAX), Some(rooms[0]));
        assert_eq!(closest_within("Berlin-Borealis@example.org", rooms, EDITS_MAX), None);
        assert_eq!(closest_within("paris-cirrus@example.com", rooms, EDITS_MAX), None);
    }

    #[test]
    fn an_id_that_was_cut_off_is_completed_where_only_one_begins_like_it() {
        let ids = ["AAMkAGIwZmE1AAA=", "AAMkAGIwZmE2AAA="];
        assert_eq!(closest_id("AAMkAGIwZmE1", ids), Some(ids[0]));
        assert_eq!(closest_id("AAMkAGIwZm", ids), None, "both begin like it");
        assert_eq!(closest_id("AAMkAGIwZmE1AAA", ids), Some(ids[0]));
        assert_eq!(closest_id("AAMk", ids), None);
    }
}
