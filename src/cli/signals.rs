//! The signals that stop the service or reload its configuration. Handles none of them.

use super::exit::{CommandError, Exit};

/// A request by signal.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ServiceSignal {
    Reload,
    Stop,
}

#[cfg(unix)]
pub(super) struct Signals {
    terminate: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    /// Called before the address is printed: a stop right after that is orderly too.
    pub(super) fn listen() -> Result<Self, CommandError> {
        use tokio::signal::unix::{SignalKind, signal};
        let deaf = |error| CommandError::new(Exit::Usage, "cannot install signal handlers").caused_by(error);
        let (terminate, hangup) = (signal(SignalKind::terminate()), signal(SignalKind::hangup()));
        Ok(Self { terminate: terminate.map_err(deaf)?, hangup: hangup.map_err(deaf)? })
    }

    pub(super) async fn next(&mut self) -> ServiceSignal {
        tokio::select! {
            _ = self.terminate.recv() => ServiceSignal::Stop,
            _ = tokio::signal::ctrl_c() => ServiceSignal::Stop,
            _ = self.hangup.recv() => ServiceSignal::Reload,
        }
    }

    /// Waits for a stop only; a reload signal is handled afterwards.
    pub(super) async fn stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    }
}

/// Platforms with Ctrl-C only.
#[cfg(not(unix))]
pub(super) struct Signals;

#[cfg(not(unix))]
impl Signals {
    pub(super) fn listen() -> Result<Self, CommandError> {
        Ok(Self)
    }

    pub(super) async fn next(&mut self) -> ServiceSignal {
        self.stop().await;
        ServiceSignal::Stop
    }

    pub(super) async fn stop(&mut self) {
        let _ = tokio::signal::ctrl_c().await;
    }
}
