//! `[server]` and `[[connections]]` as they are written, with the defaults of their keys.

use std::path::PathBuf;

use serde::Deserialize;

use super::{Spanned, default};
use crate::exchange::autodiscover::{Host, HostPattern};
use crate::exchange::login::ChannelBinding;
use crate::exchange::{Access, ImpersonateBy};

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct ServerSection {
    /// Of `[[connections]]` only.
    pub(in crate::config) name: Option<Spanned<String>>,
    /// Of `[[connections]]` only.
    pub(in crate::config) rooms: Option<Spanned<Vec<String>>>,
    pub(in crate::config) url: Option<Spanned<String>>,
    pub(in crate::config) auth: Option<Spanned<AuthMethod>>,
    pub(in crate::config) username: Option<String>,
    pub(in crate::config) password: Option<Spanned<SecretReference>>,
    pub(in crate::config) channel_binding: ChannelBinding,
    pub(in crate::config) keytab_file: Option<PathBuf>,
    pub(in crate::config) kdc: Option<Spanned<String>>,
    pub(in crate::config) oauth: Option<Spanned<OAuthSection>>,
    pub(in crate::config) token: Option<Spanned<SecretReference>>,
    pub(in crate::config) client_certificate: Option<CertificateSection>,
    pub(in crate::config) proxy: Option<Spanned<ProxySection>>,
    pub(in crate::config) autodiscover: Option<AutodiscoverSection>,
    pub(in crate::config) access: Access,
    pub(in crate::config) ca_file: Option<PathBuf>,
    pub(in crate::config) connect_timeout_s: Spanned<u64>,
    pub(in crate::config) first_byte_timeout_s: Spanned<u64>,
    pub(in crate::config) answer_timeout_s: Spanned<u64>,
    pub(in crate::config) patience_s: Spanned<u64>,
    pub(in crate::config) impersonate_by: ImpersonateBy,
    pub(in crate::config) requests_per_room: Spanned<usize>,
    pub(in crate::config) requests_at_once: Spanned<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::config) enum AuthMethod {
    Basic,
    Ntlm,
    Negotiate,
    Oauth,
    Token,
    Certificate,
}

/// Exactly one of these.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
pub(in crate::config) enum SecretReference {
    File(PathBuf),
    Env(String),
    Command(Vec<String>),
    Credential(String),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct OAuthSection {
    pub(in crate::config) tenant: Spanned<String>,
    pub(in crate::config) client_id: String,
    pub(in crate::config) secret: Option<SecretReference>,
    pub(in crate::config) certificate_file: Option<PathBuf>,
    pub(in crate::config) key_file: Option<PathBuf>,
    #[serde(default)]
    pub(in crate::config) cloud: Cloud,
    pub(in crate::config) endpoint: Option<Spanned<String>>,
    pub(in crate::config) scope: Option<String>,
}

/// Whose data centres (Microsoft, "National clouds").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::config) enum Cloud {
    #[default]
    Worldwide,
    UsGovernment,
    UsGovernmentDod,
    China,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct CertificateSection {
    pub(in crate::config) certificate_file: PathBuf,
    pub(in crate::config) key_file: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct ProxySection {
    pub(in crate::config) url: String,
    pub(in crate::config) username: Option<String>,
    pub(in crate::config) password: Option<SecretReference>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct AutodiscoverSection {
    pub(in crate::config) hosts: Vec<HostPattern>,
    pub(in crate::config) first: Option<Host>,
}

impl Default for ServerSection {
    fn default() -> Self {
        Self {
            name: None,
            rooms: None,
            url: None,
            auth: None,
            username: None,
            password: None,
            channel_binding: ChannelBinding::default(),
            keytab_file: None,
            kdc: None,
            oauth: None,
            token: None,
            client_certificate: None,
            proxy: None,
            autodiscover: None,
            access: Access::default(),
            ca_file: None,
            connect_timeout_s: default(10),
            // EWS cuts a batch after a minute; a second minute is for the way.
            first_byte_timeout_s: default(60),
            patience_s: default(600),
            answer_timeout_s: default(120),
            impersonate_by: ImpersonateBy::default(),
            requests_per_room: default(2),
            // Below Exchange's EWSMaxConcurrency of 27 (10 on Exchange 2010), with room for the account's other users.
            requests_at_once: default(10),
        }
    }
}
