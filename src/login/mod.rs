//! Signs in to any server: the authentication schemes, and the credentials that they need. Sends no request but the
//! one for a token.
//!
//! Three kinds of schemes fit. Basic sends the same header with every request. Bearer tokens expire, so a rejected one
//! is replaced once. NTLM and Negotiate authenticate the connection: some rounds without the request's body, and no
//! header once the connection is authenticated.

#[cfg(feature = "negotiate")]
mod ap_options;
mod assertion;
mod basic;
mod bearer;
#[cfg(feature = "negotiate")]
mod binding;
#[cfg(any(feature = "negotiate", feature = "postgres"))]
mod certificate_hash;
mod client_credentials;
mod external_token;
#[cfg(feature = "negotiate")]
mod keytab;
mod managed_identity;
mod method;
mod oauth;
mod provider;
#[cfg(feature = "negotiate")]
mod single_flight;
#[cfg(feature = "negotiate")]
mod sspi;
mod token_response;
#[cfg(feature = "negotiate")]
mod windows;
#[cfg(feature = "negotiate")]
mod windows_settings;

pub use assertion::{ClientKey, ClientKeyError};
use basic::Basic;
use bearer::Bearer;
#[cfg(feature = "negotiate")]
pub use binding::ChannelBinding;
#[cfg(feature = "postgres")]
pub(crate) use certificate_hash::certificate_hash;
pub use client_credentials::{ClientAuthentication, ClientCredentials};
pub use external_token::ExternalToken;
#[cfg(feature = "negotiate")]
pub use keytab::{KeytabError, KeytabFault, KeytabKey};
use managed_identity::InstanceMetadata;
pub use managed_identity::{INSTANCE_METADATA_ENDPOINT, ManagedIdentity};
pub use method::SignInMethod;
use oauth::TokenEndpoint;
pub(crate) use provider::CredentialProvider;
#[cfg(feature = "negotiate")]
use windows::WindowsAccount;
#[cfg(feature = "negotiate")]
pub use windows_settings::{Windows, WindowsScheme, WindowsSecret, WindowsSettingsError};

/// The parameters of this scheme in one of the challenges.
fn challenge_of<'a>(challenges: &[&'a str], scheme: &str) -> Option<&'a str> {
    challenges.iter().find_map(|challenge| {
        let (name, rest) = challenge.trim().split_once(' ').unwrap_or((challenge.trim(), ""));
        name.eq_ignore_ascii_case(scheme).then_some(rest.trim())
    })
}

#[cfg(test)]
mod tests {
    use super::challenge_of;

    #[test]
    fn a_challenge_is_found_by_its_scheme() {
        let offered = ["Negotiate", "NTLM TlRMTVNTUAAC", "basic realm=\"x\""];
        assert_eq!(challenge_of(&offered, "NTLM"), Some("TlRMTVNTUAAC"));
        assert_eq!(challenge_of(&offered, "Negotiate"), Some(""));
        assert_eq!(challenge_of(&offered, "Basic"), Some("realm=\"x\""));
        assert_eq!(challenge_of(&offered, "Bearer"), None);
    }
}
