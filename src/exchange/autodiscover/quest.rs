//! The machine: what to ask next, and how it ends. What an answer means for what is left to ask is in `hear`. Sends nothing,
//! waits for nothing.
//!
//! ```text
//! questions in order ──► allowed? ──no──► noted
//!        ▲                  │yes
//!        │                  ▼
//!  redirect in front,    asked ──► answer ──► URL on a confirmed host ──► Found
//!  or a new address:                  │
//!  all its questions ◄────────────────┘ else noted, next question; none left ──► Failed
//! ```

use std::collections::{BTreeSet, VecDeque};

use http::Method;

use super::order::{self, Candidate, Protocol};
use super::policy::{Host, Policy};
use super::report::{Cause, Report, Tried, excerpt};
use super::{Answer, Ask, Step, pox, soap};
use crate::calendar::RoomAddress;

/// Requests for one room in all. Three hosts in three protocols are ten, and a hybrid's second address ten more; what needs
/// more than this leads nowhere.
const ASKS_MAX: usize = 40;

/// The search for one room's EWS URL.
#[derive(Debug, Clone)]
pub struct Quest {
    pub(super) policy: Policy,
    /// How the report names the room.
    room: RoomAddress,
    /// Whom servers are asked about.
    pub(super) asking_for: RoomAddress,
    pub(super) left: VecDeque<Candidate>,
    pending: Option<Candidate>,
    /// What was asked, so that no redirect leads in a circle.
    pub(super) asked: BTreeSet<String>,
    pub(super) addresses: BTreeSet<RoomAddress>,
    unreachable: BTreeSet<Host>,
    /// Hosts that did not accept our credentials. They see them once: enough wrong logins lock an account.
    pub(super) refused: BTreeSet<Host>,
    /// Unconfirmed hosts that answers led to.
    pub(super) unconfirmed: Vec<Host>,
    /// Unconfirmed hosts that follow from the address, and were there.
    passed_over: Vec<Host>,
    pub(super) redirects: usize,
    asks: usize,
    causes: BTreeSet<Cause>,
    pub(super) tried: Vec<Tried>,
    pub(super) end: Option<Step>,
}

impl Quest {
    /// For a room, going as far as the policy lets it.
    pub fn new(room: &RoomAddress, policy: &Policy) -> Self {
        let mut quest = Self {
            policy: policy.clone(),
            room: room.clone(),
            asking_for: room.clone(),
            left: VecDeque::new(),
            pending: None,
            asked: BTreeSet::new(),
            addresses: BTreeSet::new(),
            unreachable: BTreeSet::new(),
            refused: BTreeSet::new(),
            unconfirmed: Vec::new(),
            passed_over: Vec::new(),
            redirects: 0,
            asks: 0,
            causes: BTreeSet::new(),
            tried: Vec::new(),
            end: None,
        };
        quest.begin(room.clone());
        quest
    }

    /// What to do now. Says the same until [`Self::hears`] was told what came of it.
    pub fn next_step(&mut self) -> Step {
        while self.end.is_none() {
            if let Some(pending) = &self.pending {
                return Step::Ask(self.ask(pending));
            }
            match self.left.pop_front() {
                Some(candidate) => self.consider(candidate),
                None => self.end = Some(Step::Failed(self.report())),
            }
        }
        self.end.clone().unwrap_or_else(|| Step::Failed(self.report()))
    }

    /// What came of the request that was asked for last. Without one it is ignored.
    pub fn hears(&mut self, answer: Answer) {
        let Some(asked) = self.pending.take() else { return };
        // That some name which follows from the address does not resolve is the rule; a confirmed host should be there.
        let missed = asked.protocol != Protocol::Probe && self.policy.confirms(asked.url.host());
        let missed = missed.then_some(Cause::Network);
        match answer {
            Answer::Unreachable(why) => {
                self.note(&asked, missed, format!("not reached: {}", excerpt(&why)));
                self.unreachable.insert(asked.url.host().clone());
            }
            Answer::Broken(why) => self.note(&asked, missed, format!("no whole answer: {}", excerpt(&why))),
            Answer::NotSignedIn(why) => {
                self.note(&asked, Some(Cause::Credentials), format!("no sign-in: {}", excerpt(&why)));
                self.refused.insert(asked.url.host().clone());
            }
            Answer::Came { status, location, body } => self.came(&asked, status, location.as_deref(), &body),
        }
    }

    /// All questions for an address, which takes the place of the one before.
    pub(super) fn begin(&mut self, address: RoomAddress) {
        self.left = order::candidates(&address, &self.policy, self.redirects).into();
        if order::hosts(&address, &self.policy).is_empty() {
            let what = format!("hosts for {address}");
            let outcome = "its domain is no host name (international ones are written in their xn-- form)";
            self.remark(Some(Cause::Malformed), what, outcome.to_owned());
        }
        self.addresses.insert(address.clone());
        self.asking_for = address;
    }

    /// Asks, unless it was asked already, or must not be.
    fn consider(&mut self, candidate: Candidate) {
        let host = candidate.url.host();
        let probe = candidate.protocol == Protocol::Probe;
        if self.asked.contains(&self.key(&candidate)) {
            return;
        }
        if self.unreachable.contains(host) && !probe {
            return self.note(&candidate, None, "not asked: the host was not reached before".to_owned());
        }
        if candidate.protocol.needs_login() && !self.policy.confirms(host) {
            if !self.passed_over.contains(host) {
                self.passed_over.push(host.clone());
            }
            let outcome = format!("not asked: {host} is not confirmed, and this needs the credentials");
            return self.note(&candidate, None, outcome);
        }
        if candidate.protocol.needs_login() && self.refused.contains(host) {
            let outcome = format!("not asked: {host} did not accept the credentials before");
            return self.note(&candidate, None, outcome);
        }
        if self.asks == ASKS_MAX {
            self.left.clear();
            let outcome = format!("not asked: {ASKS_MAX} requests are enough");
            return self.note(&candidate, Some(Cause::Redirects), outcome);
        }
        self.asks += 1;
        self.asked.insert(self.key(&candidate));
        self.pending = Some(candidate);
    }

    fn ask(&self, candidate: &Candidate) -> Ask {
        let url = where_to(candidate);
        let login = candidate.protocol.needs_login() && self.policy.confirms(candidate.url.host());
        let (mut headers, body) = match candidate.protocol {
            Protocol::Json => (vec![("Accept", "application/json".to_owned())], String::new()),
            Protocol::Probe => (Vec::new(), String::new()),
            Protocol::Soap => (vec![xml_content(), soap::action()], soap::question(&url, &self.asking_for)),
            Protocol::Pox => (vec![xml_content()], pox::question(&self.asking_for)),
        };
        // Lets Exchange's front end route to the right back end at once. A header holds nothing but ASCII.
        if login && self.asking_for.as_str().is_ascii() {
            headers.push(("X-AnchorMailbox", self.asking_for.to_string()));
        }
        Ask { method: method(candidate.protocol), url, headers, body, credentials: login }
    }

    pub(super) fn note(&mut self, asked: &Candidate, cause: Option<Cause>, outcome: String) {
        let kind = match asked.protocol {
            Protocol::Soap => " (SOAP)",
            Protocol::Pox => " (POX)",
            Protocol::Json | Protocol::Probe => "",
        };
        let what = format!("{} {}{kind}", method(asked.protocol), where_to(asked));
        self.remark(cause, what, outcome);
    }

    fn remark(&mut self, cause: Option<Cause>, what: String, outcome: String) {
        self.causes.extend(cause);
        self.tried.push(Tried { what, outcome });
    }

    /// What nothing found means. Hosts that follow from the address are worth confirming only where none of them is: whoever
    /// confirmed `autodiscover.example.com` has no use for credentials at the web site `example.com`.
    fn report(&self) -> Report {
        let mut unconfirmed = self.unconfirmed.clone();
        let derived = order::hosts(&self.asking_for, &self.policy);
        if unconfirmed.is_empty() && !derived.iter().any(|host| self.policy.confirms(host)) {
            unconfirmed.clone_from(&self.passed_over);
        }
        let cause = if unconfirmed.is_empty() {
            // Whoever answered has left a cause, so without one nobody did.
            self.causes.first().copied().unwrap_or(Cause::Network)
        } else {
            Cause::Unconfirmed
        };
        Report::new(self.room.to_string(), cause, unconfirmed, self.tried.clone())
            .after_refusals(self.refused.len())
            .within_domain(self.addresses.len() == 1 && self.redirects == 0)
    }

    /// The same question about another address is another question.
    pub(super) fn key(&self, candidate: &Candidate) -> String {
        format!("{:?} {} {}", candidate.protocol, candidate.url.key(), self.asking_for)
    }
}

fn method(protocol: Protocol) -> Method {
    if protocol.needs_login() { Method::POST } else { Method::GET }
}

fn where_to(candidate: &Candidate) -> String {
    match candidate.protocol {
        Protocol::Probe => format!("http://{}{}", candidate.url.host(), candidate.url.path()),
        _ => candidate.url.to_string(),
    }
}

pub(super) fn xml_content() -> (&'static str, String) {
    ("Content-Type", "text/xml; charset=utf-8".to_owned())
}
