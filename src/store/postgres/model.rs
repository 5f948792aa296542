//! A model of one writer, its statements on their way, and the database: statements arrive late, in another order, or after the connection
//! that sent them; replies are lost; another process seals; a failover loses commits. Decides by [`compare`], as `appender.rs` does.

use proptest::prelude::*;

use super::ending::{Comparison, compare};
use super::writers::StoredChain;
use crate::journal::{Chain, JournalError};

/// The statement of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Statement {
    session: i32,
    before: Chain,
    values: Vec<u64>,
    after: Chain,
}

/// The writer's row and its entries, in the database.
#[derive(Debug, Default)]
struct Table {
    session: i32,
    is_sealed: bool,
    /// A batch is there as a whole or not at all.
    batches: Vec<Vec<u64>>,
    chain: Chain,
}

impl Table {
    fn entries(&self) -> Vec<u64> {
        self.batches.concat()
    }

    /// What the statement of `batch.rs` does.
    fn execute(&mut self, statement: &Statement) -> bool {
        let is_ours = statement.session == self.session && !self.is_sealed && statement.before == self.chain;
        if is_ours {
            self.batches.push(statement.values.clone());
            self.chain = statement.after;
        }
        is_ours
    }

    fn stored(&self) -> StoredChain {
        StoredChain { session: self.session, is_sealed: self.is_sealed, chain: self.chain, has_last: true }
    }
}

/// One thing that happens.
#[derive(Debug, Clone)]
enum Happening {
    Send {
        entries: u64,
    },
    /// A statement arrives; its reply may be lost.
    Arrive {
        which: usize,
        replied: bool,
    },
    Break,
    /// The writer connects again; if its batch is not there, it sends it again or gives it up.
    Reconnect {
        again: bool,
    },
    Seal,
    /// A standby without the last commits becomes the primary. Connections to the former one are gone.
    Failover {
        lost: usize,
    },
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        4 => (1..4_u64).prop_map(|entries| Happening::Send { entries }),
        4 => (any::<usize>(), any::<bool>()).prop_map(|(which, replied)| Happening::Arrive { which, replied }),
        1 => Just(Happening::Break),
        3 => any::<bool>().prop_map(|again| Happening::Reconnect { again }),
        1 => (0..12_u8).prop_map(|n| if n == 0 { Happening::Seal } else { Happening::Break }),
        1 => (0..12_u8, 0..4_usize).prop_map(|(n, lost)| if n == 0 { Happening::Failover { lost } } else { Happening::Break }),
    ]
}

#[derive(Debug, Default)]
struct Model {
    table: Table,
    on_the_way: Vec<Statement>,
    session: Option<i32>,
    sent: Option<Statement>,
    acknowledged: Chain,
    ended: Option<JournalError>,
    next: u64,
    stored: Vec<u64>,
    given_up: Vec<u64>,
    entries_at_seal: Option<usize>,
    has_lost: bool,
}

impl Model {
    fn happen(&mut self, what: &Happening) {
        match *what {
            Happening::Send { entries } => self.send(entries),
            Happening::Arrive { which, replied } if !self.on_the_way.is_empty() => {
                let statement = self.on_the_way.remove(which % self.on_the_way.len());
                self.arrive(&statement, replied);
            }
            Happening::Arrive { .. } => {}
            Happening::Break => self.session = None,
            Happening::Reconnect { again } => self.reconnect(again),
            Happening::Seal => {
                self.table.is_sealed = true;
                self.entries_at_seal.get_or_insert(self.table.entries().len());
            }
            Happening::Failover { lost } => self.fail_over(lost),
        }
    }

    fn send(&mut self, entries: u64) {
        let (Some(session), None, None) = (self.session, &self.sent, &self.ended) else { return };
        let (before, mut after) = (self.acknowledged, self.acknowledged);
        let values: Vec<u64> = (self.next..self.next + entries).collect();
        self.next += entries;
        values.iter().for_each(|value| drop(after.seal(value.to_string())));
        let statement = Statement { session, before, values, after };
        self.on_the_way.push(statement.clone());
        self.sent = Some(statement);
    }

    fn arrive(&mut self, statement: &Statement, replied: bool) {
        let is_stored = self.table.execute(statement);
        let is_open = self.session == Some(statement.session);
        match (is_open && replied, is_stored) {
            (true, true) => self.adopt(),
            (true, false) => self.end(&compare(Some(self.table.stored()), self.acknowledged, None)),
            (false, _) if is_open => self.session = None,
            (false, _) => {}
        }
    }

    fn adopt(&mut self) {
        if let Some(statement) = self.sent.take() {
            self.acknowledged = statement.after;
            self.stored.extend(statement.values);
        }
    }

    fn end(&mut self, compared: &Comparison) {
        if let Comparison::Ended(why) = compared {
            self.ended.get_or_insert(why.clone());
        }
    }

    fn reconnect(&mut self, again: bool) {
        if self.session.is_some() || self.ended.is_some() {
            return;
        }
        self.table.session += 1;
        self.session = Some(self.table.session);
        let sent = self.sent.as_ref().map(|statement| statement.after);
        match compare(Some(self.table.stored()), self.acknowledged, sent) {
            Comparison::Stored => self.adopt(),
            Comparison::NotStored if again => {
                if let Some(statement) = &mut self.sent {
                    statement.session = self.table.session;
                    self.on_the_way.push(statement.clone());
                }
            }
            Comparison::NotStored => {
                self.given_up.extend(self.sent.take().map(|one| one.values).unwrap_or_default())
            }
            ended @ Comparison::Ended(_) => self.end(&ended),
        }
    }

    fn fail_over(&mut self, lost: usize) {
        let left = self.table.batches.len() - lost.min(self.table.batches.len());
        self.table.batches.truncate(left);
        let entries = self.table.entries();
        self.has_lost |= self.stored.iter().any(|value| !entries.contains(value));
        self.table.chain = Chain::default();
        for value in &entries {
            self.table.chain.seal(value.to_string());
        }
        self.entries_at_seal = self.entries_at_seal.map(|_| entries.len());
        self.on_the_way.clear();
        self.session = None;
    }

    fn check(&self) {
        let entries = self.table.entries();
        assert!(entries.is_sorted_by(|one, other| one < other), "an entry is there twice: {self:?}");
        assert!(self.given_up.iter().all(|value| !entries.contains(value)), "stored after all: {self:?}");
        assert!(self.entries_at_seal.is_none_or(|count| count == entries.len()), "after the seal: {self:?}");
        if !self.has_lost {
            assert!(self.stored.iter().all(|value| entries.contains(value)), "lost: {self:?}");
            assert!(self.ended.as_ref().is_none_or(|why| *why == JournalError::Fenced), "{self:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn every_history_of_a_writer_leaves_each_acknowledged_entry_once(
        happenings in prop::collection::vec(happening(), 1..60),
    ) {
        let mut model = Model::default();
        for what in &happenings {
            model.happen(what);
            model.check();
        }
        // Whoever connects again learns what happened.
        model.session = None;
        model.reconnect(false);
        model.check();
        let ended = model.ended.clone();
        if model.table.is_sealed {
            prop_assert!(ended.is_some());
        } else if model.has_lost {
            prop_assert!(matches!(ended, Some(JournalError::Damaged(_))), "{model:?}");
        } else {
            prop_assert_eq!(ended, None);
            prop_assert_eq!(model.acknowledged, model.table.chain);
        }
    }
}
