//! Full Access instead of impersonation: no header names the room, every folder does, and access without a grant fails.

use std::sync::Arc;

use adjourn::action::{
    Action, ActionKind, Change, DeleteMode, Notify, Outcome, Refusal, ResponsibleParty, Target,
};
use adjourn::calendar::Window;
use adjourn::clock::SystemClock;
use adjourn::engine::Mode;
use adjourn::exchange::Access;
use adjourn::sim::{
    FaultRule, InjectedFault, MailKind, MeetingSpec, RecurrencePattern, RecurrenceRange, Series, World,
};
use adjourn_test::{AURORA, Office, action, aurora, done, meeting, now, plain, settings, simulator, world};

/// The account may impersonate no mailbox.
async fn office(mut world: World, full_access: &[&str]) -> Office {
    world.allow_impersonation_of([]).allow_full_access_to(full_access.iter().copied());
    granted(world).await
}

/// An office whose account is a delegate with the rights that the world grants.
pub async fn granted(world: World) -> Office {
    let sim = simulator(world).await;
    let mut settings = settings(&sim, None);
    settings.access = Access::Delegate;
    Office::with_clock(Arc::new(SystemClock), sim, vec![aurora()], &settings)
}

fn change(outcome: Outcome) -> Change {
    done(outcome).change
}

#[tokio::test]
async fn a_delegate_ends_declines_books_and_undoes_without_impersonating_anybody() {
    let mut world = world();
    let uid = world.add_meeting(meeting());
    let office = office(world, &[AURORA]).await;
    assert!(matches!(change(office.perform(ActionKind::End(Notify::Attendees)).await), Change::Ended { .. }));
    assert!(office.event(&uid).unwrap().end <= now());
    assert!(office.sim.requests().iter().all(|asked| asked.mailbox.is_none()), "no impersonation");
}

#[tokio::test]
async fn a_delegates_decline_is_saved_where_the_room_sends_from() {
    let mut world = world();
    world.add_meeting(meeting());
    let office = office(world, &[AURORA]).await;
    assert_eq!(change(office.perform(ActionKind::Delete(DeleteMode::Notify)).await), Change::Declined);
    let [(kind, to)] = &office.mails()[..] else { panic!("{:?}", office.mails()) };
    assert_eq!((*kind, to.as_slice()), (MailKind::Decline, &["ada@example.com".to_owned()][..]));
}

#[tokio::test]
async fn a_delegate_removes_what_is_plain_to_the_rooms_deleted_items() {
    let mut world = world();
    let uid = world.add_plain(plain());
    let office = office(world, &[AURORA]).await;
    change(office.perform(ActionKind::Delete(DeleteMode::Silent)).await);
    assert!(office.sim.world(|world| world.deleted(AURORA)).iter().any(|event| event.uid == uid));
}

#[tokio::test]
async fn a_delegates_undo_that_is_lost_is_done_again() {
    let mut world = world();
    let uid = world.add_plain(plain());
    let office = office(world, &[AURORA]).await;
    let delete = action(aurora(), ActionKind::Delete(DeleteMode::Silent));
    let of = delete.id;
    let done = office.engine.perform(delete, Mode::Perform).await.unwrap().outcome;
    assert!(matches!(done, Outcome::Done(_)), "{done:?}");
    office.sim.inject_fault(FaultRule::new(InjectedFault::ResetBefore).on("MoveItem"));
    assert_eq!(change(office.perform(ActionKind::Undo { of }).await), Change::MovedBack);
    assert!(office.event(&uid).is_some());
}

/// An id names its mailbox, and the account may open that one too.
#[tokio::test]
async fn an_event_of_another_mailbox_is_not_this_rooms() {
    let mut world = world();
    let uid = world.add_meeting(meeting());
    let office = office(world, &[AURORA, "ada@example.com"]).await;
    let ada = "ada@example.com".parse().unwrap();
    let theirs = office.engine.calendar().events(&ada, Window::instant(now())).await.unwrap().events;
    let target = Target::Event { id: theirs[0].id.clone(), seen: None };
    for ask in [ActionKind::End(Notify::Nobody), ActionKind::Delete(DeleteMode::Silent)] {
        let wish = Action { target: target.clone(), ..action(aurora(), ask) };
        let outcome = office.engine.perform(wish, Mode::Perform).await.unwrap().outcome;
        assert!(matches!(outcome, Outcome::Refused { refusal: Refusal::Exchange { .. } }), "{outcome:?}");
    }
    let left = office.sim.world(|world| world.event("ada@example.com", &uid)).unwrap();
    assert!(left.end > now());
}

#[tokio::test]
async fn a_delegate_removes_one_date_of_a_series() {
    let mut world = world();
    let daily = Series::new(RecurrencePattern::Daily { interval: 1 }, RecurrenceRange::Count(5));
    world.add_meeting(MeetingSpec { series: Some(daily), ..meeting() });
    let office = office(world, &[AURORA]).await;
    assert_eq!(change(office.perform(ActionKind::Delete(DeleteMode::Silent)).await), Change::Removed);
}

#[tokio::test]
async fn where_nothing_was_granted_nothing_is_done_and_the_administrator_is_named() {
    let mut world = world();
    let uid = world.add_meeting(meeting());
    let office = office(world, &["ada@example.com"]).await;
    match office.perform(ActionKind::End(Notify::Attendees)).await {
        Outcome::Refused { refusal: Refusal::Exchange { responsible, code, .. } } => {
            assert_eq!((responsible, code.as_str()), (ResponsibleParty::Administrator, "ErrorAccessDenied"));
        }
        other => panic!("{other:?}"),
    }
    assert!(office.event(&uid).unwrap().end > now());
}
