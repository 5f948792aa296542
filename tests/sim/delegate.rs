//! Full Access instead of impersonation: no header names the room, every folder does, and what was not granted is refused.

use std::sync::Arc;
use std::time::Duration;

use adjourn::action::{Ask, Change, DeleteHow, Fault, Notify, Outcome, Refusal};
use adjourn::calendar::Scope;
use adjourn::clock::SystemClock;
use adjourn::engine::{self, Engine};
use adjourn::exchange::{Access, Exchange};
use adjourn::journal::MemoryJournal;
use adjourn::sim::{MailKind, Options, Simulator, World};

use crate::office::{Office, ROOM, meeting, now, plain, room, settings, world};

/// The account may not impersonate anybody.
async fn office(mut world: World, full_access: &[&str]) -> Office {
    world.allow_impersonation_of([]).allow_full_access_to(full_access.iter().copied());
    let sim = Simulator::start(world, Options::default()).await.unwrap();
    let mut settings = settings(&sim, None);
    settings.access = Access::Delegate;
    let engine = Engine::new(
        Arc::new(Exchange::new(&settings).unwrap()),
        Arc::new(MemoryJournal::default()),
        Arc::new(SystemClock),
        Scope::new([room()], []),
        engine::Options { settle: Duration::from_millis(20), ..engine::Options::default() },
    );
    Office { sim, engine: Arc::new(engine) }
}

fn change(outcome: Outcome) -> Change {
    match outcome {
        Outcome::Done(done) => done.change,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_delegate_ends_declines_books_and_undoes_without_impersonating_anybody() {
    let mut world = world();
    let uid = world.add_meeting(meeting());
    let office = office(world, &[ROOM]).await;
    assert!(matches!(change(office.ask(Ask::End(Notify::Attendees)).await), Change::Ended { .. }));
    assert!(office.event(&uid).unwrap().end <= now());
    assert!(office.sim.requests().iter().all(|asked| asked.mailbox.is_none()), "no impersonation");
}

#[tokio::test]
async fn a_delegates_decline_is_saved_where_the_room_sends_from() {
    let mut world = world();
    world.add_meeting(meeting());
    let office = office(world, &[ROOM]).await;
    assert_eq!(change(office.ask(Ask::Delete(DeleteHow::Tell)).await), Change::Declined);
    let [(kind, to)] = &office.mails()[..] else { panic!("{:?}", office.mails()) };
    assert_eq!((*kind, to.as_slice()), (MailKind::Decline, &["ada@example.com".to_owned()][..]));
}

#[tokio::test]
async fn a_delegate_removes_what_is_plain_to_the_rooms_deleted_items() {
    let mut world = world();
    let uid = world.add_plain(plain());
    let office = office(world, &[ROOM]).await;
    change(office.ask(Ask::Delete(DeleteHow::Silent)).await);
    assert!(office.sim.world(|world| world.deleted(ROOM)).iter().any(|event| event.uid == uid));
}

#[tokio::test]
async fn where_nothing_was_granted_nothing_is_done_and_the_administrator_is_named() {
    let mut world = world();
    let uid = world.add_meeting(meeting());
    let office = office(world, &["ada@example.com"]).await;
    match office.ask(Ask::End(Notify::Attendees)).await {
        Outcome::Refused { refusal: Refusal::Exchange { fault, code, .. } } => {
            assert_eq!((fault, code.as_str()), (Fault::Administrator, "ErrorAccessDenied"));
        }
        other => panic!("{other:?}"),
    }
    assert!(office.event(&uid).unwrap().end > now());
}
