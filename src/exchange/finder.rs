//! Finds the EWS URLs of rooms by Autodiscover, and remembers them. Rooms of one domain are found one after another until the
//! first is found, and then a few at once; rooms of other domains wait for none of it. A search goes on when its caller has gone,
//! so that what it finds, or does not, is known to the next.
//!
//! Nothing is asked with credentials before the lockout guard (`lockout.rs`) lets it: from then on the search holds the guard, and
//! what refused us is counted before the next search may say who we are.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use tokio::sync::OwnedMutexGuard;

use super::autodiscover::cache::{CachedLocation, DiscoveryCache};
use super::autodiscover::{
    self as quest, BODY_BYTES_MAX, Discovery, DiscoveryReport, DiscoveryResponse, Policy, discover,
};
use super::classify::ErrorKind;
use super::credential_provider::CredentialProvider;
use super::delivery::TransportError;
use super::dial::Dialer;
use super::endpoints::ResolveError;
use super::lockout::{AUTODISCOVER, LockoutGuard};
use super::one_shot::{OneShotClient, OneShotRequest};
use super::settings::{ExchangeLocation, Settings};
use crate::calendar::RoomAddress;
use crate::clock::{Clock as _, SystemClock};
use crate::keyed_mutex::KeyedMutex;

/// Rooms of one domain that are looked for at once, after one was found.
const SEARCHES_AT_ONCE: u64 = 4;
/// Rooms that are looked for, or wait for it; each room once. More than any building has.
const SEARCHES_MAX: usize = 20_000;

/// A search under way, for all who want to know of the same room.
type Search = Shared<BoxFuture<'static, Result<(), ResolveError>>>;

pub(super) struct Finder {
    pub(super) credentials: CredentialProvider,
    pub(super) dialer: Arc<Dialer>,
    policy: Policy,
    /// How long one question may take.
    request_timeout: Duration,
    cache: Mutex<DiscoveryCache>,
    searches: Mutex<HashMap<RoomAddress, Search>>,
    search_locks: KeyedMutex,
    lockout: Arc<LockoutGuard>,
}

/// Leave to say who we are, as far as a search has needed it.
#[derive(Default)]
enum SearchAdmission {
    #[default]
    NotRequested,
    Granted {
        _guard: Option<OwnedMutexGuard<()>>,
    },
    /// We were refused a moment ago: nothing more is said.
    Refused(ErrorKind, String),
}

impl Finder {
    pub(super) fn new(
        settings: &Settings,
        credentials: CredentialProvider,
        dialer: Arc<Dialer>,
        standing: Arc<LockoutGuard>,
    ) -> Self {
        let policy = match &settings.location {
            ExchangeLocation::Discovered(policy) => policy.clone(),
            ExchangeLocation::Url(_) => Policy::new([]),
        };
        Self {
            credentials,
            dialer,
            policy,
            request_timeout: settings.connect_timeout.saturating_mul(2),
            cache: Mutex::default(),
            searches: Mutex::default(),
            search_locks: KeyedMutex::default(),
            lockout: standing,
        }
    }

    /// What is known of the room now.
    pub(super) fn cached(&self, room: &RoomAddress) -> Option<CachedLocation> {
        lock(&self.cache).get(room, SystemClock.now()).cloned()
    }

    /// Forgets where the room was found; whether it was.
    pub(super) fn invalidate(&self, room: &RoomAddress) -> bool {
        let mut known = lock(&self.cache);
        let was_there = matches!(known.get(room, SystemClock.now()), Some(CachedLocation::Url(_)));
        if was_there {
            known.invalidate(room);
        }
        was_there
    }

    /// Looks for the room's server; what came of it is known then.
    pub(super) async fn find(self: &Arc<Self>, room: &RoomAddress) -> Result<(), ResolveError> {
        let search = {
            let mut searches = lock(&self.searches);
            match searches.get(room) {
                Some(search) => search.clone(),
                None if searches.len() >= SEARCHES_MAX => {
                    return Err(ResolveError::Unavailable(TransportError::ServerNotFound(
                        "too many rooms are looked for".to_owned(),
                    )));
                }
                None => {
                    let search = self.clone().search_once(room.clone()).boxed().shared();
                    searches.insert(room.clone(), search.clone());
                    tokio::spawn(search.clone());
                    search
                }
            }
        };
        search.await
    }

    async fn search_once(self: Arc<Self>, room: RoomAddress) -> Result<(), ResolveError> {
        let found = self.search(&room).await;
        lock(&self.searches).remove(&room);
        found
    }

    async fn search(&self, room: &RoomAddress) -> Result<(), ResolveError> {
        let _turn = self.search_locks.lock(&self.lock_name(room)).await;
        if lock(&self.cache).fails_like_its_domain(room, SystemClock.now()) {
            return Ok(());
        }
        let leave = tokio::sync::Mutex::new(SearchAdmission::default());
        let found = discover(Discovery::new(room, &self.policy), |ask| self.send_guarded(ask, &leave)).await;
        match (found, &*leave.lock().await) {
            (Ok(found), _) => lock(&self.cache).record_found(room, found.url, SystemClock.now()),
            (Err(_), SearchAdmission::Refused(kind, code)) => {
                return Err(ResolveError::Refused(*kind, code.clone()));
            }
            (Err(report), _) => self.record_failure(room, &report),
        }
        Ok(())
    }

    /// Before one was found in its domain, all rooms of a domain go one after another.
    fn lock_name(&self, room: &RoomAddress) -> String {
        let domain = room.domain();
        if !lock(&self.cache).knows_domain(domain, SystemClock.now()) {
            return domain.to_owned();
        }
        let mut hasher = DefaultHasher::new();
        room.hash(&mut hasher);
        format!("{domain} {}", hasher.finish() % SEARCHES_AT_ONCE)
    }

    fn record_failure(&self, room: &RoomAddress, report: &DiscoveryReport) {
        tracing::warn!(room = room.as_str(), cause = ?report.cause(), "{}", report.headline());
        lock(&self.cache).record_failed(room, report, SystemClock.now());
        if let hosts @ 1.. = report.rejected_by() {
            // Of several reasons the report names one; to others this is the one that counts.
            let refusal = match report.cause() {
                quest::Cause::Credentials => report.headline(),
                _ => "Autodiscover: our credentials are not accepted".to_owned(),
            };
            self.lockout.record_host_failures(AUTODISCOVER, ErrorKind::Credentials, &refusal, hosts);
        }
    }

    async fn send_guarded(
        &self,
        wanted: quest::DiscoveryRequest,
        leave: &tokio::sync::Mutex<SearchAdmission>,
    ) -> DiscoveryResponse {
        if wanted.credentials {
            let mut leave = leave.lock().await;
            if matches!(*leave, SearchAdmission::NotRequested) {
                *leave = match self.lockout.admit(AUTODISCOVER).await {
                    Ok(guard) => SearchAdmission::Granted { _guard: guard },
                    Err((kind, code)) => SearchAdmission::Refused(kind, code),
                };
            }
            if let SearchAdmission::Refused(_, code) = &*leave {
                return DiscoveryResponse::SignInFailed(code.clone());
            }
        }
        self.send(wanted).await
    }

    /// Sends a question to an Autodiscover service.
    pub(super) async fn send(&self, wanted: quest::DiscoveryRequest) -> DiscoveryResponse {
        let asker = OneShotClient { dialer: self.dialer.clone(), timeout: self.request_timeout };
        let credential = match wanted.credentials.then(|| self.credentials.for_url(&wanted.url)).transpose() {
            Ok(credential) => credential,
            Err(error) => return DiscoveryResponse::Incomplete(error.to_string()),
        };
        let Some(ask) = OneShotRequest::for_discovery(&wanted) else {
            return DiscoveryResponse::Incomplete("the question cannot be written".to_owned());
        };
        match asker.send(&ask, credential.as_deref()).await {
            Ok(said) => DiscoveryResponse::Http {
                status: said.status,
                location: said.location(),
                body: said.body[..said.body.len().min(BODY_BYTES_MAX)].to_vec(),
            },
            // A host that takes the connection and does not answer is not asked again either.
            Err(
                failure @ (TransportError::Resolve(_)
                | TransportError::Connect(_)
                | TransportError::Tls(..)
                | TransportError::ResponseTimeout(_)
                | TransportError::ConnectTimeout(_)),
            ) => DiscoveryResponse::Unreachable(failure.to_string()),
            Err(TransportError::SignIn { is_permanent: true, reason: why, .. }) => {
                DiscoveryResponse::SignInFailed(why)
            }
            Err(failure) => DiscoveryResponse::Incomplete(failure.to_string()),
        }
    }
}

/// Nothing panics while holding one; if it did, what is in it would still be so.
fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
