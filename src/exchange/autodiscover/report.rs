//! What was tried and what came of it, for whoever has to mend it. Holds addresses, URLs and short excerpts of what servers
//! said, made harmless to print; never a credential.

use std::fmt;

use super::policy::Host;
use crate::net::without_userinfo;

/// Characters of a stranger's text that are repeated.
const SAID_CHARS_MAX: usize = 160;

/// Why nothing was found. Of several reasons the one is named that comes first here: the one an administrator can act on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// A confirmed host did not accept our credentials. First, since asking on would lock the account.
    Credentials,
    /// An answer led to a host that is not confirmed, or no host of the address is.
    Untrusted,
    /// A server said that it is busy or broken. Later it may answer.
    ServerError,
    /// Nobody who answered knows the mailbox.
    MailboxUnknown,
    /// Redirects in a circle, too many of them, or to where we do not go.
    Redirects,
    /// An answer that is none, or one without an EWS URL.
    Malformed,
    /// A confirmed host could not be reached, or nobody could.
    Network,
    /// Whoever answered offers no Autodiscover.
    NoService,
}

/// One thing that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiscoveryAttempt {
    /// Request, or what was decided without one.
    pub what: String,
    /// What came of it.
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

/// The first line: what is the matter, and what to do.
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

    /// The same, where so many hosts did not accept our credentials.
    pub(super) fn with_rejections(self, hosts: usize) -> Self {
        Self { rejected_by: u32::try_from(hosts).unwrap_or(u32::MAX), ..self }
    }

    /// The same, where only what follows from the address's own domain was asked, or not.
    pub(super) fn within_domain(self, within_domain: bool) -> Self {
        Self { within_domain, ..self }
    }

    /// Whether the other rooms of the domain would be answered the same: nobody answered, and whom to ask follows from the domain.
    pub fn concerns_domain(&self) -> bool {
        self.within_domain && matches!(self.cause, Cause::Network | Cause::NoService)
    }

    /// How many hosts did not accept our credentials: each counts towards a lock of the account.
    pub fn rejected_by(&self) -> u32 {
        self.rejected_by
    }

    /// The reason to act on.
    pub fn cause(&self) -> Cause {
        self.cause
    }

    /// Hosts that would have to be confirmed, if they are the administrator's own.
    pub fn untrusted(&self) -> &[Host] {
        &self.untrusted
    }

    /// Every step, in order.
    pub fn attempts(&self) -> &[DiscoveryAttempt] {
        &self.attempts
    }

    /// The first line: what is the matter, and what to do.
    pub fn headline(&self) -> String {
        headline(&self.address, &self.advice())
    }

    pub(super) fn advice(&self) -> String {
        match self.cause {
            Cause::Untrusted => {
                let hosts: Vec<_> = self.untrusted.iter().map(Host::as_str).collect();
                format!(
                    "not confirmed: {}; if it is yours, add it to `autodiscover.hosts` in the configuration",
                    hosts.join(", ")
                )
            }
            Cause::Credentials => {
                "the server does not accept the service account's credentials; check name, password and sign-in"
                    .to_owned()
            }
            Cause::MailboxUnknown => "no server that answered knows this mailbox; check the address".to_owned(),
            Cause::ServerError => "the server is busy or has trouble of its own; try again later".to_owned(),
            Cause::Redirects => "redirects lead nowhere; see below where they went".to_owned(),
            Cause::Malformed => "what a server answered is no Autodiscover answer with an EWS URL".to_owned(),
            Cause::Network => "no Autodiscover server could be reached; check the network and DNS".to_owned(),
            Cause::NoService => {
                "nobody offers Autodiscover for its domain; configure the server's URL or `autodiscover.first`"
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

/// A stranger's text on one line of its own, short, without control characters.
pub(super) fn excerpt(text: &str) -> String {
    let mut kept: String = text.trim().chars().take(SAID_CHARS_MAX).map(printable_char).collect();
    if text.trim().chars().nth(SAID_CHARS_MAX).is_some() {
        kept.push('…');
    }
    kept
}

/// A URL that a server sent, likewise, without a user name and password.
pub(super) fn excerpt_url(url: &str) -> String {
    excerpt(&without_userinfo(url))
}

/// Control characters, and those that turn the direction of writing, become blanks.
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
        assert!(first.contains("autodiscover.hosts"), "{first}");
        assert_eq!(lines.collect::<Vec<_>>(), ["  GET https://a.example/: HTTP 404"]);
    }
}
