//! `adjourn health`: requests `/readyz` or `/healthz` of a running service, for containers and scripts without an HTTP client. Needs no
//! key. Without `--server` it uses the service's Unix socket if one listens in the state directory, so that a TLS certificate with another
//! name does not matter; else the URL of the configuration. Reads and changes no state.

use http::{HeaderMap, HeaderValue, header};
use serde::Serialize;
use tokio::time::timeout;

use super::args::{ConnectionArgs, HealthArgs};
use super::connect;
use super::exit::{CommandError, Exit};
use super::output::Output;
use super::service_client::{ServiceClient, local_url, reachable};
use super::storage::directory;
use crate::config::Config;
use crate::http::client::{HttpClient, REQUEST_TIMEOUT};
use crate::http::connection_pool::HttpRequest;

/// The answer of `adjourn health --live --json`.
#[derive(Serialize)]
struct Live {
    live: bool,
}

/// A service's response.
struct HealthReply {
    /// The URL or socket.
    service: String,
    status: u16,
    body: String,
}

pub(super) async fn run(
    args: HealthArgs,
    connection: &ConnectionArgs,
    output: &Output,
) -> Result<Exit, CommandError> {
    let path = if args.live { "/healthz" } else { "/readyz" };
    let media_type = if output.is_json() { "application/json" } else { "text/plain" };
    let accept = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(media_type))]);
    let HealthReply { service, status, body } = match &args.server {
        Some(url) => request_at_url(url.trim_end_matches('/').to_owned(), path, accept).await?,
        None => request_on_this_machine(connection, path, accept).await?,
    };
    match status {
        // `/healthz` answers in text only.
        200 | 503 if args.live => output.data(&Live { live: status == 200 }, || body)?,
        200 | 503 if output.is_json() => output.json(&body)?,
        200 | 503 => output.line(&body)?,
        status => {
            let message = format!("{service}{path} answered HTTP {status}: name the service with --server");
            return Err(CommandError::new(Exit::Unavailable, message));
        }
    }
    Ok(if status == 200 { Exit::Done } else { Exit::Unavailable })
}

/// At the socket in the state directory if a service listens there, else at the configured URL.
async fn request_on_this_machine(
    connection: &ConnectionArgs,
    path: &str,
    accept: HeaderMap,
) -> Result<HealthReply, CommandError> {
    let mut config = connect::load(connection)?;
    // A directory that other users can change has no socket to trust.
    let local = match directory(&mut config) {
        Ok(directory) => ServiceClient::local(&directory).await,
        Err(_) => None,
    };
    match local {
        Some(service) => request_at_socket(&service, path, accept).await,
        None => request_at_url(health_url(&config), path, accept).await,
    }
}

async fn request_at_socket(
    service: &ServiceClient,
    path: &str,
    accept: HeaderMap,
) -> Result<HealthReply, CommandError> {
    let sent = timeout(REQUEST_TIMEOUT, service.get_with(path, accept)).await;
    let reply = sent.map_err(|late| unreachable_service(&service.address()).caused_by(late))??;
    Ok(HealthReply { service: service.address(), status: reply.status, body: reply.body })
}

async fn request_at_url(service: String, path: &str, accept: HeaderMap) -> Result<HealthReply, CommandError> {
    let client = HttpClient::direct().map_err(|error| CommandError::from_error(Exit::Usage, error))?;
    let sent = client.send_anonymous(&format!("{service}{path}"), &HttpRequest::get(accept)).await;
    let response = sent.map_err(|error| unreachable_service(&service).caused_by(error))?;
    let body = String::from_utf8_lossy(&response.body).into_owned();
    Ok(HealthReply { service, status: response.status, body })
}

/// `api.health_listen`, which is plain HTTP; else `api.listen`.
fn health_url(config: &Config) -> String {
    let own = config.api.health_listen.map(|address| format!("http://{}", reachable(address)));
    own.unwrap_or_else(|| local_url(config))
}

fn unreachable_service(service: &str) -> CommandError {
    let message = format!("cannot reach the service at {service}: start it, or name it with --server");
    CommandError::new(Exit::Unavailable, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_listener_for_health_is_preferred() {
        for (api, url) in [
            ("listen = \"0.0.0.0:9000\"", "http://127.0.0.1:9000"),
            ("listen = \"0.0.0.0:9000\"\nhealth_listen = \"[::]:9001\"", "http://[::1]:9001"),
        ] {
            let config = Config::parse(None, &format!("[api]\n{api}\n"), Default::default()).unwrap();
            assert_eq!(health_url(&config), url);
        }
    }
}
