//! Account lockout guard. Active Directory locks an account after some failed sign-ins, and a wrong password could be
//! sent for each of a thousand rooms. So until a server accepts the account, one request at a time authenticates; after
//! a rejection nothing is sent for a back-off that doubles.
//!
//! State is kept for each server and for the account as a whole. A server that rejects the account while another one
//! accepts it is misconfigured: only its own rooms stop. While no server accepts the account, a rejection by one server
//! stops the requests to all.
//!
//! A server can reject one room and accept the account for the others, because each room's requests end at the back end
//! that holds its mailbox. So a rejection counts against the account only if a room that worked before is rejected too
//! (`sign_in_probe.rs`); otherwise that room alone backs off (`sign_in_failures.rs`). Rejected tokens lock no account,
//! so they always concern the room alone.
//!
//! Requests under way cannot be recalled: Basic and bearer credentials go with every request, so as many are rejected
//! as were sent at once. Sign-ins that belong to a connection (NTLM, Negotiate) are limited by
//! `login/single_flight.rs`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, MutexGuard};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};
use tokio::time::Instant;

use super::server_state::{ServerKey, ServerMap, ServerStates};
use super::sign_in_failures::{FailureRecord, SignInFailure};
use crate::engine::ErrorKind;

/// Rooms that a probe uses to distinguish a rejected account from a rejected room: a second one in case the first fails by
/// itself.
pub(super) const PROVEN_ROOMS_MAX: usize = 2;

/// Sign-in state of one account at all its servers, by server URL.
#[derive(Default)]
pub(super) struct LockoutGuard {
    /// Serializes sign-ins while no server accepts the account.
    sign_in_lock: Arc<AsyncMutex<()>>,
    servers: ServerStates,
    /// Rejections counted against the account …
    account_failures: AtomicU64,
    /// … and against single rooms.
    room_failures: AtomicU64,
}

impl ServerMap {
    fn check_server(&self, server: &ServerKey) -> Result<(), SignInFailure> {
        if let Some(server) = self.get(server) {
            server.failures.check()?;
        }
        if self.is_authenticated_anywhere() { Ok(()) } else { self.account_wide.check() }
    }
}

impl LockoutGuard {
    pub(super) fn new(servers: ServerStates) -> Self {
        Self { servers, ..Self::default() }
    }

    /// Waits for permission to authenticate to this server: immediate if the server accepted the account before,
    /// otherwise one request at a time. Fails with the last rejection during its back-off.
    pub(super) async fn admit(
        &self,
        server: &ServerKey,
    ) -> Result<Option<OwnedMutexGuard<()>>, SignInFailure> {
        let lock = match self.sign_in_lock(server) {
            None => None,
            Some(lock) => Some(lock.lock_owned().await),
        };
        let state = self.state();
        state.check_server(server)?;
        // The previous holder of the lock may have been accepted.
        Ok(lock.filter(|_| !state.is_authenticated(server)))
    }

    /// Like [`Self::admit`] for a request of this room; fails at once while the room backs off.
    pub(super) async fn admit_room(
        &self,
        server: &ServerKey,
        room: &str,
    ) -> Result<Option<OwnedMutexGuard<()>>, SignInFailure> {
        self.check_room(server, room)?;
        self.admit(server).await
    }

    /// Fails with the room's own rejection during its back-off.
    pub(super) fn check_room(&self, server: &ServerKey, room: &str) -> Result<(), SignInFailure> {
        self.state().servers.get_mut(server).map_or(Ok(()), |server| server.room_failures.check(room))
    }

    /// The lock that serializes sign-ins to this server; `None` once the server accepts the account.
    fn sign_in_lock(&self, server: &ServerKey) -> Option<Arc<AsyncMutex<()>>> {
        let mut state = self.state();
        match (state.is_authenticated(server), state.is_authenticated_anywhere()) {
            (true, _) => None,
            (false, true) => Some(state.server(server).sign_in_lock.clone()),
            (false, false) => Some(self.sign_in_lock.clone()),
        }
    }

    /// Whether this server accepted the account and has not rejected it since. Checked again after waiting elsewhere:
    /// others may have been rejected meanwhile.
    pub(super) fn is_authenticated(&self, server: &ServerKey) -> bool {
        self.state().is_authenticated(server)
    }

    /// Whether this is the first rejection since the servers accepted the account. An overloaded server can reject
    /// once.
    pub(super) fn is_first_failure(&self, server: &ServerKey) -> bool {
        let state = self.state();
        state.account_wide.in_a_row == 0
            && state.get(server).is_none_or(|server| server.failures.in_a_row == 0)
    }

    /// Records that a request which began at `began` was accepted. Without credentials of its own the connection was
    /// authenticated earlier, which proves nothing against a later rejection.
    pub(super) fn record_success(&self, server: &ServerKey, began: Instant, sent_credentials: bool) {
        let mut state = self.state();
        if state.account_wide.is_superseded(began, sent_credentials) {
            state.account_wide = FailureRecord::default();
        }
        // Autodiscover itself never proves the account; an EWS request that is accepted later clears its rejections.
        if let Some(autodiscover) = state.servers.get_mut(&ServerKey::Autodiscover)
            && autodiscover.failures.is_superseded(began, sent_credentials)
        {
            autodiscover.failures = FailureRecord::default();
        }
        let server = state.server(server);
        if server.failures.is_superseded(began, sent_credentials) {
            server.is_authenticated = true;
            server.failures = FailureRecord::default();
        }
    }

    /// The same for a request of this room; clears the room's rejections.
    pub(super) fn record_room_success(
        &self,
        server: &ServerKey,
        room: &str,
        began: Instant,
        sent_credentials: bool,
    ) {
        self.record_success(server, began, sent_credentials);
        let mut state = self.state();
        let server = state.server(server);
        server.room_failures.clear(room);
        if sent_credentials {
            server.proven_at = server.proven_at.max(Some(began));
        }
        if server.proven.front().is_none_or(|first| first != room) {
            server.proven.retain(|other| other != room);
            server.proven.push_front(room.to_owned());
            server.proven.truncate(PROVEN_ROOMS_MAX);
        }
    }

    /// Whether a rejection of this room is the first one for a while, so that one retry is worth a failed sign-in.
    pub(super) fn may_retry(&self, server: &ServerKey, room: &str) -> bool {
        self.is_first_failure(server) && !self.was_room_rejected(server, room)
    }

    /// Whether the room's latest request was rejected.
    pub(super) fn was_room_rejected(&self, server: &ServerKey, room: &str) -> bool {
        self.state().get(server).is_some_and(|server| server.room_failures.was_rejected(room))
    }

    /// Whether the server accepted a request with credentials that began after `began`.
    pub(super) fn is_authenticated_since(&self, server: &ServerKey, began: Instant) -> bool {
        let state = self.state();
        state.get(server).is_some_and(|server| server.is_authenticated && server.proven_at > Some(began))
    }

    /// Whether the latest result of this server, or of all servers, was a rejection of the account.
    pub(super) fn is_account_rejected(&self, server: &ServerKey) -> bool {
        !self.is_first_failure(server)
    }

    /// The lock that probes of this server hold.
    pub(super) fn probe_lock(&self, server: &ServerKey) -> Arc<AsyncMutex<()>> {
        self.state().server(server).probe_lock.clone()
    }

    /// Fails with the last rejection while nothing may be sent to this server.
    pub(super) fn check_server(&self, server: &ServerKey) -> Result<(), SignInFailure> {
        self.state().check_server(server)
    }

    /// Rooms whose requests were accepted, to probe the account with; never `but`, the room in question.
    pub(super) fn proven_rooms(&self, server: &ServerKey, but: &str) -> Vec<String> {
        let state = self.state();
        let proven = state.get(server).into_iter().flat_map(|server| &server.proven);
        proven.filter(|room| *room != but).cloned().collect()
    }

    /// The probe of this room was rejected: the next probe takes another room.
    pub(super) fn remove_proven_room(&self, server: &ServerKey, room: &str) {
        self.state().server(server).proven.retain(|other| other != room);
    }

    /// Records a rejection of this room alone: it backs off, the others go on.
    pub(super) fn record_room_failure(&self, server: &ServerKey, room: &str, kind: ErrorKind, code: &str) {
        self.room_failures.fetch_add(1, Ordering::Relaxed);
        if self.state().server(server).room_failures.record(room, kind, code, 1) {
            tracing::warn!(
                room,
                %server,
                code,
                "Exchange rejects the sign-in for this room only; other rooms continue; check the mailbox server of this room"
            );
        }
    }

    /// Records a rejection while no room has worked yet, so that it may concern the account or the room: all requests
    /// back off, and this room longer, so that another room is tried first.
    pub(super) fn record_ambiguous_failure(
        &self,
        server: &ServerKey,
        room: &str,
        kind: ErrorKind,
        code: &str,
    ) {
        self.state().server(server).room_failures.record(room, kind, code, 2);
        self.record_failure(server, kind, code);
    }

    /// Rejections counted against the account, and against single rooms.
    pub(super) fn failure_counts(&self) -> (u64, u64) {
        (self.account_failures.load(Ordering::Relaxed), self.room_failures.load(Ordering::Relaxed))
    }

    /// Rooms that are rejected on their own now.
    pub(super) fn rejected_room_count(&self) -> usize {
        self.state().servers.values().map(|server| server.room_failures.count()).sum()
    }

    /// After a rejection that may be momentary, the next request signs in alone before others are sent.
    pub(super) fn mark_suspect(&self, server: &ServerKey) {
        self.state().server(server).is_authenticated = false;
    }

    pub(super) fn record_failure(&self, server: &ServerKey, kind: ErrorKind, code: &str) {
        self.record_host_failures(server, kind, code, 1);
    }

    /// Records a rejection by so many hosts of this server, one after another.
    pub(super) fn record_host_failures(&self, server: &ServerKey, kind: ErrorKind, code: &str, hosts: u32) {
        self.account_failures.fetch_add(1, Ordering::Relaxed);
        let mut state = self.state();
        let at = state.server(server);
        at.is_authenticated = false;
        if !at.failures.is_backing_off() {
            tracing::warn!(
                %server,
                code,
                "Exchange rejects the service account; no requests are sent during the back-off, so that the account is not locked; \
                 check user name, password and account status"
            );
        }
        at.failures.record(kind, code, hosts);
        if !state.is_authenticated_anywhere() {
            state.account_wide.record(kind, code, hosts);
        }
    }

    fn state(&self) -> MutexGuard<'_, ServerMap> {
        self.servers.lock()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;
    use std::time::Duration;

    use super::super::sign_in_failures::{SIGN_IN_BACKOFF_FIRST, SIGN_IN_BACKOFF_MAX};
    use super::*;

    static A: LazyLock<ServerKey> = LazyLock::new(|| url("https://a.example/EWS/Exchange.asmx"));
    static B: LazyLock<ServerKey> = LazyLock::new(|| url("https://b.example/EWS/Exchange.asmx"));
    const AUTODISCOVER: ServerKey = ServerKey::Autodiscover;

    fn url(url: &str) -> ServerKey {
        ServerKey::Url(url.into())
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_refusal_all_keep_silent_longer_each_time() {
        let guard = LockoutGuard::default();
        let mut attempts = 0;
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(600) {
            if guard.admit(&A).await.is_ok() {
                guard.record_failure(&A, ErrorKind::Credentials, "HTTP 401");
                attempts += 1;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(attempts, 6);
        tokio::time::sleep(SIGN_IN_BACKOFF_MAX).await;
        assert!(guard.admit(&A).await.unwrap().is_some());
        guard.record_success(&A, Instant::now(), true);
        assert!(guard.admit(&A).await.unwrap().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_that_were_under_way_together_are_one_and_an_old_sign_in_proves_nothing() {
        let guard = LockoutGuard::default();
        let before = Instant::now();
        for _ in 0..8 {
            guard.record_failure(&A, ErrorKind::Credentials, "HTTP 401");
        }
        guard.record_success(&A, before, true);
        guard.record_success(&A, Instant::now(), false);
        assert!(guard.admit(&A).await.is_err() && !guard.is_authenticated(&A));
        tokio::time::sleep(SIGN_IN_BACKOFF_FIRST).await;
        assert!(guard.admit(&A).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn of_many_at_once_one_finds_out() {
        let guard = std::sync::Arc::new(LockoutGuard::default());
        let tasks = (0..16).map(|_| {
            let guard = guard.clone();
            tokio::spawn(async move {
                let Ok(lock) = guard.admit(&A).await else { return 0 };
                tokio::time::sleep(Duration::from_secs(1)).await;
                guard.record_failure(&A, ErrorKind::Credentials, "HTTP 401");
                drop(lock);
                1
            })
        });
        let mut attempts = 0;
        for one in tasks.collect::<Vec<_>>() {
            attempts += one.await.unwrap();
        }
        assert_eq!(attempts, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_refuses_alone_keeps_nobody_from_another() {
        let guard = LockoutGuard::default();
        guard.record_success(&A, Instant::now(), true);
        let mut attempts = 0;
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(600) {
            assert!(guard.admit(&A).await.unwrap().is_none());
            guard.record_success(&A, Instant::now(), true);
            if guard.admit(&B).await.is_ok() {
                guard.record_failure(&B, ErrorKind::Credentials, "HTTP 401");
                attempts += 1;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(attempts, 6, "what the other accepts does not make this one be asked more often");
    }

    #[tokio::test(start_paused = true)]
    async fn what_no_server_accepts_is_not_said_to_one_after_another() {
        let guard = LockoutGuard::default();
        let servers: Vec<ServerKey> = (0..20).map(|n| url(&format!("https://{n}.example/"))).collect();
        guard.record_success(&A, Instant::now(), true);
        guard.record_failure(&A, ErrorKind::Credentials, "HTTP 401");
        let mut attempts = 1;
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(600) {
            for server in &servers {
                if guard.admit(server).await.is_ok() {
                    assert!(!guard.is_first_failure(server));
                    guard.record_failure(server, ErrorKind::Credentials, "HTTP 401");
                    attempts += 1;
                }
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(attempts, 6);
    }

    #[tokio::test(start_paused = true)]
    async fn who_finds_out_about_one_server_holds_nobody_up_at_another() {
        let guard = LockoutGuard::default();
        guard.record_success(&A, Instant::now(), true);
        let _hangs = guard.admit(&B).await.unwrap().unwrap();
        assert!(guard.admit(&A).await.unwrap().is_none());
        assert!(guard.admit(&AUTODISCOVER).await.unwrap().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn what_autodiscover_refused_is_forgotten_when_the_password_is_accepted_after_it() {
        let guard = LockoutGuard::default();
        guard.record_success(&A, Instant::now(), true);
        for _ in 0..10 {
            guard.record_failure(&AUTODISCOVER, ErrorKind::Credentials, "HTTP 401");
            guard.record_success(&A, Instant::now(), false);
            assert!(guard.admit(&AUTODISCOVER).await.is_err(), "it may have been changed since");
            tokio::time::sleep(Duration::from_secs(1)).await;
            guard.record_success(&A, Instant::now(), true);
            assert!(guard.admit(&AUTODISCOVER).await.is_ok());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_room_that_is_refused_alone_rests_alone_and_longer_each_time() {
        let guard = LockoutGuard::default();
        guard.record_room_success(&A, "good", Instant::now(), true);
        let (mut attempts, begun) = (0, Instant::now());
        while begun.elapsed() < Duration::from_secs(600) {
            assert!(guard.admit_room(&A, "good").await.unwrap().is_none());
            if guard.admit_room(&A, "bad").await.is_ok() {
                guard.record_room_failure(&A, "bad", ErrorKind::BackEnd, "HTTP 401");
                attempts += 1;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert_eq!((attempts, guard.failure_counts(), guard.rejected_room_count()), (6, (0, 6), 1));
        guard.record_room_success(&A, "bad", Instant::now(), false);
        assert!(guard.admit_room(&A, "bad").await.is_ok() && guard.may_retry(&A, "bad"));
    }

    /// A changed password costs a retry, two probes, and one attempt after each back-off.
    #[tokio::test(start_paused = true)]
    async fn a_changed_password_is_sent_less_than_ten_times_in_ten_minutes() {
        let guard = LockoutGuard::default();
        for room in ["one", "two", "three"] {
            guard.record_room_success(&A, room, Instant::now(), true);
        }
        guard.mark_suspect(&A);
        let witnesses = guard.proven_rooms(&A, "three");
        assert_eq!(witnesses, ["two"], "the last two rooms, but the one in question");
        let mut attempts = 2 + PROVEN_ROOMS_MAX;
        guard.record_failure(&A, ErrorKind::Credentials, "HTTP 401");
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(600) {
            if guard.admit_room(&A, "one").await.is_ok() {
                guard.record_failure(&A, ErrorKind::Credentials, "HTTP 401");
                attempts += 1;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(attempts, 9);
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_start_with_a_room_that_fails_another_room_is_tried_first() {
        let guard = LockoutGuard::default();
        drop(guard.admit_room(&A, "bad").await.unwrap());
        guard.record_ambiguous_failure(&A, "bad", ErrorKind::Credentials, "HTTP 401");
        tokio::time::sleep(SIGN_IN_BACKOFF_FIRST).await;
        assert!(guard.admit_room(&A, "bad").await.is_err());
        assert!(guard.admit_room(&A, "good").await.unwrap().is_some());
        guard.record_room_success(&A, "good", Instant::now(), true);
        tokio::time::sleep(SIGN_IN_BACKOFF_FIRST).await;
        assert!(guard.admit_room(&A, "bad").await.unwrap().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_later_sign_in_of_another_room_proves_the_account() {
        let guard = LockoutGuard::default();
        let began = Instant::now();
        guard.record_room_success(&A, "good", began, true);
        assert!(!guard.is_authenticated_since(&A, began));
        tokio::time::sleep(Duration::from_secs(1)).await;
        guard.record_room_success(&A, "good", Instant::now(), false);
        assert!(!guard.is_authenticated_since(&A, began), "the connection was known before");
        guard.record_room_success(&A, "good", Instant::now(), true);
        assert!(guard.is_authenticated_since(&A, began));
    }
}
