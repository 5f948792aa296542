//! Whether the servers know us. A wrong password that is said by sixteen requests at once, and again by each of a thousand
//! rooms, locks the account: so one request finds out first, and after a refusal all keep silent for a while.
//!
//! There is one account and there may be several servers. One that refuses while another lets us in is set up wrongly, and
//! concerns its own rooms only; while none lets us in, it is the account, and what one refuses is not said to the next.
//!
//! A server may refuse one room and accept the account for the others, because each room's requests end at the back end that has its
//! mailbox. So a refusal counts against the account only where a room that worked before is refused too (`sign_in_probe.rs`); else
//! the room rests alone (`refusals.rs`). Refused tokens lock no account and always concern the room alone.
//!
//! What is under way already cannot be taken back: Basic and tokens go along with every request, so as many are refused as were
//! sent at once. Connections that Windows has forgotten are for `login`, which lets one of them go first.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Mutex as Turn, OwnedMutexGuard};
use tokio::time::Instant;

use super::classify::Kind;
use super::refusals::{Refusal, Refusals, RoomRefusals};

/// Servers that are remembered; with more, what is known of all is found out again.
pub(super) const SERVERS_MAX: usize = 256;
/// Rooms by which a probe tells a refused account from a refused room: a second one for where the first fails by itself.
pub(super) const PROVEN_ROOMS_MAX: usize = 2;

/// What stands for the URL of a server that is to be found yet.
pub(super) const AUTODISCOVER: &str = "autodiscover";

/// What is known of one account at all its servers, each under its URL.
#[derive(Default)]
pub(super) struct Standing {
    /// While no server knows us.
    finding_out: Arc<Turn<()>>,
    heard: Mutex<Heard>,
    /// Refusals that counted against the account …
    account_refusals: AtomicU64,
    /// … and against one room.
    room_refusals: AtomicU64,
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
    rooms: RoomRefusals,
    /// Rooms whose requests were accepted, the last first.
    proven: VecDeque<String>,
    /// When the last accepted request that said who we are began.
    proven_at: Option<Instant>,
    /// While others know us, and this one does not.
    finding_out: Arc<Turn<()>>,
    /// One probe at a time.
    probing: Arc<Turn<()>>,
}

impl Heard {
    fn is_known(&self, server: &str) -> bool {
        self.servers.get(server).is_some_and(|server| server.known)
    }

    fn is_known_somewhere(&self) -> bool {
        self.servers.values().any(|server| server.known)
    }

    fn silence(&self, server: &str) -> Result<(), Refusal> {
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
    pub(super) async fn enter(&self, server: &str) -> Result<Option<OwnedMutexGuard<()>>, Refusal> {
        let turn = match self.finding_out(server) {
            None => None,
            Some(turn) => Some(turn.lock_owned().await),
        };
        let heard = self.heard();
        heard.silence(server)?;
        // Whoever went before has found out.
        Ok(turn.filter(|_| !heard.is_known(server)))
    }

    /// The same for a request of this room. Fails at once while the room rests on its own.
    pub(super) async fn enter_for(
        &self,
        server: &str,
        room: &str,
    ) -> Result<Option<OwnedMutexGuard<()>>, Refusal> {
        self.may_enter(server, room)?;
        self.enter(server).await
    }

    /// Whether this room rests on its own, and by which refusal.
    pub(super) fn may_enter(&self, server: &str, room: &str) -> Result<(), Refusal> {
        self.heard().servers.get_mut(server).map_or(Ok(()), |server| server.rooms.may_enter(room))
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

    /// The same for a request of this room, which is not refused any more.
    pub(super) fn accepted_for(&self, server: &str, room: &str, began: Instant, said_who: bool) {
        self.accepted(server, began, said_who);
        let mut heard = self.heard();
        let server = heard.server(server);
        server.rooms.clear(room);
        if said_who {
            server.proven_at = server.proven_at.max(Some(began));
        }
        if server.proven.front().is_none_or(|first| first != room) {
            server.proven.retain(|other| other != room);
            server.proven.push_front(room.to_owned());
            server.proven.truncate(PROVEN_ROOMS_MAX);
        }
    }

    /// Whether the refusal of this room is the first one for a while, so that the request is worth a second try.
    pub(super) fn may_retry(&self, server: &str, room: &str) -> bool {
        self.may_pass(server) && !self.was_refused(server, room)
    }

    /// Whether the last request of this room was refused.
    pub(super) fn was_refused(&self, server: &str, room: &str) -> bool {
        self.heard().servers.get(server).is_some_and(|server| server.rooms.was_refused(room))
    }

    /// Whether the server let in a request that said who we are and began after this moment.
    pub(super) fn is_proven_since(&self, server: &str, began: Instant) -> bool {
        let heard = self.heard();
        heard.servers.get(server).is_some_and(|server| server.known && server.proven_at > Some(began))
    }

    /// Whether the last word of this server, or of all, on the account was a refusal.
    pub(super) fn is_refused(&self, server: &str) -> bool {
        !self.may_pass(server)
    }

    /// The lock for probes of this server.
    pub(super) fn probing(&self, server: &str) -> Arc<Turn<()>> {
        self.heard().server(server).probing.clone()
    }

    /// The refusal after which nothing is sent to this server for now.
    pub(super) fn silence(&self, server: &str) -> Result<(), Refusal> {
        self.heard().silence(server)
    }

    /// Rooms that worked, as witnesses of the account; never the one in question.
    pub(super) fn proven_rooms(&self, server: &str, but: &str) -> Vec<String> {
        let heard = self.heard();
        let proven = heard.servers.get(server).into_iter().flat_map(|server| &server.proven);
        proven.filter(|room| *room != but).cloned().collect()
    }

    /// This room was refused as a witness: the next probe takes another.
    pub(super) fn disprove(&self, server: &str, room: &str) {
        self.heard().server(server).proven.retain(|other| other != room);
    }

    /// A refusal that concerns this room alone: it rests, and the others go on.
    pub(super) fn refused_room(&self, server: &str, room: &str, kind: Kind, code: &str) {
        self.room_refusals.fetch_add(1, Ordering::Relaxed);
        if self.heard().server(server).rooms.add(room, kind, code, 1) {
            tracing::warn!(
                room,
                server,
                code,
                "Exchange refuses the sign-in for this room only; other rooms go on"
            );
        }
    }

    /// A refusal that may be the account's or the room's, since no room worked before: all keep silent, and this room longer, so
    /// that another one is tried first.
    pub(super) fn refused_with(&self, server: &str, room: &str, kind: Kind, code: &str) {
        self.heard().server(server).rooms.add(room, kind, code, 2);
        self.refused(server, kind, code);
    }

    /// Refusals that counted against the account, and against single rooms.
    pub(super) fn refusals(&self) -> (u64, u64) {
        (self.account_refusals.load(Ordering::Relaxed), self.room_refusals.load(Ordering::Relaxed))
    }

    /// Rooms that are refused on their own now.
    pub(super) fn refused_rooms(&self) -> usize {
        self.heard().servers.values().map(|server| server.rooms.count()).sum()
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
        self.account_refusals.fetch_add(1, Ordering::Relaxed);
        let mut heard = self.heard();
        let at = heard.server(server);
        at.known = false;
        if !at.refusals.is_silent() {
            tracing::warn!(server, code, "Exchange refuses the service account; requests stop for a while");
        }
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
    use std::time::Duration;

    use super::super::refusals::{SILENCE_FIRST, SILENCE_MAX};
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

    #[tokio::test(start_paused = true)]
    async fn a_room_that_is_refused_alone_rests_alone_and_longer_each_time() {
        let standing = Standing::default();
        standing.accepted_for(A, "good", Instant::now(), true);
        let (mut said, begun) = (0, Instant::now());
        while begun.elapsed() < Duration::from_secs(600) {
            assert!(standing.enter_for(A, "good").await.unwrap().is_none());
            if standing.enter_for(A, "bad").await.is_ok() {
                standing.refused_room(A, "bad", Kind::BackEnd, "HTTP 401");
                said += 1;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert_eq!((said, standing.refusals(), standing.refused_rooms()), (6, (0, 6), 1));
        standing.accepted_for(A, "bad", Instant::now(), false);
        assert!(standing.enter_for(A, "bad").await.is_ok() && standing.may_retry(A, "bad"));
    }

    /// A changed password: a retry, two probes, and one attempt after each silence.
    #[tokio::test(start_paused = true)]
    async fn a_changed_password_is_sent_less_than_ten_times_in_ten_minutes() {
        let standing = Standing::default();
        for room in ["one", "two", "three"] {
            standing.accepted_for(A, room, Instant::now(), true);
        }
        standing.doubt(A);
        let witnesses = standing.proven_rooms(A, "three");
        assert_eq!(witnesses, ["two"], "the last two rooms, but the one in question");
        let mut said = 2 + PROVEN_ROOMS_MAX;
        standing.refused(A, Kind::Credentials, "HTTP 401");
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(600) {
            if standing.enter_for(A, "one").await.is_ok() {
                standing.refused(A, Kind::Credentials, "HTTP 401");
                said += 1;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(said, 9);
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_start_with_a_room_that_fails_another_room_is_tried_first() {
        let standing = Standing::default();
        drop(standing.enter_for(A, "bad").await.unwrap());
        standing.refused_with(A, "bad", Kind::Credentials, "HTTP 401");
        tokio::time::sleep(SILENCE_FIRST).await;
        assert!(standing.enter_for(A, "bad").await.is_err());
        assert!(standing.enter_for(A, "good").await.unwrap().is_some());
        standing.accepted_for(A, "good", Instant::now(), true);
        tokio::time::sleep(SILENCE_FIRST).await;
        assert!(standing.enter_for(A, "bad").await.unwrap().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_later_sign_in_of_another_room_proves_the_account() {
        let standing = Standing::default();
        let began = Instant::now();
        standing.accepted_for(A, "good", began, true);
        assert!(!standing.is_proven_since(A, began));
        tokio::time::sleep(Duration::from_secs(1)).await;
        standing.accepted_for(A, "good", Instant::now(), false);
        assert!(!standing.is_proven_since(A, began), "the connection was known before");
        standing.accepted_for(A, "good", Instant::now(), true);
        assert!(standing.is_proven_since(A, began));
    }
}
