//! Handles a response of an Autodiscover service: found, redirect, another address, or an error to record. Follows a
//! redirect and accepts a URL only where the policy allows.

use super::candidates::{Candidate, Protocol};
use super::discovery::Discovery;
use super::malformed_response::MalformedResponse;
use super::report::{Cause, excerpt, excerpt_url};
use super::url::{EwsUrl, HttpsUrl};
use super::{BODY_BYTES_MAX, DiscoveredServer, DiscoveryStep, ParsedResponse};
use super::{json, pox, soap};
use crate::calendar::RoomAddress;
use crate::http::error::error_chain;

/// Longest EWS URL that is kept for each room; Exchange's have a host and `/EWS/Exchange.asmx`.
const EWS_URL_LEN_MAX: usize = 512;

impl Discovery {
    /// "Handling Autodiscover error messages", table 1: 200 is a result, 301 and 302 are redirects, 401 proves nothing
    /// before all candidates have returned it, and every other status means that the URL is no Autodiscover endpoint.
    pub(super) fn on_http(
        &mut self,
        candidate: &Candidate,
        status: u16,
        location: Option<&str>,
        body: &[u8],
    ) {
        if body.len() > BODY_BYTES_MAX {
            let outcome = format!("its response is longer than {BODY_BYTES_MAX} bytes");
            return self.record(candidate, Some(Cause::Malformed), outcome);
        }
        match (status, candidate.protocol) {
            (301 | 302 | 303 | 307 | 308, _) => self.on_redirect_status(candidate, status, location),
            (_, Protocol::Probe) => {
                self.record(candidate, Some(Cause::NoService), format!("HTTP {status}, not a redirect"));
            }
            (200, _) => self.on_success(candidate, body),
            // 456 is Exchange Online's status for a locked account.
            (401 | 403 | 456, _) if candidate.protocol.needs_login() => {
                let outcome = format!("HTTP {status}: credentials rejected");
                self.record(candidate, Some(Cause::Credentials), outcome);
                self.refused.insert(candidate.url.host().clone());
            }
            (429 | 503, _) => {
                self.record(candidate, Some(Cause::ServerError), format!("HTTP {status}: busy"))
            }
            _ => self.on_error_status(candidate, status, body),
        }
    }

    /// Handles an error status. Only errors in its body count, never settings.
    fn on_error_status(&mut self, candidate: &Candidate, status: u16, body: &[u8]) {
        let (cause, text) = match read(candidate.protocol, body) {
            Ok(ParsedResponse::UnknownMailbox(text)) => (Cause::MailboxUnknown, text),
            Ok(ParsedResponse::Busy(text)) => (Cause::ServerError, text),
            Ok(ParsedResponse::OtherError(text)) => (Cause::NoService, text),
            _ => return self.record(candidate, Some(Cause::NoService), format!("HTTP {status}")),
        };
        self.record(candidate, Some(cause), format!("HTTP {status}: {text}"));
    }

    fn on_success(&mut self, candidate: &Candidate, body: &[u8]) {
        match read(candidate.protocol, body) {
            Ok(ParsedResponse::Settings { urls, schemas }) => self.on_settings(candidate, &urls, schemas),
            Ok(ParsedResponse::RedirectUrl(url)) => self.on_redirect(candidate, "redirects to", &url),
            Ok(ParsedResponse::RedirectAddress(address)) => self.on_address_redirect(candidate, &address),
            Ok(ParsedResponse::UnknownMailbox(text)) => {
                self.record(candidate, Some(Cause::MailboxUnknown), text)
            }
            Ok(ParsedResponse::Busy(text)) => self.record(candidate, Some(Cause::ServerError), text),
            Ok(ParsedResponse::OtherError(text)) => self.record(candidate, Some(Cause::Malformed), text),
            // A web site returns a page for any URL, which is not an error.
            Err(error) => {
                let is_trusted = self.policy.trusts(candidate.url.host());
                let cause = if is_trusted { Cause::Malformed } else { Cause::NoService };
                self.record(candidate, Some(cause), error_chain(&error));
            }
        }
    }

    /// Ends the search if one of the URLs is on a trusted host.
    fn on_settings(&mut self, candidate: &Candidate, urls: &[String], schemas: Vec<String>) {
        if urls.is_empty() {
            return self.record(candidate, Some(Cause::Malformed), "its response has no EWS URL".to_owned());
        }
        for text in urls {
            match HttpsUrl::parse(text) {
                Err(why) => {
                    self.record(candidate, Some(Cause::Malformed), format!("`{}`: {why}", excerpt_url(text)))
                }
                Ok(url) if url.to_string().len() > EWS_URL_LEN_MAX => {
                    self.record(candidate, Some(Cause::Malformed), "its EWS URL is too long".to_owned());
                }
                Ok(url) if self.policy.trusts(url.host()) => return self.found(candidate, &url, schemas),
                Ok(url) => self.record_untrusted(candidate, &url, "refused: EWS at"),
            }
        }
    }

    fn found(&mut self, candidate: &Candidate, url: &HttpsUrl, schemas: Vec<String>) {
        let url = EwsUrl::on_trusted_host(url);
        self.record(candidate, None, format!("EWS is at {url}"));
        let (asked_as, tried) = (self.current_address.clone(), self.attempts.clone());
        self.end = Some(DiscoveryStep::Found(DiscoveredServer {
            url,
            mailbox_address: asked_as,
            schemas,
            attempts: tried,
        }));
    }

    fn on_redirect_status(&mut self, candidate: &Candidate, status: u16, location: Option<&str>) {
        match location {
            Some(location) => self.on_redirect(candidate, &format!("HTTP {status} to"), location),
            None => self.record(
                candidate,
                Some(Cause::Malformed),
                format!("HTTP {status} without a Location header"),
            ),
        }
    }

    /// Follows a redirect to a URL, over HTTPS only ("Implementing an Autodiscover Client in Microsoft Exchange",
    /// "Validating a Secure Redirection URL"), and only to Autodiscover: a home page or login form has no result.
    fn on_redirect(&mut self, candidate: &Candidate, how: &str, to: &str) {
        let stop =
            |why: &str| Some((Cause::Redirects, format!("{how} `{}`: not followed: {why}", excerpt_url(to))));
        let target = candidate.url.join(to);
        let stopped = match &target {
            Err(why) => stop(why),
            Ok(url) if !url.path().to_ascii_lowercase().contains("autodiscover") => stop("not Autodiscover"),
            Ok(_) if self.redirects >= self.policy.max_redirects => stop("too many redirects"),
            Ok(url) if candidate.protocol != Protocol::Probe => {
                let known = self.sent.contains(&self.key(&candidate.protocol.at(url.clone())));
                if known { stop("it was requested before") } else { None }
            }
            Ok(_) => None,
        };
        match (stopped, target) {
            (Some((cause, outcome)), _) => self.record(candidate, Some(cause), outcome),
            (None, Ok(url)) => self.follow(candidate, how, url),
            (None, Err(_)) => {}
        }
    }

    fn follow(&mut self, candidate: &Candidate, how: &str, url: HttpsUrl) {
        self.redirects += 1;
        let host = url.host().clone();
        let confirmed = self.policy.trusts(&host);
        if candidate.protocol == Protocol::Json || confirmed {
            self.record(candidate, None, format!("{how} {url}"));
        } else {
            self.record_untrusted(candidate, &url, &format!("{how} an untrusted host:"));
        }
        let next = match candidate.protocol {
            Protocol::Json => vec![Protocol::Json.at(url)],
            // Without credentials, any host may return a trusted one that has the mailbox.
            _ if !confirmed => vec![Candidate::json(&host, &self.current_address, self.redirects)],
            // MS-OXWSADISC, reaching a server by an indirect attempt: for SOAP only the host of the location counts.
            Protocol::Probe => {
                let json = Candidate::json(&host, &self.current_address, self.redirects);
                vec![json, Candidate::soap(&host), Protocol::Pox.at(url)]
            }
            protocol => vec![protocol.at(url)],
        };
        for candidate in next.into_iter().rev() {
            self.left.push_front(candidate);
        }
    }

    /// Continues with another address. Only trusted hosts get requests that can return one.
    fn on_address_redirect(&mut self, candidate: &Candidate, address: &str) {
        let text = format!("redirects to the address `{}`", excerpt(address));
        let address = match address.parse::<RoomAddress>() {
            Err(error) => {
                let outcome = format!("redirects to another address, but {}", excerpt(&error.to_string()));
                return self.record(candidate, Some(Cause::Malformed), outcome);
            }
            Ok(address) => address,
        };
        let why = if self.addresses.contains(&address) {
            "it was requested before"
        } else if self.redirects >= self.policy.max_redirects {
            "too many redirects"
        } else {
            self.redirects += 1;
            self.record(candidate, None, text);
            return self.start_for(address);
        };
        self.record(candidate, Some(Cause::Redirects), format!("{text}: {why}"));
    }

    fn record_untrusted(&mut self, candidate: &Candidate, url: &HttpsUrl, what: &str) {
        if !self.untrusted.contains(url.host()) {
            self.untrusted.push(url.host().clone());
        }
        let outcome = format!("{what} {}, which is not a trusted host", excerpt(&url.to_string()));
        self.record(candidate, Some(Cause::Untrusted), outcome);
    }
}

fn read(protocol: Protocol, body: &[u8]) -> Result<ParsedResponse, MalformedResponse> {
    match protocol {
        Protocol::Json => json::read(body),
        Protocol::Soap => soap::read(body),
        Protocol::Pox => pox::read(body),
        Protocol::Probe => Err(MalformedResponse::NotARedirect),
    }
}
