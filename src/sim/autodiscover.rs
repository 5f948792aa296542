//! Autodiscover as the simulator's mailboxes have it: JSON without a login, SOAP and POX with the one that EWS wants, and the
//! redirect for whoever asks without. Says where a mailbox is, or whatever else it was told to say; changes nothing.
//!
//! Its URLs lie beside `/EWS/Exchange.asmx`, on the same port. As strict as the schemas: a question in a namespace of another
//! year is no question.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Response, StatusCode, header};

use super::autodiscover_xml::{pox, soap};
use super::body::Reply;
use super::service::{Service, State};
use super::soap_in::parse;
use super::world::key;

pub(super) const GARBAGE: &str = "\u{1}\u{2} <<not an answer";
/// Questions kept; the oldest are forgotten beyond this many.
const KEPT_MAX: usize = 10_000;

/// What Autodiscover answers, and what it was asked.
#[derive(Debug, Clone, Default)]
pub struct Autodiscover {
    /// Scheme, host and port of this simulator.
    pub(crate) base: String,
    whereabouts: BTreeMap<String, Whereabouts>,
    groups: BTreeMap<String, String>,
    lacking: BTreeSet<AutodiscoverProtocol>,
    leads_to: Option<String>,
    asked: Vec<AutodiscoverAsked>,
}

/// One of the ways to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum AutodiscoverProtocol {
    Json,
    Soap,
    Pox,
}

/// What is said of a mailbox. `base` is another server's scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whereabouts {
    /// Its EWS is at this URL.
    At(String),
    /// Ask for this address. JSON has no words for that, and does not know the mailbox.
    Renamed(String),
    /// Ask there, said in the answer; JSON says it by HTTP 302.
    Ask(String),
    /// Ask there, by HTTP 302.
    Moved(String),
    /// Ask here again.
    Circle,
    /// Bytes that are no answer.
    Garbage,
    /// There is no such mailbox.
    Unknown,
}

/// A question that came in and had the login it needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AutodiscoverAsked {
    /// How.
    pub protocol: AutodiscoverProtocol,
    /// About whom.
    pub address: String,
    /// The `Host` it was sent to.
    pub host: String,
    /// Whether it carried credentials.
    pub credentials: bool,
}

impl Autodiscover {
    /// Says this of an address; otherwise a mailbox of the world is here, and others are unknown.
    pub fn say(&mut self, address: &str, whereabouts: Whereabouts) {
        self.whereabouts.insert(key(address), whereabouts);
    }

    /// Says of a mailbox that it shares its back end with others of this group. Of one that nobody said it of, it is not said.
    pub fn group(&mut self, address: &str, group: &str) {
        self.groups.insert(key(address), group.to_owned());
    }

    pub(super) fn group_of(&self, address: &str) -> Option<&str> {
        self.groups.get(&key(address)).map(String::as_str)
    }

    /// Is without one of the protocols: 404.
    pub fn lack(&mut self, protocol: AutodiscoverProtocol) {
        self.lacking.insert(protocol);
    }

    /// Answers `GET /autodiscover/autodiscover.xml` without a login by a redirect, as `http://autodiscover.`domain does.
    pub fn lead_to(&mut self, url: &str) {
        self.leads_to = Some(url.to_owned());
    }

    /// Every question so far, in order.
    pub fn asked(&self) -> &[AutodiscoverAsked] {
        &self.asked
    }
}

/// Whether a path is one of ours.
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

/// What needs no login: JSON, the redirect, and that something is not here. `None` for everything else.
pub(crate) fn without_login(service: &Service, head: &Parts) -> Option<io::Result<Response<Reply>>> {
    let protocol = protocol(head.uri.path())?;
    let mut state = service.state();
    let leads_to = state.autodiscover.leads_to.clone().filter(|_| head.method == Method::GET);
    match (protocol, leads_to) {
        _ if state.autodiscover.lacking.contains(&protocol) => Some(Say::Status(404).respond()),
        (AutodiscoverProtocol::Pox, Some(url)) => Some(Say::Redirect(url).respond()),
        (AutodiscoverProtocol::Json, _) => Some(json(&mut state, head).respond()),
        _ => None,
    }
}

/// SOAP and POX, for whoever was let in. `None` for what is not Autodiscover.
pub(crate) fn with_login(
    service: &Service,
    head: &Parts,
    body: &[u8],
) -> Option<io::Result<Response<Reply>>> {
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

/// An answer before it is bytes.
pub(super) enum Say {
    Json(u16, String),
    Xml(String),
    Redirect(String),
    Status(u16),
}

impl Say {
    fn respond(self) -> io::Result<Response<Reply>> {
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
        response.body(Reply::whole(Bytes::from(body))).map_err(io::Error::other)
    }
}

/// Notes who was asked for, and says where they are.
pub(super) fn look(
    state: &mut State,
    head: &Parts,
    protocol: AutodiscoverProtocol,
    address: &str,
) -> Whereabouts {
    let said = |name| head.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let asked = AutodiscoverAsked {
        protocol,
        address: key(address),
        host: said(header::HOST).unwrap_or_default(),
        credentials: head.headers.contains_key(header::AUTHORIZATION),
    };
    if state.autodiscover.asked.len() >= KEPT_MAX {
        state.autodiscover.asked.remove(0);
    }
    state.autodiscover.asked.push(asked);
    let here = || Whereabouts::At(format!("{}/EWS/Exchange.asmx", state.autodiscover.base));
    let world = || state.world.mailbox(address).map_or(Whereabouts::Unknown, |_| here());
    state.autodiscover.whereabouts.get(&key(address)).cloned().unwrap_or_else(world)
}

/// `/autodiscover/autodiscover.json/v1.0/{address}?Protocol=EWS`, or the older `…json?Email={address}&Protocol=EWS`.
fn json(state: &mut State, head: &Parts) -> Say {
    let error = |status, code: &str, text: &str| {
        Say::Json(status, serde_json::json!({ "ErrorCode": code, "ErrorMessage": text }).to_string())
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
        Say::Redirect(format!(
            "{base}/autodiscover/autodiscover.json?Email={address}&Protocol=EWS&RedirectCount={count}"
        ))
    };
    match look(state, head, AutodiscoverProtocol::Json, &address) {
        Whereabouts::At(url) => {
            Say::Json(200, serde_json::json!({ "Protocol": "EWS", "Url": url }).to_string())
        }
        Whereabouts::Ask(base) | Whereabouts::Moved(base) => again(&base),
        Whereabouts::Circle => again(&state.autodiscover.base),
        Whereabouts::Garbage => Say::Json(200, GARBAGE.to_owned()),
        Whereabouts::Renamed(_) | Whereabouts::Unknown => {
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
