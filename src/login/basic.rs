//! Basic authentication: user name and password with every request (RFC 7617). The settings allow it over TLS only, or
//! to this machine.

use async_trait::async_trait;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::HeaderValue;
use zeroize::Zeroizing;

use super::challenge_of;
use crate::http::auth::{AuthRejection, AuthRound, AuthSession, ChallengeAction, Credential, scheme_names};
use crate::http::error::TransportError;
use crate::secret::Secret;

/// The `Authorization` header of every request.
#[derive(Clone)]
pub(crate) struct Basic {
    header: Option<HeaderValue>,
}

impl Basic {
    /// For this account.
    pub(crate) fn new(username: &str, password: &Secret) -> Self {
        let pair = Zeroizing::new(format!("{username}:{}", password.expose()));
        let text = Zeroizing::new(format!("Basic {}", BASE64_STANDARD.encode(pair.as_bytes())));
        Self { header: sensitive(&text) }
    }
}

impl Credential for Basic {
    fn session(&self, _certificate: Option<&[u8]>) -> Box<dyn AuthSession> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl AuthSession for Basic {
    async fn first_round(&mut self) -> Result<AuthRound, TransportError> {
        Ok(AuthRound { authorization: self.header.clone(), with_body: true })
    }

    async fn on_challenge(&mut self, challenges: &[&str]) -> Result<ChallengeAction, TransportError> {
        Ok(ChallengeAction::Reject(match challenge_of(challenges, "Basic") {
            // A 401 without any scheme comes from an overloaded server.
            None if !challenges.is_empty() => AuthRejection::Offers(scheme_names(challenges)),
            _ => AuthRejection::NotAccepted("user name and password (Basic)"),
        }))
    }
}

/// A header value that prints as `Sensitive`.
pub(super) fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut header = HeaderValue::from_str(text).ok()?;
    header.set_sensitive(true);
    Some(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn basic_is_the_pair_in_base64_and_marked_sensitive() {
        let mut basic = Basic::new("svc", &Secret::new("pässword".to_owned()));
        let header = basic.first_round().await.unwrap().authorization.unwrap();
        assert_eq!(header, "Basic c3ZjOnDDpHNzd29yZA==");
        assert!(header.is_sensitive());
    }

    #[tokio::test]
    async fn a_server_that_wants_something_else_is_told_from_a_wrong_password() {
        let mut basic = Basic::new("svc", &Secret::new("secret".to_owned()));
        let offers = basic.on_challenge(&["Negotiate", "NTLM"]).await.unwrap();
        assert!(
            matches!(offers, ChallengeAction::Reject(AuthRejection::Offers(schemes)) if schemes == "Negotiate, NTLM")
        );
        for challenges in [&["Negotiate", "Basic realm=\"x\""][..], &[]] {
            let action = basic.on_challenge(challenges).await.unwrap();
            assert!(matches!(action, ChallengeAction::Reject(AuthRejection::NotAccepted(_))));
        }
    }
}
