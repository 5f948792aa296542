//! The URLs of Autodiscover: which protocol a request belongs to, and whether it needs authentication. Resolves no
//! address.

use std::io;

use http::request::Parts;
use http::{Method, Response};

use super::autodiscover::{AutodiscoverAnswer, AutodiscoverProtocol};
use super::autodiscover_json::json;
use super::autodiscover_xml::{pox, soap};
use super::response_body::ResponseBody;
use super::soap_request::parse;
use super::state::{SharedState, SimulatorState};

/// Whether a path belongs to Autodiscover.
pub(crate) fn is_ours(path: &str) -> bool {
    protocol(path).is_some()
}

fn protocol(path: &str) -> Option<AutodiscoverProtocol> {
    let path = path.to_ascii_lowercase();
    match path.strip_prefix("/autodiscover/autodiscover.")? {
        "svc" => Some(AutodiscoverProtocol::Soap),
        "xml" => Some(AutodiscoverProtocol::Pox),
        rest => (rest == "json" || rest.starts_with("json/")).then_some(AutodiscoverProtocol::Json),
    }
}

/// Handles requests that need no authentication: JSON, the redirect, and disabled protocols. `None` for other requests.
pub(crate) fn handle_anonymous(
    state: &SharedState,
    head: &Parts,
) -> Option<io::Result<Response<ResponseBody>>> {
    let protocol = protocol(head.uri.path())?;
    let mut state = state.lock();
    let SimulatorState { autodiscover, world, .. } = &mut *state;
    let redirect = autodiscover.http_redirect.clone().filter(|_| head.method == Method::GET);
    match (protocol, redirect) {
        _ if autodiscover.disabled.contains(&protocol) => Some(AutodiscoverAnswer::Status(404).respond()),
        (AutodiscoverProtocol::Pox, Some(url)) => Some(AutodiscoverAnswer::Redirect(url).respond()),
        (AutodiscoverProtocol::Json, _) => Some(json(autodiscover, world, head).respond()),
        _ => None,
    }
}

/// Handles SOAP and POX requests after authentication. `None` for paths outside Autodiscover.
pub(crate) fn handle_authenticated(
    state: &SharedState,
    head: &Parts,
    body: &[u8],
) -> Option<io::Result<Response<ResponseBody>>> {
    let protocol = protocol(head.uri.path())?;
    let text = std::str::from_utf8(body).unwrap_or_default();
    let document = parse(text);
    let mut state = state.lock();
    let SimulatorState { autodiscover, world, .. } = &mut *state;
    let answer = match protocol {
        AutodiscoverProtocol::Soap => soap(autodiscover, world, head, document.as_ref()),
        _ => pox(autodiscover, world, head, document.as_ref()),
    };
    Some(answer.respond())
}
