//! Whether the servers know us. A wrong password that is said by sixteen requests at once, and again by each of a thousand
//! rooms, locks the account: so one request finds out first, and after a refusal all keep silent for a while.
//!
//! There is one account and there may be several servers. One that refuses while another lets us in is set up wrongly, and
//! concerns its own rooms only; while none lets us in, it is the account, and what one refuses is not said to the next.
//!
//! What is under way already cannot be taken back: Basic and tokens go along with every request, so as many are refused as were
//! sent at once. Connections that Windows has forgotten are for `login`, which lets one of them go first.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as Turn, OwnedMutexGuard};
use tokio::time::Instant;

use super::classify::Kind;

/// How long nothing is sent after a refusal; doubles with each. Active Directory locks accounts after some refusals within
/// some minutes (ten in ten is Microsoft's baseline); this comes to eight in the first ten.
const SILENCE_FIRST: Duration = Duration::from_secs(15);
/// … up to this.
const SILENCE_MAX: Duration = Duration::from_secs(15 * 60);
/// Servers that are remembered; with more, what is known of all is found out again.
const SERVERS_MAX: usize = 256;

/// What stands for the URL of a server that is to be found yet.
pub(super) const AUTODISCOVER: &str = "autodiscover";

/// What is known of one account at all its servers, each under its URL.
#[derive(Default)]
pub(super) struct Standing {
    /// While no server knows us.
    finding_out: Arc<Turn<()>>,
    heard: Mutex<Heard>,
}

#[derive(Default)]
struct Heard {
    servers: HashMap<String, Server>,
    /// Said while no server let us in.
    nowhere: Refusals,
}

#[derive(Default)]
struct Server {
    known: bool,
    refusals: Refusals,
    /// While others know us, and this one does not.
    finding_out: Arc<Turn<()>>,
}

#[derive(Default)]
struct Refusals {
    in_a_row: u32,
    last: Option<(Instant, Kind, String)>,
}

impl Refusals {
    fn is_silent(&self) -> bool {
        let silence = SILENCE_FIRST.saturating_mul(1 << self.in_a_row.saturating_sub(1).min(16));
        self.last.as_ref().is_some_and(|(at, ..)| at.elapsed() < silence.min(SILENCE_MAX))
    }

    /// The refusal after which nothing is sent for now.
    fn silence(&self) -> Result<(), (Kind, String)> {
        match &self.last {
            Some((_, kind, code)) if self.is_silent() => Err((*kind, code.clone())),
            _ => Ok(()),
        }
    }

    fn add(&mut self, kind: Kind, code: &str, times: u32) {
        // Those that were under way together are one.
        if !self.is_silent() {
            self.in_a_row = self.in_a_row.saturating_add(times);
        }
        self.last = Some((Instant::now(), kind, code.to_owned()));
    }

    fn is_outdated(&self, began: Instant, said_who: bool) -> bool {
        self.last.as_ref().is_none_or(|(at, ..)| said_who && *at < began)
    }
}

impl Heard {
    fn is_known(&self, server: &str) -> bool {
        self.servers.get(server).is_some_and(|server| server.known)
    }

    fn is_known_somewhere(&self) -> bool {
        self.servers.values().any(|server| server.known)
    }

    fn silence(&self, server: &str) -> Result<(), (Kind, String)> {
        if let Some(server) = self.servers.get(server) {
            server.refusals.silence()?;
        }
        if self.is_known_somewhere() { Ok(()) } else { self.nowhere.silence() }
    }

    fn server(&mut self, server: &str) -> &mut Server {
        if self.servers.len() >= SERVERS_MAX && !self.servers.contains_key(server) {
            self.servers.clear();
        }
        self.servers.entry(server.to_owned()).or_default()
    }
}

impl Standing {
    /// Leave to say to this server who we are: at once while it knows us, else one after another. The refusal, if the last
    /// one is fresh.
    pub(super) async fn enter(&self, server: &str) -> Result<Option<OwnedMutexGuard<()>>, (Kind, String)> {
        let turn = match self.finding_out(server) {
            None => None,
            Some(turn) => Some(turn.lock_owned().await),
        };
        let heard = self.heard();
        heard.silence(server)?;
        // Whoever went before has found out.
        Ok(turn.filter(|_| !heard.is_known(server)))
    }

    /// Where one waits for whoever finds out.
    fn finding_out(&self, server: &str) -> Option<Arc<Turn<()>>> {
        let mut heard = self.heard();
        match (heard.is_known(server), heard.is_known_somewhere()) {
            (true, _) => None,
            (false, true) => Some(heard.server(server).finding_out.clone()),
            (false, false) => Some(self.finding_out.clone()),
        }
    }

    /// Whether whoever has no turn may go on: those that waited elsewhere while others were refused may not.
    pub(super) fn is_known(&self, server: &str) -> bool {
        self.heard().is_known(server)
    }

    /// Whether this is the first refusal since the servers knew us, which an overload can look like.
    pub(super) fn may_pass(&self, server: &str) -> bool {
        let heard = self.heard();
        heard.nowhere.in_a_row == 0
            && heard.servers.get(server).is_none_or(|server| server.refusals.in_a_row == 0)
    }

    /// A request that began then was let in. One that did not say who we are was let in for what was said before, and proves
    /// nothing against a later refusal.
    pub(super) fn accepted(&self, server: &str, began: Instant, said_who: bool) {
        let mut heard = self.heard();
        if heard.nowhere.is_outdated(began, said_who) {
            heard.nowhere = Refusals::default();
        }
        // Nobody is let in by Autodiscover as such; that the password is right shows elsewhere.
        if let Some(looking) = heard.servers.get_mut(AUTODISCOVER)
            && looking.refusals.is_outdated(began, said_who)
        {
            looking.refusals = Refusals::default();
        }
        let server = heard.server(server);
        if server.refusals.is_outdated(began, said_who) {
            server.known = true;
            server.refusals = Refusals::default();
        }
    }

    /// A refusal that may pass: until somebody has found out, nobody else asks.
    pub(super) fn doubt(&self, server: &str) {
        self.heard().server(server).known = false;
    }

    pub(super) fn refused(&self, server: &str, kind: Kind, code: &str) {
        self.refused_by(server, kind, code, 1);
    }

    /// The same, said by so many hosts of it, one after another.
    pub(super) fn refused_by(&self, server: &str, kind: Kind, code: &str, hosts: u32) {
        let mut heard = self.heard();
        let at = heard.server(server);
        at.known = false;
        at.refusals.add(kind, code, hosts);
        if !heard.is_known_somewhere() {
            heard.nowhere.add(kind, code, hosts);
        }
    }

    /// Nothing panics while holding it; if it did, what is in it would still be so.
    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "https://a.example/EWS/Exchange.asmx";
    const B: &str = "https://b.example/EWS/Exchange.asmx";

    #[tokio::test(start_paused = true)]
    async fn after_a_refusal_all_keep_silent_longer_each_time() {
        let standing = Standing::default();
        let mut said = 0;
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(600) {
            if standing.enter(A).await.is_ok() {
                standing.refused(A, Kind::Credentials, "HTTP 401");
                said += 1;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(said, 6);
        tokio::time::sleep(SILENCE_MAX).await;
        assert!(standing.enter(A).await.unwrap().is_some());
        standing.accepted(A, Instant::now(), true);
        assert!(standing.enter(A).await.unwrap().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_that_were_under_way_together_are_one_and_an_old_sign_in_proves_nothing() {
        let standing = Standing::default();
        let before = Instant::now();
        for _ in 0..8 {
            standing.refused(A, Kind::Credentials, "HTTP 401");
        }
        standing.accepted(A, before, true);
        standing.accepted(A, Instant::now(), false);
        assert!(standing.enter(A).await.is_err() && !standing.is_known(A));
        tokio::time::sleep(SILENCE_FIRST).await;
        assert!(standing.enter(A).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn of_many_at_once_one_finds_out() {
        let standing = std::sync::Arc::new(Standing::default());
        let asked = (0..16).map(|_| {
            let standing = standing.clone();
            tokio::spawn(async move {
                let Ok(turn) = standing.enter(A).await else { return 0 };
                tokio::time::sleep(Duration::from_secs(1)).await;
                standing.refused(A, Kind::Credentials, "HTTP 401");
                drop(turn);
                1
            })
        });
        let mut said = 0;
        for one in asked.collect::<Vec<_>>() {
            said += one.await.unwrap();
        }
        assert_eq!(said, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_refuses_alone_keeps_nobody_from_another() {
        let standing = Standing::default();
        standing.accepted(A, Instant::now(), true);
        let mut said = 0;
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(600) {
            assert!(standing.enter(A).await.unwrap().is_none());
            standing.accepted(A, Instant::now(), true);
            if standing.enter(B).await.is_ok() {
                standing.refused(B, Kind::Credentials, "HTTP 401");
                said += 1;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(said, 6, "what the other accepts does not make this one be asked more often");
    }

    #[tokio::test(start_paused = true)]
    async fn what_no_server_accepts_is_not_said_to_one_after_another() {
        let standing = Standing::default();
        let servers: Vec<String> = (0..20).map(|n| format!("https://{n}.example/")).collect();
        standing.accepted(A, Instant::now(), true);
        standing.refused(A, Kind::Credentials, "HTTP 401");
        let mut said = 1;
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(600) {
            for server in &servers {
                if standing.enter(server).await.is_ok() {
                    assert!(!standing.may_pass(server));
                    standing.refused(server, Kind::Credentials, "HTTP 401");
                    said += 1;
                }
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(said, 6);
    }

    #[tokio::test(start_paused = true)]
    async fn who_finds_out_about_one_server_holds_nobody_up_at_another() {
        let standing = Standing::default();
        standing.accepted(A, Instant::now(), true);
        let _hangs = standing.enter(B).await.unwrap().unwrap();
        assert!(standing.enter(A).await.unwrap().is_none());
        assert!(standing.enter(AUTODISCOVER).await.unwrap().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn what_autodiscover_refused_is_forgotten_when_the_password_is_accepted_after_it() {
        let standing = Standing::default();
        standing.accepted(A, Instant::now(), true);
        for _ in 0..10 {
            standing.refused(AUTODISCOVER, Kind::Credentials, "HTTP 401");
            standing.accepted(A, Instant::now(), false);
            assert!(standing.enter(AUTODISCOVER).await.is_err(), "it may have been changed since");
            tokio::time::sleep(Duration::from_secs(1)).await;
            standing.accepted(A, Instant::now(), true);
            assert!(standing.enter(AUTODISCOVER).await.is_ok());
        }
    }
}
