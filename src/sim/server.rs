//! The simulator as a process sees it: started on a free port of this machine, asked, troubled, stopped.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use super::autodiscover::Autodiscover;
use super::outbox::Mail;
use super::record::Asked;
use super::release::Release;
use super::service::Service;
use super::tls::{Identity, identity};
use super::trouble::Trouble;
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
        }
    }
}

/// A running server.
pub struct Simulator {
    address: SocketAddr,
    ca_pem: Option<String>,
    service: Arc<Service>,
    stop: oneshot::Sender<()>,
    server: JoinHandle<()>,
}

impl Simulator {
    /// Begins to listen.
    ///
    /// # Errors
    /// When the port is taken, or no certificate can be made.
    pub async fn start(world: World, options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await?;
        let address = listener.local_addr()?;
        let identity = options.tls.then(identity).transpose()?;
        let (acceptor, ca_pem) = match identity {
            Some(Identity { config, ca_pem }) => (Some(TlsAcceptor::from(config)), Some(ca_pem)),
            None => (None, None),
        };
        let service = Arc::new(Service::new(world, &options));
        let scheme = if options.tls { "https" } else { "http" };
        service.state().autodiscover.base = format!("{scheme}://{address}");
        let (stop, stopped) = oneshot::channel();
        let server = tokio::spawn(serve(listener, acceptor, service.clone(), stopped));
        Ok(Self { address, ca_pem, service, stop, server })
    }

    /// Where EWS is.
    pub fn url(&self) -> String {
        let scheme = if self.ca_pem.is_some() { "https" } else { "http" };
        format!("{scheme}://{}/EWS/Exchange.asmx", self.address)
    }

    /// The issuer of its certificate, in PEM, for clients to trust; `None` over plain HTTP.
    pub fn ca_pem(&self) -> Option<&str> {
        self.ca_pem.as_deref()
    }

    /// Looks at the world, or changes it, between two requests.
    pub fn world<R>(&self, look: impl FnOnce(&mut World) -> R) -> R {
        look(&mut self.service.state().world)
    }

    /// Scripts trouble. Of several rules that apply to a request the oldest strikes.
    pub fn trouble(&self, trouble: Trouble) {
        self.service.state().troubles.push(trouble);
    }

    /// Looks at what Autodiscover answers and was asked, or changes it, between two requests.
    pub fn autodiscover<R>(&self, look: impl FnOnce(&mut Autodiscover) -> R) -> R {
        look(&mut self.service.state().autodiscover)
    }

    /// Every mail that would have been sent.
    pub fn outbox(&self) -> Vec<Mail> {
        self.service.state().world.outbox().to_vec()
    }

    /// Every request that came in and was let in.
    pub fn requests(&self) -> Vec<Asked> {
        self.service.state().record.all()
    }

    /// Stops listening and closes all connections.
    pub async fn stop(self) {
        let _ = self.stop.send(()); // gone already is stopped already
        let _ = self.server.await;
    }
}

async fn serve(
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    service: Arc<Service>,
    mut stopped: oneshot::Receiver<()>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut stopped => return,
            Some(_) = connections.join_next() => {}
            Ok((stream, _)) = listener.accept() => {
                let (acceptor, service) = (acceptor.clone(), service.clone());
                connections.spawn(connection(stream, acceptor, service));
            }
        }
    }
}

/// One connection until it ends; how it ends is the client's business.
async fn connection(stream: TcpStream, acceptor: Option<TlsAcceptor>, service: Arc<Service>) {
    let _ = stream.set_nodelay(true);
    match acceptor {
        None => converse(stream, service).await,
        Some(acceptor) => {
            if let Ok(stream) = acceptor.accept(stream).await {
                converse(stream, service).await;
            }
        }
    }
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S, service: Arc<Service>) {
    let answer = service_fn(move |request| {
        let service = service.clone();
        async move { service.answer(request).await }
    });
    let _ =
        http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), answer).await;
}
