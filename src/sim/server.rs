//! The simulator as a process sees it: started on a free port of this machine, asked, troubled, stopped.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use super::autodiscover::AutodiscoverService;
use super::exchange_release::ExchangeRelease;
use super::faults::{FaultRule, InjectedFault};
use super::listener::ListenerTask;
use super::login::{
    AccessTokens, AuthScheme, AuthenticationRules, Authenticator, ChannelBindingHash, ConnectionAuth,
    ExtendedProtection, WindowsSignIn, binding_of_certificate,
};
use super::notify::{NotificationOptions, StreamEnding};
use super::outbox::Mail;
use super::request_log::LoggedRequest;
use super::service::SimulatorService;
use super::tls::{self, ServerIdentity};
use super::world::World;

/// How the simulator is to be reached.
#[derive(Debug, Clone)]
pub struct SimulatorOptions {
    /// HTTPS with a certificate made for the occasion, instead of HTTP.
    pub tls: bool,
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// The service account.
    pub username: String,
    /// Its password.
    pub password: String,
    /// How long every answer takes at least.
    pub latency: Duration,
    /// What time it always is; `None` for the time it is.
    pub now: Option<DateTime<Utc>>,
    /// Which Exchange it is.
    pub release: ExchangeRelease,
    /// The ways of signing in, in the order in which a 401 offers them.
    pub schemes: Vec<AuthScheme>,
    /// The service account's Windows domain, as `DOMAIN\\name` says it; what stands behind the `@` is its name in DNS.
    pub domain: String,
    /// Whether sign-ins by NTLM and Negotiate must be bound to the TLS connection.
    pub extended_protection: ExtendedProtection,
    /// A certificate to serve with `tls`; `None` makes one (ECDSA, P-256).
    pub identity: Option<ServerIdentity>,
    /// A box in front ends TLS: clients see a certificate that this server does not know, and no binding to it is right.
    pub tls_ends_at_proxy: bool,
    /// Only clients with a certificate of this CA (in PEM) are let in by TLS.
    pub client_ca_pem: Option<String>,
    /// The access tokens that open the door to [`AuthScheme::Bearer`].
    pub tokens: AccessTokens,
    /// How far this server's clock is ahead of ours, as its `ModifiedOccurrence` header says.
    pub clock_ahead: TimeDelta,
    /// Mailboxes for which EWS is switched off (HTTP 403); `*` for all.
    pub disabled: Vec<String>,
    /// How notifications are given, and how many.
    pub notifications: NotificationOptions,
}

impl Default for SimulatorOptions {
    fn default() -> Self {
        Self {
            tls: false,
            port: 0,
            username: "svc-adjourn@example.com".to_owned(),
            password: "simulated".to_owned(),
            latency: Duration::ZERO,
            now: None,
            release: ExchangeRelease::default(),
            schemes: vec![AuthScheme::Basic],
            domain: "EXAMPLE".to_owned(),
            extended_protection: ExtendedProtection::None,
            identity: None,
            tls_ends_at_proxy: false,
            client_ca_pem: None,
            tokens: AccessTokens::default(),
            clock_ahead: TimeDelta::zero(),
            disabled: Vec::new(),
            notifications: NotificationOptions::default(),
        }
    }
}

/// A running server.
pub struct Simulator {
    listening: ListenerTask,
    ca_pem: Option<String>,
    service: Arc<SimulatorService>,
}

impl Simulator {
    /// Begins to listen.
    ///
    /// # Errors
    /// When the port is taken, or no certificate can be made.
    pub async fn start(world: World, options: SimulatorOptions) -> io::Result<Self> {
        let identity = match options.tls {
            true => Some(options.identity.clone().map_or_else(ServerIdentity::generate, Ok)?),
            false => None,
        };
        let acceptor = identity
            .as_ref()
            .map(|identity| tls::config(identity, options.client_ca_pem.as_deref()))
            .transpose()?
            .map(|config| TlsAcceptor::from(Arc::new(config)));
        let door = authenticator(identity.as_ref(), &options)?;
        let ca_pem = identity.map(|identity| identity.ca_pem);
        let service = Arc::new(SimulatorService::new(world, door, &options));
        let (shared, mut count) = (service.clone(), 0);
        let listening = ListenerTask::start(options.port, move |stream| {
            count += 1;
            connection(stream, acceptor.clone(), shared.clone(), ConnectionAuth::new(count))
        })
        .await?;
        let scheme = if ca_pem.is_some() { "https" } else { "http" };
        service.state().autodiscover.base = format!("{scheme}://{}", listening.address);
        Ok(Self { listening, ca_pem, service })
    }

    /// Where EWS is.
    pub fn url(&self) -> String {
        let scheme = if self.ca_pem.is_some() { "https" } else { "http" };
        format!("{scheme}://{}/EWS/Exchange.asmx", self.listening.address)
    }

    /// The issuer of its certificate, in PEM, for clients to trust; `None` over plain HTTP.
    pub fn ca_pem(&self) -> Option<&str> {
        self.ca_pem.as_deref()
    }

    /// Looks at the world, or changes it, between two requests.
    pub fn world<R>(&self, look: impl FnOnce(&mut World) -> R) -> R {
        let mut state = self.service.state();
        state.world.logged_at = self.service.now();
        look(&mut state.world)
    }

    /// Scripts trouble. Of several rules that apply to a request the oldest strikes.
    pub fn inject_fault(&self, trouble: FaultRule) {
        self.service.state().fault_rules.push(trouble);
    }

    /// Looks at what Autodiscover answers and was asked, or changes it, between two requests.
    pub fn autodiscover<R>(&self, look: impl FnOnce(&mut AutodiscoverService) -> R) -> R {
        look(&mut self.service.state().autodiscover)
    }

    /// How many streams of notifications are open.
    pub fn streams(&self) -> usize {
        self.service.state().hub.streams()
    }

    /// How many subscriptions are alive.
    pub fn subscriptions(&self) -> usize {
        self.service.state().hub.subscriptions(Instant::now())
    }

    /// Every subscription is lost, as when its server goes down. Open streams say so, and end.
    pub fn drop_subscriptions(&self) {
        self.service.state().hub.drop_subscriptions(None);
    }

    /// The subscriptions to one mailbox are lost. Open streams say so, and go on with the others.
    pub fn drop_subscriptions_of(&self, address: &str) {
        let mut state = self.service.state();
        if let Some(number) = state.world.mailbox(address).map(|mailbox| mailbox.number) {
            state.hub.drop_subscriptions(Some(number));
        }
    }

    /// The mailbox lives on this back end from now on, and on no other: its subscriptions are lost, and requests that it anchors go
    /// there unless a cookie names another.
    pub fn move_mailbox(&self, address: &str, back_end: usize) {
        self.service.state().homes.insert(address.to_lowercase(), back_end);
        self.drop_subscriptions_of(address);
    }

    /// The open streams say that they missed events of this mailbox. What was not told yet is never told.
    pub fn report_missed_events_of(&self, address: &str) {
        let mut state = self.service.state();
        let state = &mut *state;
        if let Some(number) = state.world.mailbox(address).map(|mailbox| mailbox.number) {
            state.hub.report_missed_events(number, &state.world);
        }
    }

    /// Every open stream breaks off in the middle of an envelope. Its subscriptions live on.
    pub fn cut_streams(&self) {
        self.service.state().hub.end_streams(StreamEnding::Cut);
    }

    /// Every open stream ends as if its time had come. Its subscriptions live on.
    pub fn close_streams(&self) {
        self.service.state().hub.end_streams(StreamEnding::Closed);
    }

    /// From now on this goes wrong with every stream that is open; with `None` nothing does any more.
    pub fn inject_stream_fault(&self, wrong: Option<InjectedFault>) {
        self.service.state().hub.inject_stream_fault(wrong.as_ref());
    }

    /// Every mail that would have been sent.
    pub fn outbox(&self) -> Vec<Mail> {
        self.service.state().world.outbox().to_vec()
    }

    /// Every request that came in and was let in.
    pub fn requests(&self) -> Vec<LoggedRequest> {
        self.service.state().request_log.all()
    }

    /// Every sign-in by NTLM or Negotiate in which the password was right.
    pub fn windows_sign_ins(&self) -> Vec<WindowsSignIn> {
        self.service.authenticator.sign_ins()
    }

    /// How many sign-ins by NTLM or Negotiate had a wrong password.
    pub fn failed_sign_ins(&self) -> usize {
        self.service.authenticator.failed_sign_ins()
    }

    /// How many requests brought their body along and were not let in.
    pub fn rejected_bodies(&self) -> usize {
        self.service.rejected_bodies.load(Ordering::Relaxed)
    }

    /// Every connection has to sign in again, as after a recycle of the application pool.
    pub fn invalidate_sign_ins(&self) {
        self.service.authenticator.invalidate_sign_ins();
    }

    /// From now on another password is right. Connections that are signed in stay so.
    pub fn change_password(&self, password: &str) {
        self.service.authenticator.change_password(password);
    }

    /// Stops listening and closes all connections.
    pub async fn stop(self) {
        self.listening.stop().await;
    }
}

fn authenticator(identity: Option<&ServerIdentity>, options: &SimulatorOptions) -> io::Result<Authenticator> {
    let rules = AuthenticationRules {
        schemes: options.schemes.clone(),
        protection: options.extended_protection,
        binding: binding(identity, options)?,
        tokens: options.tokens.clone(),
    };
    Ok(Authenticator::new(rules, &options.username, &options.domain, &options.password))
}

/// The binding to the certificate that this server believes to be in use.
fn binding(
    identity: Option<&ServerIdentity>,
    options: &SimulatorOptions,
) -> io::Result<Option<ChannelBindingHash>> {
    let unseen = options.tls_ends_at_proxy.then(ServerIdentity::generate).transpose()?;
    unseen
        .as_ref()
        .or(identity)
        .map(ServerIdentity::leaf_certificate)
        .transpose()
        .map(|leaf| binding_of_certificate(&leaf?))
}

/// One connection until it ends; how it ends is the client's business.
async fn connection(
    stream: TcpStream,
    acceptor: Option<TlsAcceptor>,
    service: Arc<SimulatorService>,
    visitor: ConnectionAuth,
) {
    match acceptor {
        None => serve_connection(stream, service, visitor).await,
        Some(acceptor) => {
            if let Ok(stream) = acceptor.accept(stream).await {
                serve_connection(stream, service, visitor).await;
            }
        }
    }
}

async fn serve_connection<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    service: Arc<SimulatorService>,
    visitor: ConnectionAuth,
) {
    let visitor = Arc::new(visitor);
    let answer = service_fn(move |request| {
        let (service, visitor) = (service.clone(), visitor.clone());
        async move { service.handle(&visitor, request).await }
    });
    let _ =
        http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), answer).await;
}
