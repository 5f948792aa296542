//! Who we are towards the server: one [`Credential`] for all connections, one [`AuthSession`] on each. Says which header a
//! request needs; never sends one.
//!
//! Three kinds of schemes fit: those that say the same in every request (Basic), those whose word wears out (bearer tokens,
//! which ask again with a new one once), and those that belong to the connection (NTLM, Negotiate: some legs without
//! the body, and nothing more to say once the connection is known).

#[cfg(feature = "negotiate")]
mod ap_options;
mod assertion;
mod basic;
mod bearer;
#[cfg(feature = "negotiate")]
mod binding;
mod external_token;
#[cfg(feature = "negotiate")]
mod keytab;
mod oauth;
#[cfg(feature = "negotiate")]
mod single_flight;
#[cfg(feature = "negotiate")]
mod sspi;
#[cfg(feature = "negotiate")]
mod windows;

use std::fmt;

use async_trait::async_trait;
use http::HeaderValue;

use super::delivery::TransportError;

pub use assertion::ClientKey;
pub use basic::Basic;
pub use bearer::{AccessToken, Bearer, TokenSource};
#[cfg(feature = "negotiate")]
pub use binding::ChannelBinding;
pub use external_token::ExternalToken;
#[cfg(feature = "negotiate")]
pub use keytab::KeytabKey;
pub(super) use oauth::TokenEndpoint;
pub use oauth::{ClientAuthentication, ClientCredentials};
#[cfg(feature = "negotiate")]
pub(super) use windows::WindowsAccount;
#[cfg(feature = "negotiate")]
pub use windows::{Windows, WindowsScheme, WindowsSecret};

/// A way of saying who we are, for all connections to one server.
pub trait Credential: Send + Sync {
    /// Begins on a new connection. `certificate` is what the server showed on it, in DER; `None` without TLS.
    fn session(&self, certificate: Option<&[u8]>) -> Box<dyn AuthSession>;
}

/// The saying of it on one connection.
#[async_trait]
pub trait AuthSession: Send {
    /// What the next request says, before anything was answered to it.
    ///
    /// # Errors
    /// When we cannot say who we are: no token is to be had, or what signs us in cannot.
    async fn first_round(&mut self) -> Result<AuthRound, TransportError>;

    /// Hears the challenges of a 401. The request that it answered was not carried out.
    ///
    /// # Errors
    /// As for [`AuthSession::first_round`].
    async fn on_challenge(&mut self, challenges: &[&str]) -> Result<ChallengeAction, TransportError>;

    /// Hears that a request was let in.
    fn on_accepted(&mut self) {}

    /// Whether another request may follow on this connection: what belongs to the connection was said to its end.
    fn is_reusable(&self) -> bool {
        true
    }
}

/// What one sending of a request says of us.
#[derive(Debug)]
pub struct AuthRound {
    /// The `Authorization` header, if there is something to say.
    pub authorization: Option<HeaderValue>,
    /// Whether the request's body goes along. Without it, nothing can happen yet.
    pub with_body: bool,
}

/// What a refusal (401) leads to.
#[derive(Debug)]
pub enum ChallengeAction {
    /// The same request goes out again on this connection, saying this.
    Retry(AuthRound),
    /// The same request goes out again, on a new connection.
    Reconnect,
    /// It is refused for good.
    Reject(AuthRejection),
}

/// Why it is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthRejection {
    /// The server wants another way of signing in; these are what it offers.
    Offers(String),
    /// What we said was heard and not accepted; in which words.
    NotAccepted(&'static str),
    /// The server did not accept a bearer token; user names and passwords play no part.
    TokenNotAccepted(&'static str),
}

impl fmt::Display for AuthRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Offers(nothing) if nothing.is_empty() => {
                f.write_str("the server names no way of signing in")
            }
            Self::Offers(schemes) => write!(f, "the server offers {schemes} only"),
            Self::NotAccepted(said) | Self::TokenNotAccepted(said) => write!(f, "after {said}"),
        }
    }
}

/// Nothing to say: whoever we are shows in the TLS handshake.
pub struct NoAuth;

impl Credential for NoAuth {
    fn session(&self, _certificate: Option<&[u8]>) -> Box<dyn AuthSession> {
        Box::new(Self)
    }
}

#[async_trait]
impl AuthSession for NoAuth {
    async fn first_round(&mut self) -> Result<AuthRound, TransportError> {
        Ok(AuthRound { authorization: None, with_body: true })
    }

    async fn on_challenge(&mut self, challenges: &[&str]) -> Result<ChallengeAction, TransportError> {
        Ok(ChallengeAction::Reject(AuthRejection::Offers(scheme_names(challenges))))
    }
}

/// What follows the name of this scheme in one of the challenges.
fn challenge_of<'a>(challenges: &[&'a str], scheme: &str) -> Option<&'a str> {
    challenges.iter().find_map(|challenge| {
        let (name, rest) = challenge.trim().split_once(' ').unwrap_or((challenge.trim(), ""));
        name.eq_ignore_ascii_case(scheme).then_some(rest.trim())
    })
}

/// The names of the schemes, without what follows them: no challenge's content gets into an error.
fn scheme_names(challenges: &[&str]) -> String {
    let names = challenges.iter().filter_map(|challenge| challenge.split_whitespace().next());
    let mut names: Vec<_> = names.map(|name| name.chars().take(20).collect::<String>()).take(8).collect();
    names.dedup();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_found_by_its_scheme() {
        let offered = ["Negotiate", "NTLM TlRMTVNTUAAC", "basic realm=\"x\""];
        assert_eq!(challenge_of(&offered, "NTLM"), Some("TlRMTVNTUAAC"));
        assert_eq!(challenge_of(&offered, "Negotiate"), Some(""));
        assert_eq!(challenge_of(&offered, "Basic"), Some("realm=\"x\""));
        assert_eq!(challenge_of(&offered, "Bearer"), None);
        assert_eq!(scheme_names(&offered), "Negotiate, NTLM, basic");
    }
}
