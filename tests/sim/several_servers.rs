//! Several Exchange servers, and rooms that move between them: requests for a room go to its own server only.

use adjourn::action::Step;
use adjourn::autodiscover::Policy;
use adjourn::before_send::Unconditional;
use adjourn::calendar::{Uid, Window};
use adjourn::engine::{CalendarReader as _, CalendarWriter as _, ErrorKind, Occupancy, WriteOutcome};
use adjourn::exchange::{ExchangeLocation, RequestError};
use adjourn::router::ConnectionRouter;
use adjourn::sim::{AutodiscoverResponse, FaultRule, InjectedFault, RoomSpec, Simulator, SimulatorOptions};
use adjourn_test::{address, ca_file, exchange, host, meeting_in, now, people, settings, simulator_with};
use chrono::TimeDelta;

const HERE: &str = "berlin-1@example.com";
const THERE: &str = "oslo-1@example.com";

/// A building of one room with a current meeting.
async fn building(room: &str, tls: bool) -> Simulator {
    let mut world = people();
    world.add_room(RoomSpec::new("Room", room));
    world.add_meeting(meeting_in(room));
    simulator_with(world, SimulatorOptions { tls, ..SimulatorOptions::default() }).await
}

fn soon() -> Window {
    Window::new(now(), now() + TimeDelta::hours(1)).unwrap()
}

fn mailboxes(sim: &Simulator) -> Vec<String> {
    let mut all: Vec<_> = sim.requests().into_iter().filter_map(|asked| asked.mailbox).collect();
    all.dedup();
    all
}

#[tokio::test]
async fn each_room_is_asked_about_where_it_lives_and_nowhere_else() {
    let (here, there) = (building(HERE, false).await, building(THERE, false).await);
    let mut sites = ConnectionRouter::default();
    sites.add(vec!["oslo-*@example.com".parse().unwrap()], exchange(&settings(&there, None)));
    sites.set_fallback(exchange(&settings(&here, None)));
    for room in [HERE, THERE] {
        assert_eq!(sites.events(&address(room), soon()).await.unwrap().events.len(), 1);
    }
    let both = [address(THERE), address(HERE), address(THERE)];
    assert_eq!(sites.occupancy(&both, soon()).await.unwrap(), [Occupancy::MaybeBusy; 3]);
    assert_eq!((mailboxes(&here), mailboxes(&there)), (vec![HERE.to_owned()], vec![THERE.to_owned()]));

    // An unavailable server hides no room of the other.
    let mut free = both.to_vec();
    free.truncate(2);
    there.stop().await;
    let later = Window::new(now() + TimeDelta::hours(3), now() + TimeDelta::hours(4)).unwrap();
    assert_eq!(sites.occupancy(&free, later).await.unwrap(), [Occupancy::MaybeBusy, Occupancy::Free]);

    let mut only = ConnectionRouter::default();
    only.add(vec![address(THERE).as_str().parse().unwrap()], exchange(&settings(&here, None)));
    let trouble = only.events(&address(HERE), soon()).await.unwrap_err();
    assert_eq!(trouble.code, "no connection");
}

/// A proxy to this simulator that accepts the first connection late.
async fn slow_door(sim: &Simulator, after: std::time::Duration) -> String {
    let door = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (at, behind) = (door.local_addr().unwrap().to_string(), host(sim));
    tokio::spawn(async move {
        while let Ok((mut outside, _)) = door.accept().await {
            let behind = behind.clone();
            tokio::spawn(async move {
                tokio::time::sleep(after).await;
                let mut inside = tokio::net::TcpStream::connect(behind).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut outside, &mut inside).await;
            });
        }
    });
    at
}

#[tokio::test]
async fn a_write_has_its_patience_still_when_its_server_took_long_to_find() {
    let sim = building(HERE, true).await;
    let ca = ca_file(&[&sim]);
    let door = slow_door(&sim, std::time::Duration::from_millis(2_500)).await;
    let mut settings = settings(&sim, Some(ca.path()));
    let confirmed = [host(&sim), door.clone()].map(|host| host.parse().unwrap());
    settings.location = ExchangeLocation::Discovered(Policy {
        preferred_host: Some(door.parse().unwrap()),
        ..Policy::new(confirmed)
    });
    let start = now() + TimeDelta::hours(3);
    let book = Step::Book {
        uid: Uid::new("first"),
        start,
        end: start + TimeDelta::minutes(30),
        subject: "At once".to_owned(),
    };
    let reply = exchange(&settings).write(&address(HERE), &book, &Unconditional).await;
    assert_eq!(reply.outcome, WriteOutcome::Done);
    assert_eq!(sim.autodiscover(|it| it.requests().len()), 1);
}

#[tokio::test]
async fn a_room_that_moved_is_looked_for_again_and_found() {
    let (old, new) = (building(HERE, true).await, building(HERE, true).await);
    let ca = ca_file(&[&old, &new]);
    let mut settings = settings(&old, Some(ca.path()));
    let confirmed = [&old, &new].map(|sim| host(sim).parse().unwrap());
    settings.location = ExchangeLocation::Discovered(Policy {
        preferred_host: Some(host(&old).parse().unwrap()),
        ..Policy::new(confirmed)
    });
    let exchange = exchange(&settings);
    exchange.check_calendar(&address(HERE)).await.unwrap();
    exchange.check_calendar(&address(HERE)).await.unwrap();
    assert_eq!(old.autodiscover(|it| it.requests().len()), 1, "the found server is cached");

    // The mailbox is in transit, and then on another server.
    old.autodiscover(|it| it.set_response(HERE, AutodiscoverResponse::EwsUrl(new.url())));
    old.inject_fault(FaultRule::new(InjectedFault::Fault("ErrorMailboxMoveInProgress")));
    exchange.check_calendar(&address(HERE)).await.unwrap();
    assert_eq!(new.requests().len(), 1);

    // The new server no longer has the mailbox: it moved back.
    old.autodiscover(|it| it.set_response(HERE, AutodiscoverResponse::EwsUrl(old.url())));
    new.inject_fault(FaultRule::new(InjectedFault::Fault("ErrorNonExistentMailbox")));
    let before = old.requests().len();
    exchange.check_calendar(&address(HERE)).await.unwrap();
    assert_eq!(old.requests().len(), before + 1);

    // A server without the mailbox reports it.
    for code in ["ErrorProxyRequestNotAllowed", "ErrorCrossSiteRequest", "ErrorWrongServerVersion"] {
        let (from, to) = if code == "ErrorCrossSiteRequest" { (&new, &old) } else { (&old, &new) };
        old.autodiscover(|it| it.set_response(HERE, AutodiscoverResponse::EwsUrl(to.url())));
        from.inject_fault(FaultRule::new(InjectedFault::Fault(code)));
        let before = to.requests().len();
        exchange.check_calendar(&address(HERE)).await.unwrap();
        assert_eq!(to.requests().len(), before + 1, "{code}");
    }
    old.autodiscover(|it| it.set_response(HERE, AutodiscoverResponse::EwsUrl(old.url())));
    new.inject_fault(FaultRule::new(InjectedFault::Fault("ErrorCrossSiteRequest")));
    exchange.check_calendar(&address(HERE)).await.unwrap();

    // A mailbox on no server is searched for once, not for ever.
    old.autodiscover(|it| it.set_response(HERE, AutodiscoverResponse::InvalidUser));
    old.inject_fault(FaultRule::new(InjectedFault::Fault("ErrorNonExistentMailbox")));
    let nowhere = exchange.check_calendar(&address(HERE)).await;
    assert!(matches!(nowhere, Err(RequestError::Refused(ErrorKind::NoMailbox, _))), "{nowhere:?}");
}

#[tokio::test]
async fn a_server_that_refuses_the_account_keeps_nobody_from_the_others() {
    let (here, there) = (building(HERE, true).await, building(THERE, true).await);
    there.change_password("another");
    let ca = ca_file(&[&here, &there]);
    here.autodiscover(|it| it.set_response(THERE, AutodiscoverResponse::EwsUrl(there.url())));
    let mut settings = settings(&here, Some(ca.path()));
    let confirmed = [&here, &there].map(|sim| host(sim).parse().unwrap());
    settings.location = ExchangeLocation::Discovered(Policy {
        preferred_host: Some(host(&here).parse().unwrap()),
        ..Policy::new(confirmed)
    });
    let exchange = exchange(&settings);
    exchange.check_calendar(&address(HERE)).await.unwrap();
    for _ in 0..3 {
        let refused = exchange.check_calendar(&address(THERE)).await;
        assert!(matches!(refused, Err(RequestError::Refused(ErrorKind::Credentials, _))), "{refused:?}");
        exchange.check_calendar(&address(HERE)).await.unwrap();
    }
}
