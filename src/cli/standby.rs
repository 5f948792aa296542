//! Waits while another process with the same journal is the active service. Meanwhile probes learn that this process lives and is not
//! ready. Accepts no request, and acts in no room.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::connect::{self, OpenedEngine};
use super::exit::CommandError;
use super::output::Output;
use super::ports::{self, Ports};
use crate::api::{self, ListenerLimits};
use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::journal::{Journal, JournalError, JournalLock, LockName};

/// Time between two attempts to become the active service.
const ATTEMPT_EVERY: Duration = Duration::from_millis(500);
/// How long a takeover waits for the connections of probes: a slow client must not delay it.
const CLOSING_GRACE: Duration = Duration::from_millis(500);

/// The right to be the active service, and the ports to serve on.
pub(super) struct ActiveService {
    /// It lasts as long as this value, or until another process has taken over.
    pub(super) lock: JournalLock,
    pub(super) ports: Ports,
    /// Set if another process was active before.
    pub(super) standby: Option<StandbyAnswers>,
}

/// Waits until this process is the active service. If no other one is, it recovers interrupted actions before it listens. After a takeover
/// the service settles them while it serves, because displays have waited already.
pub(super) async fn until_active(
    opened: &OpenedEngine,
    listen: SocketAddr,
    output: &Output,
) -> Result<ActiveService, CommandError> {
    let journal = opened.engine.journal();
    if let Some(lock) = journal.try_lock(&LockName::Service).await? {
        connect::recover(&opened.engine, output).await?;
        let ports = Ports::open(&opened.config.api, listen).await?;
        return Ok(ActiveService { lock, ports, standby: None });
    }
    let mut ports = Ports::open(&opened.config.api, listen).await?;
    ports.announce(output)?;
    tracing::info!(url = ports.url(), "another process is the active service: standing by");
    let standby = StandbyAnswers::start(&ports, &opened.config);
    let _ = sd_notify::notify(&[
        sd_notify::NotifyState::Ready,
        sd_notify::NotifyState::Status("standing by: another process is the active service"),
    ]);
    let lock = lock_service(&**journal).await?;
    tracing::warn!("the former service is gone: this process takes over");
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Status("active")]);
    connect::add_newest_record(&opened.clock, &**journal).await?;
    Ok(ActiveService { lock, ports, standby: Some(standby) })
}

/// The answers on the service's own ports while this process is not the active service.
pub(super) struct StandbyAnswers {
    stop: CancellationToken,
    listeners: JoinSet<()>,
}

impl StandbyAnswers {
    fn start(ports: &Ports, config: &Config) -> Self {
        let (stop, mut listeners) = (CancellationToken::new(), JoinSet::new());
        let router = api::standby_router(SystemClock.now());
        let limits = ListenerLimits {
            shutdown_grace: CLOSING_GRACE,
            ..ListenerLimits::with(ports::connections(config))
        };
        ports.serve((router.clone(), limits), router, &stop, &mut listeners);
        Self { stop, listeners }
    }

    /// Closes the connections, so that their clients reach the service, which listens on the same ports next.
    pub(super) async fn end(mut self) {
        self.stop.cancel();
        while self.listeners.join_next().await.is_some() {}
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
