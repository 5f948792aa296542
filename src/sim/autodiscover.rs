//! Autodiscover of the simulated mailboxes: JSON without authentication, SOAP and POX with the schemes that EWS accepts,
//! and the unauthenticated redirect. Returns the EWS URL of a mailbox, or the response a test has set for it. Never
//! changes the world.
//!
//! Its URLs are on the same port as `/EWS/Exchange.asmx`. It is as strict as the schemas: a request in the wrong
//! namespace is invalid.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Response, StatusCode, header};

use super::autodiscover_xml::{pox, soap};
use super::response_body::ResponseBody;
use super::service::{SimulatorService, SimulatorState};
use super::soap_request::parse;
use super::world::key;

pub(super) const GARBAGE: &str = "\u{1}\u{2} <<not an answer";
/// Limit of logged requests; the oldest are dropped.
const REQUESTS_MAX: usize = 10_000;

/// The scripted responses of Autodiscover, and the requests it received.
#[derive(Debug, Clone, Default)]
pub struct AutodiscoverService {
    /// Scheme, host and port of this simulator.
    pub(crate) base: String,
    responses: BTreeMap<String, AutodiscoverResponse>,
    groups: BTreeMap<String, String>,
    disabled: BTreeSet<AutodiscoverProtocol>,
    http_redirect: Option<String>,
    requests: Vec<AutodiscoverRequest>,
}

/// The Autodiscover protocols.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum AutodiscoverProtocol {
    Json,
    Soap,
    Pox,
}

/// The response for one mailbox. `String`s of redirects are another server's scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AutodiscoverResponse {
    /// The mailbox's EWS URL.
    EwsUrl(String),
    /// `RedirectAddress`: repeat the request for this address. JSON cannot express it and answers `UserNotFound`.
    RedirectAddress(String),
    /// `RedirectUrl`: repeat the request there. JSON answers with HTTP 302.
    RedirectUrl(String),
    /// Repeat the request there: HTTP 302.
    HttpRedirect(String),
    /// A redirect to this same server, without end.
    RedirectLoop,
    /// Bytes that no protocol defines.
    Garbage,
    /// `InvalidUser`: no such mailbox.
    InvalidUser,
}

/// A request that was authenticated where its protocol requires it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AutodiscoverRequest {
    /// The protocol.
    pub protocol: AutodiscoverProtocol,
    /// The address asked for.
    pub address: String,
    /// Its `Host` header.
    pub host: String,
    /// Whether it carried credentials.
    pub credentials: bool,
}

impl AutodiscoverService {
    /// Sets the response for an address. By default mailboxes of the world resolve to this simulator and other addresses
    /// are unknown.
    pub fn set_response(&mut self, address: &str, whereabouts: AutodiscoverResponse) {
        self.responses.insert(key(address), whereabouts);
    }

    /// Sets the `GroupingInformation` of a mailbox: mailboxes of one group share a back end. Without it the setting is
    /// omitted.
    pub fn set_group(&mut self, address: &str, group: &str) {
        self.groups.insert(key(address), group.to_owned());
    }

    pub(super) fn group_of(&self, address: &str) -> Option<&str> {
        self.groups.get(&key(address)).map(String::as_str)
    }

    /// Disables a protocol: its URL answers 404.
    pub fn disable(&mut self, protocol: AutodiscoverProtocol) {
        self.disabled.insert(protocol);
    }

    /// Answers an unauthenticated `GET /autodiscover/autodiscover.xml` with a redirect, as `http://autodiscover.`domain
    /// does.
    pub fn set_http_redirect(&mut self, url: &str) {
        self.http_redirect = Some(url.to_owned());
    }

    /// Every request so far, in order.
    pub fn requests(&self) -> &[AutodiscoverRequest] {
        &self.requests
    }
}

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
    service: &SimulatorService,
    head: &Parts,
) -> Option<io::Result<Response<ResponseBody>>> {
    let protocol = protocol(head.uri.path())?;
    let mut state = service.state();
    let leads_to = state.autodiscover.http_redirect.clone().filter(|_| head.method == Method::GET);
    match (protocol, leads_to) {
        _ if state.autodiscover.disabled.contains(&protocol) => {
            Some(AutodiscoverAnswer::Status(404).respond())
        }
        (AutodiscoverProtocol::Pox, Some(url)) => Some(AutodiscoverAnswer::Redirect(url).respond()),
        (AutodiscoverProtocol::Json, _) => Some(json(&mut state, head).respond()),
        _ => None,
    }
}

/// Handles SOAP and POX requests after authentication. `None` for paths outside Autodiscover.
pub(crate) fn handle_authenticated(
    service: &SimulatorService,
    head: &Parts,
    body: &[u8],
) -> Option<io::Result<Response<ResponseBody>>> {
    let protocol = protocol(head.uri.path())?;
    let text = std::str::from_utf8(body).unwrap_or_default();
    let document = parse(text);
    let mut state = service.state();
    let say = match protocol {
        AutodiscoverProtocol::Soap => soap(&mut state, head, document.as_ref()),
        _ => pox(&mut state, head, document.as_ref()),
    };
    Some(say.respond())
}

/// A response before it is serialized.
pub(super) enum AutodiscoverAnswer {
    Json(u16, String),
    Xml(String),
    Redirect(String),
    Status(u16),
}

impl AutodiscoverAnswer {
    fn respond(self) -> io::Result<Response<ResponseBody>> {
        let (status, kind, location, body) = match self {
            Self::Json(status, body) => (status, "application/json; charset=utf-8", None, body),
            Self::Xml(body) => (200, "text/xml; charset=utf-8", None, body),
            Self::Redirect(to) => (302, "text/html", Some(to), String::new()),
            Self::Status(status) => (status, "text/html", None, format!("<html><h1>{status}</h1></html>")),
        };
        let status = StatusCode::from_u16(status).map_err(io::Error::other)?;
        let mut response = Response::builder().status(status).header(header::CONTENT_TYPE, kind);
        if let Some(location) = location {
            response = response.header(header::LOCATION, location);
        }
        response.body(ResponseBody::complete(Bytes::from(body))).map_err(io::Error::other)
    }
}

/// Logs the request, and resolves the address.
pub(super) fn record_and_resolve(
    state: &mut SimulatorState,
    head: &Parts,
    protocol: AutodiscoverProtocol,
    address: &str,
) -> AutodiscoverResponse {
    let said = |name| head.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let asked = AutodiscoverRequest {
        protocol,
        address: key(address),
        host: said(header::HOST).unwrap_or_default(),
        credentials: head.headers.contains_key(header::AUTHORIZATION),
    };
    if state.autodiscover.requests.len() >= REQUESTS_MAX {
        state.autodiscover.requests.remove(0);
    }
    state.autodiscover.requests.push(asked);
    let here = || AutodiscoverResponse::EwsUrl(format!("{}/EWS/Exchange.asmx", state.autodiscover.base));
    let world = || state.world.mailbox(address).map_or(AutodiscoverResponse::InvalidUser, |_| here());
    state.autodiscover.responses.get(&key(address)).cloned().unwrap_or_else(world)
}

/// `/autodiscover/autodiscover.json/v1.0/{address}?Protocol=EWS`, or the older `…json?Email={address}&Protocol=EWS`.
fn json(state: &mut SimulatorState, head: &Parts) -> AutodiscoverAnswer {
    let error = |status, code: &str, text: &str| {
        AutodiscoverAnswer::Json(
            status,
            serde_json::json!({ "ErrorCode": code, "ErrorMessage": text }).to_string(),
        )
    };
    let query = |name: &str| {
        let pairs = head.uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
        pairs.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| decoded(value))
    };
    let in_path = head.uri.path().rsplit_once("/v1.0/").map(|(_, address)| decoded(address));
    let (Some(address), Some(asked)) = (in_path.or_else(|| query("Email")), query("Protocol")) else {
        return error(
            400,
            "MandatoryParameterMissing",
            "A valid value must be provided for the query parameters.",
        );
    };
    if !asked.eq_ignore_ascii_case("EWS") {
        return error(400, "InvalidProtocol", "The given protocol value is invalid.");
    }
    let again = |base: &str| {
        let count = query("RedirectCount").and_then(|count| count.parse::<u32>().ok()).unwrap_or(0);
        let address = address.replace('@', "%40").replace('+', "%2B");
        let count = count.saturating_add(1);
        AutodiscoverAnswer::Redirect(format!(
            "{base}/autodiscover/autodiscover.json?Email={address}&Protocol=EWS&RedirectCount={count}"
        ))
    };
    match record_and_resolve(state, head, AutodiscoverProtocol::Json, &address) {
        AutodiscoverResponse::EwsUrl(url) => {
            AutodiscoverAnswer::Json(200, serde_json::json!({ "Protocol": "EWS", "Url": url }).to_string())
        }
        AutodiscoverResponse::RedirectUrl(base) | AutodiscoverResponse::HttpRedirect(base) => again(&base),
        AutodiscoverResponse::RedirectLoop => again(&state.autodiscover.base),
        AutodiscoverResponse::Garbage => AutodiscoverAnswer::Json(200, GARBAGE.to_owned()),
        AutodiscoverResponse::RedirectAddress(_) | AutodiscoverResponse::InvalidUser => {
            error(404, "UserNotFound", "The given user is not found")
        }
    }
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).filter(|_| *first == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
