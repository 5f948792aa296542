//! Evaluates one room: reads the calendar, the directory and the journal for [`evaluate`](fn@super::evaluate). Changes nothing.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{Mutex, OnceCell};

use super::evaluate::{attendance_reason, organizer_in};
use super::journal_signs::first_sign_of_people;
use super::plan::{EvaluatedEvent, RoomPlan};
use super::reappearance::apply_reappearance;
use super::rules::NoCheckIn;
use super::strikes::{SeriesRecord, apply_strikes, is_whole_series};
use super::{Attendance, EventCase, KeepReason, OnLastStrike, Rule, Rules, Verdict, evaluate};
use crate::action::{EventSnapshot, Refusal};
use crate::calendar::{Event, EventId, RoomAddress, Uid, Window};
use crate::engine::{CalendarError, CalendarView, Directory, Engine, PersonLookup, Precondition};
use crate::journal::Query;
use crate::presence::{PresenceState, SharedPresence, Sign};

/// The period of the limit on removed series.
const DAY: TimeDelta = TimeDelta::days(1);
/// A date counts as a strike only if some room gave a sign after this time before its start: on a day on which the building is
/// closed, an unattended meeting proves nothing.
const SAME_DAY: TimeDelta = TimeDelta::hours(12);

/// The directory's answers about organizers: one request per address and sweep.
pub(super) type DirectoryCache = Arc<Mutex<HashMap<String, Arc<OnceCell<PersonLookup>>>>>;

/// Knows when events were first seen at their present start.
pub trait Sightings: Send + Sync {
    /// When the event was first seen at its present start; `None` when the first read of the room already returned it.
    fn seen_since(&self, room: &RoomAddress, event: &Event) -> Option<DateTime<Utc>>;
}

/// Evaluates a room's events; queries the directory when a rule needs it.
#[derive(Clone)]
pub(super) struct RoomEvaluator {
    pub(super) engine: Arc<Engine>,
    pub(super) rules: Arc<Rules>,
    pub(super) presence: SharedPresence,
    pub(super) directory: DirectoryCache,
    pub(super) attendance: Arc<dyn Attendance>,
    pub(super) sightings: Option<Arc<dyn Sightings>>,
}

impl RoomEvaluator {
    pub(super) async fn plan_room(&self, room: RoomAddress, window: Window, now: DateTime<Utc>) -> RoomPlan {
        if !self.engine.scope().contains(&room) {
            let trouble = Some(Refusal::OutOfScope { room: room.clone() }.to_string());
            return RoomPlan { room, events: Vec::new(), trouble };
        }
        match self.evaluate_room(&room, window, now).await {
            Ok((events, trouble)) => RoomPlan { room, events, trouble },
            Err(trouble) => RoomPlan { room, events: Vec::new(), trouble: Some(trouble.to_string()) },
        }
    }

    /// Makes a plan from events that were read before; events outside the window are left out.
    pub(super) async fn plan_room_from(
        &self,
        room: RoomAddress,
        events: &[Event],
        window: Window,
        now: DateTime<Utc>,
    ) -> RoomPlan {
        let inside: Vec<_> = events.iter().filter(|event| event.overlaps(&window)).cloned().collect();
        match self.evaluate_events(&room, &inside, now).await {
            Ok(events) => RoomPlan { room, events, trouble: None },
            Err(trouble) => RoomPlan { room, events: Vec::new(), trouble: Some(trouble.to_string()) },
        }
    }

    /// The verdicts, and the error of the first unreadable item. An event that may overlap an unreadable item gets no verdict.
    async fn evaluate_room(
        &self,
        room: &RoomAddress,
        window: Window,
        now: DateTime<Utc>,
    ) -> Result<(Vec<EvaluatedEvent>, Option<String>), CalendarError> {
        let CalendarView { events, unreadable } = self.engine.calendar().events(room, window).await?;
        let beside = |time: Window| unreadable.iter().any(|item| item.may_overlap(&time));
        let mut evaluated = self.evaluate_events(room, &events, now).await?;
        for (one, event) in evaluated.iter_mut().zip(events) {
            one.read = Some(Box::new(event));
        }
        evaluated.retain(|one| !Window::clamped(one.event.start, one.event.end).is_some_and(beside));
        Ok((evaluated, unreadable.first().map(|item| item.to_error().to_string())))
    }

    /// The verdicts on these events of a room.
    pub(super) async fn evaluate_events(
        &self,
        room: &RoomAddress,
        events: &[Event],
        now: DateTime<Utc>,
    ) -> Result<Vec<EvaluatedEvent>, CalendarError> {
        if let (Some(rule), None) = (self.rules.check_in(room), self.clock_doubt()) {
            self.presence.write().note_events(room, events, &rule.terms(rule.grace), now);
        }
        let mut evaluated = Vec::new();
        for event in events {
            let verdict = self.evaluate_event(room, event, events, now).await?;
            evaluated.push(EvaluatedEvent { event: EventSnapshot::from(event), verdict, read: None });
        }
        Ok(evaluated)
    }

    /// The verdict on one event, by the rules and by earlier actions on it.
    async fn evaluate_event(
        &self,
        room: &RoomAddress,
        event: &Event,
        events: &[Event],
        now: DateTime<Utc>,
    ) -> Result<Verdict, CalendarError> {
        if let Some(why) = self.clock_doubt() {
            return Ok(Verdict::Keep { why });
        }
        let event = &*self.with_organizer(room, event).await;
        let organizer = self.find_organizer(room, event).await?;
        let verdict = {
            let presence = self.presence.read();
            evaluate(&self.case(room, (event, events), &presence, organizer, now), &self.rules)
        };
        let verdict = self.apply_journal(event, room, verdict).await?;
        self.apply_strikes(event, room, verdict, now).await
    }

    /// The reason to keep every event while the clock is not trusted.
    fn clock_doubt(&self) -> Option<KeepReason> {
        let doubt = self.engine.clock().doubt()?;
        Some(KeepReason::ClockInDoubt { why: doubt.to_string() })
    }

    fn case<'a>(
        &self,
        room: &'a RoomAddress,
        (event, events): (&'a Event, &'a [Event]),
        presence: &'a PresenceState,
        organizer: Option<PersonLookup>,
        now: DateTime<Utc>,
    ) -> EventCase<'a> {
        let seen_since = self.sightings.as_ref().and_then(|seen| seen.seen_since(room, event));
        EventCase { room, event, events, presence, organizer, seen_since, now }
    }

    /// Applies strikes: counts an unattended date of a series, and records an attended one.
    async fn apply_strikes(
        &self,
        event: &Event,
        room: &RoomAddress,
        verdict: Verdict,
        now: DateTime<Utc>,
    ) -> Result<Verdict, CalendarError> {
        let Some(rule) = self.rules.check_in(room) else { return Ok(verdict) };
        let (true, Some(uid)) = (event.kind.is_date_of_series(), &event.uid) else { return Ok(verdict) };
        match &verdict {
            // Also when the event is exempt for another reason, and when strikes were counted earlier but are not now.
            Verdict::Keep { why } if self.was_attended(room, event, why, &rule, now) => {
                let last = self.attendance.last_attended(room, uid).await?;
                // Usually recorded already: the same meeting is evaluated many times.
                if (rule.strikes > 0 || last.is_some()) && last.is_none_or(|last| last < event.start) {
                    self.attendance.record_attended(room, uid, event.start).await?;
                }
                Ok(verdict)
            }
            Verdict::Act { rule: Rule::NoCheckIn, .. } if rule.strikes > 0 => {
                self.count_strike(event, (room, uid), verdict, &rule, now).await
            }
            _ => Ok(verdict),
        }
    }

    async fn count_strike(
        &self,
        event: &Event,
        (room, uid): (&RoomAddress, &Uid),
        verdict: Verdict,
        rule: &NoCheckIn,
        now: DateTime<Utc>,
    ) -> Result<Verdict, CalendarError> {
        if !self.presence.read().signs.has_any((event.start - SAME_DAY, now), |_| true) {
            // The building is closed: this date is no strike, and the row continues with the next date.
            self.attendance.excuse_date(room, uid, event.start).await?;
            return Ok(verdict);
        }
        let since = self.attendance.last_attended(room, uid).await?;
        if since.is_none() {
            // Counting starts just before this date.
            self.attendance.record_attended(room, uid, event.start - TimeDelta::milliseconds(1)).await?;
        }
        let query = Query { uid: Some(uid.clone()), ..Query::room(room) };
        let records = self.engine.journal().find(&query).await?;
        let excused = self.attendance.excused_dates(room, uid).await?;
        let series = SeriesRecord { actions: &records, since, excused: &excused };
        let missed = series.missed_in_a_row(event.start).saturating_add(1);
        let may_go = missed >= rule.strikes && rule.on_last_strike == OnLastStrike::Delete;
        let held = if may_go { self.series_hold(now).await? } else { None };
        Ok(apply_strikes(verdict, (missed, &series), rule, self.rules.on_reappearance, held))
    }

    fn was_attended(
        &self,
        room: &RoomAddress,
        event: &Event,
        why: &KeepReason,
        rule: &NoCheckIn,
        now: DateTime<Utc>,
    ) -> bool {
        matches!(why, KeepReason::CheckedIn { .. }) || self.has_sign(room, event, rule, now)
    }

    fn has_sign(&self, room: &RoomAddress, event: &Event, rule: &NoCheckIn, now: DateTime<Utc>) -> bool {
        let presence = self.presence.read();
        let case = self.case(room, (event, std::slice::from_ref(event)), &presence, None, now);
        attendance_reason(&case, &self.rules, rule).is_some()
    }

    /// Why no series may be removed now: too many removals in a day look like a feed that went silent.
    pub(super) async fn series_hold(
        &self,
        now: DateTime<Utc>,
    ) -> Result<Option<&'static str>, CalendarError> {
        let rule = Some(Rule::Strikes.to_string());
        let records =
            self.engine.journal().find(&Query { rule, since: Some(now - DAY), ..Query::default() }).await?;
        let removed = records.iter().filter(|record| is_whole_series(record)).count();
        Ok((removed >= self.rules.limits.series_max)
            .then_some("the daily limit of removed series (cleanup.limits.max_series) is reached"))
    }

    /// Applies the journal to a verdict: an action of a person on the event proves presence, and an earlier release makes it a
    /// reappearance.
    async fn apply_journal(
        &self,
        event: &Event,
        room: &RoomAddress,
        verdict: Verdict,
    ) -> Result<Verdict, CalendarError> {
        let (Verdict::Act { .. }, Some((uid, start))) = (&verdict, event.identity()) else {
            return Ok(verdict);
        };
        let query = Query { identity: Some((uid.clone(), start)), ..Query::room(room) };
        let records = self.engine.journal().find(&query).await?;
        match first_sign_of_people(room, &records).filter(|_| verdict.is_absence()) {
            Some(Sign { at, source, .. }) => {
                Ok(Verdict::Keep { why: KeepReason::CheckedIn { at, source, closes: None } })
            }
            None => Ok(apply_reappearance(verdict, &records, self.rules.on_reappearance)),
        }
    }

    /// The event with its organizer's SMTP address, if a rule depends on it and the listing contains only an X.500 address.
    async fn with_organizer<'a>(&self, room: &RoomAddress, event: &'a Event) -> Cow<'a, Event> {
        let unknown = event.organizer.as_ref().is_some_and(|organizer| organizer.address.is_none());
        if !unknown || event.end <= self.engine.clock().now() || !self.rules.depend_on_organizer(room) {
            return Cow::Borrowed(event);
        }
        let Some(address) = self.organizer_address(room, event).await else { return Cow::Borrowed(event) };
        let mut event = event.clone();
        if let Some(organizer) = &mut event.organizer {
            organizer.address = Some(address);
        }
        Cow::Owned(event)
    }

    /// From the cached presence state, else from the directory. The address stays unknown when the directory does not respond.
    async fn organizer_address(&self, room: &RoomAddress, event: &Event) -> Option<String> {
        let legacy_dn = event.organizer.as_ref().and_then(|organizer| organizer.legacy_dn.clone());
        let (key, now) = (legacy_dn.unwrap_or_else(|| event.id.to_string()), self.engine.clock().now());
        if let Some(known) = self.presence.read().organizer(&key, now) {
            return known;
        }
        let address = self.engine.calendar().resolve_organizer(room, event).await.unwrap_or_default();
        self.presence.write().remember_organizer(key, address.clone(), now);
        address
    }

    async fn find_organizer(
        &self,
        room: &RoomAddress,
        event: &Event,
    ) -> Result<Option<PersonLookup>, CalendarError> {
        let Some(rule) = &self.rules.organizer_gone else { return Ok(None) };
        let Some(address) = organizer_in(event, rule) else { return Ok(None) };
        let cell = self.directory.lock().await.entry(address.clone()).or_default().clone();
        let directory: &dyn Directory = &**self.engine.calendar();
        cell.get_or_try_init(|| directory.find_person(room, &address)).await.map(|found| Some(*found))
    }
}

/// Allows an action only while the rule that planned it still applies to the event as it is now.
pub(super) struct EventPrecondition {
    pub(super) evaluator: RoomEvaluator,
    pub(super) room: RoomAddress,
    pub(super) rule: Rule,
}

#[async_trait::async_trait]
impl Precondition for EventPrecondition {
    async fn check(&self, event: &Event, now: DateTime<Utc>) -> Result<(), Refusal> {
        match self.evaluator.evaluate_event(&self.room, event, std::slice::from_ref(event), now).await? {
            Verdict::Act { rule, .. } if rule == self.rule => Ok(()),
            // The rule now selects the series; releasing its date is a part of that.
            Verdict::Act { rule: Rule::Strikes, .. } if self.rule == Rule::NoCheckIn => Ok(()),
            Verdict::Act { rule, .. } => {
                Err(Refusal::NoLongerApplies { why: format!("rule {rule} applies now") })
            }
            Verdict::Keep { why } => Err(Refusal::NoLongerApplies { why: why.to_string() }),
        }
    }
}

/// Allows the removal of a series only while the date that decided it is still unattended, and no sign shows presence at a date
/// that is removed with it.
pub(super) struct SeriesPrecondition {
    pub(super) evaluator: RoomEvaluator,
    pub(super) room: RoomAddress,
    /// The date; `None` after this sweep removed it.
    pub(super) date: Option<EventId>,
}

#[async_trait::async_trait]
impl Precondition for SeriesPrecondition {
    async fn check(&self, event: &Event, now: DateTime<Utc>) -> Result<(), Refusal> {
        if let Some(why) = self.evaluator.clock_doubt() {
            return Err(Refusal::NoLongerApplies { why: why.to_string() });
        }
        let rule = self.evaluator.rules.check_in(&self.room);
        let is_date = event.kind.is_date_of_series();
        if is_date && rule.is_some_and(|rule| self.evaluator.has_sign(&self.room, event, &rule, now)) {
            return Err(Refusal::NoLongerApplies { why: "a date of the series is attended".to_owned() });
        }
        let Some(date) = &self.date else { return Ok(()) };
        let calendar = self.evaluator.engine.calendar();
        let Some(event) = calendar.event(&self.room, date).await? else {
            return Err(Refusal::NoLongerApplies { why: "the date is no longer in the calendar".to_owned() });
        };
        let (evaluator, room, rule) = (self.evaluator.clone(), self.room.clone(), Rule::Strikes);
        EventPrecondition { evaluator, room, rule }.check(&event, now).await
    }
}
