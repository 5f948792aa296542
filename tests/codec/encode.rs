//! Requests, parsed by an independent XML parser.

use std::path::PathBuf;

use adjourn::ews::encode_into;
use adjourn::ews::op::{CreateItem, ItemRef, ResponseObject, SendUpdates, UpdateItem};
use adjourn::ews::soap::{Impersonate, RequestHeaders, ServerVersion};
use chrono::DateTime;
use proptest::prelude::*;
use roxmltree::{Document, Node};

use crate::examples::{HOSTILE_TEXT, examples, examples_in_every_version};

#[test]
fn examples_are_well_formed_and_of_distinct_names() {
    let mut names = std::collections::BTreeSet::new();
    for (stem, bytes) in examples().into_iter().chain(examples_in_every_version()) {
        Document::parse(std::str::from_utf8(&bytes).unwrap())
            .unwrap_or_else(|error| panic!("{stem}: {error}"));
        assert!(names.insert(stem.clone()), "{stem} twice");
    }
    assert!(names.len() > 100, "{}", names.len());
}

/// Writes the examples into a directory for a schema validator, if the environment names one.
#[test]
fn examples_for_the_schema_check() {
    let Some(dir) = std::env::var_os("ADJOURN_WRITE_REQUESTS").map(PathBuf::from) else {
        return println!("ADJOURN_WRITE_REQUESTS is not set: no example was written");
    };
    for (stem, bytes) in examples() {
        std::fs::write(dir.join(stem).with_extension("xml"), bytes).unwrap();
    }
}

#[test]
fn exactly_one_name_is_impersonated() {
    for (stem, bytes) in examples() {
        let document = Document::parse(std::str::from_utf8(&bytes).unwrap()).unwrap();
        let sids: Vec<_> = named(&document, "ConnectingSID").collect();
        assert!(sids.len() <= 1, "{stem}");
        assert!(sids.iter().all(|sid| sid.children().filter(Node::is_element).count() == 1), "{stem}");
    }
}

#[test]
fn no_request_overwrites_a_change_or_deletes_for_good() {
    let values = |name: &'static str| {
        let mut values = std::collections::BTreeSet::new();
        for (_, bytes) in examples() {
            let document = Document::parse(std::str::from_utf8(&bytes).unwrap()).unwrap();
            values.extend(document.descendants().filter_map(|node| node.attribute(name)).map(str::to_owned));
        }
        values.into_iter().collect::<Vec<_>>()
    };
    assert_eq!(values("ConflictResolution"), ["NeverOverwrite"]);
    assert_eq!(values("DeleteType"), ["MoveToDeletedItems", "SoftDelete"]);
    assert_eq!(values("SendMeetingCancellations"), ["SendToNone"]);
}

#[test]
fn an_older_server_is_not_asked_what_it_does_not_know() {
    let asks_for_it = |bytes: &[u8]| std::str::from_utf8(bytes).unwrap().contains("calendar:IsOrganizer");
    let by_version = |version: &str| {
        let all = examples_in_every_version().into_iter().filter(move |(stem, _)| stem.ends_with(version));
        all.filter(|(_, bytes)| asks_for_it(bytes)).count()
    };
    assert_eq!(by_version("Exchange2010_SP2"), 0);
    assert!(by_version("Exchange2013") > 0);
}

#[test]
fn a_warm_buffer_keeps_nothing_of_the_request_before() {
    let long = "x".repeat(10_000);
    let mut buffer = Vec::new();
    encode_into(&decline("A", &long), &headers("r@example.com"), &mut buffer);
    encode_into(&decline("A", "short"), &headers("r@example.com"), &mut buffer);
    let mut fresh = Vec::new();
    encode_into(&decline("A", "short"), &headers("r@example.com"), &mut fresh);
    assert_eq!(buffer, fresh);
}

proptest! {
    #[test]
    fn whatever_the_text_the_request_is_xml_and_says_it(text in "\\PC*|.*", id in ".*", room in ".*") {
        let mut bytes = Vec::new();
        encode_into(&decline(&id, &text), &headers(&room), &mut bytes);
        check(&bytes, &[("ReferenceItemId", None, &id), ("SmtpAddress", Some(()), &room)], &text);
    }
}

#[test]
fn hostile_text_survives_as_text() {
    let mut bytes = Vec::new();
    encode_into(&decline(HOSTILE_TEXT, HOSTILE_TEXT), &headers(HOSTILE_TEXT), &mut bytes);
    check(
        &bytes,
        &[("ReferenceItemId", None, HOSTILE_TEXT), ("SmtpAddress", Some(()), HOSTILE_TEXT)],
        HOSTILE_TEXT,
    );
}

#[test]
fn an_early_end_says_its_end_and_nothing_else() {
    let update = UpdateItem {
        item: ItemRef { id: "A", change_key: Some("C") },
        end: DateTime::UNIX_EPOCH,
        send: SendUpdates::ToNone,
    };
    let mut bytes = Vec::new();
    encode_into(&update, &headers("r@example.com"), &mut bytes);
    let text = std::str::from_utf8(&bytes).unwrap();
    let document = Document::parse(text).unwrap();
    let fields: Vec<_> =
        named(&document, "FieldURI").filter_map(|field| field.attribute("FieldURI")).collect();
    assert_eq!(fields, ["calendar:End"]);
    assert_eq!(named(&document, "End").next().unwrap().text(), Some("1970-01-01T00:00:00Z"));
    assert!(text.contains("NeverOverwrite") && text.contains("SendToNone"));
}

fn decline<'a>(id: &'a str, text: &'a str) -> CreateItem<'a> {
    CreateItem::Decline(ResponseObject {
        saved_in: None,
        item: ItemRef { id, change_key: None },
        text: Some(text),
    })
}

fn headers(room: &str) -> RequestHeaders<'_> {
    RequestHeaders { version: ServerVersion::default(), impersonate: Some(Impersonate::SmtpAddress(room)) }
}

fn named<'a>(document: &'a Document<'_>, name: &'a str) -> impl Iterator<Item = Node<'a, 'a>> {
    document.descendants().filter(move |node| node.tag_name().name() == name)
}

/// Every value arrives unchanged, except characters that XML 1.0 cannot carry.
fn check(bytes: &[u8], values: &[(&str, Option<()>, &str)], text: &str) {
    let document = Document::parse(std::str::from_utf8(bytes).unwrap()).unwrap();
    for (element, as_text, value) in values {
        let node = named(&document, element).next().unwrap();
        let found = if as_text.is_some() { node.text() } else { node.attribute("Id") };
        assert_eq!(allowed(found.unwrap_or_default()), allowed(value), "{element}");
    }
    assert_eq!(allowed(named(&document, "Body").last().unwrap().text().unwrap_or_default()), allowed(text));
}

/// The characters that XML 1.0 allows (section 2.2), without those that the writer may have substituted.
fn allowed(text: &str) -> String {
    let forbidden = |c: char| matches!(c, '\0'..='\u{8}' | '\u{B}' | '\u{C}' | '\u{E}'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}');
    text.chars().filter(|c| !forbidden(*c) && *c != '\u{FFFD}').collect()
}

/// Counts allocations: the second request into a buffer needs none.
#[test]
fn a_warm_buffer_needs_no_allocation() {
    let end = DateTime::from_timestamp(1_795_600_800, 0).unwrap();
    let item = ItemRef { id: "AAMk", change_key: Some("DwAA") };
    let update = UpdateItem { item, end, send: SendUpdates::ToNone };
    let decline = decline("AAMk", "R&D sync \u{1} <ended early>");
    let mut buffer = Vec::new();
    let mut write = || {
        encode_into(&update, &headers("room@rooms.example"), &mut buffer);
        encode_into(&decline, &headers("room@rooms.example"), &mut buffer);
    };
    assert!(allocation_counter::measure(&mut write).count_total > 0, "the counter counts");
    assert_eq!(allocation_counter::measure(&mut write).count_total, 0);
}
