//! The running simulator: start, inspect, inject faults, stop. The protocols are elsewhere.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::options::SimulatorOptions;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use super::autodiscover::AutodiscoverService;

use super::faults::FaultRule;
use super::faults::InjectedFault;
use super::listener::ListenerTask;
use super::login::AuthenticationRules;
use super::login::Authenticator;
use super::login::ChannelBindingHash;
use super::login::ConnectionAuth;
use super::login::WindowsSignIn;
use super::login::binding_of_certificate;
use super::notify::StreamEnding;
use super::outbox::Mail;
use super::request_log::LoggedRequest;
use super::service::SimulatorService;
use super::tls;
use super::tls::ServerIdentity;
use super::world::World;

/// A running simulator.
pub struct Simulator {
    listening: ListenerTask,
    ca_pem: Option<String>,
    service: Arc<SimulatorService>,
}

impl Simulator {
    /// Starts to listen.
    ///
    /// # Errors
    /// If the port is taken, or no certificate can be generated.
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
        let authenticator = authenticator(identity.as_ref(), &options)?;
        let ca_pem = identity.map(|identity| identity.ca_pem);
        let service = Arc::new(SimulatorService::new(world, authenticator, &options));
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

    /// The EWS URL.
    pub fn url(&self) -> String {
        let scheme = if self.ca_pem.is_some() { "https" } else { "http" };
        format!("{scheme}://{}/EWS/Exchange.asmx", self.listening.address)
    }

    /// The root of Microsoft Graph, without a version.
    pub fn graph_root(&self) -> String {
        let scheme = if self.ca_pem.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.listening.address)
    }

    /// Issues an access token for Graph that is valid for an hour.
    pub fn graph_token(&self) -> String {
        self.service.graph.issue_token()
    }

    /// The CA certificate, in PEM, for clients to trust; `None` over plain HTTP.
    pub fn ca_pem(&self) -> Option<&str> {
        self.ca_pem.as_deref()
    }

    /// Reads or changes the world between two requests.
    pub fn world<R>(&self, look: impl FnOnce(&mut World) -> R) -> R {
        let mut state = self.service.state();
        state.world.logged_at = self.service.now();
        look(&mut state.world)
    }

    /// Adds a fault rule. Of several matching rules the oldest applies.
    pub fn inject_fault(&self, rule: FaultRule) {
        self.service.state().fault_rules.push(rule);
    }

    /// Removes every fault rule.
    pub fn clear_faults(&self) {
        self.service.state().fault_rules.clear();
    }

    /// Reads or changes Autodiscover's responses and its request log between two requests.
    pub fn autodiscover<R>(&self, look: impl FnOnce(&mut AutodiscoverService) -> R) -> R {
        look(&mut self.service.state().autodiscover)
    }

    /// Number of open notification streams.
    pub fn streams(&self) -> usize {
        self.service.state().hub.streams()
    }

    /// Number of live subscriptions.
    pub fn subscriptions(&self) -> usize {
        self.service.state().hub.subscriptions(Instant::now())
    }

    /// Drops every subscription, as when a server goes down. Open streams report it and end.
    pub fn drop_subscriptions(&self) {
        self.service.state().hub.drop_subscriptions(None);
    }

    /// Drops the subscriptions to one mailbox. Open streams report it and continue with the others.
    pub fn drop_subscriptions_of(&self, address: &str) {
        let mut state = self.service.state();
        if let Some(number) = state.world.mailbox(address).map(|mailbox| mailbox.number) {
            state.hub.drop_subscriptions(Some(number));
        }
    }

    /// Moves a mailbox to another back end: its subscriptions are dropped, and requests anchored to it are routed there
    /// unless a cookie names another.
    pub fn move_mailbox(&self, address: &str, back_end: usize) {
        self.service.state().homes.insert(address.to_lowercase(), back_end);
        self.drop_subscriptions_of(address);
    }

    /// Makes the open streams report missed events of this mailbox; queued events are dropped.
    pub fn report_missed_events_of(&self, address: &str) {
        let mut state = self.service.state();
        let state = &mut *state;
        if let Some(number) = state.world.mailbox(address).map(|mailbox| mailbox.number) {
            state.hub.report_missed_events(number, &state.world);
        }
    }

    /// Breaks every open stream in the middle of an envelope. Subscriptions survive.
    pub fn cut_streams(&self) {
        self.service.state().hub.end_streams(StreamEnding::Cut);
    }

    /// Closes every open stream as at its timeout. Subscriptions survive.
    pub fn close_streams(&self) {
        self.service.state().hub.end_streams(StreamEnding::Closed);
    }

    /// Injects a fault into every open stream; `None` removes it.
    pub fn inject_stream_fault(&self, fault: Option<InjectedFault>) {
        self.service.state().hub.inject_stream_fault(fault.as_ref());
    }

    /// Every mail the server would have sent.
    pub fn outbox(&self) -> Vec<Mail> {
        self.service.state().world.outbox().to_vec()
    }

    /// Every authenticated request.
    pub fn requests(&self) -> Vec<LoggedRequest> {
        self.service.state().request_log.all()
    }

    /// Every NTLM or Negotiate sign-in with the correct password.
    pub fn windows_sign_ins(&self) -> Vec<WindowsSignIn> {
        self.service.authenticator.sign_ins()
    }

    /// Number of NTLM and Negotiate sign-ins with a wrong password.
    pub fn failed_sign_ins(&self) -> usize {
        self.service.authenticator.failed_sign_ins()
    }

    /// Number of requests with a body that were rejected with 401.
    pub fn rejected_bodies(&self) -> usize {
        self.service.rejected_bodies.load(Ordering::Relaxed)
    }

    /// Forces every connection to sign in again, as after a recycle of the application pool.
    pub fn invalidate_sign_ins(&self) {
        self.service.authenticator.invalidate_sign_ins();
    }

    /// Changes the password. Authenticated connections stay so.
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
        graph_audience: options.graph.audience.clone(),
    };
    Ok(Authenticator::new(rules, &options.username, &options.domain, &options.password))
}

/// The channel binding to the certificate that this server believes clients see.
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

/// Serves one connection until it ends; its errors are the client's.
async fn connection(
    stream: TcpStream,
    acceptor: Option<TlsAcceptor>,
    service: Arc<SimulatorService>,
    connection_auth: ConnectionAuth,
) {
    match acceptor {
        None => serve_connection(stream, service, connection_auth).await,
        Some(acceptor) => {
            if let Ok(stream) = acceptor.accept(stream).await {
                serve_connection(stream, service, connection_auth).await;
            }
        }
    }
}

async fn serve_connection<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    service: Arc<SimulatorService>,
    connection_auth: ConnectionAuth,
) {
    let connection_auth = Arc::new(connection_auth);
    let answer = service_fn(move |request| {
        let (service, connection_auth) = (service.clone(), connection_auth.clone());
        async move { service.handle(&connection_auth, request).await }
    });
    let _ =
        http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), answer).await;
}
