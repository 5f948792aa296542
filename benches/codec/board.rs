//! Prints the measurements as a table: criterion's samples, their median, and ratios to quick-xml's raw events.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

/// The peer that all ratios refer to.
pub(crate) const MEASURE: &str = "quick-xml events";

/// One input and its rows, in order of measurement.
struct Input {
    name: String,
    bytes: usize,
    items: usize,
    samples: Vec<(String, Vec<f64>)>,
}

#[derive(Default)]
pub(crate) struct Board {
    inputs: RefCell<Vec<Input>>,
}

impl Board {
    pub(crate) fn input(&self, name: &str, bytes: usize, items: usize) {
        let input = Input { name: name.to_owned(), bytes, items, samples: Vec::new() };
        self.inputs.borrow_mut().push(input);
    }

    /// Adds a sample for the last input: the time for `rounds` rounds of `peer`.
    pub(crate) fn sample(&self, peer: &str, rounds: u64, took: Duration) {
        let mut inputs = self.inputs.borrow_mut();
        let Some(input) = inputs.last_mut() else { return };
        let nanoseconds = took.as_secs_f64() * 1e9 / rounds as f64;
        match input.samples.iter_mut().find(|(name, _)| name == peer) {
            Some((_, samples)) => samples.push(nanoseconds),
            None => input.samples.push((peer.to_owned(), vec![nanoseconds])),
        }
    }

    /// Prints the table, and each goal with its result.
    pub(crate) fn print(&self) {
        let inputs = self.inputs.borrow();
        let mut table = Table::new();
        table.load_preset(presets::ASCII_MARKDOWN).set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(["input", "by", "µs", "ns/item", "MB/s", "× events"]);
        (2..6)
            .filter_map(|at| table.column_mut(at).map(|c| c.set_cell_alignment(CellAlignment::Right)))
            .count();
        let mut reached = BTreeMap::new();
        for input in inputs.iter() {
            let measure = input.samples.iter().find(|(name, _)| name == MEASURE).map(|(_, all)| median(all));
            for (peer, samples) in &input.samples {
                let nanoseconds = median(samples);
                let ratio = measure.map_or(String::new(), |measure| format!("{:.2}", measure / nanoseconds));
                reached.insert((input.name.clone(), peer.clone()), nanoseconds);
                table.add_row([
                    input.name.clone(),
                    peer.clone(),
                    format!("{:.2}", nanoseconds / 1e3),
                    format!("{:.0}", nanoseconds / input.items.max(1) as f64),
                    format!("{:.0}", input.bytes as f64 * 1e3 / nanoseconds),
                    ratio,
                ]);
            }
        }
        println!("\n{table}\n");
        goals(&reached);
    }
}

/// The project's goals; `benches/README.md` explains them.
const GOALS: [(&str, &str, f64); 21] = [
    ("in turn ordered", MEASURE, 16.0),
    ("in turn missing", MEASURE, 12.0),
    ("in turn shuffled", MEASURE, 8.0),
    ("in turn escapes", MEASURE, 15.0),
    ("1000 ordered", "crate ews", 40.0),
    ("UpdateItem answer", MEASURE, 8.0),
    ("DeleteItem answer", MEASURE, 8.0),
    ("CreateItem answer", MEASURE, 8.0),
    ("MoveItem answer", MEASURE, 8.0),
    ("item error", MEASURE, 8.0),
    ("item error with details", MEASURE, 8.0),
    ("fault, throttled", MEASURE, 5.0),
    ("fault, impersonation", MEASURE, 5.0),
    ("fault, schema", MEASURE, 5.0),
    ("GetItem, 1 item", MEASURE, 12.0),
    ("FindItem, 1 item", MEASURE, 12.0),
    ("FindItem, 5 items", MEASURE, 12.0),
    ("stream, notification", MEASURE, 8.0),
    ("stream, heartbeat", MEASURE, 8.0),
    ("availability, 10 rooms", MEASURE, 8.0),
    ("SyncFolderItems, 20 changes", MEASURE, 8.0),
];

/// The goals for requests, in nanoseconds.
const REQUESTS: [(&str, f64); 2] = [("UpdateItem end request", 120.0), ("DeleteItem request", 60.0)];

fn goals(reached: &BTreeMap<(String, String), f64>) {
    for (input, peer, goal) in GOALS {
        let of = |peer: &str| reached.get(&(input.to_owned(), peer.to_owned()));
        if let (Some(ours), Some(theirs)) = (of("adjourn"), of(peer)) {
            let ratio = theirs / ours;
            let verdict = if ratio >= goal { "reached" } else { "MISSED" };
            println!("{input}: {ratio:.1} × {peer} (goal {goal} ×): {verdict}");
        }
    }
    for (input, goal) in REQUESTS {
        if let Some(took) = reached.get(&(input.to_owned(), "adjourn".to_owned())) {
            let verdict = if *took <= goal { "reached" } else { "MISSED" };
            println!("{input}: {took:.0} ns (goal {goal} ns): {verdict}");
        }
    }
}

fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
