//! `adjourn webhook`: lists webhooks and their queues, sends a test notice, and queues dropped notices again. It works on the service
//! store beside a running service, which reads its queues every second. Never sends a stored notice itself.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::args::{ConnectionArgs, RedeliverArgs, WebhookArgs, WebhookCommand};
use super::connect;
use super::exit::{CommandError, Exit};
use super::output::{Output, table};
use super::secrets::ProcessSecrets;
use super::storage::Storage;
use super::suggest::did_you_mean;
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, SecretResolver as _, WebhookConfig};
use crate::service::{AttemptResult, TestAnswer, WEBHOOK_DELIVERY_MAX, Webhook, WebhookKind};
use crate::store::QueueState;
use crate::suggestion::closest;
use crate::timestamp::Timestamp;

pub(super) async fn run(
    args: WebhookArgs,
    connection: &ConnectionArgs,
    output: &Output,
) -> Result<Exit, CommandError> {
    let mut config = connect::load(connection)?;
    match args.command {
        WebhookCommand::List => list(&mut config, output).await,
        WebhookCommand::Test { name } => test(find(&config, &name)?, output).await,
        WebhookCommand::Redeliver(args) => redeliver(args, &mut config, output).await,
    }
}

/// Opens every configured webhook: reads their secrets, and connects to nothing yet. A command that prints a secret may take its time,
/// so a thread of its own waits for it.
pub(super) async fn open_all(config: &Config, clock: Arc<dyn Clock>) -> Result<Vec<Webhook>, CommandError> {
    let webhooks = config.webhooks.clone();
    let opening = move || webhooks.iter().map(|webhook| open(webhook, clock.clone())).collect();
    let opened = tokio::task::spawn_blocking(opening).await;
    opened.unwrap_or_else(|error| {
        Err(CommandError::new(Exit::Usage, "cannot read the secrets of the webhooks").caused_by(error))
    })
}

fn open(config: &WebhookConfig, clock: Arc<dyn Clock>) -> Result<Webhook, CommandError> {
    let unusable = || CommandError::new(Exit::Usage, format!("cannot use the webhook {}", config.name));
    let secret = ProcessSecrets.read("webhook secret", &config.secret);
    let secret = secret.map_err(|error| unusable().caused_by(error))?;
    let webhook = Webhook::new(&config.name, &config.url, secret, config.filter.clone(), clock);
    webhook.map_err(|error| unusable().caused_by(error))
}

fn find<'c>(config: &'c Config, name: &str) -> Result<&'c WebhookConfig, CommandError> {
    let names = || config.webhooks.iter().map(|webhook| webhook.name.as_str());
    config.webhooks.iter().find(|webhook| webhook.name == name).ok_or_else(|| {
        let meant = did_you_mean(closest(name, names()));
        let message = format!("no webhook is named `{name}`: list them with adjourn webhook list{meant}");
        CommandError::new(Exit::Usage, message)
    })
}

/// A webhook as printed.
#[derive(Serialize)]
struct PrintedWebhook {
    name: String,
    /// Without the path, which may be secret.
    url: String,
    /// Empty: all.
    kinds: Vec<WebhookKind>,
    /// Empty: all.
    rooms: Vec<String>,
    /// Notices that wait.
    waiting: usize,
    /// The time of the oldest of them.
    oldest_at: Option<Timestamp>,
    /// Dropped notices that can be queued again.
    dropped: usize,
    /// Until when no notice is sent, because several failed in a row.
    paused_until: Option<Timestamp>,
    last_attempt_at: Option<Timestamp>,
    last_result: Option<String>,
}

impl PrintedWebhook {
    fn new(webhook: &WebhookConfig, queue: QueueState, now: DateTime<Utc>) -> Self {
        Self {
            name: webhook.name.clone(),
            url: webhook.shown_url(),
            kinds: webhook.filter.kinds.clone(),
            rooms: webhook.filter.rooms.iter().map(ToString::to_string).collect(),
            waiting: queue.waiting,
            oldest_at: queue.oldest.map(Timestamp::from),
            dropped: queue.dropped,
            paused_until: queue
                .paused_until
                .filter(|until| *until > now && queue.waiting > 0)
                .map(Timestamp::from),
            last_attempt_at: queue.attempted.map(Timestamp::from),
            last_result: queue.result,
        }
    }

    fn cells(&self) -> [String; 8] {
        let all_or = |words: Vec<&str>| if words.is_empty() { "all".to_owned() } else { words.join(" ") };
        let time = |at: Option<Timestamp>| {
            at.map_or_else(|| "-".to_owned(), |at| at.to_utc().format("%F %H:%M:%SZ").to_string())
        };
        let last = match (&self.last_attempt_at, &self.last_result) {
            (Some(at), Some(result)) => format!("{}: {result}", time(Some(*at))),
            _ => "never".to_owned(),
        };
        [
            self.name.clone(),
            self.url.clone(),
            all_or(self.kinds.iter().map(|kind| kind.as_str()).collect()),
            all_or(self.rooms.iter().map(String::as_str).collect()),
            self.waiting.to_string(),
            time(self.oldest_at),
            self.dropped.to_string(),
            last,
        ]
    }
}

async fn list(config: &mut Config, output: &Output) -> Result<Exit, CommandError> {
    let store = Storage::of(config)?.service_store_if_any().await?;
    let (mut printed, now) = (Vec::new(), SystemClock.now());
    for webhook in &config.webhooks {
        let queue = match &store {
            Some(store) => store.queue_state(webhook.name.clone()).await?,
            None => QueueState::default(),
        };
        printed.push(PrintedWebhook::new(webhook, queue, now));
    }
    output.data(&printed, || {
        let header = ["NAME", "URL", "KINDS", "ROOMS", "WAITING", "OLDEST", "DROPPED", "LAST ATTEMPT"];
        let mut table = table(&header);
        printed.iter().for_each(|webhook| table.add_row(webhook.cells()));
        format!("{table}\n\n{} webhooks", printed.len())
    })?;
    Ok(Exit::Done)
}

/// The result of a test.
#[derive(Serialize)]
struct PrintedTest<'a> {
    webhook: &'a str,
    accepted: bool,
    /// Null: there was no answer.
    status: Option<u16>,
    result: String,
    /// The beginning of the response's body.
    body: &'a str,
}

async fn test(config: &WebhookConfig, output: &Output) -> Result<Exit, CommandError> {
    let webhook = open(config, Arc::new(SystemClock))?;
    let TestAnswer { result, body } = webhook.send_test().await;
    let (status, exit) = match &result {
        AttemptResult::Answered { status, .. } if result.is_accepted() => (Some(*status), Exit::Done),
        AttemptResult::Answered { status, .. } => (Some(*status), Exit::Refused),
        AttemptResult::Unreachable { .. } => (None, Exit::Unavailable),
    };
    let (accepted, result) = (result.is_accepted(), result.to_string());
    let printed = PrintedTest { webhook: &config.name, accepted, status, result, body: &body };
    output.data(&printed, || {
        let verdict = if accepted { "accepted the test notice" } else { "did not accept the test notice" };
        format!("{} {verdict}: {}\n{body}", config.name, printed.result)
    })?;
    Ok(exit)
}

async fn redeliver(args: RedeliverArgs, config: &mut Config, output: &Output) -> Result<Exit, CommandError> {
    let name = find(config, &args.name)?.name.clone();
    let store = Storage::of(config)?.service_store_if_any().await?;
    let queued = match store {
        Some(store) => {
            let expires = SystemClock.now() + WEBHOOK_DELIVERY_MAX;
            store.requeue_notices(name.clone(), args.since, expires).await?
        }
        None => 0,
    };
    let printed = serde_json::json!({ "webhook": name, "queued": queued });
    output.success(&printed, || format!("{queued} notices of {name} are queued again"))?;
    Ok(Exit::Done)
}
