//! The decision on one event: present, absent, unknown, or too early to say. Pure.
//!
//! ```text
//! base   = the latest of: start, created, first seen at this start, last written to, rule switched on
//! opens  = base - early, or when watching began, if later
//! closes = the later of base and when watching began, + grace
//! ```
//!
//! Absence is a claim about the interval from `opens` to `closes`: it is made only where that interval was covered throughout.
//! docs/presence.md explains it with pictures.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{Coverage, Interval, Sign, SignLog};
use crate::calendar::{Event, EventKind, RoomAddress};

/// The times of the rule on check-ins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckInTiming {
    /// How long after the base people may still come.
    pub grace: TimeDelta,
    /// How long before the start a sign already counts.
    pub early: TimeDelta,
    /// From how long after the start a sign that names no event counts; zero: as early as a check-in.
    pub presence_after: TimeDelta,
}

/// Everything a decision is made of.
#[derive(Debug, Clone, Copy)]
pub struct PresenceInput<'a> {
    /// In which room.
    pub room: &'a RoomAddress,
    /// Which event.
    pub event: &'a Event,
    /// The room's events that were read with it, this one included.
    pub events: &'a [Event],
    /// The signs.
    pub signs: &'a SignLog,
    /// When the room was watched.
    pub coverage: &'a Coverage,
    /// When the event was first seen at its present start, where its move was seen.
    pub seen_since: Option<DateTime<Utc>>,
    /// When the rule was switched on for this room, if that is known.
    pub rule_since: Option<DateTime<Utc>>,
    /// Now.
    pub now: DateTime<Utc>,
    /// The latest time that is on record. A clock that shows less was set back.
    pub recorded_until: Option<DateTime<Utc>>,
}

/// What is known about people at an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presence {
    /// A sign says that people are there.
    Present(Sign),
    /// Nobody came, with the proof.
    Absent(Proof),
    /// Not known, with the reason. The meeting stays.
    Unknown(UnknownReason),
    /// People may still come until then.
    Waiting {
        /// When grace ends.
        until: DateTime<Utc>,
    },
}

/// Why absence is proven.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// People could show presence from then …
    pub opens: DateTime<Utc>,
    /// … until then.
    pub closes: DateTime<Utc>,
    /// The interval in which every sign would have reached us.
    pub watched: Interval,
    /// The sources that were alive in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// The meetings that were judged in the same stretch of time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crowd: Option<super::Crowd>,
}

/// Why presence is not known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "doubt")]
pub enum UnknownReason {
    /// No source watched the room throughout the window.
    NotWatched {
        /// The room was watched until then last, if ever.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<DateTime<Utc>>,
    },
    /// A sign for this room and time matches no event.
    UnmatchedSign {
        /// What sent it.
        source: String,
        /// The time it is about.
        at: DateTime<Utc>,
        /// The event it names, if it names one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        event: Option<String>,
    },
    /// Evidence of the room that may be about the event was refused, since a limit was reached.
    EvidenceRefused {
        /// It was about the time until then.
        until: DateTime<Utc>,
    },
    /// A property that the decision needs is missing.
    MissingField {
        /// Which.
        field: String,
    },
    /// So many of the meetings of the same stretch look empty that the source is more likely silent than the house empty.
    FeedSilent(super::Crowd),
    /// Our clock shows less than what is on record.
    Clock {
        /// The latest time on record.
        recorded: DateTime<Utc>,
    },
    /// The event ends before grace does.
    EndsInGrace {
        /// When grace would end.
        until: DateTime<Utc>,
    },
}

/// How far the clock may be behind the latest time on record: it may have been set right by that much.
const CLOCK_BACK_MAX: TimeDelta = TimeDelta::minutes(2);

/// Decides about one event.
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
        // Watching may begin yet; when grace ends it is looked at again.
        AbsenceWindow::NotWatched if now < base + terms.grace => {
            Presence::Waiting { until: base + terms.grace }
        }
        AbsenceWindow::NotWatched => {
            Presence::Unknown(UnknownReason::NotWatched { until: case.watched_until() })
        }
    }
}

/// The moment from which grace counts. An event that is written to after its start gets its grace anew: its organizer is at it.
pub(super) fn grace_start(
    event: &Event,
    seen_since: Option<DateTime<Utc>>,
    rule_since: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> DateTime<Utc> {
    let times = [event.created, written(event, now), seen_since, rule_since];
    times.into_iter().flatten().fold(event.start, DateTime::max)
}

/// When the event itself was written to. An occurrence shows the last write to its series, whichever date that was about. A time
/// ahead of our clock is taken as long as the two clocks may differ by so much.
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
    /// It was covered throughout, and is over.
    Proven(Proof),
    /// The room is watched now; grace ends later.
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

    /// The first interval that proves absence, or the one that may yet do so.
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
                    "no source watched the room throughout; the last one until {}",
                    until.format("%F %H:%MZ")
                )
            }
            Self::UnmatchedSign { source, at, event } => {
                write!(f, "a sign by {source} for {} matches no event", at.format("%F %H:%MZ"))?;
                event.as_ref().map_or(Ok(()), |event| write!(f, " (it names event {event})"))
            }
            Self::EvidenceRefused { until } => write!(
                f,
                "evidence of this room for the time until {} was refused: a limit on evidence is reached",
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
                    "this machine's clock is behind the latest record of {}",
                    recorded.format("%F %H:%MZ")
                )
            }
            Self::EndsInGrace { until } => {
                write!(f, "the meeting ends before grace does at {}", until.format("%H:%MZ"))
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
                write!(f, "; {} of {} meetings at this time had nobody", crowd.absent, crowd.judged)
            }
            None => Ok(()),
        }
    }
}
