//! Autodiscover: finds the EWS URL of the server that hosts a room's mailbox, from the room's SMTP address.
//!
//! A [`Discovery`] is a state machine: it returns the next request and handles its response. It opens no connection and
//! knows no password. [`discover`] runs it over whatever the caller sends requests with:
//!
//! ```text
//!               next_step()                        handle_response(…)
//! Discovery ──► Send(GET or POST, …) ──► send ──► Discovery ──► … ──► Found(url) or Failed(report)
//! ```
//!
//! The order is the documented one ("Autodiscover for Exchange", "Generate a list of Autodiscover endpoints"), with the
//! newer JSON request first, since it needs no credentials: JSON, SOAP, POX, each at the preferred host, the domain and
//! `autodiscover.`domain; last, the redirect that `http://autodiscover.`domain returns. Two sources are omitted on
//! purpose. SRV records are as easily forged as the plain HTTP redirect, need a resolver of our own, and name nothing
//! that the preferred host could not name. Service connection points in Active Directory need LDAP and a machine in the
//! domain.
//!
//! **Trusted hosts.** A name server or a web site of the domain can redirect Autodiscover anywhere, so no response is
//! trusted by itself. Only hosts that the administrator named ([`Policy::trusted`]) receive credentials, and only a URL
//! on such a host is ever returned; other hosts receive the JSON request alone, without credentials, over HTTPS. A
//! [`DiscoveryReport`] names the host that would have to be trusted.
//!
//! **Address redirects.** A server may redirect to another address (hybrid: `room1@contoso.mail.onmicrosoft.com`).
//! Later requests are for that address, and [`DiscoveredServer::mailbox_address`] returns it. The room keeps its own
//! name: it is impersonated, recorded and shown under its configured address.

#[doc(hidden)]
pub mod batch;
pub mod cache;
mod candidates;
mod discovery;
#[doc(hidden)]
pub mod grouping;
mod json;
pub mod locations;
mod malformed_response;
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

/// Largest body of a response. The longest of Exchange, POX with every protocol, has some ten thousand bytes. A caller
/// of [`discover`] need not read further.
pub const BODY_BYTES_MAX: usize = 1 << 20;

/// The next step of a [`Discovery`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DiscoveryStep {
    /// Send this request, follow no redirect, and pass the response to [`Discovery::handle_response`].
    Send(DiscoveryRequest),
    /// Finished: the server was found.
    Found(DiscoveredServer),
    /// Finished: no server was found.
    Failed(DiscoveryReport),
}

/// A request to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiscoveryRequest {
    /// GET or POST.
    pub method: http::Method,
    /// URL. `https`, except for the last resort, which is `http` and carries no data.
    pub url: String,
    /// Headers beyond those that every request has (`Host`, `User-Agent`, `Content-Length`).
    pub headers: Vec<(&'static str, String)>,
    /// Empty for GET.
    pub body: String,
    /// Whether the request carries the service account's credentials. Where this is false it must not, whatever the
    /// response.
    pub credentials: bool,
}

/// The response to a request, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DiscoveryResponse {
    /// An HTTP response with any status.
    Http {
        /// Status code.
        status: u16,
        /// The `Location` header.
        location: Option<String>,
        /// The body, inflated.
        body: Vec<u8>,
    },
    /// No connection: the name did not resolve, no connection was accepted, TLS failed. The host is not asked again.
    Unreachable(String),
    /// Connected, but the response is incomplete.
    Incomplete(String),
    /// The sign-in failed until an administrator remedies it: a KDC or token endpoint refused.
    SignInFailed(String),
}

/// The server of a room's mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiscoveredServer {
    /// `https://…/EWS/Exchange.asmx`, on a trusted host.
    pub url: EwsUrl,
    /// The address of the last request: the room's own, or the one that a server redirected to. Not for impersonation.
    pub mailbox_address: RoomAddress,
    /// Schema versions that the server reports (`EwsSupportedSchemas`); empty unless it answered over SOAP.
    pub schemas: Vec<String>,
    /// The requests that led to it.
    pub attempts: Vec<DiscoveryAttempt>,
}

/// Runs a discovery. `send` sends one request as it is: it follows no redirect, adds credentials only where
/// [`DiscoveryRequest::credentials`] allows, reads at most [`BODY_BYTES_MAX`], and handles all authentication rounds. A
/// 401 that it returns is final, and the host gets no credentials again.
///
/// # Errors
/// A [`DiscoveryReport`] of all requests if no URL was found.
pub async fn discover<F, A>(mut discovery: Discovery, send: F) -> Result<DiscoveredServer, DiscoveryReport>
where
    // Not `AsyncFn`: its future borrows the closure, and the compiler cannot yet prove that it is `Send`.
    F: Fn(DiscoveryRequest) -> A,
    A: Future<Output = DiscoveryResponse>,
{
    loop {
        match discovery.next_step() {
            DiscoveryStep::Send(request) => {
                let answer = send(request).await;
                discovery.handle_response(answer);
            }
            DiscoveryStep::Found(found) => return Ok(found),
            DiscoveryStep::Failed(report) => return Err(report),
        }
    }
}

/// The content of a response's body, whichever protocol it has. Nothing in it is trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
enum ParsedResponse {
    /// EWS URLs, the preferred first, and schema versions.
    Settings { urls: Vec<String>, schemas: Vec<String> },
    /// Redirect to another URL.
    RedirectUrl(String),
    /// Redirect to another address.
    RedirectAddress(String),
    /// The mailbox is unknown.
    UnknownMailbox(String),
    /// The server is busy or has failed.
    Busy(String),
    /// Any other error.
    OtherError(String),
}
