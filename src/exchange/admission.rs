//! Admits a request: takes the sign-in lock while the account is not proven, finds the room's server, and waits for a throttle
//! permit, within the operation's time. Sends no EWS request but the probe before a sign-in.

use tokio::time::{Instant, timeout_at};

use super::client::EwsClient;
use super::progress::{AdmittedRequest, FoundServer, OperationProgress};
use super::request_error::RequestError;
use super::resolve_error::ResolveError;
use super::server_state::ServerKey;
use super::sign_in_attempt::SignInAttempt;
use crate::calendar::RoomAddress;

impl EwsClient {
    /// Waits until a request of this room may be sent.
    pub(super) async fn admit(
        &self,
        room: &RoomAddress,
        progress: &mut OperationProgress,
    ) -> Result<AdmittedRequest, RequestError> {
        loop {
            let server = self.endpoints.server_key(room);
            self.lock_sign_in(&server, room, progress).await?;
            let found = self.find_connections(room, progress).await?;
            if matches!(found, FoundServer::Connections(_)) && self.endpoints.server_key(room) != server {
                progress.sign_in_lock = None;
                continue; // the server was found just now; its sign-in state is another one
            }
            let Some(permit) = self.throttle.acquire(&progress.room, progress.send_by).await else {
                return Err(progress.last_error.clone());
            };
            let is_locked = progress.sign_in_lock.is_some();
            if !is_locked && server != ServerKey::Autodiscover && !self.lockout.is_authenticated(&server) {
                continue; // another request was rejected while this one waited
            }
            let began = Instant::now();
            if is_locked && let FoundServer::Connections(transport) = &found {
                let next = SignInAttempt { transport, server: &server, room: room.as_str(), began };
                Box::pin(self.probe_before_sign_in(&next))
                    .await
                    .map_err(|(kind, code)| RequestError::Refused(kind, code))?;
            }
            return Ok(AdmittedRequest { server, found, permit, began });
        }
    }

    /// Takes the sign-in lock, if the server has not accepted the account. It is taken before a throttle permit; the reverse order
    /// deadlocks: requests that hold permits would wait for the request that holds the lock, which waits for a permit. While the
    /// server is unknown, Autodiscover asks the lockout guard itself before it sends credentials.
    async fn lock_sign_in(
        &self,
        server: &ServerKey,
        room: &RoomAddress,
        progress: &mut OperationProgress,
    ) -> Result<(), RequestError> {
        if progress.sign_in_lock.is_some() || *server == ServerKey::Autodiscover {
            return Ok(());
        }
        match timeout_at(progress.send_by, self.lockout.admit_room(server, room.as_str())).await {
            Ok(Ok(lock)) => progress.sign_in_lock = lock,
            Ok(Err((kind, code))) => return Err(RequestError::Refused(kind, code)),
            Err(_) => return Err(progress.last_error.clone()),
        }
        Ok(())
    }

    /// The connections to the room's server. The time of Autodiscover does not count as a write's wait: it runs once.
    async fn find_connections(
        &self,
        room: &RoomAddress,
        progress: &mut OperationProgress,
    ) -> Result<FoundServer, RequestError> {
        let began = Instant::now();
        let found = match timeout_at(progress.deadline, self.endpoints.resolve(room)).await {
            Err(_) => {
                let why = "finding the room's server by Autodiscover";
                return Err(RequestError::Busy(String::from(why)));
            }
            Ok(Ok(connections)) => FoundServer::Connections(connections),
            Ok(Err(ResolveError::Unavailable(error))) => FoundServer::Unavailable(error),
            Ok(Err(error)) => return Err(error.into()),
        };
        progress.send_by = progress.deadline.min(progress.send_by + began.elapsed());
        Ok(found)
    }
}
