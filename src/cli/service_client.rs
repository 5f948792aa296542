//! Sends requests to a running service: at the Unix socket in its state directory, or at a URL with an API key. Decides nothing about an
//! action, and prints nothing.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::exit::{CommandError, Exit};
use super::service_args::ServiceArgs;
use crate::api::LOGIN_HEADER;
use crate::config::Config;
use crate::http::client::{HttpClient, REQUEST_TIMEOUT};
use crate::http::connection_pool::HttpRequest;
use crate::http::dialer::Dialer;
use crate::os_user::OsUser;
use crate::secret::Secret;
use crate::text_file;

/// Environment variable of the API key.
const KEY_VARIABLE: &str = "ADJOURN_KEY";
/// Bytes of a file with an API key or a token of a provider.
const KEY_FILE_MAX: u64 = 64 << 10;
/// Time limit of one request: longer than the longest wait that the service honours (60 s).
const ANSWER_TIMEOUT: Duration = Duration::from_secs(75);
/// Bytes of an answer at the socket: a sweep of ten thousand rooms has some ten megabytes.
#[cfg(unix)]
const SOCKET_ANSWER_BYTES_MAX: usize = 64 << 20;
/// What precedes the name of a problem's type.
const PROBLEM_URN: &str = "urn:adjourn:problem:";

/// A running service.
pub(super) enum ServiceClient {
    /// On this machine, by the path of its socket.
    Socket(PathBuf),
    /// At a URL.
    Url(RemoteService),
}

/// A service at a URL, and the API key for it.
pub(super) struct RemoteService {
    url: String,
    bearer: HeaderValue,
    client: HttpClient,
}

/// The service did not answer. Whether it has received the request is not known.
#[derive(Debug, thiserror::Error)]
#[error("cannot reach the service at {at}")]
pub(super) struct ServiceLost {
    at: String,
    source: Box<dyn Error + Send + Sync>,
}

/// The service's answer.
#[derive(Debug)]
pub(super) struct ServiceReply {
    pub(super) status: u16,
    pub(super) body: String,
}

/// The parts of a problem (RFC 9457) that a command uses.
#[derive(Debug, Deserialize)]
pub(super) struct ServiceProblem {
    #[serde(rename = "type", default)]
    kind: String,
    pub(super) detail: String,
    #[serde(default)]
    pub(super) next: String,
    #[serde(default)]
    pub(super) action_id: Option<uuid::Uuid>,
    #[serde(default)]
    pub(super) candidates: Vec<ProblemCandidate>,
}

/// An event that the request may mean.
#[derive(Debug, Deserialize)]
pub(super) struct ProblemCandidate {
    pub(super) id: String,
    pub(super) start: chrono::DateTime<chrono::Utc>,
}

impl ServiceClient {
    /// The service that has this state directory, if one listens.
    #[cfg(unix)]
    pub(super) async fn local(directory: &Path) -> Option<Self> {
        let path = directory.join(crate::store::SOCKET_FILE);
        tokio::net::UnixStream::connect(&path).await.ok().map(|_| Self::Socket(path))
    }

    #[cfg(not(unix))]
    #[expect(clippy::unused_async, reason = "there are systems with Unix sockets")]
    pub(super) async fn local(_: &Path) -> Option<Self> {
        None
    }

    /// The service that the arguments name, if they do. Its URL is that of the configuration where they name a key alone.
    pub(super) fn named(
        args: &ServiceArgs,
        load: impl FnOnce() -> Result<Config, CommandError>,
    ) -> Result<Option<Self>, CommandError> {
        if args.server.is_none() && args.key_file.is_none() {
            return Ok(None);
        }
        Self::at_url(args, load).map(Some)
    }

    /// The service at the URL that the arguments or else the configuration name.
    pub(super) fn at_url(
        args: &ServiceArgs,
        load: impl FnOnce() -> Result<Config, CommandError>,
    ) -> Result<Self, CommandError> {
        let unusable = |why: String| CommandError::new(Exit::Usage, why);
        let key = api_key(args.key_file.as_deref())?;
        let url = match &args.server {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => local_url(&load()?),
        };
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", key.expose()))
            .map_err(|_| unusable("the API key has characters that no key has".to_owned()))?;
        bearer.set_sensitive(true);
        let dialer = Dialer::direct(REQUEST_TIMEOUT).map_err(|error| unusable(error.to_string()))?;
        let client = HttpClient::new(Arc::new(dialer), ANSWER_TIMEOUT);
        Ok(Self::Url(RemoteService { url, bearer, client }))
    }

    /// Whether the service is on this machine, and has the state directory of this command.
    pub(super) fn is_local(&self) -> bool {
        matches!(self, Self::Socket(_))
    }

    /// Whether a process listens at the socket.
    pub(super) async fn listens(&self) -> bool {
        match self {
            Self::Socket(path) => Self::local(path.parent().unwrap_or(Path::new(""))).await.is_some(),
            Self::Url(_) => true,
        }
    }

    /// Sends a request with a JSON body.
    pub(super) async fn post(
        &self,
        path: &str,
        headers: &[(HeaderName, HeaderValue)],
        body: &impl Serialize,
    ) -> Result<ServiceReply, ServiceLost> {
        let body = serde_json::to_vec(body).map_err(|error| self.lost(error))?;
        let mut request = HttpRequest::post("application/json", body.into());
        request.headers.extend(headers.iter().cloned());
        self.send(path, request).await
    }

    /// Sends a request without a body.
    pub(super) async fn get(&self, path: &str) -> Result<ServiceReply, ServiceLost> {
        self.get_with(path, HeaderMap::new()).await
    }

    /// Sends a request without a body, with these headers.
    pub(super) async fn get_with(&self, path: &str, headers: HeaderMap) -> Result<ServiceReply, ServiceLost> {
        self.send(path, HttpRequest::get(headers)).await
    }

    /// The path of the socket, or the URL.
    pub(super) fn address(&self) -> String {
        match self {
            Self::Socket(path) => path.display().to_string(),
            Self::Url(service) => service.url.clone(),
        }
    }

    async fn send(&self, path: &str, mut request: HttpRequest) -> Result<ServiceReply, ServiceLost> {
        let sent = match self {
            Self::Socket(socket) => {
                let login = serde_json::to_string(&OsUser::current().login).unwrap_or_default();
                request.headers.extend(HeaderValue::try_from(login).map(|login| (LOGIN_NAME, login)));
                send_to_socket(socket, path, request).await
            }
            Self::Url(RemoteService { url, bearer, client }) => {
                request.headers.insert(header::AUTHORIZATION, bearer.clone());
                let sent = client.send_anonymous(&format!("{url}{path}"), &request).await;
                sent.map(|sent| (sent.status, sent.body)).map_err(Into::into)
            }
        };
        let (status, body) = sent.map_err(|source| self.lost(source))?;
        Ok(ServiceReply { status, body: String::from_utf8_lossy(&body).into_owned() })
    }

    fn lost(&self, source: impl Into<Box<dyn Error + Send + Sync>>) -> ServiceLost {
        ServiceLost { at: self.address(), source: source.into() }
    }
}

const LOGIN_NAME: HeaderName = HeaderName::from_static(LOGIN_HEADER);

#[cfg(unix)]
async fn send_to_socket(
    socket: &Path,
    path: &str,
    request: HttpRequest,
) -> Result<(u16, Bytes), Box<dyn Error + Send + Sync>> {
    use http_body_util::{BodyExt as _, Full, Limited};
    use hyper_util::rt::TokioIo;

    let exchange = async {
        let stream = tokio::net::UnixStream::connect(socket).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        // Ends with `sender`.
        tokio::spawn(connection);
        let mut outgoing = http::Request::new(Full::new(request.body));
        *outgoing.method_mut() = request.method;
        *outgoing.uri_mut() = path.parse()?;
        *outgoing.headers_mut() = request.headers;
        outgoing.headers_mut().insert(header::HOST, HeaderValue::from_static("localhost"));
        let (head, body) = sender.send_request(outgoing).await?.into_parts();
        let body = Limited::new(body, SOCKET_ANSWER_BYTES_MAX).collect().await?.to_bytes();
        Ok((head.status.as_u16(), body))
    };
    tokio::time::timeout(ANSWER_TIMEOUT, exchange).await?
}

#[cfg(not(unix))]
#[expect(clippy::unused_async, reason = "there are systems with Unix sockets")]
async fn send_to_socket(
    _: &Path,
    _: &str,
    _: HttpRequest,
) -> Result<(u16, Bytes), Box<dyn Error + Send + Sync>> {
    Err("this system has no Unix sockets".into())
}

impl ServiceArgs {
    /// Whether the command names a service or a key for it.
    pub(super) fn has_key(&self) -> bool {
        let is_set = std::env::var_os(KEY_VARIABLE).is_some_and(|key| !key.is_empty());
        self.server.is_some() || self.key_file.is_some() || is_set
    }
}

impl ServiceReply {
    /// Whether the request succeeded.
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The view that a successful answer is.
    pub(super) fn parse<T: DeserializeOwned>(&self) -> Result<T, CommandError> {
        serde_json::from_str(&self.body).map_err(|error| {
            CommandError::new(Exit::Usage, "what answered is no service of Adjourn").caused_by(error)
        })
    }

    /// The problem that the answer is, if it is one.
    pub(super) fn problem(&self) -> Option<ServiceProblem> {
        serde_json::from_str(&self.body).ok().filter(|_| !self.is_success())
    }

    /// The error of a command whose request was refused.
    pub(super) fn failure(self) -> CommandError {
        let Some(problem) = self.problem() else {
            let exit = exit_of_status(self.status);
            return CommandError::new(exit, format!("the service answered HTTP {}", self.status));
        };
        let detail = problem.detail.trim_end_matches('.');
        let message = match (problem.kind_name(), problem.next.as_str()) {
            // The detail of a command's own refusal says what to do.
            ("refused", _) | (_, "") => problem.detail.clone(),
            (_, next) => format!("{detail}: {next}"),
        };
        CommandError::new(problem.exit(self.status), message).with_problem(self.body)
    }
}

impl ServiceProblem {
    /// The problem's type, without the URN before it.
    pub(super) fn kind_name(&self) -> &str {
        self.kind.strip_prefix(PROBLEM_URN).unwrap_or_default()
    }

    /// The exit code of a command that ends with this problem: that of the same command without the service.
    pub(super) fn exit(&self, status: u16) -> Exit {
        match self.kind_name() {
            "bad-request" => Exit::Usage,
            "needs-attention" => Exit::NeedsAttention,
            "still-in-doubt" => Exit::Unavailable,
            "exchange-refused" => Exit::Forbidden,
            "journal-unavailable" => Exit::Journal,
            _ => exit_of_status(status),
        }
    }
}

fn exit_of_status(status: u16) -> Exit {
    if matches!(status, 429 | 500..) { Exit::Unavailable } else { Exit::Refused }
}

impl From<ServiceLost> for CommandError {
    fn from(lost: ServiceLost) -> Self {
        let message = format!("{lost}; name it with --server");
        let error = Self::new(Exit::Unavailable, message);
        error.caused_by(&*lost.source)
    }
}

/// The API key, from the file or the environment. No flag takes it: other users could read it in the list of processes.
fn api_key(file: Option<&Path>) -> Result<Secret, CommandError> {
    let text = match file {
        Some(path) => {
            text_file::read(path, KEY_FILE_MAX).map(|text| text.trim().to_owned()).map_err(|error| {
                CommandError::new(Exit::Usage, format!("cannot read the API key in {}", path.display()))
                    .caused_by(error)
            })?
        }
        None => std::env::var(KEY_VARIABLE).unwrap_or_default().trim().to_owned(),
    };
    if text.is_empty() {
        let message = format!("no API key: name its file with --key-file, or set {KEY_VARIABLE}");
        return Err(CommandError::new(Exit::Usage, message));
    }
    Ok(Secret::new(text))
}

/// The URL of the service on this machine.
pub(super) fn local_url(config: &Config) -> String {
    let scheme = if config.api.tls.is_some() { "https" } else { "http" };
    format!("{scheme}://{}", reachable(config.api.listen))
}

/// Where a listener is reached on this machine: one that listens on all addresses, by the loopback address.
pub(super) fn reachable(listener: SocketAddr) -> SocketAddr {
    let address = match listener.ip() {
        IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        address => address,
    };
    SocketAddr::new(address, listener.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_of_this_machine_is_found_in_the_configuration() {
        for (api, url) in [
            ("", "http://127.0.0.1:8480"),
            ("listen = \"0.0.0.0:9000\"", "http://127.0.0.1:9000"),
            ("listen = \"[::]:9000\"", "http://[::1]:9000"),
            (
                "listen = \"192.0.2.7:443\"\n[api.tls]\ncert_file = \"c\"\nkey_file = \"k\"",
                "https://192.0.2.7:443",
            ),
        ] {
            let config = Config::parse(None, &format!("[api]\n{api}\n"), Default::default()).unwrap();
            assert_eq!(local_url(&config), url);
        }
    }

    fn reply(status: u16, body: &str) -> ServiceReply {
        ServiceReply { status, body: body.to_owned() }
    }

    #[test]
    fn a_refusal_has_the_services_words_and_a_busy_service_is_no_refusal() {
        let refused =
            reply(404, r#"{"detail":"No display shows this code.","next":"read it again"}"#).failure();
        assert_eq!(refused.exit, Exit::Refused);
        assert_eq!(refused.message, "No display shows this code: read it again");
        for (status, exit) in [(429, Exit::Unavailable), (503, Exit::Unavailable), (401, Exit::Refused)] {
            assert_eq!(reply(status, "<html>").failure().exit, exit, "{status}");
        }
    }

    #[test]
    fn a_problem_ends_a_command_as_the_same_refusal_does_without_the_service() {
        for (kind, status, exit) in [
            ("no-current-event", 409, Exit::Refused),
            ("bad-request", 400, Exit::Usage),
            ("needs-attention", 502, Exit::NeedsAttention),
            ("still-in-doubt", 409, Exit::Unavailable),
            ("exchange-unavailable", 503, Exit::Unavailable),
            ("exchange-refused", 502, Exit::Forbidden),
            ("journal-unavailable", 503, Exit::Journal),
        ] {
            let body = format!(r#"{{"type":"{PROBLEM_URN}{kind}","detail":"d","next":"n"}}"#);
            assert_eq!(reply(status, &body).failure().exit, exit, "{kind}");
        }
    }
}
