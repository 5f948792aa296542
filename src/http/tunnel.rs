//! Opens tunnels through an HTTP proxy by `CONNECT` (RFC 9110, section 9.3.6), and reports why a proxy refuses one.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::client::conn::http1::handshake;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use zeroize::Zeroizing;

use super::error::TransportError;
use super::error::error_chain;
use super::field::challenges;
use super::settings::{ProxySettings, SettingsError};
use super::url::without_userinfo;
use crate::secret::Secret;

/// Authentication schemes of a proxy that a message names.
const SCHEMES_MAX: usize = 8;
/// Characters of a scheme's name that a message shows.
const SCHEME_CHARS_MAX: usize = 20;
/// Default port of a proxy URL.
const PORT: u16 = 80;

/// A configured proxy.
pub(crate) struct Tunnel {
    pub(crate) host: String,
    pub(crate) port: u16,
    authorization: Option<HeaderValue>,
}

impl Tunnel {
    pub(crate) fn new(proxy: &ProxySettings) -> Result<Self, SettingsError> {
        let bad = || SettingsError::Proxy(without_userinfo(&proxy.url));
        let uri: Uri = proxy.url.parse().map_err(|_| bad())?;
        let host = uri.host().unwrap_or_default();
        if uri.scheme_str() != Some("http") || host.is_empty() || proxy.url.contains('@') {
            return Err(bad());
        }
        Ok(Self {
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: uri.port_u16().unwrap_or(PORT),
            authorization: proxy.login.as_ref().map(|login| basic(login).ok_or_else(bad)).transpose()?,
        })
    }

    /// Sends `CONNECT` on this connection to the proxy.
    pub(crate) async fn open(
        &self,
        tcp: TcpStream,
        host: &str,
        port: u16,
    ) -> Result<TokioIo<Upgraded>, TransportError> {
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let authority = format!("{host}:{port}");
        let broken = |error: &dyn std::error::Error| TransportError::Proxy(error_chain(error));
        let mut request =
            Request::builder().method(Method::CONNECT).uri(&authority).header(header::HOST, &authority);
        if let Some(authorization) = &self.authorization {
            request = request.header(header::PROXY_AUTHORIZATION, authorization);
        }
        let request = request.body(Empty::<Bytes>::new()).map_err(|error| broken(&error))?;
        let (mut sender, connection) = handshake(TokioIo::new(tcp)).await.map_err(|error| broken(&error))?;
        tokio::spawn(connection.with_upgrades());
        let answer = sender.send_request(request).await.map_err(|error| broken(&error))?;
        match answer.status() {
            status if status.is_success() => {
                let stream = hyper::upgrade::on(answer).await.map_err(|error| broken(&error))?;
                Ok(TokioIo::new(stream))
            }
            StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
                let offers = challenges(answer.headers(), &header::PROXY_AUTHENTICATE);
                Err(TransportError::Proxy(self.describe_407(&offers)))
            }
            status => Err(TransportError::Proxy(format!("it returned HTTP {}", status.as_u16()))),
        }
    }

    /// Describes a 407. Shows names of schemes only.
    fn describe_407(&self, offers: &[String]) -> String {
        let name = |offer: &String| {
            let name = offer.split_whitespace().next().unwrap_or_default();
            name.chars().take(SCHEME_CHARS_MAX).collect::<String>()
        };
        let names: Vec<String> = offers.iter().map(name).take(SCHEMES_MAX).collect();
        let has_basic = names.is_empty() || names.iter().any(|name| name.eq_ignore_ascii_case("Basic"));
        match (&self.authorization, has_basic) {
            (None, true) => {
                "proxy authorization required: set a user name and password for the proxy (HTTP 407)".to_owned()
            }
            (Some(_), true) => {
                "proxy authorization required: the proxy does not accept the user name and password (HTTP 407)"
                    .to_owned()
            }
            (_, false) => format!(
                "proxy authorization required: the proxy offers {}, and Adjourn supports only Basic for proxies (HTTP 407)",
                names.join(", ")
            ),
        }
    }
}

/// `Proxy-Authorization`; `None` if the pair is not a valid header value.
fn basic((username, password): &(String, Secret)) -> Option<HeaderValue> {
    let pair = Zeroizing::new(format!("{username}:{}", password.expose()));
    let text = Zeroizing::new(format!("Basic {}", BASE64_STANDARD.encode(pair.as_bytes())));
    let mut header = HeaderValue::from_str(&text).ok()?;
    header.set_sensitive(true);
    Some(header)
}
