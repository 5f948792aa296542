//! Warnings about settings that are valid one by one and have no effect together, or not the one their names promise. They never
//! refuse a configuration.

use chrono::TimeDelta;

use super::Config;
use crate::calendar::{RoomAddress, RoomPattern, Scope, can_match_address};
use crate::cleanup::{ReleaseMethod, Rules};
use crate::service::{NoticeFilter, WebhookKind};

/// All warnings. `wants_cleanup`: the file has a `[cleanup]` or a schedule.
pub(super) fn warnings(
    config: &Config,
    wants_cleanup: bool,
    room_patterns: &[(String, String)],
) -> Vec<String> {
    let rules = &config.service.rules;
    let mut all = Vec::new();
    if wants_cleanup && !has_rule(rules) {
        all.push(NO_RULE.to_owned());
    }
    all.extend(exceptions(rules));
    all.extend(limits(rules));
    all.extend(grace(rules, config.service.release_warning));
    all.extend(irreversible(config));
    all.extend(webhooks(config));
    all.extend(room_patterns.iter().filter_map(|(key, pattern)| unused_pattern(config, key, pattern)));
    all
}

/// The warning of every command that sweeps or releases, when no rule is on.
pub const NO_RULE: &str = "no rule is on in [cleanup], so nothing is ever released; turn on cleanup.no_check_in, \
                           cleanup.cancelled_leftover or cleanup.organizer_gone";

/// Whether any rule is on, in any room.
pub fn has_rule(rules: &Rules) -> bool {
    rules.check_in_anywhere() || rules.cancelled_leftover.is_some() || rules.organizer_gone.is_some()
}

fn exceptions(rules: &Rules) -> Option<String> {
    let (longer, shorter) = (rules.exceptions.longer_than?, rules.exceptions.shorter_than?);
    (shorter >= longer).then(|| {
        format!(
            "cleanup.exceptions exempts every event: shorter_than_minutes ({}) is not below longer_than_hours ({})",
            shorter.num_minutes(),
            longer.num_hours()
        )
    })
}

fn limits(rules: &Rules) -> Option<String> {
    let key = match &rules.limits {
        limits if limits.actions_max == 0 => "max_actions",
        limits if limits.max_fraction <= 0.0 => "max_fraction",
        _ => return None,
    };
    has_rule(rules).then(|| format!("cleanup.limits.{key} is 0, so no sweep that finds something is applied"))
}

/// The rule on check-ins, in all rooms and in each room group.
fn grace(rules: &Rules, warn: TimeDelta) -> Vec<String> {
    let everywhere = rules.no_check_in.as_ref().map(|rule| ("cleanup.no_check_in", rule.clone()));
    let in_groups = rules.room_groups.iter().map(|group| {
        let mut rule = rules.no_check_in.clone().unwrap_or_default();
        rule.grace = group.grace.unwrap_or(rule.grace);
        rule.presence_after = group.presence_after.unwrap_or(rule.presence_after);
        (group.name.as_str(), rule, group.grace.is_some() || group.presence_after.is_some())
    });
    let in_groups = in_groups.filter(|(_, _, differs)| *differs).map(|(name, rule, _)| (name, rule));
    let mut all = Vec::new();
    for (key, rule) in everywhere.into_iter().chain(in_groups) {
        let minutes = rule.grace.num_minutes();
        if rule.presence_after >= rule.grace && !rule.presence_after.is_zero() {
            all.push(format!(
                "{key}: presence_after_minutes ({}) is not below grace_minutes ({minutes}), so no occupancy signal keeps a meeting",
                rule.presence_after.num_minutes()
            ));
        }
        if warn > rule.grace {
            all.push(format!(
                "{key}: api.release_warning_minutes ({}) is above grace_minutes ({minutes}), so a release is announced before the meeting begins",
                warn.num_minutes()
            ));
        }
    }
    all
}

fn irreversible(config: &Config) -> Option<String> {
    let rules = &config.service.rules;
    let declines = rules.no_check_in.as_ref().is_some_and(|rule| rule.release_by == ReleaseMethod::Decline)
        || rules.organizer_gone.as_ref().is_some_and(|rule| rule.release_by == ReleaseMethod::Decline);
    (config.engine.forbid_irreversible && declines).then(|| {
        "engine.forbid_irreversible is on and a rule has release_by = \"decline\", which cannot be undone: such releases are refused"
            .to_owned()
    })
}

/// Webhooks that receive nothing: the head of the journal belongs to no room.
fn webhooks(config: &Config) -> impl Iterator<Item = String> {
    let never =
        |filter: &NoticeFilter| !filter.rooms.is_empty() && filter.kinds == [WebhookKind::JournalHead];
    config.webhooks.iter().filter(move |webhook| never(&webhook.filter)).map(|webhook| {
        format!(
            "webhooks `{}`: `journal-head` belongs to no room, so the webhook receives nothing; remove its rooms",
            webhook.name
        )
    })
}

fn unused_pattern(config: &Config, key: &str, pattern: &str) -> Option<String> {
    if !can_match_address(pattern) {
        return Some(format!("{key}: `{pattern}` matches no room: write an address, or a pattern with `*`"));
    }
    let parsed: RoomPattern = pattern.parse().ok()?;
    let is_listed = !config.scope.has_domains() && config.room_lists.is_empty() && !config.scope.is_empty();
    let matches = |scope: &Scope| scope.rooms().any(|room: &RoomAddress| parsed.matches(room));
    (is_listed && !matches(&config.scope)).then(|| format!("{key}: `{pattern}` matches no room of [scope]"))
}
