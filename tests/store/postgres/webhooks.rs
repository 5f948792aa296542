//! Two services that share their webhooks.

use std::sync::Arc;

use adjourn::clock::SystemClock;
use adjourn::prelude::Secret;
use adjourn::service::{Notice, NoticeBus, NoticeFilter, Webhook, Webhooks};
use adjourn::store::ServiceStore;
use adjourn_test::{WebhookReceiver, now, room, wait_until};
use tokio::task::JoinHandle;

use crate::service_stores::of_postgres;

/// The webhooks of one service.
fn start(store: &ServiceStore, receiver: &WebhookReceiver) -> (NoticeBus, JoinHandle<()>) {
    let clock = Arc::new(SystemClock);
    let secret = Secret::new("shared".to_owned());
    let hook = Webhook::new("lobby", &receiver.url(), secret, NoticeFilter::default(), clock.clone());
    let webhooks = Arc::new(Webhooks::new(store.clone(), clock.clone()));
    webhooks.replace(vec![hook.unwrap()]);
    let bus = NoticeBus::new(clock);
    let task = tokio::spawn(webhooks.run(bus.subscribe().unwrap()));
    (bus, task)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_services_send_each_notice_once() {
    const EACH: u64 = 40;
    let Some(shared) = of_postgres().await else { return };
    let receiver = WebhookReceiver::start().await;
    let services = [&shared.store, &shared.other].map(|store| start(store, &receiver));
    for number in 0..EACH {
        for (bus, _) in &services {
            let (room, source) = (room(&format!("r{number}")), "panel".to_owned());
            bus.publish(Notice::CheckedIn { room, at: now(), source });
        }
    }
    let all: Vec<u64> = (1..=2 * EACH).collect();
    wait_until("all notices", || receiver.numbers().len() >= all.len()).await;
    for (bus, task) in services {
        bus.close();
        task.await.unwrap();
    }
    let mut numbers = receiver.numbers();
    numbers.sort_unstable();
    assert_eq!(numbers, all);
    assert_eq!(shared.store.queue_state("lobby".to_owned()).await.unwrap().waiting, 0);
}
