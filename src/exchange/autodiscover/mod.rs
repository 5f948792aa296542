//! From a room's SMTP address to the EWS URL of the server where its mailbox lives.
//!
//! A [`Discovery`] says what to ask next and hears the answer; it never opens a connection and never knows a password. The
//! shell that carries out what it asks for is [`discover`], over whatever the caller sends requests with:
//!
//! ```text
//!           next_step()                      hears(answer)
//! Quest ──► Ask { GET or POST, … } ──► ask ──► Quest ──► … ──► Found(url) or Failed(report)
//! ```
//!
//! The order is the documented one ("Autodiscover for Exchange", "Generate a list of Autodiscover endpoints"), with the
//! newer JSON question in front, since it needs no login: JSON, SOAP, POX, each at the configured first host, the domain and
//! `autodiscover.`domain; last the redirect that `http://autodiscover.`domain answers with. Two sources are left out on
//! purpose. SRV records are as easily forged as the plain HTTP redirect, need a resolver of our own, and say nothing that the
//! configured first host could not say. Service connection points in Active Directory need LDAP and a joined machine.
//!
//! **Whom we trust.** Autodiscover leads wherever a name server or a web site at the domain says, so nothing it says is
//! believed. Only hosts that the administrator has confirmed ([`Policy::trusted`]) are asked with credentials, and only a
//! URL on such a host is ever found; others are asked the JSON question, without credentials, over HTTPS. A [`DiscoveryReport`] names
//! the host that would have to be confirmed.
//!
//! **Whom we ask for.** A server may say "ask for another address" (hybrid: `room1@contoso.mail.onmicrosoft.com`). From then
//! on that address is asked for, and [`DiscoveredServer::mailbox_address`] holds it. The room keeps its own name: it is impersonated, recorded
//! and shown under the address it was configured with.

pub mod cache;
mod candidates;
mod discovery;
pub mod grouping;
mod json;
mod policy;
mod pox;
mod report;
mod response;
mod soap;
#[cfg(test)]
mod tests;
mod url;
mod xml;

use crate::calendar::RoomAddress;

pub use discovery::Discovery;
pub use policy::{Host, HostError, HostPattern, Policy};
pub use report::{Cause, DiscoveryAttempt, DiscoveryReport};
pub use url::EwsUrl;

/// An answer's body may have this many bytes; Exchange's longest, POX with every protocol, has some ten thousand. Whoever
/// reads answers for a [`Discovery`] need not read further.
pub const BODY_BYTES_MAX: usize = 1 << 20;

/// What a [`Discovery`] wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DiscoveryStep {
    /// Send this, without following redirects, and tell the quest what came of it.
    Send(DiscoveryRequest),
    /// The end: here it is.
    Found(DiscoveredServer),
    /// The end: nothing was found, and this is why.
    Failed(DiscoveryReport),
}

/// A request to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiscoveryRequest {
    /// GET or POST.
    pub method: http::Method,
    /// Where to. `https`, but for the last resort, which is `http` and carries nothing.
    pub url: String,
    /// Headers beyond those that every request has (`Host`, `User-Agent`, `Content-Length`).
    pub headers: Vec<(&'static str, String)>,
    /// Empty for GET.
    pub body: String,
    /// Whether the service account's credentials go with it. Where this is false they must not, whatever the answer says.
    pub credentials: bool,
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DiscoveryResponse {
    /// An HTTP answer, whatever its status.
    Http {
        /// Status code.
        status: u16,
        /// The `Location` header.
        location: Option<String>,
        /// The body, inflated.
        body: Vec<u8>,
    },
    /// No connection: the name did not resolve, nobody listened, TLS failed. The host is not asked again.
    Unreachable(String),
    /// Connected, and then no whole answer.
    Incomplete(String),
    /// We cannot say who we are until somebody mends it: what vouches for us (a KDC, a token issuer) said no.
    SignInFailed(String),
}

/// Where a room's mailbox lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiscoveredServer {
    /// `https://…/EWS/Exchange.asmx`, on a confirmed host.
    pub url: EwsUrl,
    /// The address that was asked for in the end: the room's own, or another one that a server named for it. Not for
    /// impersonation.
    pub mailbox_address: RoomAddress,
    /// The schema versions the server says it speaks (`EwsSupportedSchemas`); empty when it was not asked over SOAP.
    pub schemas: Vec<String>,
    /// How it was found.
    pub attempts: Vec<DiscoveryAttempt>,
}

/// Carries a quest out. `one_shot` sends one request as it is: it follows no redirect, adds credentials only where
/// [`OneShotRequest::credentials`] says so, and reads at most [`BODY_BYTES_MAX`]. A sign-in of several legs is its business too: a 401
/// that it hands on is final, and the host sees no credentials again.
///
/// # Errors
/// A [`DiscoveryReport`] of everything that was tried when no URL was found.
pub async fn discover<F, A>(mut quest: Discovery, ask: F) -> Result<DiscoveredServer, DiscoveryReport>
where
    // Not `AsyncFn`: its future borrows the closure, and a compiler cannot yet see that it may go to another thread.
    F: Fn(DiscoveryRequest) -> A,
    A: Future<Output = DiscoveryResponse>,
{
    loop {
        match quest.next_step() {
            DiscoveryStep::Send(request) => {
                let answer = ask(request).await;
                quest.handle_response(answer);
            }
            DiscoveryStep::Found(found) => return Ok(found),
            DiscoveryStep::Failed(report) => return Err(report),
        }
    }
}

/// What the body of an answer says, whichever protocol it came in. Everything in it is a stranger's word.
#[derive(Debug, Clone, PartialEq, Eq)]
enum ParsedResponse {
    /// EWS URLs, the preferred first, and schema versions.
    Settings { urls: Vec<String>, schemas: Vec<String> },
    /// Ask there instead.
    RedirectUrl(String),
    /// Ask for this address instead.
    RedirectAddress(String),
    /// There is no such mailbox.
    UnknownMailbox(String),
    /// Not now.
    Busy(String),
    /// Some other error.
    OtherError(String),
}
