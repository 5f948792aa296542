//! How an account signs in, with its credentials. Values only.

#[cfg(feature = "negotiate")]
use super::windows_settings::Windows;
use super::{ClientCredentials, ExternalToken, ManagedIdentity};
use crate::secret::Secret;

/// A sign-in method with its credentials.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum SignInMethod {
    /// User name and password in every request.
    Basic {
        /// In the form that the server expects: `DOMAIN\name`, or `name@domain`.
        username: String,
        /// Its password.
        password: Secret,
    },
    /// NTLM or Negotiate.
    #[cfg(feature = "negotiate")]
    Windows(Windows),
    /// OAuth, as an application.
    OAuth(ClientCredentials),
    /// OAuth, with tokens that another program fetches.
    Token(ExternalToken),
    /// OAuth, as the managed identity of the Azure machine.
    ManagedIdentity(ManagedIdentity),
    /// The client certificate alone.
    Certificate,
}
