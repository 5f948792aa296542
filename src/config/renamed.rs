//! Keys and values of `adjourn.toml` that were renamed before the first release. A file with an old word is refused, and the
//! message names the new one; no old word is ever read.

/// Old and new path of every renamed key. `[server]` stands for `[[connections]]` too.
pub(super) const KEYS: [(&str, &str); 30] = [
    ("places", "room_groups"),
    ("room_groups.how", "room_groups.release_by"),
    ("room_groups.strikes_then", "room_groups.on_last_strike"),
    ("live.by", "live.mode"),
    ("live.ask_every_s", "live.poll_interval_s"),
    ("live.connections_max", "live.max_streaming_connections"),
    ("api.subjects", "api.show_subjects"),
    ("api.state_age_s", "api.max_state_age_s"),
    ("api.warn_minutes", "api.release_warning_minutes"),
    ("journal.subjects", "journal.record_subjects"),
    ("engine.settle_ms", "engine.verify_delay_ms"),
    ("server.patience_s", "server.operation_timeout_s"),
    ("server.answer_timeout_s", "server.response_timeout_s"),
    ("server.requests_at_once", "server.max_concurrent_requests"),
    ("server.requests_per_room", "server.max_concurrent_requests_per_room"),
    ("server.autodiscover.hosts", "server.autodiscover.trusted_hosts"),
    ("server.autodiscover.first", "server.autodiscover.preferred_host"),
    ("schedules.zone", "schedules.time_zone"),
    ("cleanup.rooms_at_once", "cleanup.max_concurrent_rooms"),
    ("cleanup.hours_ahead", "cleanup.horizon_hours"),
    ("cleanup.came_back", "cleanup.on_reappearance"),
    ("cleanup.watching", "cleanup.evidence"),
    ("cleanup.evidence.silent_after_minutes", "cleanup.evidence.source_silent_after_minutes"),
    ("cleanup.no_check_in.how", "cleanup.no_check_in.release_by"),
    ("cleanup.no_check_in.strikes_then", "cleanup.no_check_in.on_last_strike"),
    ("cleanup.organizer_gone.how", "cleanup.organizer_gone.release_by"),
    ("cleanup.limits.actions_max", "cleanup.limits.max_actions"),
    ("cleanup.limits.share_max", "cleanup.limits.max_fraction"),
    ("cleanup.limits.share_from", "cleanup.limits.min_events"),
    ("cleanup.limits.series_max", "cleanup.limits.max_series"),
];

/// Key, old value and new value of every renamed value.
pub(super) const VALUES: [(&str, &str, &str); 2] =
    [("live.mode", "asked", "on-demand"), ("cleanup.on_reappearance", "again", "repeat")];

/// The new name of a key, given the keys that its table has. The old name alone may stand for several: `subjects` became
/// `show_subjects` in one table and `record_subjects` in another.
pub(super) fn new_key<'a>(old: &str, accepted: &[&'a str]) -> Option<&'a str> {
    let renamed = KEYS.iter().filter(|(path, _)| last(path) == old);
    renamed.map(|(_, path)| last(path)).find_map(|new| accepted.iter().copied().find(|key| *key == new))
}

/// The new name of a value, given the values that its key takes.
pub(super) fn new_value<'a>(old: &str, accepted: &[&'a str]) -> Option<&'a str> {
    let renamed = VALUES.iter().filter(|(_, value, _)| *value == old);
    renamed.map(|(.., new)| *new).find_map(|new| accepted.iter().copied().find(|value| *value == new))
}

fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}
