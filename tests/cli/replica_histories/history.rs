//! What a history shows afterwards: the answers, every chain of the database, and what Exchange has.

use std::collections::{BTreeMap, BTreeSet};

use adjourn::sim::EventState;
use adjourn_test::{now, room_name};
use chrono::{DateTime, TimeDelta, Utc};

use super::callers::{BOOKED_MINUTES, EXTENDED_MINUTES, Press, Request};
use super::faults::WRITES;
use super::replicas::{ROOMS, Replicas};

/// No step leaves a process later than two seconds after its intent. This much more is for a machine that is busy.
const INTENT_PRECEDES_BY: TimeDelta = TimeDelta::seconds(2 + 5);

/// An action of the journal.
#[derive(Debug)]
struct Action {
    id: String,
    key: String,
    status: String,
    uid: String,
    /// Whether the journal has the fact that its change arrived after it was closed.
    is_late: bool,
}

impl Action {
    fn is_done(&self) -> bool {
        self.status == "done"
    }

    /// Whether its change may be on the calendar although it is not done, and the journal says that a person has to look.
    fn may_have_happened(&self) -> bool {
        self.is_late || self.status == "needs-attention"
    }
}

/// Everything that is compared.
pub(super) struct History<'a> {
    replicas: &'a Replicas,
    requests: &'a [Request],
}

impl<'a> History<'a> {
    pub(super) fn new(replicas: &'a Replicas, requests: &'a [Request]) -> Self {
        Self { replicas, requests }
    }

    /// The contradictions to the promises. Some end by themselves, when the second look finds a late change.
    pub(super) fn findings(&self) -> Vec<String> {
        let actions = self.actions();
        let mut findings = self.lost_or_doubled(&actions);
        findings.extend(self.untold_effects(&actions));
        findings.extend(self.changes_without_intent());
        let open = actions.iter().filter(|action| action.status == "open");
        findings.extend(open.map(|action| format!("still open: {action:?}")));
        findings.extend(self.broken_chains());
        findings
    }

    fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        let text = self.replicas.database.sql(sql);
        text.lines().map(|line| line.split('|').map(str::to_owned).collect()).collect()
    }

    fn actions(&self) -> Vec<Action> {
        let late = self.rows("SELECT action FROM entries WHERE body::json->'fact'->>'kind' = 'late'");
        let late: BTreeSet<String> = late.into_iter().flatten().collect();
        let rows = self.rows(
            "SELECT action, coalesce(key, ''), status, coalesce(uid, '') FROM actions ORDER BY accepted",
        );
        let action = |row: Vec<String>| {
            let [id, key, status, uid] = row.try_into().unwrap();
            Action { is_late: late.contains(&id), id, key, status, uid }
        };
        rows.into_iter().map(action).collect()
    }

    /// Every acknowledged action is in the journal, as it was acknowledged, and once under its key.
    fn lost_or_doubled(&self, actions: &[Action]) -> Vec<String> {
        let mut findings = Vec::new();
        let by_id: BTreeMap<&str, &Action> =
            actions.iter().map(|action| (action.id.as_str(), action)).collect();
        for request in self.requests {
            for (id, state) in &request.answers {
                match by_id.get(id.as_str()) {
                    None => findings.push(format!("acknowledged and lost: {request:?}")),
                    Some(action) if !agree(state, &action.status) => {
                        findings.push(format!("acknowledged as {state}: {action:?}"));
                    }
                    Some(_) => {}
                }
            }
        }
        // Only an action that was refused, such as an interrupted one, frees its key.
        let mut carried_out = BTreeSet::new();
        for action in actions {
            if carried_out.contains(&action.key) {
                findings.push(format!("a second action under its key: {action:?}"));
            }
            if action.status != "refused" {
                carried_out.insert(&action.key);
            }
        }
        findings
    }

    /// Exchange has exactly the changes of the journal.
    fn untold_effects(&self, actions: &[Action]) -> Vec<String> {
        let mut findings = Vec::new();
        let mut events: BTreeMap<String, Vec<(EventState, bool)>> = BTreeMap::new();
        for (event, is_deleted) in (0..ROOMS).flat_map(|room| self.events(room)) {
            events.entry(event.subject.clone()).or_default().push((event, is_deleted));
        }
        for request in self.requests.iter().filter(|request| request.press == Press::Book) {
            let key = format!(":{}", request.key);
            let bookings: Vec<&Action> = actions.iter().filter(|action| action.key.ends_with(&key)).collect();
            let made = events.remove(&request.key).unwrap_or_default();
            let done = bookings.iter().filter(|action| action.is_done()).count();
            let told =
                bookings.iter().filter(|action| action.is_done() || action.may_have_happened()).count();
            if !(done..=told).contains(&made.len()) {
                findings.push(format!("{bookings:?} and {request:?} made {made:?}"));
            }
            for (event, is_deleted) in &made {
                findings.extend(changes_of(event, *is_deleted, actions));
            }
        }
        findings.extend(events.into_values().map(|events| format!("no request asked for {events:?}")));
        findings
    }

    /// The events of a room, and whether each is in Deleted Items.
    fn events(&self, room: usize) -> Vec<(EventState, bool)> {
        let (from, to) = (now() - TimeDelta::hours(4), now() + TimeDelta::hours(4));
        let room = room_name(room);
        self.replicas.office.sim.world(|world| {
            let deleted = world.deleted(&room).into_iter().map(|event| (event, true));
            world.events(&room, from, to).into_iter().map(|event| (event, false)).chain(deleted).collect()
        })
    }

    /// Every change that Exchange was asked for has a fresh intent in the journal.
    fn changes_without_intent(&self) -> Vec<String> {
        let sql = "SELECT room, entries.body::json->>'at' FROM entries JOIN actions USING (action)
                   WHERE entries.body::json->'fact'->>'kind' = 'intended'";
        let intents: Vec<(String, DateTime<Utc>)> =
            self.rows(sql).into_iter().map(|row| (row[0].clone(), row[1].parse().unwrap())).collect();
        let requests = self.replicas.office.sim.requests().into_iter();
        let changes = requests.filter(|request| WRITES.contains(&request.operation.as_str()));
        changes
            .filter(|change| {
                !intents.iter().any(|(room, at)| {
                    let precedes_by = change.at - *at;
                    Some(room) == change.mailbox.as_ref()
                        && -TimeDelta::seconds(1) <= precedes_by
                        && precedes_by <= INTENT_PRECEDES_BY
                })
            })
            .map(|change| format!("a change without a fresh intent: {change:?}"))
            .collect()
    }

    /// The facts of each action are numbered without a gap, and each chain ends where its writer was sealed.
    fn broken_chains(&self) -> Vec<String> {
        let gaps = "SELECT action FROM entries WHERE action IS NOT NULL
                    GROUP BY action HAVING max(step) - min(step) + 1 <> count(*) OR min(step) > 1";
        let beyond = "SELECT writer FROM writers AS w
                      WHERE length <> (SELECT count(*) FROM entries AS e WHERE e.writer = w.writer)";
        let gaps = self.rows(gaps).into_iter().map(|row| format!("a gap in the facts of {row:?}"));
        let beyond =
            self.rows(beyond).into_iter().map(|row| format!("the chain of {row:?} has another length"));
        gaps.chain(beyond).collect()
    }
}

/// Whether the journal may have this status now, after this answer. An action in doubt is settled later.
fn agree(answered: &str, now: &str) -> bool {
    match answered {
        "open" => true,
        "needs-attention" => now != "open",
        answered => answered == now,
    }
}

/// What is wrong about the changes of one booked event.
fn changes_of(event: &EventState, is_deleted: bool, actions: &[Action]) -> Vec<String> {
    let of_event: Vec<&Action> = actions.iter().filter(|action| action.uid == event.uid).collect();
    let among = |press: Press| of_event.iter().filter(move |action| Press::of_key(&action.key) == press);
    let minutes = (event.end - event.start).num_minutes() - BOOKED_MINUTES;
    let done = among(Press::Extend).filter(|action| action.is_done()).count();
    let possible =
        done + among(Press::Extend).filter(|action| !action.is_done() && action.may_have_happened()).count();
    let extended = usize::try_from(minutes / EXTENDED_MINUTES).unwrap_or(usize::MAX);
    let mut findings = Vec::new();
    if !(done..=possible).contains(&extended) {
        findings.push(format!("extended {extended} times: {event:?} {of_event:?}"));
    }
    let deletions = among(Press::Delete).filter(|action| action.is_done()).count();
    let may_be_deleted = among(Press::Delete).any(|action| action.may_have_happened());
    let expected = if is_deleted { deletions == 1 || may_be_deleted } else { deletions == 0 };
    if !expected {
        findings.push(format!("deleted {deletions} times: {event:?} {of_event:?}"));
    }
    findings
}
