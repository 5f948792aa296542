//! Discovery of the rooms' servers: an unreachable domain does not delay rooms of other domains, and is not queried
//! again in vain.

use std::time::Duration;

use adjourn::autodiscover::Policy;
use adjourn::exchange::{Exchange, ExchangeLocation};
use adjourn::live::Feed as _;
use adjourn::sim::{AutodiscoverProtocol, AutodiscoverRequest, AutodiscoverResponse, RoomSpec, Simulator};
use adjourn_test::{address, ca_file, exchange, host, over_tls, people, settings, simulator_with};
use tokio::time::{Instant, timeout};

const GOOD: [&str; 2] = ["room1@good.example", "room2@good.example"];
const BAD: [&str; 3] = ["room1@bad.example", "room2@bad.example", "room3@bad.example"];
/// Time limit of one Autodiscover request.
const WITHIN: Duration = Duration::from_secs(12);

/// A server whose Autodiscover redirects the bad rooms to a host that accepts connections and never answers.
async fn two_domains() -> (Simulator, Exchange) {
    let mut world = people();
    for room in GOOD {
        world.add_room(RoomSpec::new("Room", room));
    }
    let sim = simulator_with(world, over_tls()).await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let there = format!("https://{}/autodiscover/autodiscover.json", silent.local_addr().unwrap());
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok(connection) = silent.accept().await {
            held.push(connection);
        }
    });
    for room in BAD {
        sim.autodiscover(|it| it.set_response(room, AutodiscoverResponse::RedirectUrl(there.clone())));
    }
    let ca = ca_file(&[&sim]);
    let mut settings = settings(&sim, Some(ca.path()));
    settings.connect_timeout = WITHIN / 2;
    let host = host(&sim).parse::<adjourn::autodiscover::HostPattern>().unwrap();
    let first = Some(host.to_string().parse().unwrap());
    settings.location = ExchangeLocation::Discovered(Policy { preferred_host: first, ..Policy::new([host]) });
    let exchange = exchange(&settings);
    (sim, exchange)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_domain_that_leads_nowhere_keeps_no_other_waiting() {
    let (_sim, exchange) = two_domains().await;
    let exchange = std::sync::Arc::new(exchange);
    let bad = BAD.map(|room| {
        let exchange = exchange.clone();
        tokio::spawn(async move { exchange.find_server(&address(room)).await.is_ok() })
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    for room in GOOD {
        let found = timeout(WITHIN / 4, exchange.find_server(&address(room))).await;
        assert!(matches!(found, Ok(Ok(Some(_)))), "{found:?}");
    }
    assert!(bad.iter().all(|search| !search.is_finished()), "they still wait");
    for search in bad {
        assert!(!search.await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_search_came_to_is_kept_when_its_caller_has_gone() {
    let (sim, exchange) = two_domains().await;
    let room = address(BAD[0]);
    for _ in 0..5 {
        assert!(timeout(Duration::from_millis(50), exchange.find_server(&room)).await.is_err(), "it hangs");
    }
    let begun = Instant::now();
    assert!(exchange.find_server(&room).await.is_err());
    assert!(begun.elapsed() < 2 * WITHIN, "{:?}", begun.elapsed());
    let asked = sim.autodiscover(|it| it.requests().len());
    let begun = Instant::now();
    assert!(exchange.find_server(&room).await.is_err());
    assert!(begun.elapsed() < WITHIN / 4, "{:?}", begun.elapsed());
    assert_eq!(sim.autodiscover(|it| it.requests().len()), asked, "no request was repeated");
}

#[tokio::test(flavor = "multi_thread")]
async fn rooms_that_are_found_are_grouped_while_others_are_still_looked_for() {
    let (_sim, exchange) = two_domains().await;
    let rooms: Vec<_> = BAD.iter().chain(&GOOD).map(|room| address(room)).collect();
    let begun = Instant::now();
    let groups = exchange.group_rooms(&rooms).await;
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    let grouped: Vec<_> = groups.into_iter().flat_map(|group| group.rooms).collect();
    assert_eq!(grouped, GOOD.map(address));
}

/// On one thread, all rooms wait before the first search begins.
#[tokio::test]
async fn many_rooms_of_a_domain_are_found_by_a_few_requests() {
    const ROOMS: usize = 400;
    let mut world = people();
    let rooms: Vec<_> = (0..ROOMS).map(|number| format!("desk{number}@good.example")).collect();
    for room in &rooms {
        world.add_room(RoomSpec::new("Desk", room));
    }
    let sim = simulator_with(world, over_tls()).await;
    let ca = ca_file(&[&sim]);
    let mut settings = settings(&sim, Some(ca.path()));
    let host = host(&sim).parse::<adjourn::autodiscover::HostPattern>().unwrap();
    let first = Some(host.to_string().parse().unwrap());
    settings.location = ExchangeLocation::Discovered(Policy { preferred_host: first, ..Policy::new([host]) });
    let (exchange, addresses) =
        (exchange(&settings), rooms.iter().map(|room| address(room)).collect::<Vec<_>>());
    let searches = addresses.iter().map(|room| exchange.find_server(room));
    for found in futures_util::future::join_all(searches).await {
        assert!(matches!(found, Ok(Some(_))), "{found:?}");
    }
    // A search of one room begins with JSON; a request about many is SOAP.
    let is_alone = |request: &&AutodiscoverRequest| request.protocol == AutodiscoverProtocol::Json;
    let alone = sim.autodiscover(|it| it.requests().iter().filter(is_alone).count());
    assert_eq!(alone, 1, "of {ROOMS} rooms");
}

/// The server of the domain's other rooms does not know where this one is.
#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_lives_elsewhere_is_searched_alone() {
    let (sim, exchange) = two_domains().await;
    let elsewhere = "elsewhere@good.example";
    sim.autodiscover(|it| it.set_response(elsewhere, AutodiscoverResponse::InvalidUser));
    let exchange = std::sync::Arc::new(exchange);
    let searches = [GOOD[0], elsewhere, GOOD[1]].map(|room| {
        let (exchange, room) = (exchange.clone(), address(room));
        tokio::spawn(async move { exchange.find_server(&room).await })
    });
    let [first, missing, second] = searches;
    assert!(matches!(first.await.unwrap(), Ok(Some(_))));
    assert!(missing.await.unwrap().is_err(), "no other room's server becomes its own");
    assert!(matches!(second.await.unwrap(), Ok(Some(_))));
}
