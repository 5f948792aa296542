//! Who we are towards the server. Says which headers a request needs; never sends one.
//!
//! The trait is the seam for schemes to come. What they need beyond Basic is in its shape already: a token scheme
//! answers [`Next::Again`] once when its token was refused, and a connection-bound scheme (NTLM) answers it once per
//! leg, which the transport sends on the same connection, without the body until [`Credential::ready`].

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::HeaderValue;
use zeroize::Zeroizing;

use super::secret::Secret;

/// What a refusal (401) means to the credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The same request may go out again with new headers: the server has not carried it out.
    Again,
    /// It is refused for good.
    Refused,
}

/// A way of saying who we are.
pub trait Credential: Send + Sync {
    /// The `Authorization` header of the next request on a connection; `None` if it needs none.
    fn authorization(&self) -> Option<HeaderValue>;

    /// Whether the next request may carry its body.
    fn ready(&self) -> bool {
        true
    }

    /// Hears the challenges of a 401.
    fn challenged(&self, challenges: &[&str]) -> Next;
}

/// User name and password in every request: acceptable over TLS only, which the settings enforce.
pub struct Basic {
    header: Option<HeaderValue>,
}

impl Basic {
    /// For this account.
    pub fn new(username: &str, password: &Secret) -> Self {
        let pair = Zeroizing::new(format!("{username}:{}", password.expose()));
        let text = Zeroizing::new(format!("Basic {}", BASE64_STANDARD.encode(pair.as_bytes())));
        let header = HeaderValue::from_str(&text).ok().map(|mut header| {
            header.set_sensitive(true);
            header
        });
        Self { header }
    }
}

impl Credential for Basic {
    fn authorization(&self) -> Option<HeaderValue> {
        self.header.clone()
    }

    fn challenged(&self, _challenges: &[&str]) -> Next {
        Next::Refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_is_the_pair_in_base64_and_marked_sensitive() {
        let basic = Basic::new("svc", &Secret::new("pässword".to_owned()));
        let header = basic.authorization().unwrap();
        assert_eq!(header, "Basic c3ZjOnDDpHNzd29yZA==");
        assert!(header.is_sensitive());
    }
}
