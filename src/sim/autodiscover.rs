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
use http::{Response, StatusCode, header};

use super::mailbox::key;
use super::response_body::ResponseBody;
use super::world::World;

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
    pub(super) disabled: BTreeSet<AutodiscoverProtocol>,
    pub(super) http_redirect: Option<String>,
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
    pub fn set_response(&mut self, address: &str, response: AutodiscoverResponse) {
        self.responses.insert(key(address), response);
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

    /// Logs the request, and resolves the address.
    pub(super) fn record_and_resolve(
        &mut self,
        world: &World,
        head: &Parts,
        protocol: AutodiscoverProtocol,
        address: &str,
    ) -> AutodiscoverResponse {
        let host = head.headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let request = AutodiscoverRequest {
            protocol,
            address: key(address),
            host: host.unwrap_or_default().to_owned(),
            credentials: head.headers.contains_key(header::AUTHORIZATION),
        };
        if self.requests.len() >= REQUESTS_MAX {
            self.requests.remove(0);
        }
        self.requests.push(request);
        match (self.responses.get(&key(address)), world.mailbox(address)) {
            (Some(response), _) => response.clone(),
            (None, Some(_)) => AutodiscoverResponse::EwsUrl(format!("{}/EWS/Exchange.asmx", self.base)),
            (None, None) => AutodiscoverResponse::InvalidUser,
        }
    }
}

/// A response before it is serialized.
pub(super) enum AutodiscoverAnswer {
    Json(u16, String),
    Xml(String),
    Redirect(String),
    Status(u16),
}

impl AutodiscoverAnswer {
    pub(super) fn respond(self) -> io::Result<Response<ResponseBody>> {
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
