//! The way to a server: TCP, through a proxy where there is one, then TLS. Hands over the open stream and the certificate that
//! was shown on it; never says a word of HTTP to the server itself.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;

use super::delivery::{Failure, TlsTrouble};
use super::settings::{Endpoint, Settings, SettingsError};
use super::tls;
use super::tunnel::Tunnel;
use crate::happy_eyeballs::{ConnectError, addresses, connect};
use crate::peer::chain;

/// How we get to servers.
pub(super) struct Dialer {
    tls: Option<tls::Meeting>,
    proxy: Option<Tunnel>,
    within: Duration,
}

/// An open connection that speaks HTTP/1.1.
pub(super) struct Line<B> {
    pub(super) sender: SendRequest<B>,
    /// The certificate the server showed, in DER; `None` without TLS.
    pub(super) certificate: Option<Vec<u8>>,
    /// How the connection ended, if not well: for whoever lost an answer without hearing why.
    pub(super) end: JoinHandle<Option<String>>,
}

/// In whose name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    /// The service account's: our certificate may be shown.
    Us,
    /// Nobody's.
    Nobody,
}

/// What bytes go through.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A stream, and the certificate that was shown on it.
type Open = (Box<dyn Stream>, Option<Vec<u8>>);

/// Why an address that accepted the TCP connection is of no use.
enum HandshakeFailure {
    /// The connection broke during the handshake; another address of the name may work.
    AtThisAddress(Failure),
    /// The server or the proxy refused; another address would as well.
    Final(Failure),
}

impl Dialer {
    pub(super) fn new(settings: &Settings) -> Result<Self, SettingsError> {
        Ok(Self {
            tls: settings.speaks_tls().then(|| tls::meeting(settings)).transpose()?,
            proxy: settings.proxy.as_ref().map(Tunnel::new).transpose()?,
            within: settings.connect_timeout,
        })
    }

    /// Connects, and agrees on HTTP/1.1. The connection lives as long as its sender.
    pub(super) async fn dial<B>(&self, to: &Endpoint, who: Who) -> Result<Line<B>, Failure>
    where
        B: hyper::body::Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>>,
        B: Send + 'static,
    {
        let open = async {
            let (stream, certificate) = self.open(to, who).await?;
            let (sender, connection) =
                handshake(TokioIo::new(stream)).await.map_err(|error| Failure::Connect(chain(&error)))?;
            // Whoever waits for an answer hears of the error there as well, mostly.
            let end = tokio::spawn(async move { connection.await.err().map(|error| chain(&error)) });
            Ok(Line { sender, certificate, end })
        };
        timeout(self.within, open).await.map_err(|_| Failure::ConnectTimeout(self.within))?
    }

    async fn open(&self, to: &Endpoint, who: Who) -> Result<Open, Failure> {
        if !to.tls {
            // Requests without TLS go to this machine only, where no proxy is needed.
            let found = addresses(&to.host, to.port).await.map_err(unconnected)?;
            let (tcp, _) =
                connect(&found).await.map_err(|error| unconnected(ConnectError::Connect(error)))?;
            let _ = tcp.set_nodelay(true); // only a matter of speed
            return Ok((Box::new(tcp), None));
        }
        let tls = self.tls.as_ref().ok_or_else(|| Failure::Connect("TLS is not set up".to_owned()))?;
        let config = match who {
            Who::Us => &tls.named,
            Who::Nobody => &tls.nameless,
        };
        self.open_tls(to, config).await
    }

    /// Each address that accepts the connection gets its share of the time for the TLS handshake, so that a dead back end does not
    /// use up the time of the others.
    async fn open_tls(&self, to: &Endpoint, config: &Arc<ClientConfig>) -> Result<Open, Failure> {
        let until = Instant::now() + self.within;
        let mut left = match &self.proxy {
            Some(proxy) => addresses(&proxy.host, proxy.port).await.map_err(proxy_unconnected)?,
            None => addresses(&to.host, to.port).await.map_err(unconnected)?,
        };
        loop {
            let (tcp, address) = self.connect(&left).await?;
            let _ = tcp.set_nodelay(true);
            left.retain(|other| *other != address);
            let all = u32::try_from(left.len() + 1).unwrap_or(u32::MAX);
            let share = until.saturating_duration_since(Instant::now()) / all;
            match timeout(share, self.secure(tcp, to, config.clone())).await {
                Ok(Ok(open)) => return Ok(open),
                Ok(Err(HandshakeFailure::AtThisAddress(_))) | Err(_) if !left.is_empty() => {}
                Ok(Err(HandshakeFailure::AtThisAddress(failure) | HandshakeFailure::Final(failure))) => {
                    return Err(failure);
                }
                Err(_) => return Err(Failure::ConnectTimeout(self.within)),
            }
        }
    }

    async fn connect(&self, to: &VecDeque<SocketAddr>) -> Result<(TcpStream, SocketAddr), Failure> {
        connect(to).await.map_err(|error| match &self.proxy {
            Some(_) => proxy_unconnected(ConnectError::Connect(error)),
            None => unconnected(ConnectError::Connect(error)),
        })
    }

    /// Through the proxy, if there is one, then TLS.
    async fn secure(
        &self,
        tcp: TcpStream,
        to: &Endpoint,
        config: Arc<ClientConfig>,
    ) -> Result<Open, HandshakeFailure> {
        let stream: Box<dyn Stream> = match &self.proxy {
            Some(proxy) => {
                Box::new(proxy.open(tcp, &to.host, to.port).await.map_err(HandshakeFailure::Final)?)
            }
            None => Box::new(tcp),
        };
        let name = ServerName::try_from(to.host.clone());
        let name = name.map_err(|error| HandshakeFailure::Final(Failure::Connect(error.to_string())))?;
        let tls = TlsConnector::from(config).connect(name, stream).await.map_err(|error| {
            let is_word = error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>());
            let failure = tls_failure(&error);
            if is_word { HandshakeFailure::Final(failure) } else { HandshakeFailure::AtThisAddress(failure) }
        })?;
        let shown = tls.get_ref().1.peer_certificates().and_then(|chain| Some(chain.first()?.to_vec()));
        Ok((Box::new(tls), shown))
    }
}

fn unconnected(why: ConnectError) -> Failure {
    match why {
        ConnectError::Resolve(error) => Failure::Resolve(error.to_string()),
        ConnectError::Connect(error) => Failure::Connect(error.to_string()),
    }
}

fn proxy_unconnected(why: ConnectError) -> Failure {
    Failure::Proxy(match why {
        ConnectError::Resolve(error) => format!("its name has no address: {error}"),
        ConnectError::Connect(error) => format!("no connection to it: {error}"),
    })
}

/// What is wrong with a handshake, told from rustls' own words.
fn tls_failure(error: &io::Error) -> Failure {
    use rustls::{AlertDescription as Alert, CertificateError as Bad, Error, InvalidMessage};
    let cause = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    let trouble = match cause {
        Some(Error::InvalidCertificate(Bad::Expired | Bad::ExpiredContext { .. })) => TlsTrouble::Expired,
        Some(Error::InvalidCertificate(Bad::NotValidYet | Bad::NotValidYetContext { .. })) => {
            TlsTrouble::NotYetValid
        }
        Some(Error::InvalidCertificate(Bad::NotValidForName | Bad::NotValidForNameContext { .. })) => {
            TlsTrouble::WrongName
        }
        Some(Error::InvalidCertificate(Bad::UnknownIssuer)) => TlsTrouble::UnknownIssuer,
        Some(Error::InvalidCertificate(_)) if error.to_string().contains("CaUsedAsEndEntity") => {
            TlsTrouble::CaCertificate
        }
        Some(Error::InvalidCertificate(_)) => TlsTrouble::BadCertificate,
        Some(Error::InvalidMessage(InvalidMessage::InvalidContentType)) => TlsTrouble::NotTls,
        Some(Error::AlertReceived(
            Alert::CertificateRequired | Alert::BadCertificate | Alert::UnknownCA | Alert::CertificateUnknown,
        )) => TlsTrouble::ClientCertificate,
        _ => TlsTrouble::Other,
    };
    Failure::Tls(trouble, error.to_string())
}
