//! Finds the EWS URLs of rooms by Autodiscover, and remembers them. Rooms of one domain are found one after another until the
//! first is found, and then a few at once; rooms of other domains wait for none of it. A search goes on when its caller has gone,
//! so that what it finds, or does not, is known to the next.
//!
//! Nothing is asked with credentials before the lockout guard (`standing.rs`) lets it: from then on the search holds the guard, and
//! what refused us is counted before the next search may say who we are.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use tokio::sync::OwnedMutexGuard;

use super::ask::{Ask, Asker};
use super::autodiscover::cache::{Cache, Known};
use super::autodiscover::{self as quest, Answer, BODY_BYTES_MAX, Policy, Quest, Report, discover};
use super::classify::Kind;
use super::delivery::Failure;
use super::dial::Dialer;
use super::places::NoWay;
use super::settings::{At, Settings};
use super::sign_in::Credentials;
use super::standing::{AUTODISCOVER, Standing};
use crate::calendar::RoomAddress;
use crate::clock::{Clock as _, SystemClock};
use crate::turns::Turns;

/// Rooms of one domain that are looked for at once, after one was found.
const SEARCHES_AT_ONCE: u64 = 4;
/// Rooms that are looked for, or wait for it; each room once. More than any building has.
const SEARCHES_MAX: usize = 20_000;

/// A search under way, for all who want to know of the same room.
type Search = Shared<BoxFuture<'static, Result<(), NoWay>>>;

pub(super) struct Finder {
    pub(super) credentials: Credentials,
    pub(super) dialer: Arc<Dialer>,
    policy: Policy,
    /// How long one question may take.
    within: Duration,
    known: Mutex<Cache>,
    searches: Mutex<HashMap<RoomAddress, Search>>,
    turns: Turns,
    standing: Arc<Standing>,
}

/// Leave to say who we are, as far as a search has needed it.
#[derive(Default)]
enum Leave {
    #[default]
    NotAsked,
    Granted {
        _guard: Option<OwnedMutexGuard<()>>,
    },
    /// We were refused a moment ago: nothing more is said.
    Refused(Kind, String),
}

impl Finder {
    pub(super) fn new(
        settings: &Settings,
        credentials: Credentials,
        dialer: Arc<Dialer>,
        standing: Arc<Standing>,
    ) -> Self {
        let policy = match &settings.at {
            At::Discovered(policy) => policy.clone(),
            At::Url(_) => Policy::new([]),
        };
        Self {
            credentials,
            dialer,
            policy,
            within: settings.connect_timeout.saturating_mul(2),
            known: Mutex::default(),
            searches: Mutex::default(),
            turns: Turns::default(),
            standing,
        }
    }

    /// What is known of the room now.
    pub(super) fn look(&self, room: &RoomAddress) -> Option<Known> {
        lock(&self.known).look(room, SystemClock.now()).cloned()
    }

    /// Forgets where the room was found; whether it was.
    pub(super) fn forget(&self, room: &RoomAddress) -> bool {
        let mut known = lock(&self.known);
        let was_there = matches!(known.look(room, SystemClock.now()), Some(Known::At(_)));
        if was_there {
            known.forget(room);
        }
        was_there
    }

    /// Looks for the room's server; what came of it is known then.
    pub(super) async fn find(self: &Arc<Self>, room: &RoomAddress) -> Result<(), NoWay> {
        let search = {
            let mut searches = lock(&self.searches);
            match searches.get(room) {
                Some(search) => search.clone(),
                None if searches.len() >= SEARCHES_MAX => {
                    return Err(NoWay::Away(Failure::NotFound("too many rooms are looked for".to_owned())));
                }
                None => {
                    let search = self.clone().begin(room.clone()).boxed().shared();
                    searches.insert(room.clone(), search.clone());
                    tokio::spawn(search.clone());
                    search
                }
            }
        };
        search.await
    }

    async fn begin(self: Arc<Self>, room: RoomAddress) -> Result<(), NoWay> {
        let found = self.search(&room).await;
        lock(&self.searches).remove(&room);
        found
    }

    async fn search(&self, room: &RoomAddress) -> Result<(), NoWay> {
        let _turn = self.turns.take(&self.lane(room)).await;
        if lock(&self.known).fails_like_its_domain(room, SystemClock.now()) {
            return Ok(());
        }
        let leave = tokio::sync::Mutex::new(Leave::default());
        let found = discover(Quest::new(room, &self.policy), |ask| self.ask_with_leave(ask, &leave)).await;
        match (found, &*leave.lock().await) {
            (Ok(found), _) => lock(&self.known).found(room, found.url, SystemClock.now()),
            (Err(_), Leave::Refused(kind, code)) => return Err(NoWay::Refused(*kind, code.clone())),
            (Err(report), _) => self.failed(room, &report),
        }
        Ok(())
    }

    /// Before one was found in its domain, all rooms of a domain go one after another.
    fn lane(&self, room: &RoomAddress) -> String {
        let domain = room.domain();
        if !lock(&self.known).knows_domain(domain, SystemClock.now()) {
            return domain.to_owned();
        }
        let mut hasher = DefaultHasher::new();
        room.hash(&mut hasher);
        format!("{domain} {}", hasher.finish() % SEARCHES_AT_ONCE)
    }

    fn failed(&self, room: &RoomAddress, report: &Report) {
        tracing::warn!(room = room.as_str(), cause = ?report.cause(), "{}", report.headline());
        lock(&self.known).failed(room, report, SystemClock.now());
        if let hosts @ 1.. = report.refused_by() {
            // Of several reasons the report names one; to others this is the one that counts.
            let refusal = match report.cause() {
                quest::Cause::Credentials => report.headline(),
                _ => "Autodiscover: our credentials are not accepted".to_owned(),
            };
            self.standing.refused_by(AUTODISCOVER, Kind::Credentials, &refusal, hosts);
        }
    }

    async fn ask_with_leave(&self, wanted: quest::Ask, leave: &tokio::sync::Mutex<Leave>) -> Answer {
        if wanted.credentials {
            let mut leave = leave.lock().await;
            if matches!(*leave, Leave::NotAsked) {
                *leave = match self.standing.enter(AUTODISCOVER).await {
                    Ok(guard) => Leave::Granted { _guard: guard },
                    Err((kind, code)) => Leave::Refused(kind, code),
                };
            }
            if let Leave::Refused(_, code) = &*leave {
                return Answer::NotSignedIn(code.clone());
            }
        }
        self.ask(wanted).await
    }

    /// Sends a question to an Autodiscover service.
    pub(super) async fn ask(&self, wanted: quest::Ask) -> Answer {
        let asker = Asker { dialer: self.dialer.clone(), within: self.within };
        let credential = match wanted.credentials.then(|| self.credentials.towards(&wanted.url)).transpose() {
            Ok(credential) => credential,
            Err(error) => return Answer::Broken(error.to_string()),
        };
        let Some(ask) = Ask::of(&wanted) else {
            return Answer::Broken("the question cannot be written".to_owned());
        };
        match asker.ask_as(&ask, credential.as_deref()).await {
            Ok(said) => Answer::Came {
                status: said.status,
                location: said.location(),
                body: said.body[..said.body.len().min(BODY_BYTES_MAX)].to_vec(),
            },
            // A host that takes the connection and does not answer is not asked again either.
            Err(
                failure @ (Failure::Resolve(_)
                | Failure::Connect(_)
                | Failure::Tls(..)
                | Failure::AnswerTimeout(_)
                | Failure::ConnectTimeout(_)),
            ) => Answer::Unreachable(failure.to_string()),
            Err(Failure::SignIn { lasting: true, why, .. }) => Answer::NotSignedIn(why),
            Err(failure) => Answer::Broken(failure.to_string()),
        }
    }
}

/// Nothing panics while holding one; if it did, what is in it would still be so.
fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
