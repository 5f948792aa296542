//! Exchange accepts requests and never responds: every caller gets a response in time.

use std::time::Duration;

use adjourn::service::StatusError;
use adjourn::sim::{FaultRule, InjectedFault};
use adjourn_test::address;
use tokio::time::Instant;

use crate::fixture::{ApiFixture, BUSY, FREE};

const PATIENCE: Duration = Duration::from_millis(300);
/// How long Exchange takes for a read.
const SLOW: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_was_never_read_is_unknown_in_time_and_the_reading_goes_on() {
    let lobby = ApiFixture::open().await;
    lobby.sim.inject_fault(FaultRule::new(InjectedFault::Slow(SLOW)).on("FindItem"));
    let begun = Instant::now();
    let late = lobby.service.status(&address(BUSY), PATIENCE).await;
    assert!(matches!(late, Err(StatusError::Timeout)) && begun.elapsed() < SLOW, "{late:?}");
    // A second caller waits for the same read; another room is not affected.
    assert!(lobby.service.status(&address(BUSY), PATIENCE).await.is_err());
    assert!(lobby.service.status(&address(FREE), Duration::from_secs(5)).await.is_ok());
    tokio::time::sleep(SLOW).await;
    let reads = lobby.ews_requests("FindItem");
    assert!(lobby.service.status(&address(BUSY), PATIENCE).await.unwrap().is_busy());
    assert_eq!(lobby.ews_requests("FindItem"), reads, "what nobody waited for was kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_is_shown_as_it_was_known_with_its_age_and_not_for_ever() {
    let lobby = ApiFixture::open().await;
    let known = lobby.service.status(&address(BUSY), Duration::from_secs(5)).await.unwrap();
    for (later, is_shown) in [(120, true), (16 * 60, false)] {
        lobby.clock.advance(later);
        lobby
            .sim
            .inject_fault(FaultRule::new(InjectedFault::Slow(Duration::from_millis(1_500))).on("FindItem"));
        let shown = lobby.service.status(&address(BUSY), PATIENCE).await;
        match is_shown {
            true => assert_eq!(shown.unwrap().as_of, known.as_of),
            false => assert!(matches!(shown, Err(StatusError::Timeout)), "{shown:?}"),
        }
        if is_shown {
            let checked_in =
                lobby.service.check_in(&address(BUSY), None, ("panel".into(), "key"), PATIENCE).await;
            assert!(checked_in.is_ok(), "who stands at the door is there: {checked_in:?}");
        }
    }
}
