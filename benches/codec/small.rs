//! Benchmarks the short responses: those of writes, of one item, of an availability request, of a stream, and faults.
//!
//! Each input is a set of responses of one kind with different ids and times, so that no branch predictor learns one of them by heart. The
//! peers decode the whole set by turns, so that a slow moment of the machine meets them all.

use std::hint::black_box;
use std::time::Instant;

use adjourn::ews::codec::{DecodeLimits, decode_with_reader};

use crate::board::{Board, MEASURE};
use crate::responses::{self, Kind};
use crate::{is_wanted, peers};

/// Number of different responses in a set.
const SET: u64 = 32;

/// How often a set is decoded between two looks at the clock.
const ROUNDS: u64 = 20;

/// How often the peers alternate.
const TURNS: usize = 200;

pub(crate) fn answers(board: &Board) {
    for kind in Kind::ALL.into_iter().filter(|kind| is_wanted(kind.name())) {
        let set: Vec<String> = (0..SET).map(|seed| responses::response(kind, seed)).collect();
        set.iter().for_each(|xml| check(kind, xml));
        let bytes = set.iter().map(String::len).sum::<usize>() / set.len();
        board.input(kind.name(), bytes, kind.items());
        let turns = if std::env::args().any(|argument| argument == "--test") { 1 } else { TURNS };
        for _ in 0..turns {
            sample(board, "adjourn", &set, |xml| drop(black_box(peers::adjourn(xml))));
            sample(board, MEASURE, &set, |xml| {
                black_box(peers::quick_xml_events(xml));
            });
            if kind == Kind::Delete {
                sample(board, "crate ews", &set, |xml| drop(black_box(peers::ews_crate_deletion(xml))));
            }
        }
    }
}

fn sample(board: &Board, peer: &str, set: &[String], work: impl Fn(&[u8])) {
    let start = Instant::now();
    for xml in std::iter::repeat_n(set, ROUNDS as usize).flatten() {
        work(black_box(xml.as_bytes()));
    }
    board.sample(peer, ROUNDS * SET, start.elapsed());
}

/// Checks that the scanner decodes the response, and that its value is the reader's and has what was written.
fn check(kind: Kind, xml: &str) {
    let decoded = peers::adjourn(xml.as_bytes());
    let name = kind.name();
    assert_eq!(decoded.path.as_str(), "scanner", "{name} declined: {:?}", decoded.path.declined());
    let read = decode_with_reader(xml.as_bytes(), &DecodeLimits::default()).expect("a response");
    assert_eq!(decoded.envelope, read.envelope, "{name}");
    let shown = format!("{:?}", decoded.envelope);
    assert!(kind.contents().iter().all(|content| shown.contains(content)), "{name}: {shown}");
    if kind == Kind::Delete {
        let of_crate = peers::ews_crate_deletion(xml.as_bytes());
        assert_eq!(of_crate.body.response_messages.response_messages.len(), 1);
    }
}
