//! A success without its content, a warning, an unreadable item: none is an empty calendar or a completed write.

use adjourn::action::{EventSnapshot, Notify, Step};
use adjourn::before_send::Unconditional;
use adjourn::calendar::{ChangeKey, EventId, RoomAddress, Uid};
use adjourn::engine::{
    CalendarReader as _, CalendarWriter as _, Directory as _, Occupancy, PersonLookup, WriteOutcome,
};
use adjourn::live::{Feed as _, SyncState};
use adjourn_test::{aurora, numbered_room};
use chrono::TimeDelta;

use crate::conversation::{envelope, exchange, item, message, noon, ok, page, shorten, window};
use crate::script::ScriptedServer;

fn success(operation: &str, rest: &str) -> Vec<u8> {
    message(operation, "Success", "NoError", rest)
}

async fn reads_nothing(body: Vec<u8>, what: &str) {
    let script = ScriptedServer::start(vec![ok(body)]).await;
    let read = exchange(&script).events(&aurora(), window()).await;
    assert!(read.is_err(), "{what}: {read:?}");
}

async fn written(body: Vec<u8>, step: &Step) -> WriteOutcome {
    let script = ScriptedServer::start(vec![ok(body)]).await;
    exchange(&script).write(&aurora(), step, &Unconditional).await.outcome
}

fn book() -> Step {
    let (start, end) = (noon(), noon() + TimeDelta::minutes(30));
    Step::Book { uid: Uid::new("adjourn-1"), start, end, subject: "Booked".into() }
}

fn decline() -> Step {
    Step::Decline { id: EventId::new("AAMk="), change_key: ChangeKey::new("DwAA"), text: None }
}

fn folder(attributes: &str, inside: &str) -> Vec<u8> {
    success("FindItem", &format!("<m:RootFolder {attributes}>{inside}</m:RootFolder>"))
}

#[tokio::test]
async fn a_view_without_its_content_is_no_empty_calendar() {
    reads_nothing(success("FindItem", ""), "no RootFolder").await;
    reads_nothing(folder("TotalItemsInView=\"0\" IncludesLastItemInRange=\"true\"", ""), "no Items").await;
    reads_nothing(
        folder("TotalItemsInView=\"1\" IncludesLastItemInRange=\"true\"", "<t:Items/>"),
        "items announced",
    )
    .await;
    reads_nothing(
        folder("TotalItemsInView=\"0\" IncludesLastItemInRange=\"false\"", "<t:Items/>"),
        "more announced",
    )
    .await;
    let one_of_two = format!("<t:Items>{}</t:Items>", item("A", 13));
    reads_nothing(
        folder("TotalItemsInView=\"2\" IncludesLastItemInRange=\"true\"", &one_of_two),
        "one of two",
    )
    .await;
}

#[tokio::test]
async fn a_success_whose_code_is_an_error_and_a_warning_are_no_empty_calendar() {
    let empty =
        "<m:RootFolder TotalItemsInView=\"0\" IncludesLastItemInRange=\"true\"><t:Items/></m:RootFolder>";
    reads_nothing(message("FindItem", "Success", "ErrorAccessDenied", empty), "a success with an error")
        .await;
    reads_nothing(message("FindItem", "Warning", "NoError", empty), "a warning without a code").await;
    reads_nothing(message("FindItem", "Warning", "ErrorOfTomorrow", empty), "a warning").await;
}

#[tokio::test]
async fn a_write_is_done_only_where_the_answer_shows_it() {
    let updated = |id: &str, conflicts: &str| {
        format!(
            "<m:Items><t:CalendarItem><t:ItemId Id=\"{id}\" ChangeKey=\"DwAB\"/></t:CalendarItem></m:Items>\
             <m:ConflictResults><t:Count>{conflicts}</t:Count></m:ConflictResults>"
        )
    };
    let rows = [
        (success("UpdateItem", ""), "no Items"),
        (success("UpdateItem", "<m:Items/>"), "no item"),
        (success("UpdateItem", "<m:Items><t:CalendarItem/></m:Items>"), "no ItemId"),
        (success("UpdateItem", &updated("AAMkOther=", "0")), "another item"),
        (success("UpdateItem", &updated("AAMk=", "1")), "a conflict"),
        (message("UpdateItem", "Success", "ErrorItemNotFound", &updated("AAMk=", "0")), "an error's code"),
        (message("UpdateItem", "Warning", "ErrorItemSave", &updated("AAMk=", "0")), "a warning"),
    ];
    for (body, what) in rows {
        let written = written(body, &shorten()).await;
        assert!(matches!(written, WriteOutcome::InDoubt(_)), "{what}: {written:?}");
    }
    assert_eq!(written(success("UpdateItem", &updated("AAMk=", "0")), &shorten()).await, WriteOutcome::Done);
}

/// The first change of a date makes it an exception, which may have an id of its own.
#[tokio::test]
async fn a_changed_date_of_a_series_may_get_another_id() {
    let updated =
        "<m:Items><t:CalendarItem><t:ItemId Id=\"AAMkX=\" ChangeKey=\"DwAB\"/></t:CalendarItem></m:Items>";
    let date = |kind: &str, end: &str| {
        let item = item("AAMkX=", 11).replace("Single", kind).replace("T11:30:00Z", end);
        ok(success("GetItem", &format!("<m:Items>{item}</m:Items>")))
    };
    let write = async |got| {
        let script = ScriptedServer::start(vec![ok(success("UpdateItem", updated)), got]).await;
        exchange(&script).write(&aurora(), &shorten(), &Unconditional).await.outcome
    };
    assert_eq!(write(date("Exception", "T12:00:00Z")).await, WriteOutcome::Done);
    assert!(matches!(write(date("Exception", "T12:30:00Z")).await, WriteOutcome::InDoubt(_)), "another end");
    assert!(
        matches!(write(date("Single", "T12:00:00Z")).await, WriteOutcome::InDoubt(_)),
        "no date of a series"
    );
    let gone = ok(message("GetItem", "Error", "ErrorItemNotFound", ""));
    assert!(matches!(write(gone).await, WriteOutcome::InDoubt(_)));
}

#[tokio::test]
async fn what_was_made_has_an_id_and_a_response_has_a_list() {
    for body in ["", "<m:Items/>", "<m:Items><t:CalendarItem/></m:Items>"] {
        let booked = written(success("CreateItem", body), &book()).await;
        assert!(matches!(booked, WriteOutcome::InDoubt(_)), "{body}: {booked:?}");
    }
    let made = "<m:Items><t:CalendarItem><t:ItemId Id=\"N\" ChangeKey=\"c\"/></t:CalendarItem></m:Items>";
    assert_eq!(written(success("CreateItem", made), &book()).await, WriteOutcome::Done);
    assert!(matches!(written(success("CreateItem", ""), &decline()).await, WriteOutcome::InDoubt(_)));
    assert_eq!(written(success("CreateItem", "<m:Items/>"), &decline()).await, WriteOutcome::Done);
}

#[tokio::test]
async fn what_was_moved_has_an_id() {
    let step = Step::MoveBack { id: EventId::new("A"), change_key: ChangeKey::new("c") };
    let got = success("GetItem", &format!("<m:Items>{}</m:Items>", item("A", 13)));
    for body in ["", "<m:Items/>"] {
        let script = ScriptedServer::start(vec![ok(got.clone()), ok(success("MoveItem", body))]).await;
        let moved = exchange(&script).write(&aurora(), &step, &Unconditional).await.outcome;
        assert!(matches!(moved, WriteOutcome::InDoubt(_)), "{body}: {moved:?}");
    }
}

#[tokio::test]
async fn an_item_that_is_not_shown_is_not_gone() {
    let other = format!("<m:Items>{}</m:Items>", item("B", 13));
    let message = "<m:Items><t:Message><t:ItemId Id=\"A\" ChangeKey=\"c\"/></t:Message></m:Items>";
    for body in ["", "<m:Items/>", &other, message] {
        let script = ScriptedServer::start(vec![ok(success("GetItem", body))]).await;
        let got = exchange(&script).event(&aurora(), &EventId::new("A")).await;
        assert!(got.is_err(), "{body}: {got:?}");
    }
}

#[tokio::test]
async fn a_folder_a_name_and_changes_are_proven_by_their_content() {
    for body in ["", "<m:Folders/>"] {
        let script = ScriptedServer::start(vec![ok(success("GetFolder", body))]).await;
        assert!(exchange(&script).check_calendar(&aurora()).await.is_err(), "{body}");
    }
    let nobody = "<m:ResolutionSet TotalItemsInView=\"0\" IncludesLastItemInRange=\"true\"/>";
    let contradictory = message("ResolveNames", "Success", "ErrorNameResolutionNoResults", nobody);
    for body in [success("ResolveNames", ""), success("ResolveNames", nobody), contradictory] {
        let script = ScriptedServer::start(vec![ok(body)]).await;
        let found = exchange(&script).find_person(&aurora(), "ada@example.com").await.unwrap();
        assert_eq!(found, PersonLookup::Unknown, "a missing element does not make a person unknown");
    }
    let hit = "<t:Resolution><t:Mailbox><t:EmailAddress>ada@example.com</t:EmailAddress></t:Mailbox></t:Resolution>";
    let several = format!("<m:ResolutionSet><t:Resolution/>{hit}<t:Resolution/></m:ResolutionSet>");
    let several = message("ResolveNames", "Warning", "ErrorNameResolutionMultipleResults", &several);
    let script = ScriptedServer::start(vec![ok(several)]).await;
    let known = exchange(&script).find_person(&aurora(), "ada@example.com").await.unwrap();
    assert_eq!(known, PersonLookup::Found, "a hit that cannot be read costs the others nothing");
    let silent = success("SyncFolderItems", "<m:SyncState>S</m:SyncState>");
    let script = ScriptedServer::start(vec![ok(silent)]).await;
    assert!(exchange(&script).sync_changes(&aurora(), None).await.is_err());
}

#[tokio::test]
async fn a_server_that_announces_changes_for_ever_is_taken_to_have_one() {
    let state = "<m:SyncState>S</m:SyncState><m:IncludesLastItemInRange>false</m:IncludesLastItemInRange><m:Changes/>";
    let script = ScriptedServer::start(vec![ok(success("SyncFolderItems", state))]).await;
    let synced = exchange(&script).sync_changes(&aurora(), Some(&SyncState("S".into()))).await.unwrap();
    assert!(synced.changed);
}

#[tokio::test]
async fn deleted_items_without_their_content_are_not_searched_through() {
    let seen = EventSnapshot {
        id: EventId::new("A"),
        uid: Some(Uid::new("U")),
        ..EventSnapshot::from(&adjourn_event().await)
    };
    for body in [
        "",
        "<m:RootFolder TotalItemsInView=\"3\" IncludesLastItemInRange=\"true\"><t:Items/></m:RootFolder>",
    ] {
        let script = ScriptedServer::start(vec![ok(success("FindItem", body))]).await;
        let deleted = exchange(&script).find_deleted(&aurora(), &seen).await;
        assert!(deleted.is_err(), "{body}: {deleted:?}");
    }
}

async fn adjourn_event() -> adjourn::calendar::Event {
    let script = ScriptedServer::start(vec![ok(page(&item("A", 13), true))]).await;
    exchange(&script).events(&aurora(), window()).await.unwrap().events.remove(0)
}

#[tokio::test]
async fn one_item_that_cannot_be_read_is_named_and_the_others_are_read() {
    let rows = [
        ("<t:End>2026-11-24T14:30:00Z</t:End>", "", "End"),
        ("<t:Start>2026-11-24T14:00:00Z</t:Start>", "<t:Start>tomorrow</t:Start>", "Start"),
        (" ChangeKey=\"c\"", "", "ChangeKey"),
        ("<t:ItemId Id=\"B\" ChangeKey=\"c\"/>", "", "ItemId"),
    ];
    for (good, bad, missing) in rows {
        let all = [item("A", 13), item("B", 14).replace(good, bad), item("C", 15)].concat();
        let script = ScriptedServer::start(vec![ok(page(&all, true))]).await;
        let view = exchange(&script).events(&aurora(), window()).await.unwrap();
        assert_eq!(view.events.iter().map(|event| event.id.as_str()).collect::<Vec<_>>(), ["A", "C"]);
        let [unreadable] = view.unreadable.as_slice() else { panic!("{view:?}") };
        assert_eq!((unreadable.position, unreadable.missing), (2, missing));
        let times_known = matches!(missing, "ChangeKey" | "ItemId");
        assert_eq!(view.clone().with_stand_ins().is_ok(), times_known, "{missing}");
        assert!(unreadable.may_overlap(&window()));
    }
}

#[tokio::test]
async fn one_mailbox_s_free_busy_costs_the_others_nothing() {
    let view = |event: &str| {
        format!(
            "<m:FreeBusyResponse><m:ResponseMessage ResponseClass=\"Success\"><m:ResponseCode>NoError</m:ResponseCode>\
             </m:ResponseMessage><m:FreeBusyView><t:FreeBusyViewType>DetailedMerged</t:FreeBusyViewType>\
             <t:MergedFreeBusy>00000000</t:MergedFreeBusy><t:CalendarEventArray>{event}</t:CalendarEventArray>\
             </m:FreeBusyView></m:FreeBusyResponse>"
        )
    };
    let unreadable = "<t:CalendarEvent><t:StartTime>soon</t:StartTime></t:CalendarEvent>";
    let none = "<m:FreeBusyResponse><m:ResponseMessage ResponseClass=\"Success\"><m:ResponseCode>NoError</m:ResponseCode>\
                </m:ResponseMessage></m:FreeBusyResponse>";
    let short = view("").replace("00000000", "00");
    let unmerged = view("").replace("<t:MergedFreeBusy>00000000</t:MergedFreeBusy>", "");
    let denied = view("").replace("NoError", "ErrorNoFreeBusyAccess");
    let all = [view(""), view(unreadable), none.to_owned(), short, unmerged, denied, view("")].concat();
    let body = format!(
        "<m:GetUserAvailabilityResponse><m:FreeBusyResponseArray>{all}</m:FreeBusyResponseArray>\
         </m:GetUserAvailabilityResponse>"
    );
    let script = ScriptedServer::start(vec![ok(envelope(&body))]).await;
    let rooms: Vec<RoomAddress> = (1..8).map(numbered_room).collect();
    let busy = exchange(&script).occupancy(&rooms, window()).await.unwrap();
    let look = Occupancy::MaybeBusy;
    assert_eq!(busy, [Occupancy::Free, look, look, look, look, look, Occupancy::Free]);
}

#[tokio::test]
async fn one_member_of_a_room_list_without_an_address_costs_the_others_nothing() {
    let member =
        |address: &str| format!("<t:Room><t:Id><t:EmailAddress>{address}</t:EmailAddress></t:Id></t:Room>");
    let list = |rooms: &str| {
        envelope(&format!(
            "<m:GetRoomsResponse ResponseClass=\"Success\"><m:ResponseCode>NoError</m:ResponseCode>{rooms}\
             </m:GetRoomsResponse>"
        ))
    };
    let rooms =
        [member("r1@example.com"), member("/o=ORG/cn=R2"), "<t:Room/>".into(), member("r3@example.com")];
    let script =
        ScriptedServer::start(vec![ok(list(&format!("<m:Rooms>{}</m:Rooms>", rooms.concat())))]).await;
    let found = exchange(&script).room_list_members("list@example.com", &aurora()).await.unwrap();
    assert_eq!(
        found.iter().map(RoomAddress::as_str).collect::<Vec<_>>(),
        ["r1@example.com", "r3@example.com"]
    );
    let script = ScriptedServer::start(vec![ok(list(""))]).await;
    assert!(exchange(&script).room_list_members("list@example.com", &aurora()).await.is_err());
}

/// A server, or a proxy in front of it, can put any text in a response code.
#[tokio::test]
async fn a_trouble_s_code_is_bounded_and_holds_no_text_of_the_answer() {
    let secret = "Layoffs in March, ada@example.com".repeat(1_000);
    for class in ["Error", "Success", "Warning"] {
        let script = ScriptedServer::start(vec![ok(message("FindItem", class, &secret, ""))]).await;
        let trouble = exchange(&script).events(&aurora(), window()).await.unwrap_err().to_string();
        assert!(
            trouble.len() < 300 && !trouble.contains("Layoffs") && !trouble.contains("ada@"),
            "{trouble}"
        );
    }
    let step = Step::SetEnd {
        id: EventId::new("AAMk="),
        change_key: ChangeKey::new("DwAA"),
        end: noon(),
        notify: Notify::Nobody,
    };
    let WriteOutcome::InDoubt(trouble) = written(message("UpdateItem", "Error", &secret, ""), &step).await
    else {
        panic!("unknown codes are a doubt after a write")
    };
    assert!(trouble.to_string().len() < 300 && !trouble.code.contains("Layoffs"), "{trouble}");
}

/// A display may have the id from Graph, which writes two characters differently.
#[tokio::test]
async fn the_item_of_an_id_in_another_spelling_is_the_one_asked_for() {
    let got = success("GetItem", &format!("<m:Items>{}</m:Items>", item("AA/k+A=", 13)));
    let script = ScriptedServer::start(vec![ok(got)]).await;
    let event = exchange(&script).event(&aurora(), &EventId::new("AA-k_A=")).await.unwrap();
    assert!(event.is_some());
}
