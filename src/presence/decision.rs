//! The decision on one event: present, absent, unknown, or too early to decide. Pure.
//!
//! ```text
//! start  = the latest of: start, created, first seen at this start, last written to, rule switched on   (`grace_start`)
//! opens  = start - early, or the beginning of the coverage, if later
//! closes = the later of start and the beginning of the coverage, + grace
//! ```
//!
//! Absence is a claim about the interval from `opens` to `closes`, and is made only if that interval is covered throughout.
//! docs/presence.md explains it with pictures.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{CheckInTiming, Coverage, Interval, Sign, SignLog};
use crate::calendar::{Event, EventKind, RoomAddress};

/// All inputs of a decision.
#[derive(Debug, Clone, Copy)]
pub struct PresenceInput<'a> {
    /// The room.
    pub room: &'a RoomAddress,
    /// The event.
    pub event: &'a Event,
    /// The room's events that were read with it, this one included.
    pub events: &'a [Event],
    /// The signs.
    pub signs: &'a SignLog,
    /// The time in which the room was watched.
    pub coverage: &'a Coverage,
    /// When the event was first seen at its present start, if its move was seen.
    pub seen_since: Option<DateTime<Utc>>,
    /// When the rule was switched on for this room, if known.
    pub rule_since: Option<DateTime<Utc>>,
    /// The current time.
    pub now: DateTime<Utc>,
    /// The latest recorded time. A clock that shows an earlier one was set back.
    pub recorded_until: Option<DateTime<Utc>>,
}

/// Whether people are at an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presence {
    /// A sign shows that people are there.
    Present(Sign),
    /// Absence is proven.
    Absent(Proof),
    /// Not known. The meeting is kept.
    Unknown(UnknownReason),
    /// People may still come.
    Waiting {
        /// When the grace period ends.
        until: DateTime<Utc>,
    },
}

/// The proof of absence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// People could show presence from this instant …
    pub opens: DateTime<Utc>,
    /// … until this one.
    pub closes: DateTime<Utc>,
    /// The interval in which every sign would have been received.
    pub watched: Interval,
    /// The sources that were alive in that interval.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// The meetings that were evaluated at the same time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crowd: Option<super::Crowd>,
}

/// Why presence is not known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "doubt")]
#[non_exhaustive]
pub enum UnknownReason {
    /// No source watched the room throughout the window.
    NotWatched {
        /// The last time at which the room was watched, if ever.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<DateTime<Utc>>,
    },
    /// A sign for this room and time matches no event.
    UnmatchedSign {
        /// The source that sent it.
        source: String,
        /// The time it is about.
        at: DateTime<Utc>,
        /// The event that it names, if any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        event: Option<String>,
    },
    /// Evidence that may be about the event was refused, because a limit was reached.
    EvidenceRefused {
        /// The end of the time that the refused evidence is about.
        until: DateTime<Utc>,
    },
    /// A property that the decision needs is missing.
    MissingField {
        /// The property.
        field: String,
    },
    /// So many meetings at the same time look empty that the source has more likely failed.
    FeedSilent(super::Crowd),
    /// Our clock is behind the latest recorded time.
    Clock {
        /// The latest recorded time.
        recorded: DateTime<Utc>,
    },
    /// The event ends before the grace period does.
    EndsInGrace {
        /// When the grace period would end.
        until: DateTime<Utc>,
    },
}

/// How far the clock may be behind the latest recorded time: it may have been corrected by that much.
const CLOCK_BACK_MAX: TimeDelta = TimeDelta::minutes(2);

/// Decides the presence at one event.
pub fn decide(case: &PresenceInput<'_>, terms: &CheckInTiming) -> Presence {
    let PresenceInput { room, event, now, .. } = *case;
    if let Some(sign) = case.signs.matching(room, event, terms) {
        return Presence::Present(sign);
    }
    if let Some(doubt) = case.doubt(terms) {
        return Presence::Unknown(doubt);
    }
    let base = grace_start(event, case.seen_since, case.rule_since, now);
    if now < base - terms.early {
        return Presence::Waiting { until: base + terms.grace };
    }
    match case.find_window(base, terms) {
        AbsenceWindow::Proven(proof) if proof.closes >= event.end => ends_in_grace(proof.closes),
        AbsenceWindow::Proven(proof) => Presence::Absent(proof),
        AbsenceWindow::Open { closes } if closes >= event.end => ends_in_grace(closes),
        AbsenceWindow::Open { closes } => Presence::Waiting { until: closes },
        // The coverage may still begin; the event is evaluated again when grace ends.
        AbsenceWindow::NotWatched if now < base + terms.grace => {
            Presence::Waiting { until: base + terms.grace }
        }
        AbsenceWindow::NotWatched => {
            Presence::Unknown(UnknownReason::NotWatched { until: case.watched_until() })
        }
    }
}

/// The start of the grace period. A write to the event after its start restarts it: the organizer is working on the event.
pub(super) fn grace_start(
    event: &Event,
    seen_since: Option<DateTime<Utc>>,
    rule_since: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> DateTime<Utc> {
    let times = [event.created, written(event, now), seen_since, rule_since];
    times.into_iter().flatten().fold(event.start, DateTime::max)
}

/// The last write to the event itself. An occurrence has the time of the last write to its series, for any date. A time ahead of
/// our clock counts up to the allowed difference of the clocks.
fn written(event: &Event, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let own = matches!(event.kind, EventKind::Single | EventKind::Exception);
    event.modified.filter(|modified| own && *modified - now <= SERVER_AHEAD_MAX)
}

/// How far Exchange's clock may be ahead of ours.
const SERVER_AHEAD_MAX: TimeDelta = TimeDelta::hours(1);

fn ends_in_grace(until: DateTime<Utc>) -> Presence {
    Presence::Unknown(UnknownReason::EndsInGrace { until })
}

enum AbsenceWindow {
    /// The interval is over, and was covered throughout.
    Proven(Proof),
    /// The room is watched now, and the grace period ends later.
    Open {
        closes: DateTime<Utc>,
    },
    NotWatched,
}

impl PresenceInput<'_> {
    fn doubt(&self, terms: &CheckInTiming) -> Option<UnknownReason> {
        if let Some(sign) = self.signs.unmatched(self.room, self.event, self.events, terms) {
            let (source, at, event) = (sign.source.clone(), sign.at, sign.event.clone());
            return Some(UnknownReason::UnmatchedSign { source, at, event });
        }
        if let Some(until) = self.signs.refused_about(self.room, self.event, terms) {
            return Some(UnknownReason::EvidenceRefused { until });
        }
        if self.event.created.is_none() {
            return Some(UnknownReason::MissingField { field: "DateTimeCreated".to_owned() });
        }
        let recorded = self.recorded_until.filter(|recorded| self.now + CLOCK_BACK_MAX < *recorded)?;
        Some(UnknownReason::Clock { recorded })
    }

    /// The first interval that proves absence, or the one that still may.
    fn find_window(&self, base: DateTime<Utc>, terms: &CheckInTiming) -> AbsenceWindow {
        for watched in self.coverage.intervals() {
            let closes = base.max(watched.from) + terms.grace;
            if closes <= self.now && closes <= watched.to {
                let opens = (base - terms.early).max(watched.from);
                return AbsenceWindow::Proven(Proof {
                    opens,
                    closes,
                    watched: *watched,
                    sources: Vec::new(),
                    crowd: None,
                });
            }
            if watched.from <= self.now && self.now <= watched.to {
                return AbsenceWindow::Open { closes };
            }
        }
        AbsenceWindow::NotWatched
    }

    fn watched_until(&self) -> Option<DateTime<Utc>> {
        let ends = self.coverage.intervals().iter().map(|interval| interval.to);
        ends.filter(|end| *end <= self.now).max()
    }
}

impl fmt::Display for UnknownReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotWatched { until: None } => f.write_str("no source watched the room"),
            Self::NotWatched { until: Some(until) } => {
                write!(
                    f,
                    "no source watched the room throughout; the last one did until {}",
                    until.format("%F %H:%MZ")
                )
            }
            Self::UnmatchedSign { source, at, event } => {
                write!(f, "a sign from {source} for {} matches no event", at.format("%F %H:%MZ"))?;
                event.as_ref().map_or(Ok(()), |event| write!(f, " (it names event {event})"))
            }
            Self::EvidenceRefused { until } => write!(
                f,
                "evidence for this room up to {} was refused: a limit on evidence was reached",
                until.format("%F %H:%MZ")
            ),
            Self::MissingField { field } => write!(f, "Exchange did not return {field}"),
            Self::FeedSilent(crowd) => write!(
                f,
                "{} of {} meetings at this time look empty: the check-in sources may be silent",
                crowd.absent, crowd.judged
            ),
            Self::Clock { recorded } => {
                write!(
                    f,
                    "this machine's clock is behind the latest record, which is from {}",
                    recorded.format("%F %H:%MZ")
                )
            }
            Self::EndsInGrace { until } => {
                write!(f, "the meeting ends before the grace period does, at {}", until.format("%H:%MZ"))
            }
        }
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (opens, closes) = (self.opens.format("%F %H:%M"), self.closes.format("%H:%MZ"));
        write!(f, "no sign from {opens} to {closes}")?;
        if !self.sources.is_empty() {
            write!(f, ", watched by {}", self.sources.join(", "))?;
        }
        match &self.crowd {
            Some(crowd) => {
                write!(f, "; {} of {} meetings at this time were empty", crowd.absent, crowd.judged)
            }
            None => Ok(()),
        }
    }
}
