//! The way to a server: TCP, through a proxy where there is one, then TLS. Hands over the open stream and the certificate that
//! was shown on it; never says a word of HTTP to the server itself.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderValue, Uri};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tower_service::Service as _;
use zeroize::Zeroizing;

use super::delivery::{Failure, TlsTrouble};
use super::settings::{Endpoint, Proxy, Settings, SettingsError};
use super::tls;
use crate::peer::{chain, without_userinfo};

/// How we get to servers.
pub(super) struct Dialer {
    tls: Option<tls::Meeting>,
    proxy: Option<Tunnel<HttpConnector>>,
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

impl Dialer {
    pub(super) fn new(settings: &Settings) -> Result<Self, SettingsError> {
        Ok(Self {
            tls: settings.speaks_tls().then(|| tls::meeting(settings)).transpose()?,
            proxy: settings.proxy.as_ref().map(tunnel).transpose()?,
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

    async fn open(&self, to: &Endpoint, who: Who) -> Result<(Box<dyn Stream>, Option<Vec<u8>>), Failure> {
        let tcp = self.reach(to).await?;
        let _ = tcp.set_nodelay(true); // only a matter of speed
        if !to.tls {
            return Ok((Box::new(tcp), None));
        }
        let tls = self.tls.as_ref().ok_or_else(|| Failure::Connect("TLS is not set up".to_owned()))?;
        let config = match who {
            Who::Us => tls.named.clone(),
            Who::Nobody => tls.nameless.clone(),
        };
        let name =
            ServerName::try_from(to.host.clone()).map_err(|error| Failure::Connect(error.to_string()))?;
        let tls = TlsConnector::from(config).connect(name, tcp).await;
        let tls = tls.map_err(|error| tls_failure(&error))?;
        let shown = tls.get_ref().1.peer_certificates().and_then(|chain| Some(chain.first()?.to_vec()));
        Ok((Box::new(tls), shown))
    }

    async fn reach(&self, to: &Endpoint) -> Result<TcpStream, Failure> {
        match &self.proxy {
            Some(proxy) if to.tls => {
                let host = if to.host.contains(':') { format!("[{}]", to.host) } else { to.host.clone() };
                let target: Uri = format!("https://{host}:{}", to.port)
                    .parse()
                    .map_err(|error: http::uri::InvalidUri| Failure::Connect(error.to_string()))?;
                let through = proxy.clone().call(target).await;
                through.map(TokioIo::into_inner).map_err(|error| Failure::Proxy(chain(&error)))
            }
            // What is said without TLS goes to this machine only, where no proxy is needed.
            _ => {
                let found = lookup_host((to.host.as_str(), to.port)).await;
                let found: Vec<_> = found.map_err(|error| Failure::Resolve(error.to_string()))?.collect();
                TcpStream::connect(&found[..]).await.map_err(|error| Failure::Connect(error.to_string()))
            }
        }
    }
}

/// What is wrong with a handshake, told from rustls' own words.
fn tls_failure(error: &std::io::Error) -> Failure {
    use rustls::{AlertDescription as Alert, CertificateError as Bad, Error};
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
        Some(Error::AlertReceived(
            Alert::CertificateRequired | Alert::BadCertificate | Alert::UnknownCA | Alert::CertificateUnknown,
        )) => TlsTrouble::ClientCertificate,
        _ => TlsTrouble::Other,
    };
    Failure::Tls(trouble, error.to_string())
}

fn tunnel(proxy: &Proxy) -> Result<Tunnel<HttpConnector>, SettingsError> {
    let bad = || SettingsError::Proxy(without_userinfo(&proxy.url));
    let uri: Uri = proxy.url.parse().map_err(|_| bad())?;
    if uri.scheme_str() != Some("http") || uri.host().is_none_or(str::is_empty) || proxy.url.contains('@') {
        return Err(bad());
    }
    let tunnel = Tunnel::new(uri, HttpConnector::new());
    let Some((username, password)) = &proxy.login else { return Ok(tunnel) };
    let pair = Zeroizing::new(format!("{username}:{}", password.expose()));
    let text = Zeroizing::new(format!("Basic {}", BASE64_STANDARD.encode(pair.as_bytes())));
    let header = HeaderValue::from_str(&text).map_err(|_| bad())?;
    Ok(tunnel.with_auth(header))
}
