//! A simulated Entra ID: a token endpoint over HTTP(S) that issues access tokens to an application for its secret or
//! its certificate, or for the assertion of another issuer (OAuth 2.0 client credentials, RFC 6749 section 4.4), and
//! rejects requests with Entra ID's error bodies. The same address has a machine's managed identity endpoint. A
//! simulator that shares its [`AccessTokens`] accepts the tokens. It never calls the simulator.
//!
//! ```no_run
//! # use adjourn::sim::{Authority, AuthorityOptions, AuthScheme, Simulator, SimulatorOptions, World};
//! # async fn start() -> std::io::Result<()> {
//! let authority = Authority::start(AuthorityOptions::default()).await?;
//! let schemes = vec![AuthScheme::Bearer];
//! let options = SimulatorOptions { schemes, tokens: authority.tokens(), ..SimulatorOptions::default() };
//! let exchange = Simulator::start(World::new(), options).await?;
//! # Ok(()) }
//! ```

mod app_registration;
mod assertion;
mod federated_credential;
mod form;
mod managed_identity;
mod oauth_error;

use std::collections::HashSet;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::request::Parts;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;

use self::app_registration::AppRegistration;
pub use self::federated_credential::FederatedCredential;
use self::oauth_error::OAuthError;
use super::listener::ListenerTask;
use super::login::AccessTokens;
use super::response_body::ResponseBody;
use super::tls::{self, ServerIdentity};
use crate::clock::{Clock as _, SystemClock};

/// Limit of a request body; token requests are far smaller.
const FORM_BYTES_MAX: usize = 64 << 10;

/// The application that may request tokens, and the tokens' lifetime.
#[derive(Debug, Clone)]
pub struct AuthorityOptions {
    /// Serve HTTPS with a generated certificate instead of HTTP.
    pub tls: bool,
    /// Port on 127.0.0.1; 0 picks a free one.
    pub port: u16,
    /// The tenant, by domain name or id.
    pub tenant: String,
    /// The application's client id.
    pub client_id: String,
    /// Its client secret, if it has one.
    pub client_secret: Option<String>,
    /// Its certificate (RSA), in PEM, if it has one.
    pub certificate_pem: Option<String>,
    /// The other issuer whose assertions prove the application, if there is one.
    pub federated: Option<FederatedCredential>,
    /// Whether the machine has a managed identity, with the application's rights.
    pub managed_identity: bool,
    /// Accepted values of `scope`.
    pub scopes: Vec<String>,
    /// Lifetime of each token.
    pub lifetime: Duration,
}

impl Default for AuthorityOptions {
    fn default() -> Self {
        Self {
            tls: false,
            port: 0,
            tenant: "example.onmicrosoft.com".to_owned(),
            client_id: "5ad0c11e-6d1c-4e02-9f3b-0000000000c1".to_owned(),
            client_secret: Some("simulated".to_owned()),
            certificate_pem: None,
            federated: None,
            managed_identity: false,
            scopes: vec![
                "https://outlook.office365.com/.default".to_owned(),
                "https://graph.microsoft.com/.default".to_owned(),
            ],
            lifetime: Duration::from_secs(3_599),
        }
    }
}

/// A fault injected into a token request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenFault {
    /// 429, with `Retry-After` in seconds if given.
    Throttled(Option<u64>),
    /// 503.
    Unavailable,
    /// The connection closes without a response.
    Down,
    /// 200 with an HTML page instead of a token.
    Garbage,
    /// The response is delayed by this much.
    Slow(Duration),
}

/// A running token endpoint.
pub struct Authority {
    listening: ListenerTask,
    ca_pem: Option<String>,
    shared: Arc<AuthorityService>,
}

struct AuthorityService {
    scheme: &'static str,
    path: String,
    managed_identity: bool,
    tokens: AccessTokens,
    state: Mutex<AuthorityState>,
}

struct AuthorityState {
    app: AppRegistration,
    lifetime: Duration,
    /// The injected fault, and how many more requests it applies to.
    fault: Option<(TokenFault, usize)>,
    requests: usize,
}

impl Authority {
    /// Starts to listen.
    ///
    /// # Errors
    /// If the port is taken, or a certificate cannot be parsed or generated.
    pub async fn start(options: AuthorityOptions) -> io::Result<Self> {
        let identity = options.tls.then(ServerIdentity::generate).transpose()?;
        let config = identity.as_ref().map(|identity| tls::config(identity, None)).transpose()?;
        let acceptor = config.map(|config| TlsAcceptor::from(Arc::new(config)));
        let certificate = options.certificate_pem.as_deref().map(|pem| {
            CertificateDer::from_pem_slice(pem.as_bytes()).map(|der| der.to_vec()).map_err(io::Error::other)
        });
        let app = AppRegistration {
            client_id: options.client_id,
            client_secret: options.client_secret,
            is_secret_expired: false,
            certificate: certificate.transpose()?,
            federated: options.federated.map(FederatedCredential::into_key).transpose()?,
            scopes: options.scopes,
            assertions: HashSet::new(),
        };
        let shared = Arc::new(AuthorityService {
            scheme: if options.tls { "https" } else { "http" },
            path: format!("/{}/oauth2/v2.0/token", options.tenant),
            managed_identity: options.managed_identity,
            tokens: AccessTokens::default(),
            state: Mutex::new(AuthorityState { app, lifetime: options.lifetime, fault: None, requests: 0 }),
        });
        let all = shared.clone();
        let listening = ListenerTask::start(options.port, move |stream| {
            let (acceptor, shared) = (acceptor.clone(), all.clone());
            async move {
                match acceptor {
                    None => serve_connection(stream, shared).await,
                    Some(acceptor) => {
                        if let Ok(stream) = acceptor.accept(stream).await {
                            serve_connection(stream, shared).await;
                        }
                    }
                }
            }
        })
        .await?;
        Ok(Self { listening, ca_pem: identity.map(|identity| identity.ca_pem), shared })
    }

    /// URL of the token endpoint.
    pub fn url(&self) -> String {
        format!("{}://{}{}", self.shared.scheme, self.listening.address, self.shared.path)
    }

    /// Scheme, host and port, where the managed identity endpoint is.
    pub fn root(&self) -> String {
        format!("{}://{}", self.shared.scheme, self.listening.address)
    }

    /// The CA certificate, in PEM; `None` over plain HTTP.
    pub fn ca_pem(&self) -> Option<&str> {
        self.ca_pem.as_deref()
    }

    /// The issued tokens, for [`SimulatorOptions::tokens`](super::SimulatorOptions::tokens).
    pub fn tokens(&self) -> AccessTokens {
        self.shared.tokens.clone()
    }

    /// Number of tokens issued.
    pub fn issued(&self) -> usize {
        self.shared.tokens.count()
    }

    /// Number of requests received, including rejected ones.
    pub fn requests(&self) -> usize {
        self.shared.state().requests
    }

    /// Invalidates every token issued so far.
    pub fn expire(&self) {
        self.shared.tokens.expire();
    }

    /// Replaces the client secret by one that has not expired.
    pub fn change_secret(&self, secret: &str) {
        let mut state = self.shared.state();
        state.app.client_secret = Some(secret.to_owned());
        state.app.is_secret_expired = false;
    }

    /// Lets the client secret expire.
    pub fn expire_secret(&self) {
        self.shared.state().app.is_secret_expired = true;
    }

    /// Sets the lifetime of tokens issued from now on.
    pub fn set_lifetime(&self, lifetime: Duration) {
        self.shared.state().lifetime = lifetime;
    }

    /// Injects a fault into the next `times` requests: `usize::MAX` means all, 0 none.
    pub fn inject_fault(&self, fault: TokenFault, times: usize) {
        self.shared.state().fault = Some((fault, times));
    }

    /// Stops listening and closes all connections.
    pub async fn stop(self) {
        self.listening.stop().await;
    }
}

async fn serve_connection<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    shared: Arc<AuthorityService>,
) {
    let answer = service_fn(move |request| {
        let shared = shared.clone();
        async move { shared.answer(request).await }
    });
    let _ =
        http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), answer).await;
}

impl AuthorityService {
    /// Cannot be poisoned in practice: no holder panics.
    fn state(&self) -> MutexGuard<'_, AuthorityState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Handles one request. An error closes the connection without a response.
    async fn answer(&self, request: Request<Incoming>) -> io::Result<Response<ResponseBody>> {
        let (head, body) = request.into_parts();
        let host = head.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let endpoint = format!("{}://{host}{}", self.scheme, self.path);
        let body = Limited::new(body, FORM_BYTES_MAX).collect().await;
        let body = body.map_err(|error| io::Error::other(error.to_string()))?.to_bytes();
        match self.count_and_pick_fault() {
            Some(TokenFault::Slow(time)) => tokio::time::sleep(time).await,
            Some(fault) => return faulty_response(fault),
            None => {}
        }
        if managed_identity::is_ours(&head) {
            let (status, answer) = self.identity_token(&head);
            return respond(status, None, &answer.to_string());
        }
        if head.method != Method::POST {
            return respond(StatusCode::METHOD_NOT_ALLOWED, None, "");
        }
        let (status, answer) = match self.issue_token(head.uri.path(), &body, &endpoint) {
            Ok(answer) => (StatusCode::OK, answer),
            Err(refusal) => (refusal.status, refusal.body(SystemClock.now())),
        };
        respond(status, None, &answer.to_string())
    }

    /// Counts a request, and returns the fault to apply to it.
    fn count_and_pick_fault(&self) -> Option<TokenFault> {
        let mut state = self.state();
        state.requests += 1;
        let (fault, times) = state.fault.as_mut().filter(|(_, times)| *times > 0)?;
        *times = times.saturating_sub(usize::from(*times != usize::MAX));
        Some(*fault)
    }

    /// The response of the managed identity endpoint.
    fn identity_token(&self, head: &Parts) -> (StatusCode, Value) {
        match managed_identity::resource(head, self.managed_identity) {
            Err(refusal) => refusal,
            Ok(resource) => {
                let state = self.state();
                let (client, lifetime) = (&state.app.client_id, state.lifetime);
                let token = self.tokens.issue_for(resource.trim_end_matches('/'), lifetime);
                let (now, seconds) = (SystemClock.now(), lifetime.as_secs());
                (StatusCode::OK, managed_identity::token_response(&token, &resource, client, now, seconds))
            }
        }
    }

    fn issue_token(&self, path: &str, body: &[u8], endpoint: &str) -> Result<Value, OAuthError> {
        if !path.eq_ignore_ascii_case(&self.path) {
            let tenant = path.split('/').nth(1).unwrap_or_default();
            return Err(OAuthError::invalid_request(90002, format!("Tenant '{tenant}' not found.")));
        }
        let form = form::read(body)
            .ok_or_else(|| OAuthError::invalid_request(90014, "The request body is not form-encoded."))?;
        let mut state = self.state();
        state.app.authorize(&form, endpoint, SystemClock.now())?;
        let scope = form.iter().find(|(name, _)| name == "scope").map_or("", |(_, scope)| scope);
        let audience = scope.strip_suffix("/.default").unwrap_or(scope).to_owned();
        let seconds = state.lifetime.as_secs();
        Ok(json!({
            "token_type": "Bearer",
            "expires_in": seconds,
            "ext_expires_in": seconds,
            "access_token": self.tokens.issue_for(&audience, state.lifetime),
        }))
    }
}

/// The response that replaces a token under a fault.
fn faulty_response(fault: TokenFault) -> io::Result<Response<ResponseBody>> {
    match fault {
        TokenFault::Throttled(after) => {
            let refusal = OAuthError::bad_request("temporarily_unavailable", 50196, "The server is busy.");
            let body = refusal.body(SystemClock.now()).to_string();
            respond(StatusCode::TOO_MANY_REQUESTS, after, &body)
        }
        TokenFault::Unavailable => respond(StatusCode::SERVICE_UNAVAILABLE, None, "<h1>503</h1>"),
        TokenFault::Garbage => respond(StatusCode::OK, None, "<h1>Sign in to the hotel's network</h1>"),
        TokenFault::Down | TokenFault::Slow(_) => Err(io::ErrorKind::ConnectionReset.into()),
    }
}

fn respond(status: StatusCode, retry_after: Option<u64>, body: &str) -> io::Result<Response<ResponseBody>> {
    let kind = if body.starts_with('{') { "application/json; charset=utf-8" } else { "text/html" };
    let mut response = Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, kind)
        .header(header::CACHE_CONTROL, "no-store, no-cache");
    if let Some(seconds) = retry_after {
        response = response.header(header::RETRY_AFTER, seconds);
    }
    response.body(ResponseBody::complete(body.to_owned().into())).map_err(io::Error::other)
}
