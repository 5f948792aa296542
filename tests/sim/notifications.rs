//! Notifications of calendar changes, by streaming, pull and synchronization, over raw requests.

use std::time::Duration;

use adjourn::sim::{
    ExchangeRelease, FaultRule, InjectedFault, NotificationOptions, PlainSpec, RecurrenceRange, Series,
    Simulator, SimulatorOptions, World,
};
use adjourn_test::{AURORA, meeting, now, plain, simulator_with, wait_until, world};
use chrono::TimeDelta;

use crate::raw_requests::{basic, envelope, post};
use crate::stream::{
    ALL, CALENDAR, RawStream, StreamRead, between, events, get_streaming, open_stream, post_envelope,
    post_with_headers, status, streaming, subscribe, types,
};

const QUICK: Duration = Duration::from_millis(100);

async fn sim_with(world: World, notifications: NotificationOptions) -> Simulator {
    simulator_with(world, SimulatorOptions { notifications, ..SimulatorOptions::default() }).await
}

async fn sim() -> Simulator {
    sim_with(world(), NotificationOptions { folder_events: false, ..NotificationOptions::default() }).await
}

fn rename(sim: &Simulator, uid: &str, subject: &str) {
    sim.world(|world| world.changes(AURORA, uid, None, |details| subject.clone_into(&mut details.subject)));
}

fn code(answer: &str) -> &str {
    between(answer, "<m:ResponseCode>", "<").unwrap_or(answer)
}

fn item_id(text: &str) -> &str {
    between(text, r#"<t:ItemId Id=""#, "\"").unwrap()
}

#[tokio::test]
async fn a_stream_tells_what_happens_to_the_items_of_a_calendar() {
    let sim = sim().await;
    let id = subscribe(&sim, AURORA).await;
    let mut stream = open_stream(&sim, AURORA, &[&id], 30).await;
    assert!(stream.head.contains("transfer-encoding: chunked"), "{}", stream.head);
    let uid = sim.world(|world| world.add_plain(plain()));
    let created = stream.envelope().await;
    assert_eq!(events(&created), ["Created"]);
    assert_eq!(between(&created, "<t:SubscriptionId>", "<"), Some(id.as_str()));
    assert!(created.contains("<t:ParentFolderId ") && !created.contains("Watermark"), "{created}");
    assert_eq!(status(&created), None);
    let shown = sim.world(|world| world.event(AURORA, &uid)).unwrap();
    assert_eq!(item_id(&created), shown.id);
    rename(&sim, &uid, "Other");
    let modified = stream.envelope().await;
    assert_eq!((events(&modified), item_id(&modified)), (vec!["Modified".to_owned()], shown.id.as_str()));
    let key = sim.world(|world| world.event(AURORA, &uid)).unwrap().change_key;
    assert!(key != shown.change_key && modified.contains(&key), "{modified}");
    sim.world(|world| world.deletes(AURORA, &uid, None));
    let moved = stream.envelope().await;
    assert_eq!(events(&moved), ["Moved"]);
    assert_eq!(between(&moved, r#"<t:OldItemId Id=""#, "\""), Some(shown.id.as_str()));
    assert_eq!(sim.world(|world| world.deleted(AURORA))[0].id, item_id(&moved));
    let uid = sim.world(|world| world.add_plain(plain()));
    let id = item_id(&stream.envelope().await).to_owned();
    let delete = format!(
        r#"<m:DeleteItem DeleteType="HardDelete" SendMeetingCancellations="SendToNone"><m:ItemIds><t:ItemId Id="{id}"/></m:ItemIds></m:DeleteItem>"#
    );
    assert_eq!(code(&post_envelope(&sim, AURORA, &delete).await), "NoError");
    let deleted = stream.envelope().await;
    assert_eq!((events(&deleted), item_id(&deleted)), (vec!["Deleted".to_owned()], id.as_str()));
    assert!(sim.world(|world| world.event(AURORA, &uid)).is_none());
}

#[tokio::test]
async fn whatever_happens_to_a_series_is_told_of_its_master() {
    let sim = sim().await;
    let id = subscribe(&sim, AURORA).await;
    let mut stream = open_stream(&sim, AURORA, &[&id], 30).await;
    let spec = PlainSpec { series: Some(Series::every_workday(RecurrenceRange::Count(5))), ..plain() };
    let (start, uid) = (spec.start, sim.world(|world| world.add_plain(spec)));
    let master = sim.world(|world| world.event(AURORA, &uid)).unwrap();
    let dates = sim.world(|world| world.events(AURORA, start, start + TimeDelta::days(14)));
    let date = dates[1].original_start;
    assert_eq!(item_id(&stream.envelope().await), master.id);
    sim.world(|world| world.changes(AURORA, &uid, date, |details| details.end += TimeDelta::minutes(5)));
    let exception = stream.envelope().await;
    sim.world(|world| world.deletes(AURORA, &uid, dates[2].original_start));
    let deleted = stream.envelope().await;
    for told in [exception, deleted] {
        assert_eq!((events(&told), item_id(&told)), (vec!["Modified".to_owned()], master.id.as_str()));
    }
}

#[tokio::test]
async fn folders_are_told_to_be_modified_and_what_comes_together_is_told_together() {
    let sim = sim_with(world(), NotificationOptions::default()).await;
    let id = subscribe(&sim, AURORA).await;
    let mut stream = open_stream(&sim, AURORA, &[&id], 30).await;
    sim.world(|world| {
        let uid = world.add_plain(plain());
        world.add_plain(plain());
        world.changes(AURORA, &uid, None, |details| details.subject.clear());
    });
    assert_eq!(events(&stream.envelope().await), ["Created", "Created", "Modified", "Modified*"]);
}

#[tokio::test]
async fn only_what_was_asked_for_is_told() {
    let sim = sim().await;
    let everything = format!(
        r#"<m:Subscribe><m:StreamingSubscriptionRequest SubscribeToAllFolders="true">{}</m:StreamingSubscriptionRequest></m:Subscribe>"#,
        types(&["MovedEvent"])
    );
    let answer = post_envelope(&sim, AURORA, &everything).await;
    let id = between(&answer, "<m:SubscriptionId>", "<").unwrap_or_else(|| panic!("{answer}"));
    let mut stream = open_stream(&sim, AURORA, &[id], 30).await;
    let uid = sim.world(|world| world.add_plain(plain()));
    rename(&sim, &uid, "Nobody cares");
    sim.world(|world| {
        world.add_meeting(meeting());
        world.deletes(AURORA, &uid, None);
    });
    assert_eq!(events(&stream.envelope().await), ["Moved"]);
    let other = subscribe(&sim, "ada@example.com").await;
    let mut others = open_stream(&sim, AURORA, &[&other], 30).await;
    sim.world(|world| world.add_plain(plain()));
    assert!(others.is_silent_for(QUICK).await, "that was another mailbox");
}

#[tokio::test]
async fn a_stream_has_heartbeats_and_closes_when_its_time_has_come() {
    let (heartbeat, minute) = (QUICK, 4 * QUICK);
    let sim =
        sim_with(world(), NotificationOptions { heartbeat, minute, ..NotificationOptions::default() }).await;
    let id = subscribe(&sim, AURORA).await;
    let mut stream = open_stream(&sim, AURORA, &[&id], 1).await;
    let mut beats = 0;
    loop {
        match status(&stream.envelope().await) {
            Some("OK") => beats += 1,
            other => break assert_eq!(other, Some("Closed")),
        }
    }
    assert!((1..=4).contains(&beats), "{beats}");
    assert_eq!(stream.next().await, StreamRead::End(0));
    wait_until("closed", || sim.streams() == 0).await;
    assert_eq!(sim.subscriptions(), 1);
}

#[tokio::test]
async fn what_happens_while_no_stream_is_open_is_told_by_the_next_one_and_once() {
    let sim = sim().await;
    let id = subscribe(&sim, AURORA).await;
    let uid = sim.world(|world| world.add_plain(plain()));
    let mut stream = open_stream(&sim, AURORA, &[&id], 30).await;
    assert_eq!(events(&stream.envelope().await), ["Created"]);
    drop(stream);
    wait_until("the stream is closed", || sim.streams() == 0).await;
    rename(&sim, &uid, "While no stream was open");
    let mut stream = open_stream(&sim, AURORA, &[&id], 30).await;
    assert_eq!(events(&stream.envelope().await), ["Modified"]);
    assert!(stream.is_silent_for(QUICK).await);
}

#[tokio::test]
async fn dead_subscriptions_are_named_and_the_others_are_served_or_not() {
    for one_dead_refuses_all in [false, true] {
        let options = NotificationOptions {
            reject_if_any_dead: one_dead_refuses_all,
            folder_events: false,
            ..NotificationOptions::default()
        };
        let sim = sim_with(world(), options).await;
        let (alive, dead) = (subscribe(&sim, AURORA).await, subscribe(&sim, AURORA).await);
        let unsubscribe =
            |id: &str| format!("<m:Unsubscribe><m:SubscriptionId>{id}</m:SubscriptionId></m:Unsubscribe>");
        assert_eq!(code(&post_envelope(&sim, AURORA, &unsubscribe(&dead)).await), "NoError");
        assert_eq!(
            code(&post_envelope(&sim, AURORA, &unsubscribe(&dead)).await),
            "ErrorSubscriptionNotFound"
        );
        assert_eq!(sim.subscriptions(), 1);
        let alone = post_envelope(&sim, AURORA, &get_streaming(&[&dead], 1)).await;
        assert_eq!(code(&alone), "ErrorSubscriptionNotFound");
        assert!(alone.contains(&format!("<m:ErrorSubscriptionIds><m:SubscriptionId>{dead}<")), "{alone}");
        if one_dead_refuses_all {
            let both = post_envelope(&sim, AURORA, &get_streaming(&[&alive, &dead], 1)).await;
            assert!(both.contains(&dead) && !both.contains(&alive), "{both}");
            continue;
        }
        let mut stream = open_stream(&sim, AURORA, &[&alive, &dead, "no id at all"], 30).await;
        let named = [stream.envelope().await, stream.envelope().await];
        assert_eq!(
            named.each_ref().map(|one| code(one)),
            ["ErrorInvalidSubscription", "ErrorSubscriptionNotFound"]
        );
        assert!(named[1].contains(&dead), "{named:?}");
        sim.world(|world| world.add_plain(plain()));
        assert_eq!(events(&stream.envelope().await), ["Created"]);
    }
}

#[tokio::test]
async fn the_newer_of_two_streams_lives() {
    let sim = sim().await;
    let id = subscribe(&sim, AURORA).await;
    let mut older = open_stream(&sim, AURORA, &[&id], 30).await;
    let mut newer = open_stream(&sim, AURORA, &[&id], 30).await;
    assert_eq!(code(&older.envelope().await), "ErrorNewEventStreamConnectionOpened");
    assert_eq!(older.next().await, StreamRead::End(0));
    sim.world(|world| world.add_plain(plain()));
    assert_eq!(events(&newer.envelope().await), ["Created"]);
    assert_eq!(sim.streams(), 1);
}

#[tokio::test]
async fn what_cannot_be_subscribed_to_is_refused() {
    let mut world = world();
    world.allow_full_access_to([AURORA, "ada@example.com"]);
    let sim = sim_with(world, NotificationOptions::default()).await;
    let of = |address: &str| {
        format!(
            r#"<t:DistinguishedFolderId Id="calendar"><t:Mailbox><t:EmailAddress>{address}</t:EmailAddress></t:Mailbox></t:DistinguishedFolderId>"#
        )
    };
    let delegate = |folders: &str| {
        let request = envelope(AURORA, &streaming(&format!("<t:FolderIds>{folders}</t:FolderIds>"), &ALL));
        let (before, rest) = request.split_once("<t:ExchangeImpersonation>").unwrap();
        format!("{before}{}", rest.split_once("</t:ExchangeImpersonation>").unwrap().1)
    };
    let rows = [
        (delegate(&of(AURORA)), "NoError"),
        (delegate(&format!("{}{}", of(AURORA), of("ada@example.com"))), "ErrorInvalidSubscriptionRequest"),
        (delegate(&of("bo@example.com")), "ErrorAccessDenied"),
        (envelope(AURORA, &streaming("", &ALL)), "ErrorInvalidSubscriptionRequest"),
        (
            envelope(AURORA, &streaming(CALENDAR, &ALL).replace("calendar", "voicemail")),
            "ErrorFolderNotFound",
        ),
    ];
    for (request, expected) in rows {
        assert_eq!(code(&post(&sim, &basic(), &request).await.1), expected, "{request}");
    }
    for wrong in [
        streaming(CALENDAR, &[]),
        streaming(CALENDAR, &["PartyEvent"]),
        get_streaming(&["x"], 0),
        get_streaming(&["x"], 31),
        get_streaming(&[], 1),
    ] {
        let (status, answer) = post(&sim, &basic(), &envelope(AURORA, &wrong)).await;
        assert_eq!(status, 500);
        assert!(answer.contains("ErrorSchemaValidation"), "{wrong}: {answer}");
    }
    let many = vec!["x"; 201];
    assert_eq!(
        code(&post_envelope(&sim, AURORA, &get_streaming(&many, 1)).await),
        "ErrorInvalidSubscriptionRequest"
    );
}

#[tokio::test]
async fn streaming_came_with_exchange_2010_sp1() {
    let options =
        SimulatorOptions { release: ExchangeRelease::Exchange2010Sp2, ..SimulatorOptions::default() };
    let sim = simulator_with(world(), options).await;
    for (version, status) in [
        ("Exchange2007_SP1", 500),
        ("Exchange2010", 500),
        ("Exchange2010_SP1", 200),
        ("Exchange2010_SP2", 200),
        ("Exchange2013", 500),
    ] {
        for request in [streaming(CALENDAR, &ALL), get_streaming(&["x"], 1)] {
            let request = envelope(AURORA, &request).replace("Exchange2013_SP1", version);
            let (answered, answer) = post(&sim, &basic(), &request).await;
            assert_eq!(answered, status, "{version}: {answer}");
        }
    }
}

fn pull(mark: &str, timeout: u32) -> String {
    let (types, mark) = (
        types(&ALL),
        if mark.is_empty() { String::new() } else { format!("<t:Watermark>{mark}</t:Watermark>") },
    );
    format!(
        "<m:Subscribe><m:PullSubscriptionRequest>{CALENDAR}{types}{mark}<t:Timeout>{timeout}</t:Timeout></m:PullSubscriptionRequest></m:Subscribe>"
    )
}

fn get_events(id: &str, mark: &str) -> String {
    format!(
        "<m:GetEvents><m:SubscriptionId>{id}</m:SubscriptionId><m:Watermark>{mark}</m:Watermark></m:GetEvents>"
    )
}

fn subscribed(answer: &str) -> (String, String) {
    let id = between(answer, "<m:SubscriptionId>", "<").unwrap_or_else(|| panic!("{answer}"));
    (id.to_owned(), between(answer, "<m:Watermark>", "<").unwrap().to_owned())
}

fn last_mark(answer: &str) -> String {
    answer.rsplit_once("<t:Watermark>").unwrap().1.split('<').next().unwrap().to_owned()
}

#[tokio::test]
async fn events_are_fetched_from_a_watermark_page_by_page() {
    let sim = sim().await;
    let (id, first) = subscribed(&post_envelope(&sim, AURORA, &pull("", 30)).await);
    let nothing = post_envelope(&sim, AURORA, &get_events(&id, &first)).await;
    assert_eq!((events(&nothing), last_mark(&nothing)), (vec!["Status".to_owned()], first.clone()));
    let uid = sim.world(|world| world.add_plain(plain()));
    rename(&sim, &uid, "Other");
    let two = post_envelope(&sim, AURORA, &get_events(&id, &first)).await;
    assert_eq!(events(&two), ["Created", "Modified"]);
    assert_eq!(between(&two, "<t:PreviousWatermark>", "<"), Some(first.as_str()));
    assert_eq!(
        events(&post_envelope(&sim, AURORA, &get_events(&id, &first)).await),
        ["Created", "Modified"],
        "again"
    );
    let mark = last_mark(&two);
    assert_eq!(events(&post_envelope(&sim, AURORA, &get_events(&id, &mark)).await), ["Status"]);
    sim.world(|world| (0..150).for_each(|_| drop(world.add_plain(plain()))));
    let page = post_envelope(&sim, AURORA, &get_events(&id, &mark)).await;
    assert!(page.contains("<t:MoreEvents>true<"), "{page}");
    let rest = post_envelope(&sim, AURORA, &get_events(&id, &last_mark(&page))).await;
    assert!(rest.contains("<t:MoreEvents>false<"), "{rest}");
    assert_eq!(events(&page).len() + events(&rest).len(), 150);
    // A new subscription continues where the old one was.
    let (_, again) = subscribed(&post_envelope(&sim, AURORA, &pull(&mark, 30)).await);
    assert_eq!(again, mark);
    let (other, foreign) = subscribed(&post_envelope(&sim, "ada@example.com", &pull("", 30)).await);
    assert_eq!(code(&post_envelope(&sim, AURORA, &get_events(&id, &foreign)).await), "ErrorInvalidWatermark");
    assert_eq!(
        code(&post_envelope(&sim, AURORA, &get_events(&other, "AAAA")).await),
        "ErrorInvalidWatermark"
    );
    assert_eq!(code(&post_envelope(&sim, AURORA, &pull("AAAA", 30)).await), "ErrorInvalidWatermark");
    let streamed = subscribe(&sim, AURORA).await;
    assert_eq!(
        code(&post_envelope(&sim, AURORA, &get_events(&streamed, &mark)).await),
        "ErrorInvalidPullSubscriptionId"
    );
    assert_eq!(
        code(&post_envelope(&sim, AURORA, &get_streaming(&[&id], 1)).await),
        "ErrorInvalidSubscription"
    );
}

#[tokio::test]
async fn a_pull_subscription_that_nobody_asks_expires_and_one_that_slept_too_long_has_lost_its_place() {
    let options = NotificationOptions { minute: QUICK, ..NotificationOptions::default() };
    let sim = sim_with(world(), options).await;
    let (id, mark) = subscribed(&post_envelope(&sim, AURORA, &pull("", 1)).await);
    let (kept, _) = subscribed(&post_envelope(&sim, AURORA, &pull("", 1_440)).await);
    tokio::time::sleep(2 * QUICK).await;
    assert_eq!(sim.subscriptions(), 1);
    assert_eq!(code(&post_envelope(&sim, AURORA, &get_events(&id, &mark)).await), "ErrorExpiredSubscription");
    assert_eq!(
        code(&post_envelope(&sim, AURORA, &get_events(&id, &mark)).await),
        "ErrorSubscriptionNotFound"
    );
    let uid = sim.world(|world| world.add_plain(plain()));
    (0..4_096).for_each(|count| rename(&sim, &uid, &count.to_string()));
    assert_eq!(code(&post_envelope(&sim, AURORA, &get_events(&kept, &mark)).await), "ErrorEventNotFound");
    assert_eq!(sim.subscriptions(), 0);
}

fn sync(state: &str, max: usize, shape: &str) -> String {
    let state = if state.is_empty() { String::new() } else { format!("<m:SyncState>{state}</m:SyncState>") };
    format!(
        r#"<m:SyncFolderItems><m:ItemShape><t:BaseShape>{shape}</t:BaseShape></m:ItemShape><m:SyncFolderId><t:DistinguishedFolderId Id="calendar"/></m:SyncFolderId>{state}<m:MaxChangesReturned>{max}</m:MaxChangesReturned></m:SyncFolderItems>"#
    )
}

/// The changes of a response, the next sync state, and whether it was the last page.
fn synced(answer: &str) -> (Vec<String>, String, bool) {
    let changes = answer.split('<').filter_map(|part| {
        let name = part.strip_prefix("t:")?.strip_suffix('>')?;
        ["Create", "Update", "Delete"].contains(&name).then(|| name.to_owned())
    });
    let state = between(answer, "<m:SyncState>", "<").unwrap_or_else(|| panic!("{answer}"));
    (changes.collect(), state.to_owned(), answer.contains("<m:IncludesLastItemInRange>true<"))
}

#[tokio::test]
async fn a_folder_is_synchronized_first_as_it_is_and_then_as_it_changes() {
    let mut world = world();
    let uids: Vec<String> = (0..4).map(|_| world.add_plain(plain())).collect();
    world.add_plain(PlainSpec { series: Some(Series::every_workday(RecurrenceRange::NoEnd)), ..plain() });
    world.deletes(AURORA, &uids[3], None);
    let sim = sim_with(world, NotificationOptions::default()).await;
    let (first, state, last) = synced(&post_envelope(&sim, AURORA, &sync("", 3, "IdOnly")).await);
    assert_eq!((first, last), (vec!["Create".to_owned(); 3], false));
    let answer = post_envelope(&sim, AURORA, &sync(&state, 3, "AllProperties")).await;
    assert!(answer.contains("<t:CalendarItemType>RecurringMaster<"), "a series is its master: {answer}");
    let (rest, state, last) = synced(&answer);
    assert_eq!((rest, last), (vec!["Create".to_owned()], true));
    let (nothing, same, last) = synced(&post_envelope(&sim, AURORA, &sync(&state, 3, "IdOnly")).await);
    assert_eq!((nothing.len(), &same, last), (0, &state, true));
    rename(&sim, &uids[0], "Other");
    rename(&sim, &uids[0], "Other again");
    sim.world(|world| world.deletes(AURORA, &uids[1], None));
    let brief = sim.world(|world| world.add_plain(plain()));
    sim.world(|world| world.deletes(AURORA, &brief, None));
    sim.world(|world| world.add_plain(plain()));
    let (changes, next, last) = synced(&post_envelope(&sim, AURORA, &sync(&state, 512, "Default")).await);
    assert_eq!((changes.join(" "), last), ("Update Delete Create".to_owned(), true));
    let (one, between, last) = synced(&post_envelope(&sim, AURORA, &sync(&state, 1, "IdOnly")).await);
    assert_eq!((one.join(" "), last), ("Update".to_owned(), false));
    let (mut all, mut at) = (one, between);
    for _ in 0..3 {
        let (more, then, _) = synced(&post_envelope(&sim, AURORA, &sync(&at, 1, "IdOnly")).await);
        all.extend(more);
        at = then;
    }
    assert_eq!((all.join(" "), at), ("Update Delete Create".to_owned(), next));
    for foreign in ["H4sIAAA=", "not base64"] {
        assert_eq!(
            code(&post_envelope(&sim, AURORA, &sync(foreign, 10, "IdOnly")).await),
            "ErrorInvalidSyncStateData"
        );
    }
    let others = post_envelope(&sim, "ada@example.com", &sync(&state, 10, "IdOnly")).await;
    assert_eq!(code(&others), "ErrorInvalidSyncStateData");
    for max in [0, 513] {
        assert!(
            post_envelope(&sim, AURORA, &sync("", max, "IdOnly")).await.contains("ErrorSchemaValidation")
        );
    }
}

#[tokio::test]
async fn there_are_only_so_many_subscriptions_and_streams() {
    let options =
        NotificationOptions { subscriptions: Some(2), streams: Some(1), ..NotificationOptions::default() };
    let sim = sim_with(world(), options).await;
    let ids = [subscribe(&sim, AURORA).await, subscribe(&sim, AURORA).await];
    let third = post_envelope(&sim, AURORA, &streaming(CALENDAR, &ALL)).await;
    assert_eq!(code(&third), "ErrorExceededSubscriptionCount");
    let back_off = r#"<m:MessageXml><t:Value Name="BackOffMilliseconds">1000</t:Value></m:MessageXml>"#;
    assert!(third.contains(back_off), "{third}");
    subscribe(&sim, "ada@example.com").await;
    let stream = open_stream(&sim, AURORA, &[&ids[0]], 30).await;
    let second = post_envelope(&sim, AURORA, &get_streaming(&[&ids[1]], 30)).await;
    assert_eq!(code(&second), "ErrorExceededConnectionCount");
    assert!(second.contains(back_off), "{second}");
    let others = open_stream(&sim, "ada@example.com", &[&ids[1]], 30).await;
    assert_eq!(sim.streams(), 2);
    drop((stream, others));
    wait_until("room for another", || sim.streams() == 0).await;
    open_stream(&sim, AURORA, &[&ids[0], &ids[1]], 30).await;
}

#[tokio::test]
async fn a_queue_that_is_full_loses_everything_and_says_so() {
    let options =
        NotificationOptions { queued_max: 10, folder_events: false, ..NotificationOptions::default() };
    let sim = sim_with(world(), options).await;
    let id = subscribe(&sim, AURORA).await;
    sim.world(|world| (0..11).for_each(|_| drop(world.add_plain(plain()))));
    let mut stream = open_stream(&sim, AURORA, &[&id], 30).await;
    let missed = stream.envelope().await;
    assert_eq!(code(&missed), "ErrorMissedNotificationEvents");
    assert!(missed.contains(&id), "{missed}");
    sim.world(|world| world.add_plain(plain()));
    assert_eq!(events(&stream.envelope().await), ["Created"], "the stream continues");
}

#[tokio::test]
async fn a_subscription_lives_on_the_back_end_that_took_it() {
    let options = NotificationOptions { back_ends: 3, ..NotificationOptions::default() };
    let sim = sim_with(world(), options).await;
    let prefer = "X-PreferServerAffinity: true\r\n";
    let (head, answer) = post_with_headers(&sim, AURORA, prefer, &streaming(CALENDAR, &ALL)).await;
    let id = between(&answer, "<m:SubscriptionId>", "<").unwrap().to_owned();
    let cookie = between(&head, "set-cookie: x-backendoverridecookie=", ";").unwrap().to_owned();
    let cookie = format!("Cookie: other=1; X-BackEndOverrideCookie={cookie}\r\n{prefer}");
    let request = get_streaming(&[&id], 30);
    let astray = post_envelope(&sim, AURORA, &request).await;
    assert_eq!(code(&astray), "ErrorSubscriptionNotFound", "without the cookie it is the next one's turn");
    for _ in 0..3 {
        let mut stream = RawStream::post(&sim, &cookie, &envelope(AURORA, &request)).await;
        assert!(!stream.head.contains("set-cookie"), "{}", stream.head);
        assert_eq!(status(&stream.envelope().await), Some("OK"));
    }
    let unsubscribe = format!("<m:Unsubscribe><m:SubscriptionId>{id}</m:SubscriptionId></m:Unsubscribe>");
    let other = cookie.replace("mbx0", "mbx1");
    assert_eq!(
        code(&post_with_headers(&sim, AURORA, &other, &unsubscribe).await.1),
        "ErrorSubscriptionNotFound"
    );
    assert_eq!(code(&post_with_headers(&sim, AURORA, &cookie, &unsubscribe).await.1), "NoError");
    let (head, _) = post_with_headers(&sim, AURORA, "", &streaming(CALENDAR, &ALL)).await;
    assert!(!head.contains("set-cookie"), "{head}");
}

/// Opens a stream under a fault.
async fn troubled(sim: &Simulator, wrong: InjectedFault) -> (String, RawStream) {
    let id = subscribe(sim, AURORA).await;
    sim.inject_fault(FaultRule::new(wrong).on("GetStreamingEvents"));
    let stream = open_stream(sim, AURORA, &[&id], 30).await;
    (id, stream)
}

#[tokio::test]
async fn a_silent_stream_says_nothing_until_it_is_healed_and_a_deaf_one_has_heartbeats_only() {
    let options =
        NotificationOptions { heartbeat: QUICK / 2, minute: QUICK / 30, ..NotificationOptions::default() };
    let sim = sim_with(world(), NotificationOptions { folder_events: false, ..options.clone() }).await;
    let (_, mut stream) = troubled(&sim, InjectedFault::Silent).await;
    sim.world(|world| world.add_plain(plain()));
    assert!(stream.is_silent_for(3 * QUICK).await, "not even its end");
    let options = NotificationOptions { minute: Duration::from_secs(60), ..options };
    let sim = sim_with(world(), NotificationOptions { folder_events: false, ..options }).await;
    let (_, mut stream) = troubled(&sim, InjectedFault::NoEvents).await;
    sim.world(|world| world.add_plain(plain()));
    for _ in 0..3 {
        assert_eq!(status(&stream.envelope().await), Some("OK"));
    }
    sim.inject_stream_fault(Some(InjectedFault::Silent));
    tokio::time::sleep(QUICK / 2).await;
    while !stream.is_silent_for(QUICK).await {}
    sim.inject_stream_fault(None);
    sim.world(|world| world.add_plain(plain()));
    assert_eq!(events(&stream.next_notification().await), ["Created"], "what happened before is lost");
}

#[tokio::test]
async fn events_come_late_not_at_all_twice_or_in_the_wrong_order() {
    let sim = sim().await;
    let (_, mut stream) = troubled(&sim, InjectedFault::Delayed(2 * QUICK)).await;
    sim.world(|world| world.add_plain(plain()));
    assert!(stream.is_silent_for(QUICK).await);
    assert_eq!(events(&stream.envelope().await), ["Created"]);
    let change = |sim: &Simulator| {
        sim.world(|world| {
            let uid = world.add_plain(plain());
            world.changes(AURORA, &uid, None, |details| details.subject.clear());
            world.deletes(AURORA, &uid, None);
        });
    };
    let rows = [
        (InjectedFault::Dropped(2), "Created Moved"),
        (InjectedFault::Duplicated, "Created Created Modified Modified Moved Moved"),
        (InjectedFault::Reordered, "Moved Modified Created"),
    ];
    for (wrong, expected) in rows {
        let (_, mut stream) = troubled(&sim, wrong).await;
        change(&sim);
        assert_eq!(events(&stream.envelope().await).join(" "), expected);
    }
}

#[tokio::test]
async fn streams_break_off_in_the_middle_and_subscriptions_survive_it() {
    let sim = sim().await;
    let id = subscribe(&sim, AURORA).await;
    let mut stream = open_stream(&sim, AURORA, &[&id], 30).await;
    sim.cut_streams();
    let StreamRead::Broken(bytes) = stream.next().await else { panic!() };
    assert!(bytes > 10, "{bytes}");
    wait_until("cut", || sim.streams() == 0).await;
    sim.inject_fault(FaultRule::new(InjectedFault::Truncated(1_000)).on("GetStreamingEvents"));
    let mut stream = open_stream(&sim, AURORA, &[&id], 30).await;
    sim.world(|world| world.add_plain(plain()));
    let StreamRead::Broken(bytes) = stream.next().await else { panic!() };
    assert!((1..1_000).contains(&bytes), "{bytes}");
    for wrong in [InjectedFault::ResetAfter, InjectedFault::ResetBefore] {
        sim.inject_fault(FaultRule::new(wrong).on("GetStreamingEvents"));
        let request = envelope(AURORA, &get_streaming(&[&id], 30));
        assert!(crate::socket::Socket::open(&sim).await.post(Some(&basic()), &request).await.is_err());
    }
    wait_until("reset", || sim.streams() == 0).await;
    let mut stream = open_stream(&sim, AURORA, &[&id], 30).await;
    sim.close_streams();
    assert_eq!(status(&stream.envelope().await), Some("Closed"));
    assert_eq!(stream.next().await, StreamRead::End(0));
    assert_eq!(sim.subscriptions(), 1);
}

#[tokio::test]
async fn subscriptions_are_lost_and_events_are_missed_as_told() {
    let sim = sim().await;
    let ids = [subscribe(&sim, AURORA).await, subscribe(&sim, "ada@example.com").await];
    let mut stream = open_stream(&sim, AURORA, &[&ids[0], &ids[1]], 30).await;
    sim.report_missed_events_of(AURORA);
    let missed = stream.envelope().await;
    assert_eq!(code(&missed), "ErrorMissedNotificationEvents");
    assert!(missed.contains(&ids[0]) && !missed.contains(&ids[1]), "{missed}");
    sim.drop_subscriptions_of(AURORA);
    let lost = stream.envelope().await;
    assert_eq!(code(&lost), "ErrorSubscriptionNotFound");
    assert!(lost.contains(&ids[0]) && !lost.contains(&ids[1]), "{lost}");
    sim.world(|world| world.add_meeting(meeting()));
    let news = stream.envelope().await;
    assert!(news.contains(&ids[1]) && !news.contains(&ids[0]), "{news}");
    sim.drop_subscriptions();
    assert_eq!(code(&stream.envelope().await), "ErrorSubscriptionNotFound");
    assert_eq!(stream.next().await, StreamRead::End(0));
    assert_eq!(sim.subscriptions(), 0);
    let (_, mut stream) = troubled(&sim, InjectedFault::MissedEvents).await;
    assert_eq!(code(&stream.envelope().await), "ErrorMissedNotificationEvents");
    let id = subscribe(&sim, AURORA).await;
    sim.inject_fault(FaultRule::new(InjectedFault::SubscriptionsLost).on("GetStreamingEvents"));
    assert_eq!(
        code(&post_envelope(&sim, AURORA, &get_streaming(&[&id], 1)).await),
        "ErrorSubscriptionNotFound"
    );
    let id = subscribe(&sim, AURORA).await;
    let mut stream = open_stream(&sim, "ada@example.com", &[&id], 30).await;
    sim.world(|world| world.remove_mailbox(AURORA).now());
    assert_eq!(code(&stream.envelope().await), "ErrorSubscriptionNotFound");
}

#[tokio::test]
async fn chunks_may_begin_and_end_anywhere() {
    for bytes in [1, 7, 100] {
        let options = NotificationOptions { chunk_bytes: Some(bytes), ..NotificationOptions::default() };
        let sim = sim_with(world(), options).await;
        let id = subscribe(&sim, AURORA).await;
        let mut stream = open_stream(&sim, AURORA, &[&id], 30).await;
        sim.world(|world| world.add_plain(plain()));
        assert_eq!(events(&stream.envelope().await), ["Created", "Modified*"]);
        assert!(stream.chunks.iter().all(|chunk| *chunk <= bytes) && stream.chunks.len() > 20);
    }
}

#[tokio::test]
async fn ordinary_trouble_meets_requests_about_notifications_too() {
    let sim = sim().await;
    let requests = [
        ("Subscribe", streaming(CALENDAR, &ALL)),
        ("GetStreamingEvents", get_streaming(&["x"], 1)),
        ("SyncFolderItems", sync("", 10, "IdOnly")),
        ("GetEvents", get_events("x", "y")),
        ("Unsubscribe", "<m:Unsubscribe><m:SubscriptionId>x</m:SubscriptionId></m:Unsubscribe>".to_owned()),
    ];
    for (operation, request) in requests {
        for (wrong, status, expected) in [
            (InjectedFault::BusyPage(Some(3)), 503, "503"),
            (InjectedFault::BusyFault(1_000), 500, "ErrorServerBusy"),
            (InjectedFault::BusyMessage(1_000), 200, "ErrorServerBusy"),
            (InjectedFault::ItemError("ErrorMailboxStoreUnavailable"), 200, "ErrorMailboxStoreUnavailable"),
            (InjectedFault::TooManyConnections, 500, "ErrorExceededConnectionCount"),
        ] {
            sim.inject_fault(FaultRule::new(wrong).on(operation));
            let (answered, answer) = post(&sim, &basic(), &envelope(AURORA, &request)).await;
            assert_eq!(answered, status, "{operation}: {answer}");
            assert!(answer.contains(expected), "{operation}: {answer}");
        }
    }
}

#[tokio::test]
async fn a_change_is_told_to_its_own_stream_and_all_streams_end_with_the_simulator() {
    let mut world = World::new();
    world.set_now(now());
    let room = |number: usize| format!("room-{number}@example.com");
    for number in 0..300 {
        world.add_room(adjourn::sim::RoomSpec::new("Room", room(number)));
    }
    let sim =
        sim_with(world, NotificationOptions { folder_events: false, ..NotificationOptions::default() }).await;
    let mut ids = Vec::new();
    for number in 0..300 {
        ids.push(subscribe(&sim, &room(number)).await);
    }
    let mut streams = Vec::new();
    for part in ids.chunks(100) {
        let part: Vec<&str> = part.iter().map(String::as_str).collect();
        streams.push(open_stream(&sim, &room(0), &part, 30).await);
    }
    sim.world(|world| world.add_plain(PlainSpec { mailbox: room(150), ..plain() }));
    let news = streams[1].envelope().await;
    assert!(news.contains(&ids[150]) && events(&news) == ["Created"], "{news}");
    for quiet in [0, 2] {
        assert!(streams[quiet].is_silent_for(QUICK).await);
    }
    sim.stop().await;
    for stream in &mut streams {
        assert_eq!(stream.next().await, StreamRead::Broken(0));
    }
}
