//! The write test over EWS: creates an event far ahead, shortens it and removes it, which proves the account's rights. Then it sets
//! the end of one attendee copy to the end it already has, which proves that this Exchange accepts such a change.
//!
//! It never changes another event's values, and never leaves its own event without naming it in the finding.

use super::end_update::check_end_only_update;
use super::test_event::{LENGTH, SUBJECT, TestEvent, WriteTestFailure, done};
use super::{DoctorTarget, FindingStatus, Findings};
use crate::action::Step;
use crate::clock::Clock;

const NO_RIGHT: &str = "grant the account the role ApplicationImpersonation (online: Application EWS.AccessAsApp), or Full Access to \
                        the room";

pub(super) async fn check_write_access(target: &DoctorTarget, clock: &dyn Clock, findings: &mut Findings) {
    let Some(room) = &target.write_test_room else {
        findings.add("write", FindingStatus::Skip, "not requested (--write-test ROOM)");
        return;
    };
    let now = clock.now();
    match run_write_test(&TestEvent::new(&*target.exchange, room, now, NO_RIGHT)).await {
        Ok(()) => {
            let says = "created, shortened and removed an event (now in Deleted Items)";
            findings.add("write", FindingStatus::Pass, says).room = Some(room.to_string());
            check_end_only_update(&*target.exchange, room, now, findings).await;
        }
        Err(failed) => failed.report(room, findings),
    }
}

async fn run_write_test(test: &TestEvent<'_>) -> Result<(), WriteTestFailure> {
    let (uid, start, end) = (test.uid.clone(), test.start, test.end());
    let book = Step::Book { uid, start, end, subject: SUBJECT.to_owned() };
    if let Err(failed) = test.write(&book, "cannot create an event").await {
        if failed.nothing_written {
            return Err(failed);
        }
        // Exchange may have created it all the same.
        let removed = test.remove().await;
        return Err(if removed.is_ok() { failed } else { test.left_behind(failed) });
    }
    let shortened = shorten(test).await;
    match test.remove().await {
        Ok(true) => shortened,
        Ok(false) => Err(test.missing()),
        Err(failed) => Err(test.left_behind(failed)),
    }
}

async fn shorten(test: &TestEvent<'_>) -> Result<(), WriteTestFailure> {
    let made = test.read().await?;
    let outcome = test.set_end(&made, &made.change_key, test.start + LENGTH / 2).await;
    done(outcome, "can create an event but not change it", test.no_right)
}
