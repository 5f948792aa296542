//! A process that is killed after every fact, before and after it is stored, for every action and every fate of its request.
//! The next process always settles the action, nothing is done twice, and a repeated request under the same key gets one
//! answer. The same on Microsoft Graph, and where the room moves to Graph while no process runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use adjourn::action::{Action, ActionId, ActionKind, DeleteMode, Notify, Outcome, Refusal};
use adjourn::calendar::{Copy, Event};
use adjourn::clock::ManualClock;
use adjourn::engine::{Engine, EngineOptions, Mode};
use adjourn::journal::{
    ActionEntry, ActionRecord, AdminEntry, AdminPage, AdminQuery, Journal, JournalError, MemoryJournal,
    Position, Query, RecordPage, SealedEntry,
};
use adjourn_test::{at, engine, every_room, room};
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use crate::backends::Backend;
use crate::fake::{FakeCalendar, NextWrite, OldIds, meeting, request_for};

/// Stops the process at a fact: from then on nothing is stored and everything fails.
pub struct Stopping {
    kept: Arc<MemoryJournal>,
    left: AtomicUsize,
    /// The last fact is still stored.
    after: bool,
    /// Other processes write to the same journal.
    is_shared: bool,
}

impl Stopping {
    pub fn new(kept: &Arc<MemoryJournal>, facts: usize, after: bool) -> Self {
        Self { kept: kept.clone(), left: AtomicUsize::new(facts), after, is_shared: false }
    }

    /// The journal of a process that never stops, one of several.
    pub fn never_and_shared(kept: &Arc<MemoryJournal>) -> Self {
        Self { is_shared: true, ..Self::new(kept, usize::MAX, false) }
    }
}

#[async_trait]
impl Journal for Stopping {
    async fn record(&self, entry: ActionEntry) -> Result<(), JournalError> {
        let left = self.left.load(Ordering::SeqCst);
        let stopped = || Err(JournalError::Unusable("stopped".to_owned()));
        if left == 0 {
            return stopped();
        }
        self.left.store(left - 1, Ordering::SeqCst);
        if left > 1 || self.after {
            self.kept.record(entry).await?;
        }
        if left == 1 { stopped() } else { Ok(()) }
    }

    fn is_shared(&self) -> bool {
        self.is_shared
    }

    async fn record_admin(&self, entry: AdminEntry) -> Result<(), JournalError> {
        self.kept.record_admin(entry).await
    }

    async fn admin_events(&self, query: &AdminQuery) -> Result<AdminPage, JournalError> {
        self.kept.admin_events(query).await
    }

    async fn action_record(&self, action: ActionId) -> Result<Option<ActionRecord>, JournalError> {
        self.kept.action_record(action).await
    }

    async fn find(&self, query: &Query) -> Result<Vec<ActionRecord>, JournalError> {
        self.kept.find(query).await
    }

    async fn page(
        &self,
        query: &Query,
        after: Option<Position>,
        examine: usize,
    ) -> Result<RecordPage, JournalError> {
        self.kept.page(query, after, examine).await
    }

    async fn actions_since(&self, since: DateTime<Utc>) -> Result<Vec<ActionId>, JournalError> {
        self.kept.actions_since(since).await
    }

    async fn entries(&self, first: u64, max: usize) -> Result<Vec<SealedEntry>, JournalError> {
        self.kept.entries(first, max).await
    }
}

/// What becomes of the request that the action sends.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Well,
    LostBefore,
    LostAfter,
    Late,
    Twice,
    Refused,
    GoneFirst,
    ExtendedFirst,
}

const FATES: [Fate; 8] = [
    Fate::Well,
    Fate::LostBefore,
    Fate::LostAfter,
    Fate::Late,
    Fate::Twice,
    Fate::Refused,
    Fate::GoneFirst,
    Fate::ExtendedFirst,
];

fn next(fate: Fate) -> Option<NextWrite> {
    Some(match fate {
        Fate::Well => return None,
        Fate::LostBefore => NextWrite::LostBefore,
        Fate::LostAfter => NextWrite::LostAfter,
        Fate::Late => NextWrite::Late,
        Fate::Twice => NextWrite::Twice,
        Fate::Refused => NextWrite::Refuse,
        Fate::GoneFirst => NextWrite::GoneFirst,
        Fate::ExtendedFirst => NextWrite::After(Box::new(|event| event.end = at(11, 0))),
    })
}

/// The server of the room.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Server {
    Ews,
    Graph,
    /// Graph, since the process was stopped.
    Moved(OldIds),
}

/// How long the process was away.
const AWAY: [TimeDelta; 2] = [TimeDelta::seconds(10), TimeDelta::minutes(10)];

/// The ways to change an event, and to change it back.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Forward(Copy, ActionKind),
    Back(Copy, ActionKind),
}

fn kinds() -> Vec<Kind> {
    let end = ActionKind::End(Notify::Attendees);
    let (tell, silent) = (ActionKind::Delete(DeleteMode::Notify), ActionKind::Delete(DeleteMode::Silent));
    let mut kinds = Vec::new();
    for copy in [Copy::Attendee, Copy::Organizer, Copy::Plain] {
        kinds.extend([end, tell, silent].map(|ask| Kind::Forward(copy, ask)));
        kinds.extend([end, silent].map(|ask| Kind::Back(copy, ask)));
    }
    kinds
}

struct World {
    calendar: FakeCalendar,
    journal: Arc<MemoryJournal>,
    clock: ManualClock,
}

impl World {
    fn new(copy: Copy, server: Server) -> Self {
        let calendar = FakeCalendar::default();
        if server == Server::Graph {
            Backend::Graph.begin(&calendar, 0);
        }
        calendar.add(&room("r1"), Event { copy: Some(copy), ..meeting("a") });
        calendar.add(&room("r1"), Event { start: at(12, 0), end: at(13, 0), ..meeting("untouched") });
        let clock = ManualClock::at(at(9, 30) + TimeDelta::seconds(20));
        Self { calendar, journal: Arc::default(), clock }
    }

    fn engine(&self, journal: Arc<dyn Journal>) -> Arc<Engine> {
        let options = EngineOptions { settle_delay: Duration::ZERO, ..EngineOptions::default() };
        let (calendar, clock) = (Arc::new(self.calendar.clone()), Arc::new(self.clock.clone()));
        engine(calendar, journal, clock, every_room(), options)
    }
}

fn request(ask: ActionKind) -> Action {
    Action { key: Some("door-1".parse().unwrap()), ..request_for("a", ask) }
}

/// Prepares the calendar, and returns the kind of action to perform.
async fn prepare(kind: Kind, server: Server) -> (World, ActionKind) {
    match kind {
        Kind::Forward(copy, ask) => (World::new(copy, server), ask),
        Kind::Back(copy, ask) => {
            let world = World::new(copy, server);
            let first = Action { key: None, ..request(ask) };
            let of = first.id;
            let answer = world.engine(world.journal.clone()).perform(first, Mode::Perform).await.unwrap();
            assert!(matches!(answer.outcome, Outcome::Done(_)), "{answer:?}");
            (world, ActionKind::Undo { of })
        }
    }
}

/// Plays one story. Returns whether the process was stopped in it.
async fn story(
    server: Server,
    kind: Kind,
    fate: Fate,
    (facts, after): (usize, bool),
    away: TimeDelta,
) -> bool {
    let case = format!(
        "{server:?}: {kind:?}, request {fate:?}, stopped at fact {facts}, stored {after}, away {away}"
    );
    let (world, ask) = prepare(kind, server).await;
    let effects_before = world.calendar.effects();
    if let Some(next) = next(fate) {
        world.calendar.next(next);
    }
    let first = request(ask);
    let answer = world
        .engine(Arc::new(Stopping::new(&world.journal, facts, after)))
        .perform(first.clone(), Mode::Perform)
        .await;
    let stopped = answer.is_err();

    world.clock.advance(away);
    {
        let mut server = world.calendar.0.lock().unwrap();
        server.next.clear();
        server.land_late();
    }
    if let (Server::Moved(old_ids), true) = (server, stopped) {
        Backend::move_to_graph(&world.calendar, old_ids);
    }
    let engine = world.engine(world.journal.clone());
    let recovered = engine.recover().await.unwrap();
    assert_eq!(recovered.still_open, [], "{case}");
    assert_eq!(engine.recover().await.unwrap().closed, [], "{case}: a second recovery finds nothing");
    let records = world.journal.find(&Query { key: first.key.clone(), ..Query::default() }).await.unwrap();
    assert!(records.iter().all(|record| !record.is_open()), "{case}");

    let again =
        engine.perform(Action { id: ActionId::random(), ..first.clone() }, Mode::Perform).await.unwrap();
    let effects = world.calendar.effects() - effects_before;
    assert!(effects <= 1, "{case}: {effects} effects, {again:?}");
    match &again.outcome {
        Outcome::Done(_) => assert_eq!(effects, 1, "{case}: {again:?}"),
        Outcome::AlreadyDone { .. } | Outcome::Refused { .. } | Outcome::NeedsAttention { .. } => {}
    }
    if let Ok(answer) = answer {
        let may_try_again = matches!(&answer.outcome, Outcome::Refused { refusal } if refusal.is_retryable());
        assert!(may_try_again || again.outcome == answer.outcome, "{case}: {answer:?}, then {again:?}");
    }
    let lost_to_others = matches!(fate, Fate::GoneFirst | Fate::ExtendedFirst);
    if effects == 0 && !lost_to_others {
        // EWS moves it back and Graph books it again, so an undo that was begun on the one is not finished on the other.
        let way_back_of_plain = Kind::Back(Copy::Plain, ActionKind::Delete(DeleteMode::Silent));
        let honest = match &again.outcome {
            Outcome::Refused { refusal: Refusal::Over { .. } | Refusal::NotAsSeen { .. } } => true,
            // Graph cannot do it. Without an event that stands it does not show that nothing was done, either.
            Outcome::Refused { refusal: Refusal::ServerAlwaysNotifies | Refusal::NotUndoable { .. } }
            | Outcome::NeedsAttention { .. } => {
                let moved_meanwhile = matches!(server, Server::Moved(_)) && kind == way_back_of_plain;
                server != Server::Ews && is_beyond_graph(kind) || moved_meanwhile
            }
            // The request names an id that Graph does not find.
            Outcome::Refused { refusal: Refusal::ChangedMeanwhile { was, is } } => {
                server == Server::Moved(OldIds::NotFound) && *is == Some(*was)
            }
            Outcome::Refused { refusal: Refusal::EventNotFound } => server == Server::Moved(OldIds::NotFound),
            _ => false,
        };
        assert!(honest, "{case}: nothing happened, and the answer is {again:?}");
    }
    if effects == 1 {
        let known = matches!(again.outcome, Outcome::Done(_) | Outcome::NeedsAttention { .. });
        // The second reply to a removal that was delivered twice is that the event is gone, which is true.
        let gone = fate == Fate::Twice && matches!(again.outcome, Outcome::AlreadyDone { .. });
        assert!(known || gone || lost_to_others, "{case}: it happened, and the answer is {again:?}");
    }
    let state = world.calendar.0.lock().unwrap();
    let untouched = state.events.values().find(|event| event.uid == meeting("untouched").uid).unwrap();
    assert_eq!(untouched.end, at(13, 0), "{case}");
    assert!(state.violations.is_empty(), "{case}: {:?}", state.violations);
    stopped
}

/// A silent removal of an organizer copy, and the way back of a meeting from Deleted Items.
fn is_beyond_graph(kind: Kind) -> bool {
    let silent = ActionKind::Delete(DeleteMode::Silent);
    match kind {
        Kind::Forward(copy, ask) => copy == Copy::Organizer && ask == silent,
        Kind::Back(copy, ask) => ask == silent && copy != Copy::Plain,
    }
}

async fn stop_everywhere(server: Server) {
    let (mut stories, mut stops) = (0, 0);
    for kind in kinds() {
        // There is nothing to undo.
        if server == Server::Graph && is_beyond_graph(kind) && matches!(kind, Kind::Back(..)) {
            continue;
        }
        for fate in FATES {
            for away in AWAY {
                for after in [false, true] {
                    for facts in 1.. {
                        let stopped = story(server, kind, fate, (facts, after), away).await;
                        stories += 1;
                        stops += usize::from(stopped);
                        if !stopped {
                            break;
                        }
                    }
                }
            }
        }
    }
    println!("{server:?}: {stories} stories, {stops} of them with a stop");
    assert!(stops > 800, "{stops}");
}

#[tokio::test(start_paused = true)]
async fn a_stop_anywhere_loses_nothing_and_repeats_nothing() {
    stop_everywhere(Server::Ews).await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_anywhere_loses_nothing_and_repeats_nothing_over_graph() {
    stop_everywhere(Server::Graph).await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_before_a_move_to_graph_loses_nothing_and_repeats_nothing() {
    stop_everywhere(Server::Moved(OldIds::Translated)).await;
    stop_everywhere(Server::Moved(OldIds::NotFound)).await;
}
