//! Opens connections: TCP, an HTTP proxy's tunnel if one is configured, then TLS. Hands over the open HTTP/1.1
//! connection with the server's certificate; sends no request.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;

use super::error::{TlsFailure, TransportError, error_chain};
use super::happy_eyeballs::{ConnectError, addresses, connect};
use super::settings::{DialerSettings, SettingsError};
use super::tls;
use super::tunnel::Tunnel;
use super::url::ConnectTarget;

/// Opens one account's connections.
pub(crate) struct Dialer {
    tls: Option<tls::TlsConfigs>,
    proxy: Option<Tunnel>,
    timeout: Duration,
}

/// An open connection that speaks HTTP/1.1.
pub(crate) struct HttpConnection {
    pub(crate) sender: SendRequest<Full<Bytes>>,
    /// The server's certificate in DER; `None` without TLS.
    pub(crate) certificate: Option<Vec<u8>>,
    /// The error that ended the connection, if any: a caller whose response was lost may find the reason here alone.
    pub(crate) closed: JoinHandle<Option<String>>,
}

/// Which client certificate a handshake offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientIdentity {
    /// The service account's certificate, if one is configured.
    Account,
    /// None.
    Anonymous,
}

/// A TCP, tunnelled or TLS stream.
trait ByteStream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> ByteStream for T {}

/// A stream, and the server's certificate.
type OpenedStream = (Box<dyn ByteStream>, Option<Vec<u8>>);

/// Why an address that accepted the TCP connection is unusable.
enum HandshakeFailure {
    /// The connection was lost during the handshake; another address of the name may work.
    AtThisAddress(TransportError),
    /// The server or the proxy refused; every other address would too.
    Final(TransportError),
}

impl Dialer {
    pub(crate) fn new(settings: &DialerSettings) -> Result<Self, SettingsError> {
        Ok(Self {
            tls: settings.uses_tls.then(|| tls::tls_configs(settings)).transpose()?,
            proxy: settings.proxy.as_ref().map(Tunnel::new).transpose()?,
            timeout: settings.connect_timeout,
        })
    }

    /// Connections without a proxy and a client certificate that trust the platform's authorities.
    #[cfg(feature = "service")]
    pub(crate) fn direct(connect_timeout: Duration) -> Result<Self, rustls::Error> {
        let tls = Arc::new(tls::client_config(Vec::new(), None)?);
        let tls = tls::TlsConfigs { account: tls.clone(), anonymous: tls };
        Ok(Self { tls: Some(tls), proxy: None, timeout: connect_timeout })
    }

    /// Connects and starts HTTP/1.1. The connection lives as long as its sender.
    pub(crate) async fn dial(
        &self,
        to: &ConnectTarget,
        identity: ClientIdentity,
    ) -> Result<HttpConnection, TransportError> {
        let open = async {
            let (stream, certificate) = self.open(to, identity).await?;
            let (sender, connection) = handshake(TokioIo::new(stream))
                .await
                .map_err(|error| TransportError::Connect(error_chain(&error)))?;
            // A pending request usually gets the error as well.
            let end = tokio::spawn(async move { connection.await.err().map(|error| error_chain(&error)) });
            Ok(HttpConnection { sender, certificate, closed: end })
        };
        timeout(self.timeout, open).await.map_err(|_| TransportError::ConnectTimeout(self.timeout))?
    }

    async fn open(
        &self,
        to: &ConnectTarget,
        identity: ClientIdentity,
    ) -> Result<OpenedStream, TransportError> {
        if !to.tls {
            // Requests without TLS go to this machine only, so they need no proxy.
            let found = addresses(&to.host, to.port).await.map_err(connect_error)?;
            let (tcp, _) =
                connect(&found).await.map_err(|error| connect_error(ConnectError::Connect(error)))?;
            let _ = tcp.set_nodelay(true); // without it requests are only slower
            return Ok((Box::new(tcp), None));
        }
        let tls = self.tls.as_ref().ok_or_else(|| TransportError::Connect("TLS is not set up".to_owned()))?;
        let config = match identity {
            ClientIdentity::Account => &tls.account,
            ClientIdentity::Anonymous => &tls.anonymous,
        };
        self.open_tls(to, config).await
    }

    /// Each address that accepts the connection gets its share of the time for the TLS handshake, so that a dead back end does not
    /// use up the time of the others.
    async fn open_tls(
        &self,
        to: &ConnectTarget,
        config: &Arc<ClientConfig>,
    ) -> Result<OpenedStream, TransportError> {
        let until = Instant::now() + self.timeout;
        let mut left = match &self.proxy {
            Some(proxy) => addresses(&proxy.host, proxy.port).await.map_err(proxy_error)?,
            None => addresses(&to.host, to.port).await.map_err(connect_error)?,
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
                Err(_) => return Err(TransportError::ConnectTimeout(self.timeout)),
            }
        }
    }

    async fn connect(&self, to: &VecDeque<SocketAddr>) -> Result<(TcpStream, SocketAddr), TransportError> {
        connect(to).await.map_err(|error| match &self.proxy {
            Some(_) => proxy_error(ConnectError::Connect(error)),
            None => connect_error(ConnectError::Connect(error)),
        })
    }

    /// Opens the proxy's tunnel, if one is configured, then TLS.
    async fn secure(
        &self,
        tcp: TcpStream,
        to: &ConnectTarget,
        config: Arc<ClientConfig>,
    ) -> Result<OpenedStream, HandshakeFailure> {
        let stream: Box<dyn ByteStream> = match &self.proxy {
            Some(proxy) => {
                Box::new(proxy.open(tcp, &to.host, to.port).await.map_err(HandshakeFailure::Final)?)
            }
            None => Box::new(tcp),
        };
        let name = ServerName::try_from(to.host.clone());
        let name =
            name.map_err(|error| HandshakeFailure::Final(TransportError::Connect(error.to_string())))?;
        let tls = TlsConnector::from(config).connect(name, stream).await.map_err(|error| {
            let is_word = error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>());
            let failure = tls_error(&error);
            if is_word { HandshakeFailure::Final(failure) } else { HandshakeFailure::AtThisAddress(failure) }
        })?;
        let certificate = tls.get_ref().1.peer_certificates().and_then(|chain| Some(chain.first()?.to_vec()));
        Ok((Box::new(tls), certificate))
    }
}

fn connect_error(why: ConnectError) -> TransportError {
    match why {
        ConnectError::Resolve(error) => TransportError::Resolve(error.to_string()),
        ConnectError::Connect(error) => TransportError::Connect(error.to_string()),
    }
}

fn proxy_error(why: ConnectError) -> TransportError {
    TransportError::Proxy(match why {
        ConnectError::Resolve(error) => format!("its host name does not resolve: {error}"),
        ConnectError::Connect(error) => format!("cannot connect to it: {error}"),
    })
}

/// The cause of a failed handshake, from rustls' error.
fn tls_error(error: &io::Error) -> TransportError {
    use rustls::{AlertDescription as Alert, CertificateError as Bad, Error, InvalidMessage};
    let cause = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    let failure = match cause {
        Some(Error::InvalidCertificate(Bad::Expired | Bad::ExpiredContext { .. })) => TlsFailure::Expired,
        Some(Error::InvalidCertificate(Bad::NotValidYet | Bad::NotValidYetContext { .. })) => {
            TlsFailure::NotYetValid
        }
        Some(Error::InvalidCertificate(Bad::NotValidForName | Bad::NotValidForNameContext { .. })) => {
            TlsFailure::WrongName
        }
        Some(Error::InvalidCertificate(Bad::UnknownIssuer)) => TlsFailure::UnknownIssuer,
        Some(Error::InvalidCertificate(_)) if error.to_string().contains("CaUsedAsEndEntity") => {
            TlsFailure::CaCertificate
        }
        Some(Error::InvalidCertificate(_)) => TlsFailure::BadCertificate,
        Some(Error::InvalidMessage(InvalidMessage::InvalidContentType)) => TlsFailure::NotTls,
        Some(Error::AlertReceived(
            Alert::CertificateRequired | Alert::BadCertificate | Alert::UnknownCA | Alert::CertificateUnknown,
        )) => TlsFailure::ClientCertificate,
        _ => TlsFailure::Other,
    };
    TransportError::Tls(failure, error.to_string())
}
