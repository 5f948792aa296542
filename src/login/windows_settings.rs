//! Settings of a Windows sign-in: the account, its secret, the scheme and the channel binding. Values only.

use super::binding::ChannelBinding;
use super::keytab::KeytabKey;
use crate::secret::Secret;

/// The authentication scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WindowsScheme {
    /// NTLM.
    Ntlm,
    /// Negotiate: Kerberos, or NTLM without a KDC.
    Negotiate,
}

/// The account's secret.
#[derive(Debug, Clone)]
pub enum WindowsSecret {
    /// For both schemes.
    Password(Secret),
    /// For Negotiate with Kerberos: a key of the account's keytab.
    Key(KeytabKey),
}

/// A Windows account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Windows<S = WindowsSecret> {
    /// The scheme.
    pub scheme: WindowsScheme,
    /// `DOMAIN\name` or `name@domain`.
    pub username: String,
    /// The account's secret.
    pub secret: S,
    /// Whether the sign-in is bound to its TLS connection.
    pub binding: ChannelBinding,
    /// The KDC, as `tcp://dc1.example.com:88`; otherwise the one that `/etc/krb5.conf` names.
    pub kdc: Option<String>,
}

/// Why no sign-in is possible with these settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WindowsSettingsError {
    /// The user name has another form.
    #[error("`{0}` is not of the form DOMAIN\\name or name@domain")]
    Username(String),
    /// NTLM proves a password only.
    #[error("a keytab is for Kerberos; NTLM needs the password")]
    NtlmWithKeytab,
}

impl WindowsScheme {
    /// Its name in `WWW-Authenticate` and `Authorization`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ntlm => "NTLM",
            Self::Negotiate => "Negotiate",
        }
    }
}
