//! Responses whose parts contradict each other, on both decoding paths: they never free a room, complete a write or
//! delete an event.

use adjourn::action::{EventSnapshot, Step};
use adjourn::before_send::Unconditional;
use adjourn::calendar::{ChangeKey, EventId, RoomAddress, Uid};
use adjourn::engine::{
    AddressLookup, CalendarReader as _, CalendarView, CalendarWriter as _, Directory as _, Occupancy,
    WriteOutcome,
};
use adjourn::exchange::Exchange;
use adjourn::live::Feed as _;
use adjourn_test::aurora;
use chrono::TimeDelta;

use crate::conversation::{exchange, item, noon, shorten, window};
use crate::script::{Reaction, ScriptedServer};

const TWO_MESSAGES: &str = "two messages";

/// As Exchange writes it, so that the scanner reads it.
fn as_exchange_writes(inside: &str) -> String {
    let inside: String = inside.lines().map(str::trim).collect();
    [
        r#"<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Header>"#,
        r#"<h:ServerVersionInfo MajorVersion="15" MinorVersion="1" MajorBuildNumber="2507" MinorBuildNumber="39" "#,
        r#"Version="V2017_07_11" xmlns:h="http://schemas.microsoft.com/exchange/services/2006/types"/></s:Header><s:Body "#,
        r#"xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages" "#,
        r#"xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types">"#,
        &inside,
        "</s:Body></s:Envelope>",
    ]
    .concat()
}

/// The response of an operation: its class, code and content.
fn response(operation: &str, class: &str, code: &str, rest: &str) -> String {
    let message = format!(
        "<m:{operation}ResponseMessage ResponseClass=\"{class}\"><m:ResponseCode>{code}</m:ResponseCode>{rest}\
         </m:{operation}ResponseMessage>"
    );
    let messages =
        if code == TWO_MESSAGES { message.replace(TWO_MESSAGES, "NoError").repeat(2) } else { message };
    as_exchange_writes(&format!(
        "<m:{operation}Response><m:ResponseMessages>{messages}</m:ResponseMessages></m:{operation}Response>"
    ))
}

fn success(operation: &str, rest: &str) -> String {
    response(operation, "Success", "NoError", rest)
}

/// Clients of a server that returns the item to GetItem and `answer` to every other operation; once for the scanner,
/// once for the reader.
async fn both_paths(answer: &str) -> Vec<(ScriptedServer, Exchange)> {
    let mut both = Vec::new();
    // The scanner declines comments.
    for answer in [answer.to_owned(), answer.replace("</s:Body>", "<!-- --></s:Body>")] {
        let got = success("GetItem", &format!("<m:Items>{}</m:Items>", item("AAMk=", 13)));
        let script = ScriptedServer::answering(move |_, request| {
            let is_read = request.contains("<m:GetItem>") && !answer.contains("GetItemResponse");
            Reaction::Answer(
                200,
                "Content-Type: text/xml\r\n",
                if is_read { &got } else { &answer }.clone().into(),
            )
        })
        .await;
        let exchange = exchange(&script);
        both.push((script, exchange));
    }
    both
}

fn folder(total: usize, is_last: bool, items: &str) -> String {
    success(
        "FindItem",
        &format!(
            "<m:RootFolder TotalItemsInView=\"{total}\" IncludesLastItemInRange=\"{is_last}\"><t:Items>{items}</t:Items>\
             </m:RootFolder>"
        ),
    )
}

/// Items with ids of their own.
fn many(count: usize) -> String {
    (0..count).map(|number| item(&format!("I{number}"), 13)).collect()
}

#[tokio::test]
async fn both_paths_are_taken() {
    let paths = both_paths(&folder(1, true, &item("A", 13))).await;
    for ((_script, exchange), path) in paths.iter().zip(["scanner", "reader"]) {
        assert_eq!(exchange.events(&aurora(), window()).await.unwrap().events.len(), 1);
        assert!(
            exchange.decode_stats().keys().any(|name| name.starts_with(path)),
            "{:?}",
            exchange.decode_stats()
        );
    }
}

#[tokio::test]
async fn a_view_that_contradicts_itself_frees_no_room() {
    let message = "<t:Message><t:ItemId Id=\"M\" ChangeKey=\"c\"/></t:Message>";
    let empty =
        "<m:RootFolder TotalItemsInView=\"0\" IncludesLastItemInRange=\"true\"><t:Items/></m:RootFolder>";
    let rows = [
        ("another day", folder(1, true, &item("A", 13).replace("-24T", "-25T"))),
        ("two items of one id", folder(2, true, &[item("A", 13), item("A", 15)].concat())),
        (
            "a series in the place of its dates",
            folder(1, true, &item("A", 13).replace("Single", "RecurringMaster")),
        ),
        ("an item of another type", folder(1, true, message)),
        ("more items than requested", folder(1_001, true, &many(1_001))),
        ("an end before the start", folder(1, true, &item("A", 13).replace("13:30:00", "12:30:00"))),
        ("items announced", folder(2, true, "")),
        ("more items announced", folder(0, false, "")),
        ("one of two", folder(2, true, &item("A", 13))),
        ("an error's code", response("FindItem", "Success", "ErrorAccessDenied", empty)),
        ("an error without a code", response("FindItem", "Error", "NoError", empty)),
        ("a warning", response("FindItem", "Warning", "NoError", empty)),
        (TWO_MESSAGES, response("FindItem", "Success", TWO_MESSAGES, empty)),
        ("another operation's", success("GetItem", "<m:Items/>")),
    ];
    for (what, body) in rows {
        for (_script, exchange) in both_paths(&body).await {
            let taken = exchange.events(&aurora(), window()).await.and_then(CalendarView::with_stand_ins);
            assert!(taken.is_err(), "{what}: {taken:?}");
        }
    }
}

fn steps() -> Vec<(&'static str, Step)> {
    let (id, change_key) = (EventId::new("AAMk="), ChangeKey::new("c"));
    let (start, end) = (noon(), noon() + TimeDelta::minutes(30));
    vec![
        ("UpdateItem", shorten()),
        ("CreateItem", Step::Book { uid: Uid::new("u"), start, end, subject: "Booked".into() }),
        ("DeleteItem", Step::Remove { id: id.clone(), change_key: change_key.clone() }),
        ("MoveItem", Step::MoveBack { id, change_key }),
    ]
}

#[tokio::test]
async fn a_write_whose_answer_contradicts_itself_is_in_doubt() {
    let item = |element: &str, id: &str| {
        format!("<m:Items><t:{element}><t:ItemId Id=\"{id}\" ChangeKey=\"d\"/></t:{element}></m:Items>")
    };
    let good = item("CalendarItem", "AAMk=");
    let rows = [
        ("another type", "Success", "NoError", item("Message", "AAMk=")),
        ("an empty id", "Success", "NoError", item("CalendarItem", "")),
        (
            "two items",
            "Success",
            "NoError",
            item("CalendarItem", "A").replace("</m:Items>", "<t:CalendarItem/></m:Items>"),
        ),
        ("an error's code", "Success", "ErrorItemSave", good.clone()),
        ("an error without a code", "Error", "NoError", good.clone()),
        ("a warning", "Warning", "NoError", good.clone()),
        ("a warning with a code", "Warning", "ErrorItemNotFound", good.clone()),
        (TWO_MESSAGES, "Success", TWO_MESSAGES, good.clone()),
    ];
    for (operation, step) in steps() {
        for (what, class, code, rest) in &rows {
            if operation == "DeleteItem" && *class == "Success" && *code == "NoError" {
                continue; // its success carries nothing
            }
            for (_script, exchange) in both_paths(&response(operation, class, code, rest)).await {
                let written = exchange.write(&aurora(), &step, &Unconditional).await.outcome;
                assert!(matches!(written, WriteOutcome::InDoubt(_)), "{operation}, {what}: {written:?}");
            }
        }
        for (_script, exchange) in both_paths(&success(operation, &good)).await {
            assert_eq!(
                exchange.write(&aurora(), &step, &Unconditional).await.outcome,
                WriteOutcome::Done,
                "{operation}"
            );
        }
        for (_script, exchange) in both_paths(&success("FindItem", "")).await {
            let written = exchange.write(&aurora(), &step, &Unconditional).await.outcome;
            assert!(
                matches!(written, WriteOutcome::InDoubt(_)),
                "{operation} answered by FindItem: {written:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_series_is_one_and_the_one_that_was_named() {
    let master = |id: &str, kind: &str| {
        success("GetItem", &format!("<m:Items>{}</m:Items>", item(id, 13).replace("Single", kind)))
    };
    let rows =
        [("another id", "B", "RecurringMaster"), ("no series", "A", "Single"), ("a date", "A", "Exception")];
    for (what, id, kind) in rows {
        for (_script, exchange) in both_paths(&master(id, kind)).await {
            let series = exchange.series_by_id(&aurora(), &EventId::new("A")).await;
            assert!(series.is_err(), "{what}: {series:?}");
        }
    }
    for (_script, exchange) in both_paths(&master("A", "RecurringMaster")).await {
        assert!(exchange.series_by_id(&aurora(), &EventId::new("A")).await.unwrap().is_some());
        assert!(exchange.series(&aurora(), &EventId::new("a-date")).await.unwrap().is_some());
    }
    for (_script, exchange) in both_paths(&master("A", "Single")).await {
        assert!(exchange.series(&aurora(), &EventId::new("a-date")).await.is_err());
    }
}

#[tokio::test]
async fn a_page_that_contradicts_itself_proves_nothing_gone() {
    let rows = [
        ("more announced than sent", folder(3, true, &item("A", 13))),
        ("more than asked for", folder(201, true, &many(201))),
    ];
    for (what, body) in rows {
        for (_script, exchange) in both_paths(&body).await {
            let event = event(&exchange).await;
            let seen = EventSnapshot { uid: Some(Uid::new("U")), ..event };
            let deleted = exchange.find_deleted(&aurora(), &seen).await;
            assert!(deleted.is_err(), "{what}: {deleted:?}");
        }
    }
}

async fn event(exchange: &Exchange) -> EventSnapshot {
    EventSnapshot::from(&exchange.event(&aurora(), &EventId::new("AAMk=")).await.unwrap().unwrap())
}

#[tokio::test]
async fn nobody_is_gone_by_an_answer_that_shows_somebody() {
    let hit = "<m:ResolutionSet TotalItemsInView=\"1\" IncludesLastItemInRange=\"true\"><t:Resolution><t:Mailbox>\
               <t:EmailAddress>ada@example.com</t:EmailAddress></t:Mailbox></t:Resolution></m:ResolutionSet>";
    for (_script, exchange) in
        both_paths(&response("ResolveNames", "Error", "ErrorNameResolutionNoResults", hit)).await
    {
        let found = exchange.resolve_address(&aurora(), "gone@example.com").await.unwrap();
        assert_eq!(found, AddressLookup::Unknown);
    }
}

#[tokio::test]
async fn free_time_beyond_the_window_and_an_empty_state_are_not_believed() {
    let view = |states: &str| {
        as_exchange_writes(&format!(
            "<m:GetUserAvailabilityResponse><m:FreeBusyResponseArray><m:FreeBusyResponse><m:ResponseMessage \
             ResponseClass=\"Success\"><m:ResponseCode>NoError</m:ResponseCode></m:ResponseMessage><m:FreeBusyView>\
             <t:FreeBusyViewType>DetailedMerged</t:FreeBusyViewType><t:MergedFreeBusy>{states}</t:MergedFreeBusy>\
             </m:FreeBusyView></m:FreeBusyResponse></m:FreeBusyResponseArray></m:GetUserAvailabilityResponse>"
        ))
    };
    let rooms: Vec<RoomAddress> = vec![aurora()];
    for (states, expected) in [("00000000", Occupancy::Free), ("0000000000000000", Occupancy::MaybeBusy)] {
        for (_script, exchange) in both_paths(&view(states)).await {
            assert_eq!(exchange.occupancy(&rooms, window()).await.unwrap(), [expected], "{states}");
        }
    }
    let state =
        "<m:SyncState></m:SyncState><m:IncludesLastItemInRange>true</m:IncludesLastItemInRange><m:Changes/>";
    for (_script, exchange) in both_paths(&success("SyncFolderItems", state)).await {
        assert!(exchange.sync_changes(&aurora(), None).await.is_err());
    }
}
