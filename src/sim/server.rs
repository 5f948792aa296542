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

use super::autodiscover::Autodiscover;
use super::listen::Listening;
use super::login::{
    Binding, Door, ExtendedProtection, Login, Rules, Scheme, Tokens, Visitor, of_certificate,
};
use super::notify::{Ending, Notifications};
use super::outbox::Mail;
use super::record::Asked;
use super::release::Release;
use super::service::Service;
use super::tls::{self, Identity};
use super::trouble::{Trouble, Wrong};
use super::world::World;

/// How the simulator is to be reached.
#[derive(Debug, Clone)]
pub struct Options {
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
    pub release: Release,
    /// The ways of signing in, in the order in which a 401 offers them.
    pub schemes: Vec<Scheme>,
    /// The service account's Windows domain, as `DOMAIN\\name` says it; what stands behind the `@` is its name in DNS.
    pub domain: String,
    /// Whether sign-ins by NTLM and Negotiate must be bound to the TLS connection.
    pub extended_protection: ExtendedProtection,
    /// A certificate to serve with `tls`; `None` makes one (ECDSA, P-256).
    pub identity: Option<Identity>,
    /// A box in front ends TLS: clients see a certificate that this server does not know, and no binding to it is right.
    pub terminated_elsewhere: bool,
    /// Only clients with a certificate of this CA (in PEM) are let in by TLS.
    pub client_ca_pem: Option<String>,
    /// The access tokens that open the door to [`Scheme::Bearer`].
    pub tokens: Tokens,
    /// How far this server's clock is ahead of ours, as its `ModifiedOccurrence` header says.
    pub clock_ahead: TimeDelta,
    /// Mailboxes for which EWS is switched off (HTTP 403); `*` for all.
    pub disabled: Vec<String>,
    /// How notifications are given, and how many.
    pub notifications: Notifications,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            tls: false,
            port: 0,
            username: "svc-adjourn@example.com".to_owned(),
            password: "simulated".to_owned(),
            latency: Duration::ZERO,
            now: None,
            release: Release::default(),
            schemes: vec![Scheme::Basic],
            domain: "EXAMPLE".to_owned(),
            extended_protection: ExtendedProtection::None,
            identity: None,
            terminated_elsewhere: false,
            client_ca_pem: None,
            tokens: Tokens::default(),
            clock_ahead: TimeDelta::zero(),
            disabled: Vec::new(),
            notifications: Notifications::default(),
        }
    }
}

/// A running server.
pub struct Simulator {
    listening: Listening,
    ca_pem: Option<String>,
    service: Arc<Service>,
}

impl Simulator {
    /// Begins to listen.
    ///
    /// # Errors
    /// When the port is taken, or no certificate can be made.
    pub async fn start(world: World, options: Options) -> io::Result<Self> {
        let identity = match options.tls {
            true => Some(options.identity.clone().map_or_else(Identity::make, Ok)?),
            false => None,
        };
        let acceptor = identity
            .as_ref()
            .map(|identity| tls::config(identity, options.client_ca_pem.as_deref()))
            .transpose()?
            .map(|config| TlsAcceptor::from(Arc::new(config)));
        let door = door(identity.as_ref(), &options)?;
        let ca_pem = identity.map(|identity| identity.ca_pem);
        let service = Arc::new(Service::new(world, door, &options));
        let (shared, mut count) = (service.clone(), 0);
        let listening = Listening::start(options.port, move |stream| {
            count += 1;
            connection(stream, acceptor.clone(), shared.clone(), Visitor::new(count))
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
        state.world.noticed = self.service.now();
        look(&mut state.world)
    }

    /// Scripts trouble. Of several rules that apply to a request the oldest strikes.
    pub fn trouble(&self, trouble: Trouble) {
        self.service.state().troubles.push(trouble);
    }

    /// Looks at what Autodiscover answers and was asked, or changes it, between two requests.
    pub fn autodiscover<R>(&self, look: impl FnOnce(&mut Autodiscover) -> R) -> R {
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
    pub fn lose_subscriptions(&self) {
        self.service.state().hub.lose_all(None);
    }

    /// The subscriptions to one mailbox are lost. Open streams say so, and go on with the others.
    pub fn lose_subscriptions_of(&self, address: &str) {
        let mut state = self.service.state();
        if let Some(number) = state.world.mailbox(address).map(|mailbox| mailbox.number) {
            state.hub.lose_all(Some(number));
        }
    }

    /// The mailbox lives on this back end from now on, and on no other: its subscriptions are lost, and requests that it anchors go
    /// there unless a cookie names another.
    pub fn move_mailbox(&self, address: &str, back_end: usize) {
        self.service.state().homes.insert(address.to_lowercase(), back_end);
        self.lose_subscriptions_of(address);
    }

    /// The open streams say that they missed events of this mailbox. What was not told yet is never told.
    pub fn miss_events_of(&self, address: &str) {
        let mut state = self.service.state();
        let state = &mut *state;
        if let Some(number) = state.world.mailbox(address).map(|mailbox| mailbox.number) {
            state.hub.miss_events(number, &state.world);
        }
    }

    /// Every open stream breaks off in the middle of an envelope. Its subscriptions live on.
    pub fn cut_streams(&self) {
        self.service.state().hub.end_streams(Ending::Cut);
    }

    /// Every open stream ends as if its time had come. Its subscriptions live on.
    pub fn close_streams(&self) {
        self.service.state().hub.end_streams(Ending::Closed);
    }

    /// From now on this goes wrong with every stream that is open; with `None` nothing does any more.
    pub fn disturb_streams(&self, wrong: Option<Wrong>) {
        self.service.state().hub.disturb_streams(wrong.as_ref());
    }

    /// Every mail that would have been sent.
    pub fn outbox(&self) -> Vec<Mail> {
        self.service.state().world.outbox().to_vec()
    }

    /// Every request that came in and was let in.
    pub fn requests(&self) -> Vec<Asked> {
        self.service.state().record.all()
    }

    /// Every sign-in by NTLM or Negotiate in which the password was right.
    pub fn logins(&self) -> Vec<Login> {
        self.service.door.logins()
    }

    /// How many sign-ins by NTLM or Negotiate had a wrong password.
    pub fn refused_sign_ins(&self) -> usize {
        self.service.door.wrong()
    }

    /// How many requests brought their body along and were not let in.
    pub fn bodies_refused(&self) -> usize {
        self.service.bodies_refused.load(Ordering::Relaxed)
    }

    /// Every connection has to sign in again, as after a recycle of the application pool.
    pub fn sign_everybody_out(&self) {
        self.service.door.forget_everybody();
    }

    /// From now on another password is right. Connections that are signed in stay so.
    pub fn change_password(&self, password: &str) {
        self.service.door.change_password(password);
    }

    /// Stops listening and closes all connections.
    pub async fn stop(self) {
        self.listening.stop().await;
    }
}

fn door(identity: Option<&Identity>, options: &Options) -> io::Result<Door> {
    let rules = Rules {
        schemes: options.schemes.clone(),
        protection: options.extended_protection,
        binding: binding(identity, options)?,
        tokens: options.tokens.clone(),
    };
    Ok(Door::new(rules, &options.username, &options.domain, &options.password))
}

/// The binding to the certificate that this server believes to be in use.
fn binding(identity: Option<&Identity>, options: &Options) -> io::Result<Option<Binding>> {
    let unseen = options.terminated_elsewhere.then(Identity::make).transpose()?;
    unseen.as_ref().or(identity).map(Identity::leaf).transpose().map(|leaf| of_certificate(&leaf?))
}

/// One connection until it ends; how it ends is the client's business.
async fn connection(
    stream: TcpStream,
    acceptor: Option<TlsAcceptor>,
    service: Arc<Service>,
    visitor: Visitor,
) {
    match acceptor {
        None => converse(stream, service, visitor).await,
        Some(acceptor) => {
            if let Ok(stream) = acceptor.accept(stream).await {
                converse(stream, service, visitor).await;
            }
        }
    }
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    service: Arc<Service>,
    visitor: Visitor,
) {
    let visitor = Arc::new(visitor);
    let answer = service_fn(move |request| {
        let (service, visitor) = (service.clone(), visitor.clone());
        async move { service.answer(&visitor, request).await }
    });
    let _ =
        http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), answer).await;
}
