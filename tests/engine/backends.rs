//! The backends that the rooms of a random history are on: EWS, Microsoft Graph, or EWS first and Graph later. A seed decides
//! what the account may read there, and what becomes of the ids of EWS.

use std::fmt;
use std::str::FromStr;

use adjourn::engine::Capabilities;
use adjourn::graph::{Graph, GraphRights, GraphSettings};
use adjourn::login::{ExternalToken, SignInMethod};

use crate::fake::{FakeCalendar, OldIds};

const SEEDS_THAT_FAILED: &str = include_str!("../../fixtures/seeds.txt");

/// Where the rooms of a history are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// On EWS.
    Ews,
    /// On Microsoft Graph.
    Graph,
    /// On EWS, and after a restart on Graph.
    Move,
}

/// A seed, and the backend that its history is played on.
#[derive(Debug, Clone, Copy)]
pub struct ListedSeed {
    pub seed: u64,
    pub backend: Backend,
}

/// The seeds that failed once.
pub fn listed_seeds() -> impl Iterator<Item = ListedSeed> {
    SEEDS_THAT_FAILED.lines().filter_map(|line| {
        let mut words = line.split('#').next()?.split_whitespace();
        let seed = words.next()?.parse().unwrap();
        Some(ListedSeed { seed, backend: words.next().map_or(Backend::Ews, |name| name.parse().unwrap()) })
    })
}

impl Backend {
    /// Half of the histories are on EWS.
    pub fn of_seed(seed: u64) -> Self {
        match seed % 4 {
            0 | 1 => Self::Ews,
            2 => Self::Graph,
            _ => Self::Move,
        }
    }

    /// Prepares the calendar.
    pub fn begin(self, calendar: &FakeCalendar, seed: u64) {
        if self == Self::Graph {
            let mut state = calendar.0.lock().unwrap();
            state.server = Some(graph_capabilities(rights(seed)));
            state.absence_proves_nothing = true;
        }
    }

    /// The phase of a history before which the rooms move.
    pub fn moves_before(self, seed: u64, phases: u64) -> Option<u64> {
        (self == Self::Move).then_some(1 + seed / 4 % phases)
    }

    /// Moves all rooms to Graph.
    pub fn move_rooms(self, calendar: &FakeCalendar, seed: u64) {
        let old_ids = [OldIds::Translated, OldIds::NotFound, OldIds::Invalid][(seed / 8 % 3) as usize];
        move_rooms(calendar, rights(seed), old_ids);
    }

    /// Moves all rooms to Graph, where the account may read no folder of traces.
    pub fn move_to_graph(calendar: &FakeCalendar, old_ids: OldIds) {
        move_rooms(calendar, GraphRights::default(), old_ids);
    }
}

fn move_rooms(calendar: &FakeCalendar, rights: GraphRights, old_ids: OldIds) {
    let mut state = calendar.0.lock().unwrap();
    state.move_to(graph_capabilities(rights), old_ids);
    state.absence_proves_nothing = true;
}

/// The application may read the folders of the traces, or neither.
fn rights(seed: u64) -> GraphRights {
    let may_read = seed / 16 % 2 == 1;
    GraphRights { read_mail: may_read, read_mailbox_items: may_read, ..GraphRights::default() }
}

fn graph_capabilities(rights: GraphRights) -> Capabilities {
    let sign_in = SignInMethod::Token(ExternalToken::File("unused".into()));
    // It opens no connection.
    let settings = GraphSettings { rights, ..GraphSettings::new("http://127.0.0.1:1", sign_in) };
    Graph::new(&settings).unwrap().capabilities_of_rooms()
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ews => "ews",
            Self::Graph => "graph",
            Self::Move => "move",
        })
    }
}

impl FromStr for Backend {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let all = [Self::Ews, Self::Graph, Self::Move];
        let named = all.into_iter().find(|backend| backend.to_string() == name);
        named.ok_or_else(|| format!("no backend is called {name}"))
    }
}
