//! Finds the EWS URLs of rooms by Autodiscover and caches them. Rooms of one domain are searched one after another
//! until the first is found, then a few at once; rooms of other domains do not wait for them. A search continues after
//! its caller has gone, so the next caller finds its result in the cache.
//!
//! The first request of a search that carries credentials waits for the lockout guard (`lockout.rs`), and the search
//! keeps the guard's lock until its rejections are recorded: the next search sends no credentials before.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use tokio::sync::OwnedMutexGuard;

use super::lockout::{AUTODISCOVER, LockoutGuard};
use super::resolve_error::ResolveError;
use super::response::proves_authenticated;
use super::settings::{ExchangeLocation, Settings};
use crate::autodiscover::cache::{CachedLocation, DiscoveryCache};
use crate::autodiscover::{
    self, BODY_BYTES_MAX, Discovery, DiscoveryReport, DiscoveryResponse, Policy, discover,
};
use crate::calendar::RoomAddress;
use crate::clock::{Clock as _, SystemClock};
use crate::engine::ErrorKind;
use crate::http::client::HttpClient;
use crate::http::connection_pool::HttpRequest;
use crate::http::dialer::Dialer;
use crate::http::error::{TransportError, error_chain};
use crate::keyed_mutex::KeyedMutex;
use crate::login::CredentialProvider;

/// Concurrent searches in one domain, after one of its rooms was found.
const SEARCHES_AT_ONCE: u64 = 4;
/// Rooms that are searched or wait for it, each once. More than any building has.
const SEARCHES_MAX: usize = 20_000;

/// A search under way, shared by all callers that ask for the same room.
type Search = Shared<BoxFuture<'static, Result<(), ResolveError>>>;

pub(super) struct Finder {
    pub(super) credentials: CredentialProvider,
    pub(super) dialer: Arc<Dialer>,
    policy: Policy,
    http: HttpClient,
    cache: Mutex<DiscoveryCache>,
    searches: Mutex<HashMap<RoomAddress, Search>>,
    search_locks: KeyedMutex,
    lockout: Arc<LockoutGuard>,
}

/// The lockout guard's decision, once a search has asked for it.
#[derive(Default)]
enum SearchAdmission {
    #[default]
    NotRequested,
    Granted {
        _guard: Option<OwnedMutexGuard<()>>,
    },
    /// The account was rejected a moment ago: the search sends no credentials.
    Refused(ErrorKind, String),
}

impl Finder {
    pub(super) fn new(
        settings: &Settings,
        credentials: CredentialProvider,
        dialer: Arc<Dialer>,
        lockout: Arc<LockoutGuard>,
    ) -> Self {
        let policy = match &settings.location {
            ExchangeLocation::Discovered(policy) => policy.clone(),
            ExchangeLocation::Url(_) => Policy::new([]),
        };
        Self {
            http: HttpClient::new(dialer.clone(), settings.connect_timeout.saturating_mul(2)),
            credentials,
            dialer,
            policy,
            cache: Mutex::default(),
            searches: Mutex::default(),
            search_locks: KeyedMutex::default(),
            lockout,
        }
    }

    /// The room's cached location.
    pub(super) fn cached(&self, room: &RoomAddress) -> Option<CachedLocation> {
        lock(&self.cache).get(room, SystemClock.now()).cloned()
    }

    /// Drops the room's cached URL; returns whether there was one.
    pub(super) fn invalidate(&self, room: &RoomAddress) -> bool {
        let mut known = lock(&self.cache);
        let was_there = matches!(known.get(room, SystemClock.now()), Some(CachedLocation::Url(_)));
        if was_there {
            known.invalidate(room);
        }
        was_there
    }

    /// Searches the room's server; the result is in the cache afterwards.
    pub(super) async fn find(self: &Arc<Self>, room: &RoomAddress) -> Result<(), ResolveError> {
        let search = {
            let mut searches = lock(&self.searches);
            match searches.get(room) {
                Some(search) => search.clone(),
                None if searches.len() >= SEARCHES_MAX => {
                    return Err(ResolveError::Unavailable(TransportError::ServerNotFound(
                        "too many Autodiscover searches are under way".to_owned(),
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
        let _lock = self.search_locks.lock(&self.lock_name(room)).await;
        if lock(&self.cache).fails_like_its_domain(room, SystemClock.now()) {
            return Ok(());
        }
        let admission = tokio::sync::Mutex::new(SearchAdmission::default());
        let found =
            discover(Discovery::new(room, &self.policy), |request| self.send_guarded(request, &admission))
                .await;
        match (found, &*admission.lock().await) {
            (Ok(found), _) => lock(&self.cache).record_found(room, found.url, SystemClock.now()),
            (Err(_), SearchAdmission::Refused(kind, code)) => {
                return Err(ResolveError::Refused(*kind, code.clone()));
            }
            (Err(report), _) => self.record_failure(room, &report),
        }
        Ok(())
    }

    /// Name of the lock that the search of a room holds: one for its whole domain until a room of the domain was found.
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
            // The report names one of several causes; the lockout guard counts the rejection anyway.
            let refusal = match report.cause() {
                autodiscover::Cause::Credentials => report.headline(),
                _ => "Autodiscover rejects the service account's credentials".to_owned(),
            };
            self.lockout.record_host_failures(AUTODISCOVER, ErrorKind::Credentials, &refusal, hosts);
        }
    }

    async fn send_guarded(
        &self,
        request: autodiscover::DiscoveryRequest,
        admission: &tokio::sync::Mutex<SearchAdmission>,
    ) -> DiscoveryResponse {
        if request.credentials {
            let mut admission = admission.lock().await;
            if matches!(*admission, SearchAdmission::NotRequested) {
                *admission = match self.lockout.admit(AUTODISCOVER).await {
                    Ok(guard) => SearchAdmission::Granted { _guard: guard },
                    Err((kind, code)) => SearchAdmission::Refused(kind, code),
                };
            }
            if let SearchAdmission::Refused(_, code) = &*admission {
                return DiscoveryResponse::SignInFailed(code.clone());
            }
        }
        self.send(request).await
    }

    /// Sends a request to an Autodiscover service.
    pub(super) async fn send(&self, request: autodiscover::DiscoveryRequest) -> DiscoveryResponse {
        let Some(http_request) = http_request(&request) else {
            return DiscoveryResponse::Incomplete("the request has an invalid header".to_owned());
        };
        let sent = if request.credentials {
            let credential = match self.credentials.for_url(&request.url) {
                Ok(credential) => credential,
                Err(error) => return DiscoveryResponse::Incomplete(error_chain(&error)),
            };
            self.http.send_authenticated(&request.url, credential, proves_authenticated, &http_request).await
        } else {
            self.http.send_anonymous(&request.url, &http_request).await
        };
        match sent {
            Ok(response) => DiscoveryResponse::Http {
                status: response.status,
                location: location(&response.headers),
                body: response.body[..response.body.len().min(BODY_BYTES_MAX)].to_vec(),
            },
            // A host that accepts the connection and does not respond is not asked again either.
            Err(
                failure @ (TransportError::Resolve(_)
                | TransportError::Connect(_)
                | TransportError::Tls(..)
                | TransportError::FirstByteTimeout(_)
                | TransportError::ResponseTimeout(_)
                | TransportError::ConnectTimeout(_)),
            ) => DiscoveryResponse::Unreachable(failure.describe("Exchange")),
            Err(TransportError::SignIn { is_permanent: true, reason: why, .. }) => {
                DiscoveryResponse::SignInFailed(why)
            }
            Err(failure) => DiscoveryResponse::Incomplete(failure.describe("Exchange")),
        }
    }
}

/// The request that Autodiscover wants sent; `None` if one of its headers is not valid in HTTP.
fn http_request(request: &autodiscover::DiscoveryRequest) -> Option<HttpRequest> {
    let headers = request.headers.iter().map(|(name, value)| {
        Some((HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_str(value).ok()?))
    });
    Some(HttpRequest {
        method: request.method.clone(),
        headers: headers.collect::<Option<_>>()?,
        body: request.body.clone().into(),
    })
}

/// The `Location` header.
fn location(headers: &HeaderMap) -> Option<String> {
    Some(headers.get(header::LOCATION)?.to_str().ok()?.to_owned())
}

/// No code panics while holding one of these locks; the maps would be valid all the same.
fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
