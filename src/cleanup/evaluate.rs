//! Evaluates one event against the rules. Pure: the event, the presence state, the directory's answer and the time are arguments;
//! the result is a verdict with its reason. The first rule that applies decides, in the order: cancelled leftover, organizer
//! gone, no check-in.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::rules::{Exceptions, NoCheckIn, OrganizerGone, ReleaseMethod, Rule, Rules};
use crate::action::ActionId;
use crate::calendar::{Event, RoomAddress};
use crate::engine::PersonLookup;
use crate::presence::{Presence, PresenceQuery, PresenceState, Proof, UnknownReason};

/// The decision about an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "verdict")]
pub enum Verdict {
    /// The event is kept.
    Keep {
        /// The reason.
        why: KeepReason,
    },
    /// The event is released.
    Act {
        /// The rule that applies.
        rule: Rule,
        /// How the event is released.
        how: ReleaseMethod,
        /// The reason, for people.
        why: String,
        /// Unattended dates of the series in a row, including this one; 0 when they are not counted.
        #[serde(default, skip_serializing_if = "is_zero")]
        missed: u32,
        /// The proof of absence, if the check-in rule decided.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proof: Option<Box<Proof>>,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
pub(super) fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// Why an event is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kept")]
#[non_exhaustive]
pub enum KeepReason {
    /// The event is over.
    Over,
    /// The event has not started, and no rule concerns future events.
    NotStarted,
    /// The grace period has not ended.
    GraceRuns {
        /// Its end.
        until: DateTime<Utc>,
    },
    /// A sign shows that the event is attended.
    CheckedIn {
        /// The time of the sign.
        at: DateTime<Utc>,
        /// The source of the sign.
        source: String,
        /// The end of the grace period; absent when no check-in is required.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        closes: Option<DateTime<Utc>>,
    },
    /// Presence is unknown.
    Unknown {
        /// The reason.
        #[serde(flatten)]
        doubt: UnknownReason,
    },
    /// The room declined the meeting; the calendar keeps the declined item.
    Declined,
    /// All-day events are exempt.
    AllDay,
    /// Long events are exempt.
    Long,
    /// Short events are exempt.
    Short,
    /// Walk-ins are exempt.
    BookedLate,
    /// This organizer's events are exempt.
    Organizer,
    /// Private events are exempt.
    Private,
    /// The server did not report whether the room's copy is the attendee's or the organizer's.
    UnknownCopy,
    /// The event occupies no time: it is shown as Free, or has no length.
    TakesNoTime,
    /// The event was released before and reappeared.
    #[serde(rename = "came-back")]
    Reappeared {
        /// The last action on it.
        action: ActionId,
        /// Whether the plan shows it for review.
        report: bool,
    },
    /// The clock is not trusted, so no event is evaluated.
    ClockInDoubt {
        /// Why the clock is not trusted.
        why: String,
    },
    /// A person left the event out when the plan was applied.
    LeftOut {
        /// The API key, or the person signed in.
        by: String,
    },
    /// No rule applies.
    NoRule,
}

impl KeepReason {
    /// Whether a person should review this event, even in a list without the other kept events.
    pub fn needs_review(&self) -> bool {
        matches!(
            self,
            Self::Reappeared { report: true, .. } | Self::Unknown { .. } | Self::ClockInDoubt { .. }
        )
    }
}

/// The input of a verdict.
#[derive(Debug, Clone, Copy)]
pub struct EventCase<'a> {
    /// The room.
    pub room: &'a RoomAddress,
    /// The event.
    pub event: &'a Event,
    /// The room's events that were read with it.
    pub events: &'a [Event],
    /// The signs of presence, and when the room had working sources.
    pub presence: &'a PresenceState,
    /// The directory's answer about the organizer; `None` without a query.
    pub organizer: Option<PersonLookup>,
    /// When the event was first seen at its present start, if it was moved there.
    pub seen_since: Option<DateTime<Utc>>,
    /// The present time.
    pub now: DateTime<Utc>,
}

/// Evaluates one event.
pub fn evaluate(case: &EventCase<'_>, rules: &Rules) -> Verdict {
    let event = case.event;
    if event.end <= case.now {
        return keep(KeepReason::Over);
    }
    if event.copy.is_none() {
        return keep(KeepReason::UnknownCopy);
    }
    if event.is_cancelled {
        return evaluate_cancelled(rules);
    }
    if event.is_declined {
        return keep(KeepReason::Declined);
    }
    if !event.occupies_room() {
        return keep(KeepReason::TakesNoTime);
    }
    let rule = rules.check_in(case.room);
    match (exception_reason(event, &rules.exceptions), &rule) {
        (None, _) => {}
        (Some(KeepReason::BookedLate), Some(rule)) if rule.walk_in_grace.is_some() => {
            return evaluate_check_in(case, rules, rule, rule.walk_in_grace.unwrap_or(rule.grace));
        }
        (Some(spared), _) => return keep(spared),
    }
    if let Some(doubt) = missing_organizer(event, rules, rule.as_ref()) {
        return keep(KeepReason::Unknown { doubt });
    }
    if let Some(verdict) = rules.organizer_gone.as_ref().and_then(|rule| evaluate_organizer(case, rule)) {
        return verdict;
    }
    rule.map_or(keep(KeepReason::NoRule), |rule| evaluate_check_in(case, rules, &rule, rule.grace))
}

fn evaluate_cancelled(rules: &Rules) -> Verdict {
    match rules.cancelled_leftover {
        None => keep(KeepReason::NoRule),
        Some(_) => Verdict::Act {
            rule: Rule::CancelledLeftover,
            how: ReleaseMethod::Remove,
            why: "cancelled by its organizer, but still in the room's calendar".to_owned(),
            missed: 0,
            proof: None,
        },
    }
}

fn evaluate_organizer(case: &EventCase<'_>, rule: &OrganizerGone) -> Option<Verdict> {
    organizer_in(case.event, rule)?;
    (case.organizer == Some(PersonLookup::NotFound)).then(|| Verdict::Act {
        rule: Rule::OrganizerGone,
        how: rule.release_by,
        why: "organizer not found in the directory".to_owned(),
        missed: 0,
        proof: None,
    })
}

fn evaluate_check_in(case: &EventCase<'_>, rules: &Rules, rule: &NoCheckIn, grace: TimeDelta) -> Verdict {
    let event = case.event;
    if let Some(came) = auto_check_in(event, rule, case.now) {
        return keep(came);
    }
    let terms = rule.terms(grace);
    match case.presence.decide(&question(case, rules), &terms) {
        Presence::Present(sign) => {
            let closes = Some(case.presence.grace_end(&question(case, rules), &terms));
            keep(KeepReason::CheckedIn { at: sign.at, source: sign.source, closes })
        }
        Presence::Unknown(doubt) => keep(KeepReason::Unknown { doubt }),
        Presence::Waiting { .. } if case.now < event.start => keep(KeepReason::NotStarted),
        Presence::Waiting { until } => keep(KeepReason::GraceRuns { until }),
        Presence::Absent(proof) => Verdict::Act {
            rule: Rule::NoCheckIn,
            how: rule.release_by,
            why: format!("no check-in within {} minutes", grace.num_minutes()),
            missed: 0,
            proof: Some(Box::new(proof)),
        },
    }
}

/// The case as a query to the presence state.
fn question<'a>(case: &EventCase<'a>, rules: &'a Rules) -> PresenceQuery<'a> {
    let EventCase { room, event, events, seen_since, now, .. } = *case;
    PresenceQuery { room, group: rules.watch_group(room), event, events, seen_since, now }
}

/// The reason to treat the event as attended, if there is one: a sign, or automatic check-in.
pub(crate) fn attendance_reason(case: &EventCase<'_>, rules: &Rules, rule: &NoCheckIn) -> Option<KeepReason> {
    let (room, event, terms) = (case.room, case.event, rule.terms(rule.grace));
    let by_sign = case.presence.signs.matching(room, event, &terms).map(|sign| KeepReason::CheckedIn {
        at: sign.at,
        source: sign.source.clone(),
        closes: Some(case.presence.grace_end(&question(case, rules), &terms)),
    });
    by_sign.or_else(|| auto_check_in(event, rule, case.now))
}

fn auto_check_in(event: &Event, rule: &NoCheckIn, now: DateTime<Utc>) -> Option<KeepReason> {
    let by_itself = organizer_address(event).is_some_and(|address| rule.auto_check_in.contains(&address));
    let source = || "auto-check-in".to_owned();
    (by_itself && event.start <= now).then(|| KeepReason::CheckedIn {
        at: event.start,
        source: source(),
        closes: None,
    })
}

/// The reason why presence is unknown when a rule exempts some organizers and this organizer's address is unknown.
fn missing_organizer(event: &Event, rules: &Rules, rule: Option<&NoCheckIn>) -> Option<UnknownReason> {
    let protects =
        !rules.exceptions.organizers.is_empty() || rule.is_some_and(|rule| !rule.auto_check_in.is_empty());
    let unknown = event.organizer.as_ref().is_some_and(|organizer| organizer.address.is_none());
    (protects && unknown)
        .then(|| UnknownReason::MissingField { field: "the organizer's SMTP address".to_owned() })
}

/// The exception that exempts the event, if one does.
fn exception_reason(event: &Event, exceptions: &Exceptions) -> Option<KeepReason> {
    let exceeds = |limit: Option<TimeDelta>| limit.is_some_and(|limit| event.duration() > limit);
    if exceptions.all_day && event.is_all_day {
        Some(KeepReason::AllDay)
    } else if exceptions.private && event.is_private {
        Some(KeepReason::Private)
    } else if organizer_address(event).is_some_and(|address| exceptions.organizers.contains(&address)) {
        Some(KeepReason::Organizer)
    } else if exceeds(exceptions.longer_than) {
        Some(KeepReason::Long)
    } else if exceptions.shorter_than.is_some_and(|limit| event.duration() < limit) {
        Some(KeepReason::Short)
    } else if booked_late(event, exceptions.created_within) {
        Some(KeepReason::BookedLate)
    } else {
        None
    }
}

fn booked_late(event: &Event, within: Option<TimeDelta>) -> bool {
    match (event.created, within) {
        (Some(created), Some(within)) => event.start - created < within,
        _ => false,
    }
}

/// The organizer's address in lower case, if it is in one of the organization's domains.
pub(super) fn organizer_in(event: &Event, rule: &OrganizerGone) -> Option<String> {
    let address = organizer_address(event)?;
    let (_, domain) = address.rsplit_once('@')?;
    rule.domains.contains(domain).then_some(address)
}

fn organizer_address(event: &Event) -> Option<String> {
    event.organizer.as_ref()?.address.as_deref().map(str::to_lowercase)
}

fn keep(why: KeepReason) -> Verdict {
    Verdict::Keep { why }
}

impl fmt::Display for KeepReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Over => f.write_str("the event is over"),
            Self::NotStarted => f.write_str("the event has not started"),
            Self::GraceRuns { until } => {
                write!(f, "waiting for a check-in until {}", until.format("%H:%MZ"))
            }
            Self::CheckedIn { at, source, .. } => {
                write!(f, "checked in at {} by {source}", at.format("%H:%MZ"))
            }
            Self::Unknown { doubt } => write!(f, "presence is unknown: {doubt}"),
            Self::Declined => f.write_str("the room has already declined the meeting"),
            Self::AllDay => f.write_str("all-day events are exempt"),
            Self::Long => f.write_str("long events are exempt"),
            Self::Short => f.write_str("short events are exempt"),
            Self::BookedLate => f.write_str("events booked at the last moment are exempt"),
            Self::Organizer => f.write_str("this organizer's events are exempt"),
            Self::Private => f.write_str("private events are exempt"),
            Self::UnknownCopy => f.write_str("Exchange did not report whether the room is the organizer"),
            Self::TakesNoTime => f.write_str("the event occupies no time: shown as Free, or without length"),
            // The verdict has the action's id as a field: a reader of the text may have no right to know it.
            Self::Reappeared { .. } => {
                f.write_str("the event reappeared after an earlier action: calendar repair, or its organizer")
            }
            Self::ClockInDoubt { why } => write!(f, "the clock is not trusted: {why}"),
            Self::LeftOut { by } => write!(f, "left out by {by}"),
            Self::NoRule => f.write_str("no rule applies"),
        }
    }
}
