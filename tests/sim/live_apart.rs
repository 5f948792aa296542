//! Tracked rooms are isolated: a room that hangs, moves or is rejected, or a server that asks for a pause, does not
//! affect other rooms.

use std::time::Duration;

use adjourn::action::Outcome;
use adjourn::live::TrackingMode;
use adjourn::sim::{FaultRule, InjectedFault, NotificationOptions, Simulator, SimulatorOptions};
use adjourn_test::{room_name, settings, simulator_with, world_of_meetings};
use chrono::TimeDelta;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, timeout};

use crate::live::{LiveFixture, fast_notifications, following_options, simulator_with_fast_notifications};

/// The times of this operation's requests.
fn request_times(sim: &Simulator, operation: &str) -> Vec<chrono::DateTime<chrono::Utc>> {
    sim.requests().iter().filter(|asked| asked.operation == operation).map(|asked| asked.at).collect()
}

/// From now on no request for this room is answered.
fn hang(sim: &Simulator, number: u64) {
    let hanging = FaultRule::new(InjectedFault::Slow(Duration::from_secs(600)));
    sim.inject_fault(hanging.for_mailbox(&room_name(number)).times(usize::MAX));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_refused_is_not_asked_for_before_the_server_said() {
    for refusal in
        [InjectedFault::BusyFault(2_000), InjectedFault::BusyMessage(2_000), InjectedFault::BusyPage(Some(2))]
    {
        let sim = simulator_with_fast_notifications(world_of_meetings(2)).await;
        sim.inject_fault(FaultRule::new(refusal).on("GetStreamingEvents"));
        let house = LiveFixture::with_simulator(sim, 2).await;
        house.wait_until("all are listened to", |house| house.all_tracked_by(TrackingMode::Streaming)).await;
        let asked = request_times(&house.sim, "GetStreamingEvents");
        assert_eq!(asked.len(), 2);
        assert!(asked[1] - asked[0] >= TimeDelta::seconds(2), "after {}", asked[1] - asked[0]);
        house.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_may_not_be_subscribed_to_or_asked_about_yet_is_left_alone_as_long_as_the_server_said() {
    for (operation, streams) in [("Subscribe", None), ("SyncFolderItems", Some(0))] {
        for refusal in [
            InjectedFault::BusyFault(2_000),
            InjectedFault::BusyMessage(2_000),
            InjectedFault::BusyPage(Some(2)),
        ] {
            let sim = simulator_with(
                world_of_meetings(1),
                SimulatorOptions {
                    notifications: NotificationOptions { streams, ..fast_notifications() },
                    ..SimulatorOptions::default()
                },
            )
            .await;
            sim.inject_fault(FaultRule::new(refusal).on(operation));
            let house = LiveFixture::with_simulator(sim, 1).await;
            house.wait_until("a second request", |house| house.request_count(operation) >= 2).await;
            let asked = request_times(&house.sim, operation);
            assert!(
                asked[1] - asked[0] >= TimeDelta::seconds(2),
                "{operation} after {}",
                asked[1] - asked[0]
            );
            house.close().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_opened_again_before_the_rooms_are_read_and_loses_nothing() {
    let house = LiveFixture::open(6, fast_notifications()).await;
    house.wait_until("all are listened to", |house| house.all_tracked_by(TrackingMode::Streaming)).await;
    let slow = FaultRule::new(InjectedFault::Slow(Duration::from_secs(2))).on("FindItem");
    house.sim.inject_fault(slow.times(6));
    let before = house.sim.requests().len();
    house.sim.close_streams();
    house.book(5, 5);
    let begun = Instant::now();
    house
        .wait_until("the stream is there again", |house| {
            house.sim.streams() == 1
                && house.sim.requests()[before..].iter().any(|asked| asked.operation == "GetStreamingEvents")
        })
        .await;
    println!("the stream was there again after {:?}", begun.elapsed());
    house.book(4, 7);
    let first = house.sim.requests()[before..]
        .iter()
        .map(|asked| asked.operation.clone())
        .find(|operation| operation == "GetStreamingEvents" || operation == "FindItem");
    assert_eq!(first.as_deref(), Some("GetStreamingEvents"));
    house
        .wait_until("changes before and during the reads are in the cache", LiveFixture::all_match_mailboxes)
        .await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_that_hangs_from_the_start_keeps_no_other_from_being_streamed() {
    // The first room in the group: it signs in for the group and anchors it.
    let sim = simulator_with_fast_notifications(world_of_meetings(3)).await;
    hang(&sim, 0);
    let house = {
        let settings = settings(&sim, None);
        LiveFixture::start(sim, 3, settings, following_options())
    };
    house
        .wait_until("the others are streamed", |house| {
            [1, 2].iter().all(|n| house.tracking_mode(*n) == TrackingMode::Streaming)
        })
        .await;
    house.book(1, 3);
    house
        .wait_until("a change is in the cache", |house| house.matches_mailbox(1) && house.matches_mailbox(2))
        .await;
    assert!(matches!(timeout(Duration::from_secs(5), house.end(2)).await, Ok(Outcome::Done(_))));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_hangs_takes_neither_places_nor_streams_of_the_other_rooms() {
    let sim = simulator_with_fast_notifications(world_of_meetings(16)).await;
    let mut settings = settings(&sim, None);
    settings.max_concurrent_requests = 4.try_into().unwrap();
    let house = LiveFixture::follow(sim, 16, settings, following_options()).await;
    house.wait_until("all are listened to", |house| house.all_tracked_by(TrackingMode::Streaming)).await;
    (4..16).for_each(|number| hang(&house.sim, number));
    (4..16).for_each(|number| drop(house.book(number, 3)));
    sleep(Duration::from_millis(500)).await;
    for number in 0..4 {
        house.book(number, 5);
    }
    let begun = Instant::now();
    house
        .wait_until("changes in other rooms are in the cache", |house| {
            (0..4).all(|number| house.matches_mailbox(number))
        })
        .await;
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    let end = timeout(Duration::from_secs(8), house.end(1)).await;
    assert!(matches!(end, Ok(Outcome::Done(_))), "{end:?}");
    house.sim.cut_streams();
    house
        .wait_until("and listened to again", |house| {
            (0..4).all(|number| house.tracking_mode(number) == TrackingMode::Streaming)
        })
        .await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rooms_that_move_to_another_back_end_are_streamed_from_there() {
    for says in [true, false] {
        let notifications = NotificationOptions { back_ends: 2, ..fast_notifications() };
        let sim = simulator_with(
            world_of_meetings(4),
            SimulatorOptions { notifications, ..SimulatorOptions::default() },
        )
        .await;
        (0..4).for_each(|number| sim.move_mailbox(&room_name(number), 0));
        sim.autodiscover(|answers| {
            (0..4).filter(|_| says).for_each(|number| answers.set_group(&room_name(number), "site-a"));
        });
        let house = LiveFixture::with_simulator(sim, 4).await;
        house.wait_until("all are listened to", |house| house.all_tracked_by(TrackingMode::Streaming)).await;
        assert_eq!(house.sim.streams(), 1);
        for number in [1, 3] {
            house.sim.move_mailbox(&room_name(number), 1);
            if says {
                house.sim.autodiscover(|answers| answers.set_group(&room_name(number), "site-b"));
            }
        }
        house
            .wait_until("all are listened to, from two back ends", |house| {
                house.all_tracked_by(TrackingMode::Streaming) && house.sim.streams() == 2
            })
            .await;
        (0..4).for_each(|number| drop(house.book(number, 5)));
        house.wait_until("changes are in the cache", LiveFixture::all_match_mailboxes).await;
        house.close().await;
    }
}

/// A proxy to the simulator that can start to swallow the server's bytes. Returns its address.
async fn proxy_that_can_swallow(target: String) -> (String, tokio::sync::watch::Sender<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (swallow, swallows) = tokio::sync::watch::channel(false);
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let far = TcpStream::connect(&target).await.unwrap();
            let ((mut up, mut down), (mut back, mut forth)) = (near.into_split(), far.into_split());
            let mut swallows = swallows.clone();
            let was = *swallows.borrow_and_update();
            tokio::spawn(async move { copy(&mut up, &mut forth).await });
            tokio::spawn(async move {
                let mut piece = [0; 4096];
                while let Ok(read @ 1..) = back.read(&mut piece).await {
                    // Only existing connections are swallowed.
                    if *swallows.borrow() == was && down.write_all(&piece[..read]).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    (address, swallow)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_swallows_heartbeats_is_found_out_and_the_stream_opened_anew() {
    let sim = simulator_with_fast_notifications(world_of_meetings(2)).await;
    let target = sim.url().split('/').nth(2).unwrap().to_owned();
    let (proxy, swallow) = proxy_that_can_swallow(target.clone()).await;
    let mut settings = settings(&sim, None);
    settings.location = adjourn::exchange::ExchangeLocation::Url(sim.url().replace(&target, &proxy));
    let house = LiveFixture::follow(sim, 2, settings, following_options()).await;
    house.wait_until("all are listened to", |house| house.all_tracked_by(TrackingMode::Streaming)).await;
    let asked = house.request_count("GetStreamingEvents");
    swallow.send(true).unwrap();
    house.book(1, 3);
    house
        .wait_until("the stalled stream is detected", |house| {
            house.request_count("GetStreamingEvents") > asked
        })
        .await;
    house
        .wait_until("and the cache is current", |house| {
            house.all_tracked_by(TrackingMode::Streaming) && house.all_match_mailboxes()
        })
        .await;
    house.book(0, 3);
    house.wait_until("and changes arrive", LiveFixture::all_match_mailboxes).await;
    house.close().await;
}
