//! `[server]` and `[[connections]]` as they are written, with the defaults of their keys. What the keys mean together is checked
//! in `config/server.rs`.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Bounded, Located, TimeoutSeconds};
use crate::autodiscover::{Host, HostPattern};
use crate::config::secrets::SecretSource;
use crate::exchange::{Access, ConnectionDefaults, ImpersonateBy};
use crate::login::ChannelBinding;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct ServerSection {
    /// Name of the connection in logs, metrics and the doctor's report: unique, and not `default`.
    #[schemars(example = &"cloud")]
    pub(in crate::config) name: Option<Located<String>>,
    /// The rooms whose mailboxes are there, as SMTP addresses or patterns with `*` and `?`. The first connection that matches a
    /// room has it. Which rooms Adjourn may act in is a matter of `[scope]`. Only in `[[connections]]`.
    #[schemars(example = ["cloud-*@example.com"])]
    pub(in crate::config) rooms: Option<Located<Vec<String>>>,
    /// URL of EWS, or `autodiscover` to look up each room's server. Not set, with `oauth`: that of Exchange Online.
    #[schemars(example = &"https://mail.example.com/EWS/Exchange.asmx")]
    pub(in crate::config) url: Option<Located<String>>,
    /// How Adjourn signs in: `basic`, `ntlm`, `negotiate` (Kerberos, else NTLM), `oauth`, `token` or `certificate`. Not set:
    /// `oauth` or `token` where those keys are set, else `basic`.
    #[schemars(example = &"negotiate")]
    pub(in crate::config) auth: Option<Located<AuthMethod>>,
    /// Account name: `DOMAIN\name`, or `name@domain`. For `basic`, `ntlm` and `negotiate`.
    #[schemars(example = &r"EXAMPLE\svc-rooms")]
    pub(in crate::config) username: Option<String>,
    /// Where the account's password is. Not set: the environment variable `ADJOURN_PASSWORD`.
    #[schemars(example = secret_example())]
    pub(in crate::config) password: Option<Located<SecretSource>>,
    /// Whether sign-ins by NTLM and Kerberos are bound to their TLS connection (Extended Protection): `auto` tries once without
    /// after a refusal, and warns; `require` never goes without; `off` never binds.
    pub(in crate::config) channel_binding: ChannelBinding,
    /// Keytab of the account, instead of a password. For `negotiate`.
    #[schemars(example = &"/etc/adjourn/svc-rooms.keytab")]
    pub(in crate::config) keytab_file: Option<PathBuf>,
    /// Address of a KDC. Not set: `/etc/krb5.conf` names it. For `negotiate`.
    #[schemars(example = &"tcp://dc1.example.com:88")]
    pub(in crate::config) kdc: Option<Located<String>>,
    /// Signs in as an application of Entra, with OAuth client credentials.
    pub(in crate::config) oauth: Option<Located<OAuthSection>>,
    /// Source of a bearer token that another program renews: `file` or `command`. For `token`.
    #[schemars(example = token_example())]
    pub(in crate::config) token: Option<Located<SecretSource>>,
    /// Client certificate for the TLS handshake. For `certificate` it is the sign-in; with another method it is shown besides.
    pub(in crate::config) client_certificate: Option<CertificateSection>,
    /// HTTP proxy through which Adjourn reaches Exchange (`CONNECT`).
    pub(in crate::config) proxy: Option<Located<ProxySection>>,
    /// Which hosts Autodiscover may name. Required with `url = "autodiscover"`.
    pub(in crate::config) autodiscover: Option<AutodiscoverSection>,
    /// How the account acts in rooms: `impersonation` (with the role `ApplicationImpersonation`), or `delegate` (with Full Access
    /// to each room).
    pub(in crate::config) access: Access,
    /// PEM file with certificates to trust besides those of the platform: a site's own authority, or a self-signed certificate.
    #[schemars(example = &"/etc/adjourn/ca.pem")]
    pub(in crate::config) ca_file: Option<PathBuf>,
    /// Time within which a connection must stand, TLS included.
    pub(in crate::config) connect_timeout_s: TimeoutSeconds,
    /// Time within which Exchange must send the first byte of a response. EWS ends a batch after a minute by itself.
    pub(in crate::config) first_byte_timeout_s: TimeoutSeconds,
    /// Time within which a whole response must arrive, counted from the request.
    pub(in crate::config) response_timeout_s: TimeoutSeconds,
    /// Time for one operation with all its retries, when Exchange is busy.
    pub(in crate::config) operation_timeout_s: TimeoutSeconds,
    /// How `ExchangeImpersonation` names a room: `smtp-address`, `primary-smtp-address` or `principal-name`.
    pub(in crate::config) impersonate_by: ImpersonateBy,
    /// Requests to one room at once. Exchange budgets each mailbox (`EWSMaxConcurrency`, 27 by default).
    pub(in crate::config) max_concurrent_requests_per_room: Bounded<1, 27>,
    /// Requests to this Exchange at once. The default stays within `EWSMaxConcurrency` of Exchange 2010, and below the 27 of
    /// later ones, where delegate access charges everything to one account.
    pub(in crate::config) max_concurrent_requests: Bounded<1, 1_000>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::config) enum AuthMethod {
    Basic,
    Ntlm,
    Negotiate,
    Oauth,
    Token,
    Certificate,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct OAuthSection {
    /// Tenant, as a domain or an id.
    #[schemars(example = &"example.onmicrosoft.com")]
    pub(in crate::config) tenant: Located<String>,
    /// Application (client) id.
    #[schemars(example = &"11111111-2222-4333-8444-555555555555")]
    pub(in crate::config) client_id: String,
    /// Where the client secret is. Either this, or `certificate_file` and `key_file`.
    #[schemars(example = secret_example())]
    pub(in crate::config) secret: Option<SecretSource>,
    /// PEM file with the application's certificate.
    #[schemars(example = &"/etc/adjourn/app.pem", extend("x-alternative" = true))]
    pub(in crate::config) certificate_file: Option<PathBuf>,
    /// PEM file with the private key of that certificate.
    #[schemars(example = &"/etc/adjourn/app.key", extend("x-alternative" = true))]
    pub(in crate::config) key_file: Option<PathBuf>,
    /// Cloud of the tenant: `worldwide`, `us-government`, `us-government-dod` or `china`. The addresses of Entra and Exchange
    /// follow from it.
    #[serde(default)]
    pub(in crate::config) cloud: Cloud,
    /// Token endpoint. Not set: that of the tenant in its cloud.
    #[schemars(example = &"https://login.example.com/oauth2/v2.0/token")]
    pub(in crate::config) endpoint: Option<Located<String>>,
    /// Scope of the token. Not set: Exchange Online's `/.default`.
    #[schemars(example = &"https://outlook.office365.com/.default")]
    pub(in crate::config) scope: Option<String>,
}

/// Whose data centres (Microsoft, "National clouds").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::config) enum Cloud {
    #[default]
    Worldwide,
    UsGovernment,
    UsGovernmentDod,
    China,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct CertificateSection {
    /// PEM file with the certificate, and what leads from it to its issuer.
    #[schemars(example = &"/etc/adjourn/client.pem")]
    pub(in crate::config) certificate_file: PathBuf,
    /// PEM file with its private key.
    #[schemars(example = &"/etc/adjourn/client.key")]
    pub(in crate::config) key_file: PathBuf,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct ProxySection {
    /// URL of the proxy. User name and password have keys of their own.
    #[schemars(example = &"http://proxy.example.com:3128")]
    pub(in crate::config) url: String,
    /// User name, if the proxy wants one.
    #[schemars(example = &"svc-rooms")]
    pub(in crate::config) username: Option<String>,
    /// Where that user's password is.
    #[schemars(example = secret_example())]
    pub(in crate::config) password: Option<SecretSource>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct AutodiscoverSection {
    /// Hosts that may receive the account's password: names, or `*.` and a domain. Autodiscover follows no other.
    #[schemars(with = "Vec<String>", example = ["mail.example.com", "*.exchange.example.com"])]
    pub(in crate::config) trusted_hosts: Vec<HostPattern>,
    /// Host to ask first. Not set: those that follow from the room's domain.
    #[schemars(with = "Option<String>", example = &"mail.example.com")]
    pub(in crate::config) preferred_host: Option<Host>,
}

fn secret_example() -> serde_json::Value {
    serde_json::json!({ "file": "/etc/adjourn/password" })
}

fn token_example() -> serde_json::Value {
    serde_json::json!({ "command": ["get-token", "rooms"] })
}

impl Default for ServerSection {
    fn default() -> Self {
        let ConnectionDefaults {
            connect_timeout,
            first_byte_timeout,
            response_timeout,
            operation_timeout,
            max_concurrent_requests_per_room,
            max_concurrent_requests,
        } = ConnectionDefaults::default();
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
            connect_timeout_s: Bounded::of_seconds(connect_timeout),
            first_byte_timeout_s: Bounded::of_seconds(first_byte_timeout),
            response_timeout_s: Bounded::of_seconds(response_timeout),
            operation_timeout_s: Bounded::of_seconds(operation_timeout),
            impersonate_by: ImpersonateBy::default(),
            max_concurrent_requests_per_room: Bounded::of_count(max_concurrent_requests_per_room.get()),
            max_concurrent_requests: Bounded::of_count(max_concurrent_requests.get()),
        }
    }
}
