//! Keys and values of `adjourn.toml` that were renamed before the first release. A file with an old word is refused, and the
//! message names the new one; no old word is ever read.

/// Old and new path of every renamed key. `[server]` stands for `[[connections]]` too.
pub(super) const KEYS: [(&str, &str); 32] = [
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
    ("webhook", "webhooks"),
    ("webhooks.secret_file", "webhooks.secret"),
];

/// Key, old value and new value of every renamed value.
pub(super) const VALUES: [(&str, &str, &str); 2] =
    [("live.mode", "asked", "on-demand"), ("cleanup.on_reappearance", "again", "repeat")];

/// What to write besides the new name, where that alone does not suffice.
const REMARKS: [(&str, &str); 2] = [
    (
        "webhook",
        "write [[webhooks]] with name = \"default\" (which goes on with the numbers and the waiting notices), url, and \
         secret = { file = \"…\" }",
    ),
    ("secret_file", "write secret = { file = \"…\" }"),
];

/// The sentence about a renamed key, given the keys that its table has; `None`: the key was not renamed.
pub(super) fn explain_key(old: &str, accepted: &[&str]) -> Option<String> {
    let new = new_key(old, accepted)?;
    let remark = REMARKS.iter().find(|(key, _)| *key == old);
    let remark = remark.map_or_else(String::new, |(_, remark)| format!("; {remark}"));
    Some(format!("`{old}` is now `{new}`{remark}"))
}

/// The new name of a key, given the keys that its table has. The old name alone may stand for several: `subjects` became
/// `show_subjects` in one table and `record_subjects` in another.
fn new_key<'a>(old: &str, accepted: &[&'a str]) -> Option<&'a str> {
    let renamed = KEYS.iter().filter(|(path, _)| last(path) == old);
    renamed.map(|(_, path)| last(path)).find_map(|new| accepted.iter().copied().find(|key| *key == new))
}

/// The sentence about a renamed value, given the values that its key takes; `None`: the value was not renamed.
pub(super) fn explain_value(old: &str, accepted: &[&str]) -> Option<String> {
    let renamed = VALUES.iter().filter(|(_, value, _)| *value == old);
    let new = renamed.map(|(.., new)| *new).find(|new| accepted.contains(new))?;
    Some(format!("`{old}` is now `{new}`"))
}

fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}
