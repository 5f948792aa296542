//! Journals of earlier versions: each must be readable for ever, with its original meaning.
//!
//! Each file in `fixtures/journals` holds one entry per line: its hash, a space, its body, and from version 6 on its personal values. A new
//! format gets a new file; an existing one is never changed. `ADJOURN_WRITE_JOURNAL=FILE cargo test --test store write` writes the same
//! facts in the current format.

use std::collections::HashMap;
use std::fmt::Write as _;

use adjourn::action::ActionId;
use adjourn::journal::{
    ActionEntry, ActionRecord, Chain, Head, JournalEntry, PersonalValue, Predecessor, Salt, SealedEntry,
};

use crate::sample_entries::{
    everything, everything_of_version_2, everything_of_version_3, everything_of_version_4,
    everything_of_version_5, everything_of_version_6, everything_of_version_7, everything_of_version_8,
    everything_of_version_9, everything_of_version_10, in_doubt,
};

const V1: &str = include_str!("../../fixtures/journals/v1.jsonl");
const V2: &str = include_str!("../../fixtures/journals/v2.jsonl");
const V3: &str = include_str!("../../fixtures/journals/v3.jsonl");
const V4: &str = include_str!("../../fixtures/journals/v4.jsonl");
const V5: &str = include_str!("../../fixtures/journals/v5.jsonl");
const V6: &str = include_str!("../../fixtures/journals/v6.jsonl");
const V7: &str = include_str!("../../fixtures/journals/v7.jsonl");
const V8: &str = include_str!("../../fixtures/journals/v8.jsonl");
const V9: &str = include_str!("../../fixtures/journals/v9.jsonl");
const V10: &str = include_str!("../../fixtures/journals/v10.jsonl");

/// From format 6 on, personal values follow after a tab: a list of pointer, salt and value.
fn sealed(number: usize, line: &str) -> SealedEntry {
    let (hash, rest) = line.split_once(' ').unwrap();
    let (body, beside) = rest.split_once('\t').unwrap_or((rest, "[]"));
    let byte = |at: usize| u8::from_str_radix(&hash[2 * at..2 * at + 2], 16).unwrap();
    let values: Vec<(String, Salt, String)> = serde_json::from_str(beside).unwrap();
    let personal = values.into_iter().map(|(pointer, salt, value)| PersonalValue { pointer, salt, value });
    let hash = Head(std::array::from_fn(byte));
    SealedEntry { number: number as u64 + 1, body: body.to_owned(), hash, personal: personal.collect() }
}

#[test]
fn every_version_is_read_as_what_it_meant() {
    assert_eq!(read(V1), (of_actions(everything()), 30));
    assert_eq!(read(V2), (of_actions(everything_of_version_2()), 33));
    assert_eq!(read(V3), (of_actions(everything_of_version_3()), 35));
    assert_eq!(read(V4), (of_actions(everything_of_version_4()), 38));
    assert_eq!(read(V5), (of_actions(everything_of_version_5()), 43));
    assert_eq!(read(V6), (everything_of_version_6(), 45));
    assert_eq!(read(V7), (everything_of_version_7(), 47));
    assert_eq!(read(V8), (everything_of_version_8(), 50));
    assert_eq!(read(V9), (everything_of_version_9(), 51));
    assert_eq!(read(V10), (everything_of_version_10(), 52));
}

fn of_actions(entries: Vec<ActionEntry>) -> Vec<JournalEntry> {
    entries.into_iter().map(JournalEntry::from).collect()
}

fn read(text: &str) -> (Vec<JournalEntry>, usize) {
    let mut chain = Chain::default();
    let mut records: HashMap<ActionId, ActionRecord> = HashMap::new();
    let mut entries = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let sealed = sealed(number, line);
        chain.check(&sealed).unwrap();
        let entry = sealed.parse().unwrap();
        if let JournalEntry::Action(entry) = &entry {
            let record = ActionRecord::apply(records.remove(&entry.action), entry).unwrap();
            records.insert(entry.action, record);
        }
        entries.push(entry);
    }
    (entries, records.len())
}

#[test]
fn every_prefix_of_a_journal_is_a_journal() {
    let entries = everything();
    for len in 0..=entries.len() {
        let mut records: HashMap<ActionId, ActionRecord> = HashMap::new();
        for entry in &entries[..len] {
            let record = ActionRecord::apply(records.remove(&entry.action), entry).unwrap();
            records.insert(entry.action, record);
        }
        assert!(records.values().all(|record| record.is_open() == record.outcome.is_none()));
    }
}

#[test]
fn what_this_version_writes() {
    let mut chain = Chain::default();
    let mut text = String::new();
    // Salts are random outside of this test.
    let mut salt = 0_u128;
    for record in everything_of_version_10() {
        let record_text = record.to_text(&mut || {
            salt += 1;
            salt.to_be_bytes()
        });
        let sealed = chain.seal_text(record_text.unwrap());
        let beside: Vec<_> = sealed.personal.iter().map(|one| (&one.pointer, one.salt, &one.value)).collect();
        write!(text, "{} {}", sealed.hash, sealed.body).unwrap();
        writeln!(text, "\t{}", serde_json::to_string(&beside).unwrap()).unwrap();
    }
    if let Some(path) = std::env::var_os("ADJOURN_WRITE_JOURNAL") {
        std::fs::write(path, &text).unwrap();
    }
    assert_eq!(text, V10, "the format of the journal has changed: give it a new version");
}

/// An entry that goes on in the chain of another process names the entry that it follows.
#[test]
fn an_entry_that_follows_one_of_another_chain_says_so() {
    let entry = JournalEntry::from(in_doubt(1, 0));
    let after = Predecessor { writer: 7, number: 12, hash: Head([0x5d; 32]) };
    let text = entry.to_linked_text(Some(after), &mut || [0; 16]).unwrap();
    let link = format!(r#","after":{{"writer":7,"number":12,"hash":"{}"}}}}"#, "5d".repeat(32));
    let plain = entry.to_text(&mut || [0; 16]).unwrap().body;
    assert_eq!(text.body, plain.strip_suffix('}').unwrap().to_owned() + &link);
    assert_eq!(JournalEntry::parse(&text.body, &[]).unwrap(), entry);
    let sealed = |body| Chain::default().seal(body);
    assert_eq!(sealed(text.body).predecessor().unwrap(), Some(after));
    assert_eq!(sealed(plain).predecessor().unwrap(), None);
}

#[test]
fn a_later_version_and_rubbish_are_errors() {
    let later = V1.lines().next().unwrap().split_once(' ').unwrap().1.replace("\"v\":1", "\"v\":4294967295");
    assert!(JournalEntry::parse(&later, &[]).unwrap_err().to_string().contains("later version"));
    for rubbish in ["", "{}", "null", "{\"v\":1}", "{\"v\":1,\"fact\":{\"kind\":\"accepted\"}}"] {
        assert!(JournalEntry::parse(rubbish, &[]).is_err(), "{rubbish}");
    }
}
