//! HTTP authentication as the client sees it: one [`Credential`] for all connections to a server, one [`AuthSession`] per
//! connection. An `AuthSession` returns the `Authorization` header of each round; it sends nothing and knows no request.
//! The schemes are in `crate::login`.

use std::fmt;

use async_trait::async_trait;
use http::HeaderValue;

use super::error::TransportError;

/// A credential for all connections to one server.
pub(crate) trait Credential: Send + Sync {
    /// Starts authentication on a new connection. `certificate` is the server's certificate in DER; `None` without TLS.
    fn session(&self, certificate: Option<&[u8]>) -> Box<dyn AuthSession>;
}

/// The authentication state of one connection.
#[async_trait]
pub(crate) trait AuthSession: Send {
    /// The header for the next request, before any response to it.
    ///
    /// # Errors
    /// When no header can be made: no token was fetched, or the Windows sign-in failed locally.
    async fn first_round(&mut self) -> Result<AuthRound, TransportError>;

    /// Handles the challenges of a 401 response. The server did not execute the request.
    ///
    /// # Errors
    /// As for [`AuthSession::first_round`].
    async fn on_challenge(&mut self, challenges: &[&str]) -> Result<ChallengeAction, TransportError>;

    /// Records that the server accepted a request.
    fn on_accepted(&mut self) {}

    /// Whether another request may follow on this connection: its sign-in is complete.
    fn is_reusable(&self) -> bool {
        true
    }
}

/// How one round of a request authenticates.
#[derive(Debug)]
pub(crate) struct AuthRound {
    /// The `Authorization` header, if there is one.
    pub authorization: Option<HeaderValue>,
    /// Whether the round carries the request's body. Without it, the server cannot execute anything.
    pub with_body: bool,
}

/// What to do after a 401.
#[derive(Debug)]
pub(crate) enum ChallengeAction {
    /// Send the request again on this connection, with this header.
    Retry(AuthRound),
    /// Send the request again on a new connection.
    #[cfg_attr(not(feature = "negotiate"), expect(dead_code, reason = "only Windows sign-ins start again"))]
    Reconnect,
    /// Give up: the sign-in is rejected.
    Reject(AuthRejection),
}

/// Why a sign-in was rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AuthRejection {
    /// The server offers only these other schemes.
    Offers(String),
    /// The server rejected these credentials after this handshake.
    NotAccepted(&'static str),
    /// The server rejected a bearer token; user names and passwords are not involved.
    TokenNotAccepted(&'static str),
}

impl fmt::Display for AuthRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Offers(schemes) if schemes.is_empty() => {
                f.write_str("the server offers no authentication scheme")
            }
            Self::Offers(schemes) => write!(f, "the server offers only {schemes}"),
            Self::NotAccepted(handshake) | Self::TokenNotAccepted(handshake) => {
                write!(f, "after {handshake}")
            }
        }
    }
}

/// No `Authorization` header: the client certificate of the TLS handshake authenticates.
pub(crate) struct NoAuth;

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

/// The names of the schemes only: no content of a challenge gets into an error.
pub(crate) fn scheme_names(challenges: &[&str]) -> String {
    let names = challenges.iter().filter_map(|challenge| challenge.split_whitespace().next());
    let mut names: Vec<_> = names.map(|name| name.chars().take(20).collect::<String>()).take(8).collect();
    names.dedup();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::scheme_names;

    #[test]
    fn an_error_names_schemes_and_nothing_else_of_a_challenge() {
        let offered = ["Negotiate", "NTLM TlRMTVNTUAAC", "basic realm=\"x\""];
        assert_eq!(scheme_names(&offered), "Negotiate, NTLM, basic");
    }
}
