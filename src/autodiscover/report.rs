//! The report of a failed search, for administrators: every request and its result. Contains addresses, URLs and short,
//! printable excerpts of responses; never a credential.

use std::fmt;

use super::policy::Host;
use crate::http::url::without_userinfo;

/// Characters of a server's text that are repeated.
const SAID_CHARS_MAX: usize = 160;

/// Why no URL was found. If there are several causes, the first in this order is reported: the one that an
/// administrator can act on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// A trusted host rejected the credentials. First, since further attempts could lock the account.
    Credentials,
    /// A response named a host that is not trusted, or no host of the address is trusted.
    Untrusted,
    /// A server reported that it is busy or has failed. It may answer later.
    ServerError,
    /// No responding server knows the mailbox.
    MailboxUnknown,
    /// Redirects in a loop, too many of them, or to a URL that is not followed.
    Redirects,
    /// A response that is not of Autodiscover, or that has no EWS URL.
    Malformed,
    /// A trusted host, or every host, could not be reached.
    Network,
    /// No responding host offers Autodiscover.
    NoService,
}

/// One attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiscoveryAttempt {
    /// The request, or a decision without one.
    pub what: String,
    /// Its result.
    pub outcome: String,
}

/// Why no EWS URL was found for an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiscoveryReport {
    address: String,
    cause: Cause,
    untrusted: Vec<Host>,
    attempts: Vec<DiscoveryAttempt>,
    rejected_by: u32,
    within_domain: bool,
}

/// The first line: the problem and its remedy.
pub(super) fn headline(address: &str, advice: &str) -> String {
    format!("no EWS URL for {address}: {advice}")
}

impl DiscoveryReport {
    pub(super) fn new(
        address: String,
        cause: Cause,
        unconfirmed: Vec<Host>,
        tried: Vec<DiscoveryAttempt>,
    ) -> Self {
        Self { address, cause, untrusted: unconfirmed, attempts: tried, rejected_by: 0, within_domain: false }
    }

    /// The same after rejected credentials at so many hosts.
    pub(super) fn with_rejections(self, hosts: usize) -> Self {
        Self { rejected_by: u32::try_from(hosts).unwrap_or(u32::MAX), ..self }
    }

    /// The same; `within_domain` if every request went to hosts derived from the address's own domain.
    pub(super) fn within_domain(self, within_domain: bool) -> Self {
        Self { within_domain, ..self }
    }

    /// Whether the result holds for every room of the domain: no host responded, and the hosts are derived from the
    /// domain.
    pub fn concerns_domain(&self) -> bool {
        self.within_domain && matches!(self.cause, Cause::Network | Cause::NoService)
    }

    /// Hosts that rejected the credentials: each counts towards account lockout.
    pub fn rejected_by(&self) -> u32 {
        self.rejected_by
    }

    /// The cause to act on.
    pub fn cause(&self) -> Cause {
        self.cause
    }

    /// Hosts to trust, if they are the administrator's own.
    pub fn untrusted(&self) -> &[Host] {
        &self.untrusted
    }

    /// Every attempt, in order.
    pub fn attempts(&self) -> &[DiscoveryAttempt] {
        &self.attempts
    }

    /// The first line: the problem and its remedy.
    pub fn headline(&self) -> String {
        headline(&self.address, &self.advice())
    }

    pub(super) fn advice(&self) -> String {
        match self.cause {
            Cause::Untrusted => {
                let hosts: Vec<_> = self.untrusted.iter().map(Host::as_str).collect();
                format!(
                    "not a trusted host: {}; if the host is yours, add it to `autodiscover.trusted_hosts` in the configuration",
                    hosts.join(", ")
                )
            }
            Cause::Credentials => {
                "the server rejects the service account's credentials; check user name, password and sign-in method"
                    .to_owned()
            }
            Cause::MailboxUnknown => "no responding server knows this mailbox; check the address".to_owned(),
            Cause::ServerError => "the server is busy or has failed; try again later".to_owned(),
            Cause::Redirects => "redirects lead nowhere; the attempts below show where they went".to_owned(),
            Cause::Malformed => "a server returned no Autodiscover response with an EWS URL".to_owned(),
            Cause::Network => "no Autodiscover server could be reached; check the network and DNS".to_owned(),
            Cause::NoService => {
                "no host offers Autodiscover for its domain; configure the server's URL or `autodiscover.preferred_host`"
                    .to_owned()
            }
        }
    }
}

impl fmt::Display for DiscoveryReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.headline())?;
        self.attempts.iter().try_for_each(|tried| write!(f, "\n  {tried}"))
    }
}

impl std::error::Error for DiscoveryReport {}

impl fmt::Display for DiscoveryAttempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.outcome)
    }
}

/// A server's text on one line, short, without control characters.
pub(super) fn excerpt(text: &str) -> String {
    let mut kept: String = text.trim().chars().take(SAID_CHARS_MAX).map(printable_char).collect();
    if text.trim().chars().nth(SAID_CHARS_MAX).is_some() {
        kept.push('…');
    }
    kept
}

/// The same for a URL, without user name and password.
pub(super) fn excerpt_url(url: &str) -> String {
    excerpt(&without_userinfo(url))
}

/// Replaces control characters, and those that change the direction of writing, by blanks.
fn printable_char(c: char) -> char {
    let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if c.is_control() || turns { ' ' } else { c }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_text_is_short_and_cannot_move_the_cursor() {
        assert_eq!(excerpt(" a\u{1b}[31m\r\nb\u{202e} "), "a [31m  b ");
        assert_eq!(excerpt(&"é".repeat(1000)).chars().count(), SAID_CHARS_MAX + 1);
    }

    #[test]
    fn a_report_names_the_cause_first_and_every_step_after_it() {
        let tried =
            DiscoveryAttempt { what: "GET https://a.example/".to_owned(), outcome: "HTTP 404".to_owned() };
        let hosts = vec!["mail.example.net".parse().unwrap()];
        let report = DiscoveryReport::new("room@a.example".to_owned(), Cause::Untrusted, hosts, vec![tried]);
        let text = report.to_string();
        let mut lines = text.lines();
        let first = lines.next().unwrap();
        assert!(first.contains("room@a.example") && first.contains("mail.example.net"), "{first}");
        assert!(first.contains("autodiscover.trusted_hosts"), "{first}");
        assert_eq!(lines.collect::<Vec<_>>(), ["  GET https://a.example/: HTTP 404"]);
    }
}
