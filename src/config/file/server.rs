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
    /// How Adjourn reaches the rooms: `ews` (Exchange Server, and Exchange Online until 31 March 2027) or `graph` (Microsoft Graph,
    /// Exchange Online alone).
    pub(in crate::config) protocol: Located<Protocol>,
    /// URL of EWS, or `autodiscover` to look up each room's server. Not set, with `oauth`: that of Exchange Online. With `graph`:
    /// the root of Graph, without a version; not set: that of the cloud.
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
    pub(in crate::config) channel_binding: Located<ChannelBinding>,
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
    pub(in crate::config) autodiscover: Option<Located<AutodiscoverSection>>,
    /// How the account acts in rooms: `impersonation` (with the role `ApplicationImpersonation`), or `delegate` (with Full Access
    /// to each room). Not for `graph`.
    pub(in crate::config) access: Located<Access>,
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
    /// How `ExchangeImpersonation` names a room: `smtp-address`, `primary-smtp-address` or `principal-name`. Not for `graph`.
    pub(in crate::config) impersonate_by: Located<ImpersonateBy>,
    /// Requests to one room at once. Exchange budgets each mailbox (`EWSMaxConcurrency`, 27 by default). Graph serves four,
    /// the default with `graph`; reads leave the last one for a write.
    pub(in crate::config) max_concurrent_requests_per_room: Located<Bounded<1, 27>>,
    /// Requests to this Exchange at once. The default stays within `EWSMaxConcurrency` of Exchange 2010, and below the 27 of
    /// later ones, where delegate access charges everything to one account. With `graph` the default is 16.
    pub(in crate::config) max_concurrent_requests: Located<Bounded<1, 1_000>>,
    /// Permissions of the application besides `Calendars.ReadWrite`: what each buys is in exchange.md. For `graph`. List those that
    /// were granted.
    #[schemars(example = ["Mail.ReadBasic", "Place.Read.All"])]
    pub(in crate::config) optional_permissions: Vec<Permission>,
    /// Time between two readings of a room that is in use or has an event within the hour. For `graph`, which sends no
    /// notifications; over EWS `[live]` has `poll_interval_s`.
    #[schemars(extend("x-alternative" = true))]
    pub(in crate::config) poll_interval_busy_s: Located<PollSeconds>,
    /// Time between two readings of any other room. For `graph`.
    #[schemars(extend("x-alternative" = true))]
    pub(in crate::config) poll_interval_idle_s: Located<PollSeconds>,
}

/// A permission of an application over Microsoft Graph, by Microsoft's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub(in crate::config) enum Permission {
    /// Searches Sent Items for a message whose response was lost.
    #[serde(rename = "Mail.ReadBasic")]
    MailReadBasic,
    /// Searches Deleted Items for a removed event.
    #[serde(rename = "MailboxItem.Read")]
    MailboxItemRead,
    /// Reads the members of room lists.
    #[serde(rename = "Place.Read.All")]
    PlaceReadAll,
    /// Looks up people and addresses.
    #[serde(rename = "User.ReadBasic.All")]
    UserReadBasicAll,
}

/// Seconds between two polls.
pub(in crate::config) type PollSeconds = Bounded<5, 3_600>;

/// How the rooms of a connection are reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::config) enum Protocol {
    Ews,
    Graph,
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
    /// Tenant, as a domain or an id. Required, except with `managed_identity`.
    #[schemars(example = &"example.onmicrosoft.com")]
    pub(in crate::config) tenant: Option<Located<String>>,
    /// Application (client) id. Required, except with `managed_identity`: there it names a user-assigned identity.
    #[schemars(example = &"11111111-2222-4333-8444-555555555555")]
    pub(in crate::config) client_id: Option<String>,
    /// Where the client secret is. Either this, or `certificate_file` and `key_file`, or `federated_token_file`, or
    /// `managed_identity`.
    #[schemars(example = secret_example())]
    pub(in crate::config) secret: Option<SecretSource>,
    /// PEM file with the application's certificate.
    #[schemars(example = &"/etc/adjourn/app.pem", extend("x-alternative" = true))]
    pub(in crate::config) certificate_file: Option<PathBuf>,
    /// PEM file with the private key of that certificate.
    #[schemars(example = &"/etc/adjourn/app.key", extend("x-alternative" = true))]
    pub(in crate::config) key_file: Option<PathBuf>,
    /// File with a token of another issuer, which proves the application (workload identity federation). Its issuer renews it, so
    /// Adjourn reads it for each token request. Kubernetes with Azure Workload Identity names it in `AZURE_FEDERATED_TOKEN_FILE`.
    #[schemars(example = &"/var/run/secrets/azure/tokens/azure-identity-token", extend("x-alternative" = true))]
    pub(in crate::config) federated_token_file: Option<PathBuf>,
    /// Signs in as the managed identity of the Azure machine that Adjourn runs on. Its token comes from the machine's instance
    /// metadata service (169.254.169.254), never through a proxy.
    #[serde(default)]
    #[schemars(extend("x-alternative" = true))]
    pub(in crate::config) managed_identity: bool,
    /// Cloud of the tenant: `worldwide` (GCC too), `us-government` (GCC High), `us-government-dod`, `china` (21Vianet), `bleu`
    /// (France), `delos` (Germany) or `gov-sg` (Singapore). The addresses of Entra, Exchange and Graph follow from it.
    #[serde(default)]
    pub(in crate::config) cloud: Cloud,
    /// Token endpoint. Not set: that of the tenant in its cloud, or of the machine's instance metadata service.
    #[schemars(example = &"https://login.example.com/oauth2/v2.0/token")]
    pub(in crate::config) endpoint: Option<Located<String>>,
    /// Scope of the token. Not set: `/.default` of Exchange Online, or of Graph.
    #[schemars(example = &"https://outlook.office365.com/.default")]
    pub(in crate::config) scope: Option<String>,
}

/// Whose data centres (Microsoft, "National clouds" and "Get-MgEnvironment").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::config) enum Cloud {
    #[default]
    Worldwide,
    UsGovernment,
    UsGovernmentDod,
    China,
    Bleu,
    Delos,
    GovSg,
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

/// A person at the door waits half a minute at most for a change. 2 000 rooms then cost less than a hundredth of Graph's limit for an
/// application (130 000 requests in 10 s).
const POLL_INTERVAL_BUSY_S: PollSeconds = Bounded::clamped(30);
/// Nobody waits for a change in a room that is free for an hour.
const POLL_INTERVAL_IDLE_S: PollSeconds = Bounded::clamped(300);

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
            protocol: Located::unwritten(Protocol::Ews),
            url: None,
            auth: None,
            username: None,
            password: None,
            channel_binding: Located::unwritten(ChannelBinding::default()),
            keytab_file: None,
            kdc: None,
            oauth: None,
            token: None,
            client_certificate: None,
            proxy: None,
            autodiscover: None,
            access: Located::unwritten(Access::default()),
            ca_file: None,
            connect_timeout_s: Bounded::of_seconds(connect_timeout),
            first_byte_timeout_s: Bounded::of_seconds(first_byte_timeout),
            response_timeout_s: Bounded::of_seconds(response_timeout),
            operation_timeout_s: Bounded::of_seconds(operation_timeout),
            impersonate_by: Located::unwritten(ImpersonateBy::default()),
            max_concurrent_requests_per_room: Located::unwritten(Bounded::of_count(
                max_concurrent_requests_per_room.get(),
            )),
            max_concurrent_requests: Located::unwritten(Bounded::of_count(max_concurrent_requests.get())),
            optional_permissions: Vec::new(),
            poll_interval_busy_s: Located::unwritten(POLL_INTERVAL_BUSY_S),
            poll_interval_idle_s: Located::unwritten(POLL_INTERVAL_IDLE_S),
        }
    }
}
