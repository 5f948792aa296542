//! The engine against those answers of Exchange that a simpler simulator would make easier (`exact` lists them).

use std::sync::Arc;

use adjourn::action::{
    Action, ActionKind, Change, DeleteMode, Notified, Notify, Outcome, Refusal, RequestedMinutes,
    ResponsibleParty, Target,
};
use adjourn::calendar::Window;
use adjourn::clock::ManualClock;
use adjourn::engine::{Mode, PersonLookup};
use adjourn::sim::{
    CancelledMark, DelegateRights, ExceptionIds, FaultRule, FreeBusyType, InjectedFault, InvitationResponse,
    MeetingSpec, Person, PlainSpec, RecurrenceRange, RoomSpec, Series, SimulatorOptions, World,
};
use adjourn_test::{
    AURORA, Office, action, ada, aurora, done, meeting, now, refusal, settings, simulator_with, world,
};
use chrono::{DateTime, TimeDelta, Utc};

use crate::delegate::granted;

const END: ActionKind = ActionKind::End(Notify::Attendees);
const TELL: ActionKind = ActionKind::Delete(DeleteMode::Notify);
const SILENT: ActionKind = ActionKind::Delete(DeleteMode::Silent);

fn weekly(spec: MeetingSpec) -> MeetingSpec {
    MeetingSpec { series: Some(Series::weekly_on(spec.start, RecurrenceRange::Count(3))), ..spec }
}

/// An office whose clock stands still at `now`.
async fn office_at(now: DateTime<Utc>, world: World) -> Office {
    let sim = simulator_with(world, SimulatorOptions { now: Some(now), ..SimulatorOptions::default() }).await;
    let settings = settings(&sim, None);
    Office::with_clock(Arc::new(ManualClock::at(now)), sim, vec![aurora()], &settings)
}

#[tokio::test]
async fn what_ended_this_moment_is_in_the_view_and_in_nobodys_way() {
    let now = now();
    let at = |from: i64, to: i64| {
        PlainSpec::new(AURORA, now + TimeDelta::minutes(from), now + TimeDelta::minutes(to))
    };
    let mut full = world();
    let (_, uid, _) = (full.add_plain(at(-30, 0)), full.add_plain(at(0, 30)), full.add_plain(at(45, 60)));
    let office = office_at(now, full).await;
    let Change::Extended { to, .. } =
        done(office.perform(ActionKind::extend(RequestedMinutes::new(15).unwrap())).await).change
    else {
        panic!()
    };
    assert_eq!(to, now + TimeDelta::minutes(45), "up to the next one");
    assert!(matches!(done(office.perform(END).await).change, Change::Ended { .. }));
    assert!(office.event(&uid).unwrap().end < to);
    let mut free = world();
    free.add_plain(at(-30, 0));
    free.add_plain(at(15, 60));
    let office = office_at(now, free).await;
    assert!(matches!(refusal(office.perform(END).await), Refusal::NoCurrentEvent));
    assert_eq!(
        done(office.perform(ActionKind::book(RequestedMinutes::new(15).unwrap())).await).change,
        Change::Booked
    );
}

#[tokio::test]
async fn a_declined_meeting_that_stays_is_declined_once_and_the_room_is_free() {
    for spec in [meeting(), weekly(meeting())] {
        let mut world = World::new();
        world.set_now(now());
        world.add_user(&ada());
        world.add_room(RoomSpec { preserve_declined: true, ..RoomSpec::new("Aurora", AURORA) });
        let uid = world.add_meeting(spec.clone());
        let office = Office::open(world).await;
        assert_eq!(done(office.perform(TELL).await).change, Change::Declined);
        let kept = office.sim.world(|world| world.events(AURORA, now(), now() + TimeDelta::minutes(5)));
        assert_eq!((kept[0].uid.as_str(), kept[0].my_response), (uid.as_str(), InvitationResponse::Decline));
        for again in [TELL, SILENT, END] {
            assert!(matches!(refusal(office.perform(again).await), Refusal::NoCurrentEvent));
        }
        assert_eq!(
            done(office.perform(ActionKind::book(RequestedMinutes::new(5).unwrap())).await).change,
            Change::Booked
        );
        assert_eq!((office.mails().len(), office.request_count("CreateItem")), (1, 2));
    }
}

fn rooms_own() -> MeetingSpec {
    MeetingSpec { organizer: Person::new("Aurora", AURORA), rooms: Vec::new(), ..meeting() }
}

/// The server applies the write and then reports an error: one effect, one mail, and the outcome says what happened.
async fn errors_after(wrong: InjectedFault) {
    let own = rooms_own();
    let rows = [
        (END, "UpdateItem", meeting(), 0, Notified::Nobody),
        (END, "UpdateItem", weekly(meeting()), 0, Notified::Nobody),
        (END, "UpdateItem", own.clone(), 1, Notified::Unknown),
        (TELL, "CreateItem", meeting(), 1, Notified::Organizer),
        (TELL, "CreateItem", weekly(meeting()), 1, Notified::Organizer),
        (TELL, "CreateItem", own, 1, Notified::Attendees),
    ];
    for (ask, operation, spec, mails, told) in rows {
        let mut world = world();
        let uid = world.add_meeting(spec.clone());
        let office = Office::open(world).await;
        office.sim.inject_fault(FaultRule::new(wrong.clone()).on(operation));
        let done = done(office.perform(ask).await);
        assert_eq!((done.notified, office.mails().len()), (told, mails), "{ask:?} {spec:?}");
        let on = office.sim.world(|world| world.events(AURORA, now(), now() + TimeDelta::minutes(5)));
        assert!(on.iter().all(|event| event.uid != uid || event.end <= now()), "{ask:?} {on:?}");
    }
}

#[tokio::test]
async fn a_write_that_is_carried_out_and_refused_as_an_item_is_known_to_be_done() {
    errors_after(InjectedFault::ItemErrorAfter("ErrorInternalServerError")).await;
}

#[tokio::test]
async fn a_write_that_is_carried_out_and_answered_with_a_fault_is_known_to_be_done() {
    errors_after(InjectedFault::FaultAfter("ErrorInternalServerTransientError")).await;
}

#[tokio::test]
async fn a_write_that_is_carried_out_and_answered_with_a_page_is_known_to_be_done() {
    for status in [401, 403, 404, 500, 503] {
        errors_after(InjectedFault::PageAfter(status)).await;
    }
}

#[tokio::test]
async fn a_write_that_is_carried_out_and_answered_as_busy_is_known_to_be_done() {
    errors_after(InjectedFault::ItemErrorAfter("ErrorServerBusy")).await;
}

const MAIL_ERRORS: [&str; 5] = [
    "ErrorSubmissionQuotaExceeded",
    "ErrorSendAsDenied",
    "ErrorQuotaExceeded",
    "ErrorMessageSizeExceeded",
    "ErrorMessageSubmissionBlocked",
];

/// A decline whose mail may not have been sent must not be reported as notified.
#[tokio::test]
async fn a_decline_or_cancellation_that_is_stored_and_not_sent_needs_somebody_to_look() {
    for (code, spec) in MAIL_ERRORS.into_iter().flat_map(|code| [(code, meeting()), (code, rooms_own())]) {
        let mut world = world();
        world.add_meeting(spec);
        let office = Office::open(world).await;
        office.sim.inject_fault(FaultRule::new(InjectedFault::MailRefused(code)).on("CreateItem"));
        let outcome = office.perform(TELL).await;
        assert!(matches!(outcome, Outcome::NeedsAttention { .. }), "{code}: {outcome:?}");
        assert!(office.mails().is_empty() && office.request_count("CreateItem") == 1);
    }
}

#[tokio::test]
async fn an_end_that_is_stored_and_not_sent_is_done_and_nobody_is_called_told() {
    for code in MAIL_ERRORS {
        let mut world = world();
        let uid = world.add_meeting(rooms_own());
        let office = Office::open(world).await;
        office.sim.inject_fault(FaultRule::new(InjectedFault::MailRefused(code)).on("UpdateItem"));
        assert_eq!(done(office.perform(END).await).notified, Notified::Unknown, "{code}");
        assert!(office.event(&uid).unwrap().end <= now() && office.mails().is_empty());
    }
}

/// The same errors without any effect: refused, naming whoever must act.
#[tokio::test]
async fn a_failure_that_left_the_calendar_as_it_was_is_refused() {
    let wrongs = [
        InjectedFault::ItemError("ErrorSendAsDenied"),
        InjectedFault::ItemError("ErrorQuotaExceeded"),
        InjectedFault::Page(403),
    ];
    for wrong in wrongs {
        for (ask, operation) in [(END, "UpdateItem"), (TELL, "CreateItem"), (SILENT, "DeleteItem")] {
            let mut world = world();
            let uid = world.add_meeting(rooms_own());
            let office = Office::open(world).await;
            office.sim.inject_fault(FaultRule::new(wrong.clone()).on(operation));
            let refusal = refusal(office.perform(ask).await);
            let blames =
                matches!(refusal, Refusal::Exchange { responsible: ResponsibleParty::Administrator, .. });
            assert!(blames && office.event(&uid).unwrap().end > now(), "{ask:?}: {refusal:?}");
            assert_eq!(office.request_count(operation), 1);
        }
    }
}

#[tokio::test]
async fn a_removal_that_is_carried_out_and_answered_with_a_failure_is_done() {
    for status in [401, 403, 404, 500, 503] {
        let mut world = world();
        let uid = world.add_meeting(meeting());
        let office = Office::open(world).await;
        office.sim.inject_fault(FaultRule::new(InjectedFault::PageAfter(status)).on("DeleteItem"));
        let outcome = office.perform(SILENT).await;
        assert!(matches!(outcome, Outcome::Done(_) | Outcome::AlreadyDone { .. }), "{status}: {outcome:?}");
        assert!(office.event(&uid).is_none());
    }
}

#[tokio::test]
async fn a_booking_that_is_made_and_answered_with_a_failure_is_found_and_not_made_again() {
    let wrongs = [401, 403, 404, 500, 503].map(InjectedFault::PageAfter).into_iter().chain([
        InjectedFault::ItemErrorAfter("ErrorServerBusy"),
        InjectedFault::FaultAfter("ErrorServerBusy"),
        InjectedFault::FaultAfter("ErrorInternalServerError"),
        InjectedFault::ItemErrorAfter("ErrorQuotaExceeded"),
    ]);
    for (index, wrong) in wrongs.enumerate() {
        let office = Office::open(world()).await;
        office.sim.inject_fault(FaultRule::new(wrong).on("CreateItem"));
        assert_eq!(
            done(office.perform(ActionKind::book(RequestedMinutes::new(15).unwrap())).await).change,
            Change::Booked,
            "{index}"
        );
        let on = office.sim.world(|world| world.events(AURORA, now(), now() + TimeDelta::minutes(5)));
        assert_eq!((on.len(), office.request_count("CreateItem")), (1, 1), "{index}");
    }
}

#[tokio::test]
async fn a_date_that_is_changed_is_found_under_its_other_id() {
    for ids in [ExceptionIds::Replaced, ExceptionIds::Added, ExceptionIds::Kept] {
        for wrong in [None, Some(InjectedFault::ResetAfter), Some(InjectedFault::PageAfter(503))] {
            let mut world = world();
            world.set_exception_ids(ids);
            let uid = world.add_meeting(weekly(meeting()));
            let first = meeting().start;
            let office = Office::open(world).await;
            if let Some(wrong) = wrong {
                office.sim.inject_fault(FaultRule::new(wrong).on("UpdateItem"));
            }
            let extended = done(office.perform(ActionKind::extend(RequestedMinutes::new(15).unwrap())).await);
            let Change::Extended { to, .. } = extended.change else { panic!("{extended:?}") };
            let end = action(aurora(), END);
            let of = end.id;
            done(office.engine.perform(end, Mode::Perform).await.unwrap().outcome);
            done(office.perform(ActionKind::Undo { of }).await);
            let all = office.sim.world(|world| world.events(AURORA, first - TimeDelta::hours(1), to));
            assert_eq!(
                all.iter().map(|event| (&event.uid, event.end)).collect::<Vec<_>>(),
                [(&uid, to)],
                "{ids:?}"
            );
            assert_eq!(done(office.perform(TELL).await).change, Change::Declined);
        }
    }
}

#[tokio::test]
async fn an_id_from_before_a_date_was_changed_leads_to_it_where_the_server_still_knows_it() {
    let mut world = world();
    world.set_exception_ids(ExceptionIds::Added);
    world.add_meeting(weekly(meeting()));
    let office = Office::open(world).await;
    let seen = office.engine.calendar().events(&aurora(), Window::instant(now())).await.unwrap().events;
    done(office.perform(ActionKind::extend(RequestedMinutes::new(15).unwrap())).await);
    let end =
        Action { target: Target::Event { id: seen[0].id.clone(), seen: None }, ..action(aurora(), END) };
    done(office.engine.perform(end, Mode::Perform).await.unwrap().outcome);
}

/// An occurrence that the server does not find is not reported as done: its exception has another id.
#[tokio::test]
async fn an_id_that_a_changed_date_has_lost_is_never_called_done() {
    for ask in [END, TELL, SILENT] {
        let mut world = world();
        world.set_exception_ids(ExceptionIds::Replaced);
        let uid = world.add_meeting(weekly(meeting()));
        let office = Office::open(world).await;
        let seen = office.engine.calendar().events(&aurora(), Window::instant(now())).await.unwrap().events;
        done(office.perform(ActionKind::extend(RequestedMinutes::new(15).unwrap())).await);
        let wish =
            Action { target: Target::Event { id: seen[0].id.clone(), seen: None }, ..action(aurora(), ask) };
        let refusal = refusal(office.engine.perform(wish, Mode::Perform).await.unwrap().outcome);
        assert!(matches!(refusal, Refusal::ChangedMeanwhile { is: Some(_), .. }), "{refusal:?}");
        let on = office.sim.world(|world| world.events(AURORA, now(), now() + TimeDelta::minutes(1)));
        assert_eq!(on[0].uid, uid);
    }
}

/// A delegate without Full Access sees a private meeting as busy time, and Exchange refuses to open it.
#[tokio::test]
async fn a_private_meeting_that_a_delegate_may_not_open_is_never_called_done() {
    for rights in [DelegateRights::Editor, DelegateRights::Reviewer] {
        for ask in [END, TELL, SILENT] {
            let mut world = world();
            world.allow_impersonation_of([]).grant(AURORA, rights);
            let uid = world.add_meeting(MeetingSpec { private: true, ..meeting() });
            let office = granted(world).await;
            let seen = office.engine.calendar().events(&aurora(), Window::instant(now())).await.unwrap();
            let ids = seen.events.iter().map(|event| &event.id);
            let ids = ids.chain(seen.unreadable.iter().filter_map(|item| item.id.as_ref()));
            let named = ids.map(|id| Target::Event { id: id.clone(), seen: None });
            for target in [Target::Current].into_iter().chain(named) {
                let wish = Action { target: target.clone(), ..action(aurora(), ask) };
                let outcome = office.engine.perform(wish, Mode::Perform).await.unwrap().outcome;
                assert!(
                    matches!(outcome, Outcome::Refused { .. }),
                    "{rights:?} {ask:?} {target:?}: {outcome:?}"
                );
            }
            assert!(office.event(&uid).unwrap().end > now() && office.mails().is_empty());
        }
    }
}

#[tokio::test]
async fn what_either_property_calls_cancelled_is_neither_ended_nor_declined() {
    use CancelledMark::{AppointmentState, Both, IsCancelled};
    for cancelled_mark in [Both, IsCancelled, AppointmentState] {
        let mut world = world();
        let busy = Some(FreeBusyType::Busy);
        world.add_meeting(MeetingSpec { cancelled: true, cancelled_mark, busy, ..meeting() });
        let office = Office::open(world).await;
        for ask in [END, TELL] {
            let outcome = office.perform(ask).await;
            assert!(matches!(outcome, Outcome::Refused { .. }), "{cancelled_mark:?} {ask:?}: {outcome:?}");
        }
        assert_eq!((office.request_count("UpdateItem"), office.request_count("CreateItem")), (0, 0));
    }
}

#[tokio::test]
async fn a_meeting_of_nobody_is_not_declined_and_is_removed_in_silence() {
    let mut world = world();
    let uid = world.add_meeting(MeetingSpec { organizer: Person::default(), ..meeting() });
    let office = Office::open(world).await;
    match refusal(office.perform(TELL).await) {
        Refusal::Exchange { code, .. } => assert_eq!(code, "ErrorCorruptData"),
        other => panic!("{other:?}"),
    }
    assert_eq!((office.request_count("CreateItem"), office.event(&uid).is_some()), (1, true));
    assert_eq!(done(office.perform(SILENT).await).change, Change::Removed);
}

#[tokio::test]
async fn a_room_that_was_renamed_goes_on_under_its_former_address() {
    let mut world = world();
    world.add_meeting(meeting());
    world.rename_mailbox(AURORA, "Boreas", "boreas@example.com");
    let office = Office::open(world).await;
    done(office.perform(ActionKind::extend(RequestedMinutes::new(5).unwrap())).await);
    office.sim.inject_fault(FaultRule::new(InjectedFault::ResetAfter).on("CreateItem"));
    let declined = done(office.perform(TELL).await);
    assert_eq!(
        (declined.notified, office.mails().len(), office.request_count("CreateItem")),
        (Notified::Organizer, 1, 1)
    );
}

#[tokio::test]
async fn a_delegate_who_may_only_read_changes_nothing_and_the_administrator_is_named() {
    for ask in [END, TELL, SILENT] {
        let mut world = world();
        world.allow_impersonation_of([]).grant(AURORA, DelegateRights::Reviewer);
        let uid = world.add_meeting(meeting());
        let office = granted(world).await;
        match refusal(office.perform(ask).await) {
            Refusal::Exchange { responsible, code, .. } => {
                assert_eq!(
                    (responsible, code.as_str()),
                    (ResponsibleParty::Administrator, "ErrorAccessDenied")
                );
            }
            other => panic!("{other:?}"),
        }
        assert!(office.event(&uid).unwrap().end > now() && office.mails().is_empty());
    }
}

#[tokio::test]
async fn a_delegate_with_an_editors_rights_does_what_full_access_does() {
    for (ask, change) in [(TELL, Change::Declined), (SILENT, Change::Removed)] {
        let mut world = world();
        world.allow_impersonation_of([]).grant(AURORA, DelegateRights::Editor);
        world.add_meeting(meeting());
        assert_eq!(done(granted(world).await.perform(ask).await).change, change);
    }
}

#[tokio::test]
async fn only_two_lookups_prove_that_somebody_is_gone() {
    let mut world = world();
    let names = ["dora", "emil", "finn"].map(|name| format!("{name}@example.com"));
    for address in &names {
        world.add_user(&Person::new("Somebody", address));
    }
    world.hide_from_address_lists(&names[0]);
    world.hide_from_address_lists(&names[2]).fail_availability_of(&names[2], "ErrorFreeBusyGenerationFailed");
    let shown = [AURORA, "ada@example.com"];
    world.set_address_book_policy(AURORA, &shown);
    world.rename_mailbox("ada@example.com", "Ada Ohm", "ada.ohm@example.com");
    let office = Office::open(world).await;
    for (address, expected) in [
        ("ada.ohm@example.com", PersonLookup::Found),
        (names[0].as_str(), PersonLookup::Unknown),
        (names[1].as_str(), PersonLookup::Unknown),
        (names[2].as_str(), PersonLookup::Unknown),
        ("gone@example.com", PersonLookup::NotFound),
    ] {
        let found = office.engine.calendar().find_person(&aurora(), address).await.unwrap();
        assert_eq!(found, expected, "{address}");
    }
    let former = office.engine.calendar().find_person(&aurora(), "ada@example.com").await.unwrap();
    assert_ne!(former, PersonLookup::NotFound, "a renamed mailbox still resolves");
}

#[tokio::test]
async fn organizers_are_resolved_from_their_x500_names() {
    let mut world = world();
    world.add_meeting(meeting());
    let office = Office::open(world).await;
    let calendar = office.engine.calendar();
    let events = calendar.events(&aurora(), Window::instant(now())).await.unwrap().events;
    let organizer = events[0].organizer.as_ref().unwrap();
    assert!(organizer.address.is_none() && organizer.legacy_dn.is_some(), "{organizer:?}");
    let resolved = calendar.resolve_organizer(&aurora(), &events[0]).await.unwrap();
    assert_eq!(resolved.as_deref(), Some("ada@example.com"));
}

#[tokio::test]
async fn a_decline_that_stays_and_whose_answer_is_lost_is_mailed_once() {
    for wrong in [
        InjectedFault::ResetAfter,
        InjectedFault::PageAfter(503),
        InjectedFault::ItemErrorAfter("ErrorServerBusy"),
    ] {
        for spec in [meeting(), weekly(meeting())] {
            let mut world = World::new();
            world.set_now(now());
            world.add_user(&ada());
            world.add_room(RoomSpec { preserve_declined: true, ..RoomSpec::new("Aurora", AURORA) });
            world.add_meeting(spec);
            let office = Office::open(world).await;
            office.sim.inject_fault(FaultRule::new(wrong.clone()).on("CreateItem"));
            let outcome = office.perform(TELL).await;
            assert!(matches!(outcome, Outcome::Done(_) | Outcome::AlreadyDone { .. }), "{outcome:?}");
            assert_eq!(office.mails().len(), 1);
        }
    }
}
