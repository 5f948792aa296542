//! The state machine of Autodiscover: which request is next, and how the search ends. `response.rs` handles responses.
//! Sends nothing, waits for nothing.
//!
//! ```text
//! candidates in order ──► allowed? ──no──► recorded
//!        ▲                   │yes
//!        │                   ▼
//!  redirect in front,      sent ──► response ──► URL on a trusted host ──► Found
//!  or a new address:                   │
//!  all its candidates ◄────────────────┘ else recorded, next candidate; none left ──► Failed
//! ```

use std::collections::{BTreeSet, VecDeque};

use http::Method;

use super::candidates::{self, Candidate, Protocol};
use super::policy::{Host, Policy};
use super::report::{Cause, DiscoveryAttempt, DiscoveryReport, excerpt};
use super::{DiscoveryRequest, DiscoveryResponse, DiscoveryStep, pox, soap};
use crate::calendar::RoomAddress;

/// Requests for one room in all. Three hosts in three protocols are ten, and a hybrid's second address ten more; a
/// longer search leads nowhere.
const REQUESTS_MAX: usize = 40;

/// The search for one room's EWS URL.
#[derive(Debug, Clone)]
pub struct Discovery {
    pub(super) policy: Policy,
    /// The room, as the report names it.
    room: RoomAddress,
    /// The address that requests are for.
    pub(super) current_address: RoomAddress,
    pub(super) left: VecDeque<Candidate>,
    pending: Option<Candidate>,
    /// Requests that were sent, so that redirects end no loop.
    pub(super) sent: BTreeSet<String>,
    pub(super) addresses: BTreeSet<RoomAddress>,
    unreachable: BTreeSet<Host>,
    /// Hosts that rejected the credentials. Each host gets them once, since failed sign-ins lock an account.
    pub(super) refused: BTreeSet<Host>,
    /// Untrusted hosts that responses named.
    pub(super) untrusted: Vec<Host>,
    /// Untrusted hosts that are derived from the address and exist.
    skipped: Vec<Host>,
    pub(super) redirects: usize,
    request_count: usize,
    causes: BTreeSet<Cause>,
    pub(super) attempts: Vec<DiscoveryAttempt>,
    pub(super) end: Option<DiscoveryStep>,
}

impl Discovery {
    /// Starts the search for a room, within this policy.
    pub fn new(room: &RoomAddress, policy: &Policy) -> Self {
        let mut discovery = Self {
            policy: policy.clone(),
            room: room.clone(),
            current_address: room.clone(),
            left: VecDeque::new(),
            pending: None,
            sent: BTreeSet::new(),
            addresses: BTreeSet::new(),
            unreachable: BTreeSet::new(),
            refused: BTreeSet::new(),
            untrusted: Vec::new(),
            skipped: Vec::new(),
            redirects: 0,
            request_count: 0,
            causes: BTreeSet::new(),
            attempts: Vec::new(),
            end: None,
        };
        discovery.start_for(room.clone());
        discovery
    }

    /// The next step. Returns the same request until [`Self::handle_response`] gets its response.
    pub fn next_step(&mut self) -> DiscoveryStep {
        while self.end.is_none() {
            if let Some(pending) = &self.pending {
                return DiscoveryStep::Send(self.request_for(pending));
            }
            match self.left.pop_front() {
                Some(candidate) => self.try_candidate(candidate),
                None => self.end = Some(DiscoveryStep::Failed(self.report())),
            }
        }
        self.end.clone().unwrap_or_else(|| DiscoveryStep::Failed(self.report()))
    }

    /// Handles the response to the last request; ignored if no request is pending.
    pub fn handle_response(&mut self, answer: DiscoveryResponse) {
        let Some(candidate) = self.pending.take() else { return };
        // Names derived from the address often do not resolve; a trusted host should exist.
        let cause = candidate.protocol != Protocol::Probe && self.policy.trusts(candidate.url.host());
        let cause = cause.then_some(Cause::Network);
        match answer {
            DiscoveryResponse::Unreachable(why) => {
                self.record(&candidate, cause, format!("not reached: {}", excerpt(&why)));
                self.unreachable.insert(candidate.url.host().clone());
            }
            DiscoveryResponse::Incomplete(why) => {
                self.record(&candidate, cause, format!("incomplete response: {}", excerpt(&why)))
            }
            DiscoveryResponse::SignInFailed(why) => {
                self.record(
                    &candidate,
                    Some(Cause::Credentials),
                    format!("sign-in failed: {}", excerpt(&why)),
                );
                self.refused.insert(candidate.url.host().clone());
            }
            DiscoveryResponse::Http { status, location, body } => {
                self.on_http(&candidate, status, location.as_deref(), &body)
            }
        }
    }

    /// Starts over with all candidates for an address, which replaces the one before.
    pub(super) fn start_for(&mut self, address: RoomAddress) {
        self.left = candidates::candidates(&address, &self.policy, self.redirects).into();
        if candidates::hosts(&address, &self.policy).is_empty() {
            let what = format!("hosts for {address}");
            let outcome = "its domain is not a host name (write international names in their xn-- form)";
            self.record_text(Some(Cause::Malformed), what, outcome.to_owned());
        }
        self.addresses.insert(address.clone());
        self.current_address = address;
    }

    /// Makes a candidate the pending request, unless it was sent before or is not allowed.
    fn try_candidate(&mut self, candidate: Candidate) {
        let host = candidate.url.host();
        let is_probe = candidate.protocol == Protocol::Probe;
        if self.sent.contains(&self.key(&candidate)) {
            return;
        }
        if self.unreachable.contains(host) && !is_probe {
            return self.record(&candidate, None, "not sent: the host was not reached before".to_owned());
        }
        if candidate.protocol.needs_login() && !self.policy.trusts(host) {
            if !self.skipped.contains(host) {
                self.skipped.push(host.clone());
            }
            let outcome =
                format!("not sent: {host} is not a trusted host, and this request carries credentials");
            return self.record(&candidate, None, outcome);
        }
        if candidate.protocol.needs_login() && self.refused.contains(host) {
            let outcome = format!("not sent: {host} rejected the credentials before");
            return self.record(&candidate, None, outcome);
        }
        if self.request_count == REQUESTS_MAX {
            self.left.clear();
            let outcome = format!("not sent: {REQUESTS_MAX} requests are enough");
            return self.record(&candidate, Some(Cause::Redirects), outcome);
        }
        self.request_count += 1;
        self.sent.insert(self.key(&candidate));
        self.pending = Some(candidate);
    }

    fn request_for(&self, candidate: &Candidate) -> DiscoveryRequest {
        let url = request_url(candidate);
        let with_credentials = candidate.protocol.needs_login() && self.policy.trusts(candidate.url.host());
        let (mut headers, body) = match candidate.protocol {
            Protocol::Json => (vec![("Accept", "application/json".to_owned())], String::new()),
            Protocol::Probe => (Vec::new(), String::new()),
            Protocol::Soap => {
                (vec![xml_content(), soap::action()], soap::settings_request(&url, &self.current_address))
            }
            Protocol::Pox => (vec![xml_content()], pox::settings_request(&self.current_address)),
        };
        // Lets Exchange's front end route to the right back end at once. A header contains only ASCII.
        if with_credentials && self.current_address.as_str().is_ascii() {
            headers.push(("X-AnchorMailbox", self.current_address.to_string()));
        }
        DiscoveryRequest {
            method: method(candidate.protocol),
            url,
            headers,
            body,
            credentials: with_credentials,
        }
    }

    pub(super) fn record(&mut self, candidate: &Candidate, cause: Option<Cause>, outcome: String) {
        let kind = match candidate.protocol {
            Protocol::Soap => " (SOAP)",
            Protocol::Pox => " (POX)",
            Protocol::Json | Protocol::Probe => "",
        };
        let what = format!("{} {}{kind}", method(candidate.protocol), request_url(candidate));
        self.record_text(cause, what, outcome);
    }

    fn record_text(&mut self, cause: Option<Cause>, what: String, outcome: String) {
        self.causes.extend(cause);
        self.attempts.push(DiscoveryAttempt { what, outcome });
    }

    /// Makes the report of a failed search. Derived hosts are worth trusting only if none of them is trusted yet: an
    /// administrator who trusts `autodiscover.example.com` has no reason to send credentials to the web site
    /// `example.com`.
    fn report(&self) -> DiscoveryReport {
        let mut unconfirmed = self.untrusted.clone();
        let derived_hosts = candidates::hosts(&self.current_address, &self.policy);
        if unconfirmed.is_empty() && !derived_hosts.iter().any(|host| self.policy.trusts(host)) {
            unconfirmed.clone_from(&self.skipped);
        }
        let cause = if unconfirmed.is_empty() {
            // Every response leaves a cause, so without a cause no host responded.
            self.causes.first().copied().unwrap_or(Cause::Network)
        } else {
            Cause::Untrusted
        };
        DiscoveryReport::new(self.room.to_string(), cause, unconfirmed, self.attempts.clone())
            .with_rejections(self.refused.len())
            .within_domain(self.addresses.len() == 1 && self.redirects == 0)
    }

    /// The same request for another address is another request.
    pub(super) fn key(&self, candidate: &Candidate) -> String {
        format!("{:?} {} {}", candidate.protocol, candidate.url.key(), self.current_address)
    }
}

fn method(protocol: Protocol) -> Method {
    if protocol.needs_login() { Method::POST } else { Method::GET }
}

fn request_url(candidate: &Candidate) -> String {
    match candidate.protocol {
        Protocol::Probe => format!("http://{}{}", candidate.url.host(), candidate.url.path()),
        _ => candidate.url.to_string(),
    }
}

pub(super) fn xml_content() -> (&'static str, String) {
    ("Content-Type", "text/xml; charset=utf-8".to_owned())
}
