//! Those answers of Exchange that a simpler simulator would make easier, over raw requests.

use adjourn::sim::{
    CancelledMark, DelegateRights, ExceptionIds, FaultRule, FreeBusyType, InjectedFault, InvitationResponse,
    MailKind, MeetingSpec, Person, PlainSpec, RecurrencePattern, RecurrenceRange, RoomSpec, Series,
    Simulator, World,
};
use adjourn_test::{AURORA, ada, meeting, now, plain, simulator, world};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use crate::raw_requests::{basic, envelope, post};
use crate::stream::between;

const SHAPE: &str = "<m:ItemShape><t:BaseShape>AllProperties</t:BaseShape></m:ItemShape>";

async fn start(world: World) -> Simulator {
    simulator(world).await
}

async fn ask(sim: &Simulator, mailbox: &str, body: &str) -> String {
    post(sim, &basic(), &envelope(mailbox, body)).await.1
}

/// Without impersonation, by a folder that names its mailbox.
async fn ask_as_delegate(sim: &Simulator, body: &str) -> String {
    let request = envelope(AURORA, body);
    let header = format!(
        "<t:ExchangeImpersonation>{}</t:ExchangeImpersonation>",
        between(&request, "<t:ExchangeImpersonation>", "</t:ExchangeImpersonation>").unwrap()
    );
    post(sim, &basic(), &request.replace(&header, "")).await.1
}

fn z(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn view_of(folder: &str, attributes: &str) -> String {
    format!(
        r#"<m:FindItem Traversal="Shallow">{SHAPE}<m:CalendarView {attributes}/><m:ParentFolderIds>{folder}</m:ParentFolderIds></m:FindItem>"#
    )
}

const CALENDAR: &str = r#"<t:DistinguishedFolderId Id="calendar"/>"#;

fn view(from: DateTime<Utc>, to: DateTime<Utc>) -> String {
    view_of(CALENDAR, &format!(r#"StartDate="{}" EndDate="{}""#, z(from), z(to)))
}

fn get(id: &str) -> String {
    format!("<m:GetItem>{SHAPE}<m:ItemIds><t:ItemId {id}/></m:ItemIds></m:GetItem>")
}

fn set_subject(id: &str, send: &str) -> String {
    format!(
        r#"<m:UpdateItem ConflictResolution="AlwaysOverwrite" SendMeetingInvitationsOrCancellations="{send}"><m:ItemChanges><t:ItemChange><t:ItemId {id}/><t:Updates><t:SetItemField><t:FieldURI FieldURI="item:Subject"/><t:CalendarItem><t:Subject>Other</t:Subject></t:CalendarItem></t:SetItemField></t:Updates></t:ItemChange></m:ItemChanges></m:UpdateItem>"#
    )
}

fn decline(id: &str) -> String {
    format!(
        r#"<m:CreateItem MessageDisposition="SendAndSaveCopy"><m:Items><t:DeclineItem><t:ReferenceItemId {id}/></t:DeclineItem></m:Items></m:CreateItem>"#
    )
}

/// The ids in a response, as written.
fn ids(answer: &str) -> Vec<String> {
    answer.split("<t:ItemId ").skip(1).map(|part| part.split("/>").next().unwrap().to_owned()).collect()
}

fn code(answer: &str) -> &str {
    between(answer, "ResponseCode>", "<")
        .or_else(|| between(answer, "<e:ResponseCode", "<"))
        .unwrap_or(answer)
}

fn fault_code(answer: &str) -> &str {
    between(answer, "a:", "<").unwrap_or(answer)
}

fn property<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    between(answer, &format!("<t:{name}>"), "<")
}

fn organizer(answer: &str) -> &str {
    between(answer, "<t:Organizer>", "</t:Organizer>").unwrap_or("none")
}

#[tokio::test]
async fn a_calendar_view_holds_what_ends_where_it_begins_and_not_what_begins_where_it_ends() {
    let mut world = world();
    let spec = plain();
    let daily = Series::new(RecurrencePattern::Daily { interval: 1 }, RecurrenceRange::Count(3));
    world.add_plain(spec.clone());
    world.add_plain(PlainSpec { series: Some(daily), ..PlainSpec::new(AURORA, spec.start, spec.end) });
    let sim = start(world).await;
    let hour = TimeDelta::hours(1);
    let second = TimeDelta::seconds(1);
    let rows = [
        (spec.end, spec.end + hour, 2),
        (spec.end + second, spec.end + hour, 0),
        (spec.start - hour, spec.start, 0),
        (spec.start - hour, spec.start + second, 2),
        (spec.end, spec.end + TimeDelta::days(1), 3),
    ];
    for (from, to, found) in rows {
        let answer = ask(&sim, AURORA, &view(from, to)).await;
        assert_eq!(ids(&answer).len(), found, "{from} {to}: {answer}");
        assert_eq!(between(&answer, "TotalItemsInView=\"", "\""), Some(&*found.to_string()));
    }
}

#[tokio::test]
async fn a_calendar_view_has_the_limits_that_are_documented() {
    let mut world = world();
    let first = now();
    for minute in 0..1_001 {
        let at = first + TimeDelta::minutes(minute);
        world.add_plain(PlainSpec::new(AURORA, at, at + TimeDelta::minutes(1)));
    }
    let sim = start(world).await;
    let whole = |more: &str| {
        let (from, to) = (z(first), z(first + TimeDelta::days(2)));
        view_of(CALENDAR, &format!(r#"{more} StartDate="{from}" EndDate="{to}""#))
    };
    let rows = [
        (whole(""), "ErrorExceededFindCountLimit"),
        (whole(r#"MaxEntriesReturned="0""#), "ErrorInvalidPagingMaxRows"),
        (whole(r#"MaxEntriesReturned="-1""#), "ErrorInvalidPagingMaxRows"),
        (whole("").replace("calendar", "inbox"), "ErrorCalendarFolderIsInvalidForCalendarView"),
        (
            view_of(CALENDAR, r#"StartDate="2024-03-01T00:00:00Z" EndDate="2026-03-01T00:00:01Z""#),
            "ErrorCalendarViewRangeTooBig",
        ),
        (view_of(CALENDAR, r#"StartDate="2024-03-01T00:00:00Z" EndDate="2026-03-01T00:00:00Z""#), "NoError"),
        (
            view_of(CALENDAR, r#"StartDate="0001-01-01T00:00:00Z" EndDate="2026-03-01T00:00:00Z""#),
            "ErrorValueOutOfRange",
        ),
        (
            view_of(CALENDAR, r#"StartDate="2026-03-01T00:00:00Z" EndDate="9999-12-31T23:59:59.999""#),
            "ErrorValueOutOfRange",
        ),
        (
            view_of(CALENDAR, r#"StartDate="2026-03-02T00:00:00Z" EndDate="2026-03-01T00:00:00Z""#),
            "ErrorCalendarEndDateIsEarlierThanStartDate",
        ),
    ];
    for (request, expected) in rows {
        let answer = ask(&sim, AURORA, &request).await;
        assert_eq!(code(&answer), expected, "{request}");
    }
    let page = ask(&sim, AURORA, &whole(r#"MaxEntriesReturned="5000""#)).await;
    assert_eq!(ids(&page).len(), 1_000);
    assert!(page.contains(r#"TotalItemsInView="1001" IncludesLastItemInRange="false""#));
    let sorted = whole("").replace("<m:ParentFolderIds>", "<m:SortOrder/><m:ParentFolderIds>");
    assert_eq!(code(&ask(&sim, AURORA, &sorted).await), "ErrorInvalidOperation");
}

#[tokio::test]
async fn a_declined_meeting_goes_or_stays_as_the_mailbox_has_it() {
    for (keeps, in_a_series) in [(false, false), (true, false), (false, true), (true, true)] {
        let mut world = World::new();
        world.set_now(now());
        world.add_user(&ada());
        world.add_room(RoomSpec { preserve_declined: keeps, ..RoomSpec::new("Aurora", AURORA) });
        let spec = meeting();
        let series = in_a_series.then(|| Series::weekly_on(spec.start, RecurrenceRange::Count(3)));
        world.add_meeting(MeetingSpec { series, ..spec.clone() });
        let sim = start(world).await;
        let seen = ask(&sim, AURORA, &view(now(), now() + TimeDelta::minutes(5))).await;
        assert_eq!(property(&seen, "MyResponseType"), Some("Accept"), "{seen}");
        let sent = ask(&sim, AURORA, &decline(&ids(&seen)[0])).await;
        assert_eq!(code(&sent), "NoError", "{sent}");
        let mails: Vec<MailKind> = sim.outbox().iter().map(|mail| mail.kind).collect();
        assert_eq!(mails, [MailKind::Decline]);
        let after = ask(&sim, AURORA, &view(now(), now() + TimeDelta::minutes(5))).await;
        let left = (property(&after, "MyResponseType"), property(&after, "LegacyFreeBusyStatus"));
        assert_eq!(left, if keeps { (Some("Decline"), Some("Free")) } else { (None, None) }, "{after}");
        let deleted = sim.world(|world| world.deleted(AURORA)).len();
        assert_eq!(deleted, usize::from(!keeps && !in_a_series));
    }
}

#[tokio::test]
async fn organizers_have_x500_names_in_lists_and_smtp_addresses_in_items() {
    let mut world = world();
    let outside = Person::new("Guest", "guest@partner.example");
    let (start_of, end) = (now() + TimeDelta::hours(2), now() + TimeDelta::hours(3));
    world.add_meeting(meeting());
    world.add_meeting(MeetingSpec {
        rooms: vec![AURORA.to_owned()],
        ..MeetingSpec::new(outside, start_of, end)
    });
    let sim = start(world).await;
    let list = ask(&sim, AURORA, &view(now(), now() + TimeDelta::minutes(5))).await;
    let x500 = between(organizer(&list), "<t:EmailAddress>", "<").unwrap().to_owned();
    assert!(
        x500.starts_with("/O=EXAMPLE/OU=EXCHANGE ADMINISTRATIVE GROUP (FYDIBOHF23SPDLT)/CN=RECIPIENTS/CN="),
        "{x500}"
    );
    assert!(
        x500.ends_with("-ADA") && organizer(&list).contains("<t:RoutingType>EX</t:RoutingType>"),
        "{list}"
    );
    let item = ask(&sim, AURORA, &get(&ids(&list)[0])).await;
    assert!(
        organizer(&item)
            .contains("<t:EmailAddress>ada@example.com</t:EmailAddress><t:RoutingType>SMTP</t:RoutingType>"),
        "{item}"
    );
    let outside = ask(&sim, AURORA, &view(start_of, end)).await;
    assert!(organizer(&outside).contains("guest@partner.example"), "{outside}");
    for entry in [x500.clone(), x500.to_lowercase(), format!("EX:{x500}")] {
        assert!(resolve(&sim, AURORA, &entry).await.contains("<t:EmailAddress>ada@example.com<"), "{entry}");
    }
    // An organizer who left still has an X.500 name, which resolves to no mailbox.
    sim.world(|world| world.remove_mailbox("ada@example.com").set_now(now()));
    let list = ask(&sim, AURORA, &view(now(), now() + TimeDelta::minutes(5))).await;
    assert!(organizer(&list).contains(&x500), "{list}");
    assert_eq!(code(&resolve(&sim, AURORA, &x500).await), "ErrorNameResolutionNoResults");
    sim.world(|world| world.show_organizers_as_x500(false).set_now(now()));
    let list = ask(&sim, AURORA, &view(now(), now() + TimeDelta::minutes(5))).await;
    assert!(organizer(&list).contains("ada@example.com"), "{list}");
}

async fn resolve(sim: &Simulator, mailbox: &str, entry: &str) -> String {
    let body = format!(
        r#"<m:ResolveNames ReturnFullContactData="true"><m:UnresolvedEntry>{entry}</m:UnresolvedEntry></m:ResolveNames>"#
    );
    ask(sim, mailbox, &body).await
}

#[tokio::test]
async fn a_room_is_reached_by_every_address_it_has_or_had_and_says_which_is_the_primary_one() {
    let mut world = world();
    let proxies = vec!["rm-1@example.com".to_owned()];
    world.add_room(RoomSpec { proxies, ..RoomSpec::new("Borealis", "borealis@example.com") });
    world.add_meeting(MeetingSpec { rooms: vec!["borealis@example.com".to_owned()], ..meeting() });
    world.rename_mailbox("borealis@example.com", "Boreas", "boreas@example.com");
    world.allow_impersonation_of(["boreas@example.com"]);
    world.allow_full_access_to(["boreas@example.com"]);
    let sim = start(world).await;
    for address in ["boreas@example.com", "borealis@example.com", "RM-1@example.com"] {
        let answer = ask(&sim, address, &view(now(), now() + TimeDelta::minutes(5))).await;
        assert_eq!(ids(&answer).len(), 1, "{address}: {answer}");
        let found = resolve(&sim, "boreas@example.com", &format!("smtp:{address}")).await;
        assert!(found.contains("<t:EmailAddress>boreas@example.com<"), "{found}");
        let primary = envelope(address, &view(now(), now())).replace("SmtpAddress>", "PrimarySmtpAddress>");
        let answer = post(&sim, &basic(), &primary).await.1;
        let folder = CALENDAR.replace(
            "/>",
            &format!(
                "><t:Mailbox><t:EmailAddress>{address}</t:EmailAddress></t:Mailbox></t:DistinguishedFolderId>"
            ),
        );
        let attributes = format!(r#"StartDate="{0}" EndDate="{0}""#, z(now()));
        let delegate = ask_as_delegate(&sim, &view_of(&folder, &attributes)).await;
        if address.starts_with("boreas") {
            assert_eq!((code(&answer), code(&delegate)), ("NoError", "NoError"));
        } else {
            assert_eq!(
                (fault_code(&answer), code(&delegate)),
                ("ErrorNonPrimarySmtpAddress", "ErrorNonPrimarySmtpAddress")
            );
            assert!(
                delegate.contains(r#"<t:Value Name="Primary">boreas@example.com</t:Value>"#),
                "{delegate}"
            );
        }
    }
    // The response of a renamed room is recorded at the name that the organizer's copy has.
    let seen = ask(&sim, "boreas@example.com", &view(now(), now() + TimeDelta::minutes(5))).await;
    ask(&sim, "boreas@example.com", &decline(&ids(&seen)[0])).await;
    let noted = sim.world(|world| world.events("ada@example.com", meeting().start, meeting().end));
    assert_eq!(noted[0].attendees.last().unwrap().response, InvitationResponse::Decline);
}

#[tokio::test]
async fn proxies_are_listed_in_full_contact_data() {
    let mut world = world();
    world.add_proxy_address(AURORA, "rm-2@example.com");
    let sim = start(world).await;
    let found = resolve(&sim, AURORA, "rm-2@example.com").await;
    for entry in ["smtp:rm-2@example.com", "SMTP:aurora@example.com"] {
        assert!(found.contains(&format!(">{entry}</t:Entry>")), "{found}");
    }
}

#[tokio::test]
async fn time_shows_as_its_maker_has_it_and_whole_days_are_free() {
    let (from, to) = (now(), now() + TimeDelta::days(1));
    let rows = [
        (true, None, "Free", '0'),
        (true, Some(FreeBusyType::Away), "OOF", '3'),
        (false, None, "Busy", '2'),
        (false, Some(FreeBusyType::Tentative), "Tentative", '1'),
        (false, Some(FreeBusyType::Elsewhere), "WorkingElsewhere", '0'),
    ];
    for (all_day, busy, word, digit) in rows {
        let mut meetings = world();
        let rooms = vec![AURORA.to_owned()];
        meetings.add_meeting(MeetingSpec { all_day, busy, rooms, ..MeetingSpec::new(ada(), from, to) });
        let mut plains = world();
        plains.add_plain(PlainSpec { all_day, busy, ..PlainSpec::new(AURORA, from, to) });
        for world in [meetings, plains] {
            let sim = start(world).await;
            let list = ask(&sim, AURORA, &view(from, to)).await;
            assert_eq!(property(&list, "LegacyFreeBusyStatus"), Some(word));
            let answer = availability(&sim, &[AURORA], UTC).await;
            let merged = property(&answer, "MergedFreeBusy").unwrap();
            assert!(merged.chars().all(|state| state == digit), "{word}: {merged}");
            assert!(answer.contains(&format!("<t:BusyType>{word}</t:BusyType>")), "{answer}");
        }
    }
}

const UTC: &str = "<t:TimeZone><t:Bias>0</t:Bias><t:StandardTime><t:Bias>0</t:Bias><t:Time>00:00:00</t:Time><t:DayOrder>1</t:DayOrder><t:Month>1</t:Month><t:DayOfWeek>Sunday</t:DayOfWeek></t:StandardTime><t:DaylightTime><t:Bias>0</t:Bias><t:Time>00:00:00</t:Time><t:DayOrder>1</t:DayOrder><t:Month>1</t:Month><t:DayOfWeek>Sunday</t:DayOfWeek></t:DaylightTime></t:TimeZone>";

fn availability_request(addresses: &[&str], zone: &str) -> String {
    let data = |address: &&str| {
        format!(
            "<t:MailboxData><t:Email><t:Address>{address}</t:Address></t:Email><t:AttendeeType>Required</t:AttendeeType></t:MailboxData>"
        )
    };
    let all: String = addresses.iter().map(data).collect();
    format!(
        "<m:GetUserAvailabilityRequest>{zone}<m:MailboxDataArray>{all}</m:MailboxDataArray><t:FreeBusyViewOptions><t:TimeWindow><t:StartTime>{}</t:StartTime><t:EndTime>{}</t:EndTime></t:TimeWindow><t:MergedFreeBusyIntervalInMinutes>30</t:MergedFreeBusyIntervalInMinutes><t:RequestedView>DetailedMerged</t:RequestedView></t:FreeBusyViewOptions></m:GetUserAvailabilityRequest>",
        z(now() + TimeDelta::minutes(5)),
        z(now() + TimeDelta::hours(4))
    )
}

async fn availability(sim: &Simulator, addresses: &[&str], zone: &str) -> String {
    ask(sim, AURORA, &availability_request(addresses, zone)).await
}

#[tokio::test]
async fn availability_wants_a_time_zone_and_fails_for_one_mailbox_alone() {
    let mut world = world();
    world.add_meeting(meeting());
    world.fail_availability_of("bo@example.com", "ErrorFreeBusyGenerationFailed");
    let sim = start(world).await;
    assert_eq!(fault_code(&availability(&sim, &[AURORA], "").await), "ErrorTimeZone");
    assert_eq!(fault_code(&availability(&sim, &[], UTC).await), "ErrorMailboxDataArrayEmpty");
    let many = vec![AURORA; 101];
    assert_eq!(fault_code(&availability(&sim, &many, UTC).await), "ErrorMailboxDataArrayTooBig");
    let context = r#"<s:Header><t:TimeZoneContext><t:TimeZoneDefinition Id="UTC"/></t:TimeZoneContext>"#;
    let request = envelope(AURORA, &availability_request(&[AURORA], "")).replace("<s:Header>", context);
    assert!(post(&sim, &basic(), &request).await.1.contains("<t:BusyType>Busy</t:BusyType>"));
    let asked = [AURORA, "nobody@example.com", "bo@example.com", "ada@example.com"];
    let answer = availability(&sim, &asked, UTC).await;
    let codes: Vec<&str> = answer.split("<m:FreeBusyResponse>").skip(1).map(code).collect();
    assert_eq!(
        codes,
        ["NoError", "ErrorMailRecipientNotFound", "ErrorFreeBusyGenerationFailed", "NoError"],
        "{answer}"
    );
}

#[tokio::test]
async fn cancelled_by_both_properties_or_by_one_of_them() {
    use CancelledMark::{AppointmentState, Both, IsCancelled};
    for (mark, flag, state) in
        [(Both, "true", "7"), (IsCancelled, "true", "3"), (AppointmentState, "false", "7")]
    {
        let mut world = world();
        let uid = world.add_meeting(MeetingSpec { cancelled: true, cancelled_mark: mark, ..meeting() });
        let sim = start(world).await;
        let list = ask(&sim, AURORA, &view(now(), now() + TimeDelta::minutes(5))).await;
        let shown = (property(&list, "IsCancelled"), property(&list, "AppointmentState"));
        assert_eq!(shown, (Some(flag), Some(state)), "{list}");
        assert!(sim.world(|world| world.event(AURORA, &uid)).unwrap().cancelled);
        let answer = ask(&sim, AURORA, &decline(&ids(&list)[0])).await;
        assert_eq!(code(&answer), "ErrorCalendarIsCancelledForDecline");
    }
}

#[tokio::test]
async fn who_is_hidden_resolves_to_nothing_and_has_a_calendar_all_the_same() {
    let mut world = world();
    let director = Person::new("Dora Direct", "dora@example.com");
    world.add_user(&director).hide_from_address_lists("dora@example.com");
    world.add_room(RoomSpec { is_hidden: true, ..RoomSpec::new("Vault", "vault@example.com") });
    world.add_room_list("Building 1", "b1@example.com", &[AURORA, "vault@example.com"]);
    world.set_address_book_policy(AURORA, &[AURORA, "bo@example.com"]);
    let sim = start(world).await;
    for (viewer, entry, found) in [
        (AURORA, "smtp:dora@example.com", "ErrorNameResolutionNoResults"),
        ("ada@example.com", "Dora", "ErrorNameResolutionNoResults"),
        (AURORA, "smtp:ada@example.com", "ErrorNameResolutionNoResults"),
        (AURORA, "smtp:bo@example.com", "NoError"),
        ("bo@example.com", "smtp:ada@example.com", "NoError"),
    ] {
        assert_eq!(code(&resolve(&sim, viewer, entry).await), found, "{viewer} {entry}");
    }
    let answer = availability(&sim, &["dora@example.com", "ada@example.com", "gone@example.com"], UTC).await;
    let codes: Vec<&str> = answer.split("<m:FreeBusyResponse>").skip(1).map(code).collect();
    assert_eq!(codes, ["NoError", "NoError", "ErrorMailRecipientNotFound"], "{answer}");
    let rooms =
        "<m:GetRooms><m:RoomList><t:EmailAddress>b1@example.com</t:EmailAddress></m:RoomList></m:GetRooms>";
    let rooms = ask(&sim, AURORA, rooms).await;
    assert!(rooms.contains(AURORA) && !rooms.contains("vault"), "{rooms}");
}

#[tokio::test]
async fn a_date_that_is_changed_has_another_id() {
    for (option, old) in [
        (ExceptionIds::Replaced, "ErrorItemNotFound"),
        (ExceptionIds::Added, "NoError"),
        (ExceptionIds::Kept, "NoError"),
    ] {
        let mut world = world();
        world.set_exception_ids(option);
        let spec = meeting();
        let series = Some(Series::weekly_on(spec.start, RecurrenceRange::Count(3)));
        world.add_meeting(MeetingSpec { series, ..spec });
        let sim = start(world).await;
        let before = ids(&ask(&sim, AURORA, &view(now(), now() + TimeDelta::minutes(5))).await)[0].clone();
        let written = ask(&sim, AURORA, &set_subject(&before, "SendToNone")).await;
        let answered = ids(&written)[0].clone();
        let name = |id: &str| between(id, "Id=\"", "\"").unwrap().to_owned();
        assert_eq!(name(&before) == name(&answered), option == ExceptionIds::Kept, "{written}");
        let seen = ask(&sim, AURORA, &view(now(), now() + TimeDelta::minutes(5))).await;
        assert_eq!(ids(&seen)[0], answered);
        assert_eq!(property(&seen, "CalendarItemType"), Some("Exception"));
        assert_eq!(code(&ask(&sim, AURORA, &get(&answered)).await), "NoError");
        assert_eq!(code(&ask(&sim, AURORA, &get(&before)).await), old, "{option:?}");
        // A second change keeps the id.
        let again = ask(&sim, AURORA, &set_subject(&answered, "SendToNone")).await;
        assert_eq!(name(&ids(&again)[0]), name(&answered));
    }
}

#[tokio::test]
async fn a_series_at_odd_seconds_keeps_them() {
    let mut world = world();
    let first = now() - TimeDelta::minutes(20);
    let first = first - TimeDelta::seconds(first.timestamp() % 60) + TimeDelta::seconds(30);
    let series = Some(Series::new(RecurrencePattern::Daily { interval: 1 }, RecurrenceRange::Count(4)));
    let end = first + TimeDelta::minutes(61) + TimeDelta::seconds(7);
    world.add_meeting(MeetingSpec {
        rooms: vec![AURORA.to_owned()],
        series,
        ..MeetingSpec::new(ada(), first, end)
    });
    let sim = start(world).await;
    let list = ask(&sim, AURORA, &view(first, first + TimeDelta::days(4))).await;
    let all = ids(&list);
    assert_eq!(all.len(), 4, "{list}");
    for (day, id) in all.iter().enumerate() {
        let item = ask(&sim, AURORA, &get(id)).await;
        let shift = TimeDelta::days(day as i64);
        let times = (property(&item, "Start").unwrap(), property(&item, "End").unwrap());
        assert_eq!(times, (&*z(first + shift), &*z(end + shift)));
    }
}

#[tokio::test]
async fn a_delegate_reads_writes_or_sees_what_was_granted() {
    let folder = CALENDAR.replace(
        "/>",
        &format!(
            "><t:Mailbox><t:EmailAddress>{AURORA}</t:EmailAddress></t:Mailbox></t:DistinguishedFolderId>"
        ),
    );
    for (rights, writes, sees) in [
        (DelegateRights::Reviewer, false, false),
        (DelegateRights::Editor, true, false),
        (DelegateRights::FullAccess, true, true),
    ] {
        let mut world = world();
        world.allow_impersonation_of([]).grant(AURORA, rights);
        world.add_meeting(meeting());
        let (from, to) = (now() + TimeDelta::hours(2), now() + TimeDelta::hours(3));
        let private = MeetingSpec {
            private: true,
            rooms: vec![AURORA.to_owned()],
            ..MeetingSpec::new(ada(), from, to)
        };
        world.add_meeting(private);
        let sim = start(world).await;
        let list = ask_as_delegate(
            &sim,
            &view_of(&folder, &format!(r#"StartDate="{}" EndDate="{}""#, z(now()), z(to))),
        )
        .await;
        let all = ids(&list);
        assert_eq!(all.len(), 2, "{rights:?}: {list}");
        let shown = list.split("<t:CalendarItem>").nth(2).unwrap();
        assert_eq!(property(shown, "Subject") == Some("Private Appointment"), !sees, "{shown}");
        assert_eq!(organizer(shown) == "none", !sees, "{shown}");
        assert_eq!(property(shown, "Start"), Some(&*z(from)));
        assert_eq!(code(&ask_as_delegate(&sim, &get(&all[0])).await), "NoError");
        let hidden = if sees { "NoError" } else { "ErrorItemNotFound" };
        assert_eq!(code(&ask_as_delegate(&sim, &get(&all[1])).await), hidden, "{rights:?}");
        let book = format!(
            r#"<m:CreateItem SendMeetingInvitations="SendToNone"><m:SavedItemFolderId>{folder}</m:SavedItemFolderId><m:Items><t:CalendarItem><t:Subject>Door</t:Subject></t:CalendarItem></m:Items></m:CreateItem>"#
        );
        let delete = format!(
            r#"<m:DeleteItem DeleteType="SoftDelete" SendMeetingCancellations="SendToNone"><m:ItemIds><t:ItemId {0}/><t:ItemId {0}/></m:ItemIds></m:DeleteItem>"#,
            all[0]
        );
        let expected = |denied| if writes { "NoError" } else { denied };
        assert_eq!(code(&ask_as_delegate(&sim, &book).await), expected("ErrorCreateItemAccessDenied"));
        assert_eq!(
            code(&ask_as_delegate(&sim, &set_subject(&all[0], "SendToNone")).await),
            expected("ErrorAccessDenied")
        );
        let deleted = ask_as_delegate(&sim, &delete).await;
        assert_eq!(code(&deleted), expected("ErrorAccessDenied"));
        assert_eq!(deleted.matches("<m:DeleteItemResponseMessage ").count(), 2, "{deleted}");
    }
}

#[tokio::test]
async fn what_was_written_stays_written_whatever_is_answered_then() {
    let rows = [
        (InjectedFault::ItemErrorAfter("ErrorInternalServerError"), 200, "ErrorInternalServerError", 1),
        (
            InjectedFault::FaultAfter("ErrorInternalServerTransientError"),
            500,
            "ErrorInternalServerTransientError",
            1,
        ),
        (InjectedFault::PageAfter(503), 503, "503", 1),
        (InjectedFault::MailRefused("ErrorSubmissionQuotaExceeded"), 200, "ErrorSubmissionQuotaExceeded", 0),
    ];
    for (wrong, status, text, mails) in rows {
        let mut world = world();
        let uid = world.add_meeting(meeting());
        let sim = start(world).await;
        let list = ask(&sim, "ada@example.com", &view(now(), now() + TimeDelta::minutes(5))).await;
        sim.inject_fault(FaultRule::new(wrong).on("UpdateItem"));
        let update = envelope("ada@example.com", &set_subject(&ids(&list)[0], "SendToAllAndSaveCopy"));
        let (answered, answer) = post(&sim, &basic(), &update).await;
        assert_eq!(answered, status, "{answer}");
        assert!(answer.contains(text) && !answer.contains("NoError"), "{answer}");
        let stored = sim.world(|world| world.event("ada@example.com", &uid)).unwrap();
        assert_eq!(stored.subject, "Other");
        let updates = sim.outbox().iter().filter(|mail| mail.kind == MailKind::Update).count();
        assert_eq!(updates, mails, "{:?}", sim.outbox());
    }
}

#[tokio::test]
async fn every_write_is_dated_and_the_making_stays_where_it_was() {
    let mut world = world();
    let (made, written) = (now() - TimeDelta::days(3), now() - TimeDelta::hours(5));
    world.add_meeting(MeetingSpec { created: Some(made), modified: Some(written), ..meeting() });
    let sim = start(world).await;
    let seen = ask(&sim, AURORA, &view(now(), now() + TimeDelta::minutes(5))).await;
    let dates = |answer: &str| {
        let read = |name| property(answer, name).unwrap().parse::<DateTime<Utc>>().unwrap();
        (read("DateTimeCreated"), read("LastModifiedTime"))
    };
    assert_eq!(dates(&seen), (made, written));
    let id = ids(&ask(&sim, AURORA, &set_subject(&ids(&seen)[0], "SendToNone")).await)[0].clone();
    let (created, modified) = dates(&ask(&sim, AURORA, &get(&id)).await);
    assert!(created == made && modified >= now() - TimeDelta::minutes(1), "{created} {modified}");
    sim.world(|world| {
        world.deletes(AURORA, &world.events(AURORA, meeting().start, meeting().end)[0].uid.clone(), None)
    });
}

#[tokio::test]
async fn nobody_can_be_told_about_a_meeting_of_nobody() {
    let mut world = world();
    let spec = MeetingSpec { organizer: Person::default(), subject: "Imported".to_owned(), ..meeting() };
    let uid = world.add_meeting(spec);
    let sim = start(world).await;
    let list = ask(&sim, AURORA, &view(now(), now() + TimeDelta::minutes(5))).await;
    assert_eq!((organizer(&list), property(&list, "Subject")), ("none", Some("Imported")));
    let answer = ask(&sim, AURORA, &decline(&ids(&list)[0])).await;
    assert_eq!(code(&answer), "ErrorCorruptData");
    assert!(
        answer.contains(r#"<m:MessageXml><t:FieldURI FieldURI="calendar:Organizer"/></m:MessageXml>"#),
        "{answer}"
    );
    assert!(sim.world(|world| world.event(AURORA, &uid)).is_some() && sim.outbox().is_empty());
}

/// Each operation reports an error as a whole where its schema has room for one.
#[tokio::test]
async fn an_operation_is_refused_where_its_answers_have_room_for_it() {
    let mut world = world();
    world.add_meeting(meeting());
    let sim = start(world).await;
    let list = ask(&sim, AURORA, &view(now(), now() + TimeDelta::minutes(5))).await;
    let id = &ids(&list)[0];
    let folder = |operation: &str, list: &str| {
        format!(
            "<m:{operation}><m:FolderShape><t:BaseShape>IdOnly</t:BaseShape></m:FolderShape><m:{list}>{CALENDAR}</m:{list}></m:{operation}>"
        )
    };
    let rows = [
        ("FindItem", view(now(), now()), None),
        ("GetItem", get(id), Some("<m:Items/>")),
        ("UpdateItem", set_subject(id, "SendToNone"), Some("<m:Items/>")),
        ("CreateItem", decline(id), Some("<m:Items/>")),
        ("GetFolder", folder("GetFolder", "FolderIds"), Some("<m:Folders/>")),
        ("GetRoomLists", "<m:GetRoomLists/>".to_owned(), None),
        ("GetUserAvailability", availability_request(&[AURORA], UTC), None),
    ];
    for (operation, request, empty) in rows {
        sim.inject_fault(FaultRule::new(InjectedFault::BusyMessage(7)).on(operation));
        let answer = ask(&sim, AURORA, &request).await;
        assert!(answer.contains("ErrorServerBusy") && answer.contains(">7</t:Value>"), "{answer}");
        let found = ["<m:Items/>", "<m:Folders/>"].into_iter().find(|empty| answer.contains(empty));
        assert_eq!(found, empty, "{operation}: {answer}");
        let operation_level = answer.contains(r#"<m:GetRoomListsResponse ResponseClass="Error""#);
        assert_eq!(operation_level, operation == "GetRoomLists", "{answer}");
        assert_eq!(answer.contains("<s:Fault>"), operation == "GetUserAvailability", "{answer}");
    }
}
