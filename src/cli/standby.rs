//! Waits while another process with the same journal is the active service. Meanwhile probes learn that this process lives and is not
//! ready. Accepts no request, and acts in no room.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::exit::CommandError;
use super::output::Output;
use super::ports::{self, Ports};
use super::signals::{ServiceSignal, Signals};
use crate::api::{self, ListenerLimits};
use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::journal::{Journal, JournalError, JournalLock, LockName};

/// Time between two attempts to become the active service.
const ATTEMPT_EVERY: Duration = Duration::from_millis(250);
/// How long a takeover waits for the connections of probes: a slow client must not delay it.
const CLOSING_GRACE: Duration = Duration::from_millis(500);

/// The right to be the active service. It lasts as long as this value, or until another process has taken over.
pub(super) struct ActiveService {
    _lock: JournalLock,
    /// Whether another process was active before.
    pub(super) has_taken_over: bool,
}

/// Waits until this process is the active service. `None` if a signal stopped it first.
pub(super) async fn until_active(
    journal: &dyn Journal,
    config: &Config,
    ports: &mut Ports,
    signals: &mut Signals,
    output: &Output,
) -> Result<Option<ActiveService>, CommandError> {
    if let Some(lock) = journal.try_lock(&LockName::Service).await? {
        return Ok(Some(ActiveService { _lock: lock, has_taken_over: false }));
    }
    ports.announce(output)?;
    tracing::info!(url = ports.url(), "another process is the active service: standing by");
    let (stop, mut parts) = (CancellationToken::new(), JoinSet::new());
    answer_probes(ports, config, &stop, &mut parts);
    let _ = sd_notify::notify(&[
        sd_notify::NotifyState::Ready,
        sd_notify::NotifyState::Status("standing by: another process is the active service"),
    ]);
    let lock = tokio::select! {
        lock = lock_service(journal) => Some(lock?),
        () = until_stopped(signals) => None,
    };
    stop.cancel();
    // Connections to the probes end now, so that their clients reach the service.
    while parts.join_next().await.is_some() {}
    Ok(lock.map(|lock| {
        tracing::warn!("the former service is gone: this process takes over");
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Status("active")]);
        ActiveService { _lock: lock, has_taken_over: true }
    }))
}

/// Answers on the service's own ports.
fn answer_probes(ports: &Ports, config: &Config, stop: &CancellationToken, parts: &mut JoinSet<()>) {
    if let Some(tls) = ports.tls.clone() {
        let stop = stop.clone();
        parts.spawn(async move { tls.reload_until(stop).await });
    }
    let router = api::standby_router(SystemClock.now());
    let limits =
        |connections| ListenerLimits { shutdown_grace: CLOSING_GRACE, ..ListenerLimits::with(connections) };
    let all = limits(ports::connections(config));
    parts.spawn(api::serve(ports.api.clone(), ports.tls.clone(), router.clone(), all, stop.clone()));
    if let Some(health) = ports.health.clone() {
        let probes = limits(ports::health_connections());
        parts.spawn(api::serve(health, None, router, probes, stop.clone()));
    }
}

/// Waits for the lock of the active service, also while the database is away.
async fn lock_service(journal: &dyn Journal) -> Result<JournalLock, JournalError> {
    loop {
        match journal.try_lock(&LockName::Service).await {
            Ok(Some(lock)) => return Ok(lock),
            Ok(None) => {}
            Err(error) => match journal.ended() {
                Some(why) => return Err(why),
                None => tracing::warn!(%error, "cannot learn whether another process is the active service"),
            },
        }
        tokio::time::sleep(ATTEMPT_EVERY).await;
    }
}

/// Waits for a signal that stops the process. The configuration is read when this process becomes the active service.
async fn until_stopped(signals: &mut Signals) {
    while signals.next().await == ServiceSignal::Reload {}
}
