//! Every fate of a request: which is retried, which waits, which is refused, which is in doubt.

use std::io::Write as _;
use std::time::Duration;

use adjourn::action::{Notify, Step};
use adjourn::before_send::Unconditional;
use adjourn::calendar::{ChangeKey, EventId, Window};
use adjourn::engine::{
    AddressLookup, CalendarReader as _, CalendarWriter as _, Directory as _, MailboxAddresses, Occupancy,
    PersonLookup, WriteOutcome,
};
use adjourn::exchange::{Exchange, ExchangeLocation, Settings};
use adjourn_test::{TooLate, account_settings, aurora};
use chrono::{DateTime, TimeDelta, Utc};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::script::{Reaction, ScriptedServer};

pub fn noon() -> DateTime<Utc> {
    "2026-11-24T12:00:00Z".parse().unwrap()
}

pub fn settings(script: &ScriptedServer) -> Settings {
    let mut settings = account_settings(&script.url, "svc@example.com", "secret");
    settings.first_byte_timeout = Duration::from_millis(300);
    settings.response_timeout = Duration::from_millis(600);
    settings.operation_timeout = Duration::from_secs(5);
    settings
}

pub fn exchange(script: &ScriptedServer) -> Exchange {
    adjourn_test::exchange(&settings(script))
}

pub fn shorten() -> Step {
    let (id, change_key) = (EventId::new("AAMk="), ChangeKey::new("DwAA"));
    Step::SetEnd { id, change_key, end: noon(), notify: Notify::Nobody }
}

pub fn envelope(body: &str) -> Vec<u8> {
    format!(
        r#"<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"
        xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages"
        xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types"><s:Body>{body}</s:Body></s:Envelope>"#
    )
    .into_bytes()
}

pub fn message(operation: &str, class: &str, code: &str, rest: &str) -> Vec<u8> {
    envelope(&format!(
        r#"<m:{operation}Response><m:ResponseMessages><m:{operation}ResponseMessage ResponseClass="{class}">
        <m:ResponseCode>{code}</m:ResponseCode>{rest}</m:{operation}ResponseMessage></m:ResponseMessages>
        </m:{operation}Response>"#
    ))
}

pub fn ok(body: Vec<u8>) -> Reaction {
    Reaction::Answer(200, "", body)
}

fn updated() -> Reaction {
    ok(message("UpdateItem", "Success", "NoError", UPDATED))
}

/// What Exchange returns for the item that [`shorten`] changes.
const UPDATED: &str = "<m:Items><t:CalendarItem><t:ItemId Id=\"AAMk=\" ChangeKey=\"DwAB\"/></t:CalendarItem></m:Items>\
                       <m:ConflictResults><t:Count>0</t:Count></m:ConflictResults>";

pub fn page(items: &str, last: bool) -> Vec<u8> {
    let total = items.matches("<t:CalendarItem>").count();
    let folder = format!(
        r#"<m:RootFolder TotalItemsInView="{total}" IncludesLastItemInRange="{last}"><t:Items>{items}</t:Items></m:RootFolder>"#
    );
    message("FindItem", "Success", "NoError", &folder)
}

pub fn item(id: &str, hour: u32) -> String {
    format!(
        r#"<t:CalendarItem><t:ItemId Id="{id}" ChangeKey="c"/><t:Start>2026-11-24T{hour}:00:00Z</t:Start>
        <t:End>2026-11-24T{hour}:30:00Z</t:End><t:IsMeeting>true</t:IsMeeting>
        <t:CalendarItemType>Single</t:CalendarItemType><t:AppointmentState>3</t:AppointmentState></t:CalendarItem>"#
    )
}

pub fn window() -> Window {
    Window::new(noon(), noon() + TimeDelta::hours(8)).unwrap()
}

#[tokio::test]
async fn a_request_names_the_room_three_times_and_the_account_once() {
    let script = ScriptedServer::start(vec![updated()]).await;
    assert_eq!(
        exchange(&script).write(&aurora(), &shorten(), &Unconditional).await.outcome,
        WriteOutcome::Done
    );
    let seen = script.requests().join("").to_lowercase();
    assert!(seen.contains("x-anchormailbox: aurora@example.com"), "{seen}");
    assert!(seen.contains("<t:smtpaddress>aurora@example.com</t:smtpaddress>"));
    assert!(seen.contains("authorization: basic "));
    assert!(seen.contains("client-request-id: "));
    assert!(seen.contains("accept-encoding: gzip"));
}

#[tokio::test]
async fn a_write_that_may_not_leave_any_more_is_not_sent() {
    let script = ScriptedServer::start(vec![updated()]).await;
    let report = exchange(&script).write(&aurora(), &shorten(), &TooLate).await;
    assert!(matches!(report.outcome, WriteOutcome::Throttled(_)), "{report:?}");
    assert_eq!((report.requests.len(), script.requests().len()), (0, 0));
}

#[tokio::test]
async fn connections_are_kept_and_a_dead_one_is_noticed_before_it_costs_a_write() {
    let done = message("UpdateItem", "Success", "NoError", UPDATED);
    let script = ScriptedServer::start(vec![ok(done.clone()), Reaction::AnswerAndClose(done)]).await;
    let exchange = exchange(&script);
    for _ in 0..2 {
        assert_eq!(exchange.write(&aurora(), &shorten(), &Unconditional).await.outcome, WriteOutcome::Done);
    }
    assert_eq!(script.connections(), 1);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(exchange.write(&aurora(), &shorten(), &Unconditional).await.outcome, WriteOutcome::Done);
    assert_eq!((script.connections(), script.requests().len()), (2, 3));
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_in_doubt_and_never_sent_again() {
    for lost in [Reaction::Drop, Reaction::Silence, Reaction::Half(vec![b' '; 100])] {
        let script = ScriptedServer::start(vec![lost]).await;
        assert!(matches!(
            exchange(&script).write(&aurora(), &shorten(), &Unconditional).await.outcome,
            WriteOutcome::InDoubt(_)
        ));
        assert_eq!(script.requests().len(), 1);
    }
}

#[tokio::test]
async fn a_read_whose_answer_is_lost_is_asked_again() {
    let script =
        ScriptedServer::start(vec![Reaction::Drop, Reaction::Silence, ok(page(&item("A", 13), true))]).await;
    let events = exchange(&script).events(&aurora(), window()).await.unwrap().events;
    assert_eq!((events.len(), script.requests().len()), (1, 3));
}

#[tokio::test]
async fn throttling_is_waited_out_whatever_carries_it_even_for_a_write() {
    let details = r#"<m:MessageXml><t:Value Name="BackOffMilliseconds">20</t:Value></m:MessageXml>"#;
    let fault = r#"<s:Fault><faultcode>t:ErrorServerBusy</faultcode><faultstring>Später.</faultstring><detail>
        <e:ResponseCode xmlns:e="http://schemas.microsoft.com/exchange/services/2006/errors">ErrorServerBusy</e:ResponseCode>
        <t:MessageXml><t:Value Name="BackOffMilliseconds">20</t:Value></t:MessageXml></detail></s:Fault>"#;
    let script = ScriptedServer::start(vec![
        Reaction::Answer(503, "Retry-After: 0\r\n", b"<html>busy".to_vec()),
        Reaction::Answer(500, "", envelope(fault)),
        ok(message("UpdateItem", "Error", "ErrorServerBusy", details)),
        updated(),
    ])
    .await;
    assert_eq!(
        exchange(&script).write(&aurora(), &shorten(), &Unconditional).await.outcome,
        WriteOutcome::Done
    );
    assert_eq!(script.requests().len(), 4);
}

#[tokio::test]
async fn patience_ends_and_nothing_was_done() {
    let busy = Reaction::Answer(503, "Retry-After: 3600\r\n", Vec::new());
    let script = ScriptedServer::start(vec![busy]).await;
    let WriteOutcome::Throttled(trouble) =
        exchange(&script).write(&aurora(), &shorten(), &Unconditional).await.outcome
    else {
        panic!()
    };
    assert_eq!((trouble.code.as_str(), script.requests().len()), ("HTTP 503", 1));
}

#[tokio::test]
async fn item_errors_become_what_the_engine_decides_on() {
    let rows = [
        ("ErrorItemNotFound", WriteOutcome::Gone),
        ("ErrorIrresolvableConflict", WriteOutcome::Conflict),
        ("ErrorStaleObject", WriteOutcome::Conflict),
    ];
    for (code, expected) in rows {
        let script = ScriptedServer::start(vec![ok(message("UpdateItem", "Error", code, ""))]).await;
        assert_eq!(
            exchange(&script).write(&aurora(), &shorten(), &Unconditional).await.outcome,
            expected,
            "{code}"
        );
    }
    let script = ScriptedServer::start(vec![ok(message("UpdateItem", "Error", "ErrorOfTomorrow", ""))]).await;
    assert!(matches!(
        exchange(&script).write(&aurora(), &shorten(), &Unconditional).await.outcome,
        WriteOutcome::InDoubt(_)
    ));
}

#[tokio::test]
async fn refusals_by_page_are_told_apart_and_credentials_get_one_more_chance() {
    for (status, requests, text) in
        [(401, 2, "service account"), (403, 1, "EWS is turned off"), (456, 1, "locked")]
    {
        let script = ScriptedServer::start(vec![Reaction::Answer(status, "", b"<html>".to_vec())]).await;
        let trouble = exchange(&script).events(&aurora(), window()).await.unwrap_err();
        assert!(trouble.advice.contains(text), "{trouble}");
        assert_eq!(script.requests().len(), requests, "{status}");
    }
}

#[tokio::test]
async fn gzip_is_read_and_a_bomb_is_not() {
    let zip = |plain: &[u8]| {
        let mut zip = GzEncoder::new(Vec::new(), Compression::fast());
        zip.write_all(plain).unwrap();
        Reaction::Answer(200, "Content-Encoding: gzip\r\n", zip.finish().unwrap())
    };
    let script = ScriptedServer::start(vec![zip(&page(&item("A", 13), true))]).await;
    assert_eq!(exchange(&script).events(&aurora(), window()).await.unwrap().events.len(), 1);
    let script = ScriptedServer::start(vec![zip(&vec![b' '; 65 << 20])]).await;
    assert!(matches!(
        exchange(&script).write(&aurora(), &shorten(), &Unconditional).await.outcome,
        WriteOutcome::InDoubt(_)
    ));
}

#[tokio::test]
async fn a_truncated_view_is_read_in_halves_and_what_spans_them_counts_once() {
    let both = [item("A", 13), item("B", 16)].concat();
    let script = ScriptedServer::start(vec![
        ok(page(&both, false)),
        ok(page(&both, true)),
        ok(page(&item("B", 16), true)),
    ])
    .await;
    let events = exchange(&script).events(&aurora(), window()).await.unwrap().events;
    assert_eq!(events.iter().map(|event| event.id.as_str()).collect::<Vec<_>>(), ["A", "B"]);
    assert_eq!(script.requests().len(), 3);
}

#[tokio::test]
async fn what_a_view_returns_though_it_only_touches_the_window_is_left_out() {
    let item = |id: &str, start: DateTime<Utc>, end: DateTime<Utc>| {
        format!(
            r#"<t:CalendarItem><t:ItemId Id="{id}" ChangeKey="K"/><t:Start>{}</t:Start><t:End>{}</t:End></t:CalendarItem>"#,
            start.format("%FT%TZ"),
            end.format("%FT%TZ")
        )
    };
    let (from, to, minute) = (window().start(), window().end(), TimeDelta::minutes(1));
    let items = [
        item("ends-there", from - minute, from),
        item("ends-a-second-later", from - minute, from + TimeDelta::seconds(1)),
        item("within", from + minute, to - minute),
        item("begins-there", to, to + minute),
    ];
    let folder = format!(
        r#"<m:RootFolder TotalItemsInView="4" IncludesLastItemInRange="true"><t:Items>{}</t:Items></m:RootFolder>"#,
        items.concat()
    );
    let script = ScriptedServer::start(vec![ok(message("FindItem", "Success", "NoError", &folder))]).await;
    let events = exchange(&script).events(&aurora(), window()).await.unwrap();
    let ids: Vec<_> = events.events.iter().map(|event| event.id.as_str()).collect();
    assert_eq!(ids, ["ends-a-second-later", "within"]);
}

#[tokio::test]
async fn only_a_room_that_is_seen_empty_is_called_empty() {
    let view = |kind: &str, merged: &str| {
        format!(
            r#"<m:FreeBusyResponse><m:ResponseMessage ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode>
            </m:ResponseMessage><m:FreeBusyView><t:FreeBusyViewType>{kind}</t:FreeBusyViewType>
            <t:MergedFreeBusy>{merged}</t:MergedFreeBusy></m:FreeBusyView></m:FreeBusyResponse>"#
        )
    };
    let views = [
        view("DetailedMerged", "00000000"),
        view("DetailedMerged", "00000002"),
        view("MergedOnly", "00000000"),
    ]
    .concat();
    let body = format!(
        "<m:GetUserAvailabilityResponse><m:FreeBusyResponseArray>{views}</m:FreeBusyResponseArray>\
         </m:GetUserAvailabilityResponse>"
    );
    let script = ScriptedServer::start(vec![ok(envelope(&body))]).await;
    let rooms = ["a@example.com", "b@example.com", "c@example.com"].map(|room| room.parse().unwrap());
    let busy = exchange(&script).occupancy(&rooms, window()).await.unwrap();
    assert_eq!(busy, [Occupancy::Free, Occupancy::MaybeBusy, Occupancy::MaybeBusy]);
}

fn no_results() -> Reaction {
    ok(message("ResolveNames", "Error", "ErrorNameResolutionNoResults", ""))
}

/// GetUserAvailability of one recipient.
fn recipient(class: &str, code: &str) -> Reaction {
    ok(envelope(&format!(
        r#"<m:GetUserAvailabilityResponse><m:FreeBusyResponseArray><m:FreeBusyResponse><m:ResponseMessage
        ResponseClass="{class}"><m:ResponseCode>{code}</m:ResponseCode></m:ResponseMessage></m:FreeBusyResponse>
        </m:FreeBusyResponseArray></m:GetUserAvailabilityResponse>"#
    )))
}

/// A hit of ResolveNames: its primary address and its entries of `EmailAddresses`.
fn hit(primary: &str, kind: &str, entries: &[&str]) -> String {
    let entries: String =
        entries.iter().map(|entry| format!(r#"<t:Entry Key="EmailAddress1">{entry}</t:Entry>"#)).collect();
    format!(
        "<t:Resolution><t:Mailbox><t:Name>x</t:Name><t:EmailAddress>{primary}</t:EmailAddress>\
         <t:RoutingType>{kind}</t:RoutingType></t:Mailbox><t:Contact><t:EmailAddresses>{entries}</t:EmailAddresses>\
         </t:Contact></t:Resolution>"
    )
}

fn hits(hits: &[String]) -> Reaction {
    let (class, code) = match hits.len() {
        1 => ("Success", "NoError"),
        _ => ("Warning", "ErrorNameResolutionMultipleResults"),
    };
    let set = format!("<m:ResolutionSet>{}</m:ResolutionSet>", hits.concat());
    ok(message("ResolveNames", class, code, &set))
}

async fn person(script: Vec<Reaction>) -> PersonLookup {
    let script = ScriptedServer::start(script).await;
    exchange(&script).find_person(&aurora(), "gone@example.com").await.unwrap()
}

#[tokio::test]
async fn a_person_is_gone_after_two_independent_noes_and_not_before() {
    let no_recipient = || recipient("Error", "ErrorMailRecipientNotFound");
    assert_eq!(person(vec![no_results(), no_recipient()]).await, PersonLookup::NotFound);
    let hidden = [
        recipient("Success", "NoError"),
        recipient("Error", "ErrorNoFreeBusyAccess"),
        recipient("Error", "ErrorMailboxLogonFailed"),
        Reaction::Answer(403, "", Vec::new()),
        ok(envelope(
            "<m:GetUserAvailabilityResponse><m:FreeBusyResponseArray></m:FreeBusyResponseArray>\
             </m:GetUserAvailabilityResponse>",
        )),
    ];
    for second in hidden {
        assert_eq!(person(vec![no_results(), second]).await, PersonLookup::Unknown);
    }
    for code in ["ErrorNameResolutionNoMailbox", "ErrorMailRecipientNotFound", "ErrorAccessDenied"] {
        let first = ok(message("ResolveNames", "Error", code, ""));
        assert_eq!(person(vec![first, no_recipient()]).await, PersonLookup::Unknown, "{code}");
    }
    let others = hits(&[hit("gone@example.community", "SMTP", &[]), hit("gone@example.com.au", "SMTP", &[])]);
    assert_eq!(person(vec![others, no_recipient()]).await, PersonLookup::Unknown);
    let known = hits(&[hit("new.name@example.com", "SMTP", &["SIP:x@example.com", "smtp:Gone@Example.com"])]);
    assert_eq!(person(vec![known, no_recipient()]).await, PersonLookup::Found);
}

async fn address(reaction: Reaction) -> AddressLookup {
    let script = ScriptedServer::start(vec![reaction]).await;
    exchange(&script).resolve_address(&aurora(), "room1@example.com").await.unwrap()
}

#[tokio::test]
async fn an_address_is_resolved_only_by_an_exact_match() {
    let found = |primary: &str, proxies: &[&str]| {
        let proxies = proxies.iter().map(|proxy| (*proxy).to_owned()).collect();
        AddressLookup::Found(MailboxAddresses { primary: primary.to_owned(), proxies })
    };
    assert_eq!(address(no_results()).await, AddressLookup::NotFound);
    let own = hit("Room1@example.com", "SMTP", &[]);
    let longer = hit("room1@example.com.au", "SMTP", &[]);
    assert_eq!(address(hits(&[longer.clone(), own.clone()])).await, found("Room1@example.com", &[]));
    assert_eq!(address(hits(&[longer])).await, AddressLookup::Unknown);
    let renamed = hit("spree@example.com", "SMTP", &["SMTP:spree@example.com", "smtp:room1@example.com"]);
    let expected = found("spree@example.com", &["spree@example.com", "room1@example.com"]);
    assert_eq!(address(hits(std::slice::from_ref(&renamed))).await, expected);
    assert_eq!(address(hits(&[renamed, own])).await, AddressLookup::Unknown);
    let sip = hit("spree@example.com", "SMTP", &["sip:room1@example.com"]);
    assert_eq!(address(hits(&[sip])).await, AddressLookup::Unknown);
    let x500 = hit("/o=org/cn=room1@example.com", "EX", &["smtp:room1@example.com"]);
    assert_eq!(address(hits(&[x500])).await, AddressLookup::Unknown);
}

#[tokio::test]
async fn an_organizer_with_an_x500_address_is_read_and_then_resolved() {
    const DN: &str = "/O=EXCHANGELABS/OU=EXCHANGE ADMINISTRATIVE GROUP/CN=RECIPIENTS/CN=1234-BOSS";
    let organizer = |kind: &str, address: &str| {
        let organizer = format!(
            "<t:Organizer><t:Mailbox><t:Name>Boss</t:Name><t:EmailAddress>{address}</t:EmailAddress>\
             <t:RoutingType>{kind}</t:RoutingType></t:Mailbox></t:Organizer>"
        );
        let item = format!(
            r#"<m:Items><t:CalendarItem><t:ItemId Id="A" ChangeKey="K"/><t:Start>2026-05-06T09:00:00Z</t:Start>
            <t:End>2026-05-06T10:00:00Z</t:End>{organizer}</t:CalendarItem></m:Items>"#
        );
        ok(message("GetItem", "Success", "NoError", &item))
    };
    let by_dn = || organizer("EX", DN);
    let boss = || hits(&[hit("boss@example.com", "SMTP", &[])]);
    let gone = || ok(message("GetItem", "Error", "ErrorItemNotFound", "<m:Items/>"));
    let known = Some("boss@example.com".to_owned());
    let cases = [
        (vec![by_dn(), organizer("SMTP", "boss@example.com")], known.clone(), 2),
        (vec![by_dn(), by_dn(), boss()], known.clone(), 3),
        (vec![by_dn(), gone(), boss()], known, 3),
        (vec![by_dn(), by_dn(), no_results()], None, 3),
        (vec![by_dn(), by_dn(), hits(&[hit("boss@example.com", "SMTP", &[]), hit(DN, "EX", &[])])], None, 3),
        (vec![by_dn(), by_dn(), hits(&[hit(DN, "EX", &[])])], None, 3),
    ];
    for (reactions, expected, requests) in cases {
        let script = ScriptedServer::start(reactions).await;
        let exchange = exchange(&script);
        let event = exchange.event(&aurora(), &EventId::new("A")).await.unwrap().unwrap();
        assert_eq!(exchange.resolve_organizer(&aurora(), &event).await.unwrap(), expected);
        assert_eq!(script.requests().len(), requests);
    }
}

#[tokio::test]
async fn nobody_listening_is_said_so_and_nothing_was_done() {
    let script = ScriptedServer::start(vec![updated()]).await;
    let mut settings = settings(&script);
    drop(script);
    settings.location = ExchangeLocation::Url("http://127.0.0.1:1/EWS/Exchange.asmx".to_owned());
    let written =
        adjourn_test::exchange(&settings).write(&aurora(), &shorten(), &Unconditional).await.outcome;
    let WriteOutcome::NotApplied(trouble) = written else { panic!("{written:?}") };
    assert!(trouble.advice.contains("cannot be reached"), "{trouble}");
}

#[tokio::test]
async fn a_server_that_does_not_know_the_version_is_asked_in_an_older_one_and_that_is_remembered() {
    let unknown = envelope(
        r#"<s:Fault><faultcode xmlns:a="http://schemas.microsoft.com/exchange/services/2006/types">a:ErrorInvalidServerVersion</faultcode>
        <faultstring xml:lang="en-US">The specified server version is invalid.</faultstring><detail><e:ResponseCode
        xmlns:e="http://schemas.microsoft.com/exchange/services/2006/errors">ErrorInvalidServerVersion</e:ResponseCode></detail></s:Fault>"#,
    );
    let refused = Reaction::Answer(500, "", unknown);
    let script = ScriptedServer::start(vec![refused.clone(), refused.clone(), updated()]).await;
    let exchange = exchange(&script);
    for _ in 0..2 {
        assert_eq!(exchange.write(&aurora(), &shorten(), &Unconditional).await.outcome, WriteOutcome::Done);
    }
    let seen = script.requests();
    let versions: Vec<_> =
        seen.iter().filter_map(|request| request.split("Version=\"").nth(1)?.split('"').next()).collect();
    assert_eq!(versions, ["Exchange2013_SP1", "Exchange2013", "Exchange2010_SP2", "Exchange2010_SP2"]);

    let script = ScriptedServer::start(vec![refused]).await;
    let written = self::exchange(&script).write(&aurora(), &shorten(), &Unconditional).await.outcome;
    let WriteOutcome::NotApplied(trouble) = written else { panic!("{written:?}") };
    assert!(trouble.advice.contains("older than Exchange 2010 SP2"), "{trouble}");
    assert_eq!(script.requests().len(), 3, "it ends with the oldest");
}

/// Exchange deletes an item whatever its version.
#[tokio::test]
async fn what_exchange_does_not_guard_is_looked_at_just_before() {
    let get =
        || ok(message("GetItem", "Success", "NoError", &format!("<m:Items>{}</m:Items>", item("A", 13))));
    let step = |key: &str| Step::Remove { id: EventId::new("A"), change_key: ChangeKey::new(key) };
    let done = ok(message("DeleteItem", "Success", "NoError", ""));
    let script = ScriptedServer::start(vec![get(), done]).await;
    assert_eq!(
        exchange(&script).write(&aurora(), &step("c"), &Unconditional).await.outcome,
        WriteOutcome::Done
    );
    let script = ScriptedServer::start(vec![get()]).await;
    assert_eq!(
        exchange(&script).write(&aurora(), &step("older"), &Unconditional).await.outcome,
        WriteOutcome::Conflict
    );
    let gone = ok(message("GetItem", "Error", "ErrorItemNotFound", ""));
    let script = ScriptedServer::start(vec![gone]).await;
    assert_eq!(
        exchange(&script).write(&aurora(), &step("c"), &Unconditional).await.outcome,
        WriteOutcome::Gone
    );
    assert_eq!(script.requests().len(), 1);
}
