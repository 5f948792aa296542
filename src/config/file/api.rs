//! `[api]` and `[[webhooks]]` as they are written, with the defaults of their keys. What the keys mean together is checked in
//! `config/service.rs`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Bounded, Located, Minutes};
use crate::access::DEFAULT_PER_MINUTE;
use crate::api::{ApiOptions, ConnectionLimits, DEFAULT_LISTEN};
use crate::config::secrets::SecretSource;
use crate::service::{ServiceOptions, WebhookKind};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct ApiSection {
    /// Address and port on which the service listens. Beyond this machine it needs `tls` or `behind_proxy`.
    #[schemars(example = &"0.0.0.0:8480")]
    pub(in crate::config) listen: Located<String>,
    /// Address and port of a second listener, plain HTTP, that serves `/healthz` and `/readyz` only. Without it they are served
    /// on `listen` alone.
    #[schemars(example = &"127.0.0.1:8481")]
    pub(in crate::config) health_listen: Option<Located<String>>,
    /// Open connections in all. Lowered at start, with a warning, when the process may open too few files.
    pub(in crate::config) max_connections: Bounded<16, 100_000>,
    /// Open connections without a valid key 10 s after they began, 4 to half of `max_connections`. Beyond it the oldest idle one
    /// is closed.
    pub(in crate::config) max_unauthenticated_connections: Located<usize>,
    /// The same from one IPv4 address or IPv6 /64, 1 to `max_unauthenticated_connections`. Ignored with `behind_proxy`.
    pub(in crate::config) max_unauthenticated_connections_per_address: Located<usize>,
    /// Shows subjects and organizers of events that are not private.
    pub(in crate::config) show_subjects: bool,
    /// Age up to which a room's state is shown without reading its calendar again. A display that asks every ten seconds then
    /// sees a change within half a minute.
    pub(in crate::config) max_state_age_s: Bounded<0, 3_600>,
    /// Time within which the service answers a request that names no `Prefer: wait`. An action that is not finished then is
    /// answered with `202` and its address, a room with its last known state, everything else with `503`.
    pub(in crate::config) deadline_s: Bounded<1, 60>,
    /// Time between the notice `release-warning` and the release of a room.
    pub(in crate::config) release_warning_minutes: Minutes,
    /// TLS for callers. Without it the service speaks plain HTTP.
    pub(in crate::config) tls: Option<TlsSection>,
    /// Origins whose pages may call the API from a browser (CORS), at most 100. Without one, no page of another origin may.
    #[schemars(example = ["https://panel.example.com"])]
    pub(in crate::config) cors_allowed_origins: Located<Vec<String>>,
    /// Address by which people's phones reach the service, without a path. With it, door displays show a QR code that opens a
    /// check-in page on a phone. It begins with `https://`, or points to this machine.
    #[schemars(example = &"https://adjourn.example.com")]
    pub(in crate::config) public_url: Option<Located<String>>,
    /// A reverse proxy in front of the service ends TLS, so every caller has the proxy's address.
    pub(in crate::config) behind_proxy: bool,
    /// Accepts tokens of an OpenID provider besides API keys.
    pub(in crate::config) oidc: Option<OidcSection>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct TlsSection {
    /// PEM file with the service's certificate and its chain. The service reads it again when it is renewed.
    #[schemars(example = &"/etc/adjourn/cert.pem")]
    pub(in crate::config) cert_file: PathBuf,
    /// PEM file with the private key of that certificate.
    #[schemars(example = &"/etc/adjourn/key.pem")]
    pub(in crate::config) key_file: PathBuf,
    /// PEM file with the certificate authorities whose client certificates the service accepts. With it, callers are asked for a
    /// certificate.
    #[schemars(example = &"/etc/adjourn/clients-ca.pem")]
    pub(in crate::config) client_ca_file: Option<PathBuf>,
    /// PEM file with the revocation lists of those authorities, one list for each. Needs `client_ca_file`.
    #[schemars(example = &"/etc/adjourn/clients.crl.pem")]
    pub(in crate::config) client_crl_file: Option<Located<PathBuf>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct WebhookSection {
    /// Name of the webhook, unique: 1 to 64 letters, digits, `-`, `_` or `.`. Its queue and the numbers of its notices belong to the
    /// name; commands, metrics and the log show it.
    #[schemars(example = &"facility")]
    pub(in crate::config) name: Located<String>,
    /// URL that receives a `POST` for each notice. It begins with `https://`, or points to this machine.
    #[schemars(example = &"https://hooks.example.com/adjourn")]
    pub(in crate::config) url: Located<String>,
    /// Secret that signs each request (`Adjourn-Signature`, HMAC-SHA-256).
    #[schemars(example = webhook_secret_example())]
    pub(in crate::config) secret: SecretSource,
    /// Kinds of notices that the webhook receives. Empty: all.
    #[serde(default)]
    #[schemars(example = ["action", "release-warning"])]
    pub(in crate::config) kinds: Vec<WebhookKind>,
    /// Rooms whose notices the webhook receives: SMTP addresses, or patterns with `*` and `?`. Empty: all. With patterns it receives no
    /// `journal-head`, which belongs to no room.
    #[serde(default)]
    #[schemars(example = ["berlin-*@example.com"])]
    pub(in crate::config) rooms: Vec<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct OidcSection {
    /// Issuer of the tokens, exactly as their claim `iss`. The service fetches its description from there, unless `jwks_url` is
    /// set.
    #[schemars(example = &"https://login.example.com/tenant/v2.0")]
    pub(in crate::config) issuer: Located<String>,
    /// Audience of the tokens, exactly as their claim `aud`.
    #[schemars(example = &"api://adjourn")]
    pub(in crate::config) audience: String,
    /// URL of the issuer's signing keys, for a provider that has no description.
    #[schemars(example = &"https://login.example.com/keys")]
    pub(in crate::config) jwks_url: Option<Located<String>>,
    /// Claim that names the caller in the journal.
    #[schemars(example = &"preferred_username")]
    pub(in crate::config) name_claim: Option<String>,
    /// Rights of the tokens. The first grant whose claim fits a token holds; a token that fits none is refused.
    pub(in crate::config) grants: Vec<GrantSection>,
    /// Lets people sign in to the console with this provider.
    pub(in crate::config) console: Option<ConsoleSection>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct ConsoleSection {
    /// Client id of the console at the provider: a public client with PKCE.
    #[schemars(example = &"adjourn-console")]
    pub(in crate::config) client_id: String,
    /// Scopes that the console requests, separated by blanks.
    #[schemars(example = &"openid api://adjourn/console")]
    pub(in crate::config) scope: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct GrantSection {
    /// Name of the claim.
    #[schemars(example = &"roles")]
    pub(in crate::config) claim: String,
    /// Value of the claim, or one of its values.
    #[schemars(example = &"Display")]
    pub(in crate::config) value: String,
    /// Rooms in which the rights hold: SMTP addresses, or patterns with `*` and `?`.
    #[schemars(example = ["berlin-*@example.com"])]
    pub(in crate::config) rooms: Vec<String>,
    /// Rights that the token has there, by the names that `adjourn key add` takes.
    #[schemars(example = ["read", "end", "check-in"])]
    pub(in crate::config) rights: Located<Vec<String>>,
    /// Requests a minute that one holder of such a token may send.
    #[serde(default = "default_per_minute")]
    pub(in crate::config) per_minute: Bounded<1, 4_294_967_295>,
}

fn webhook_secret_example() -> BTreeMap<&'static str, &'static str> {
    BTreeMap::from([("file", "/etc/adjourn/webhook-secret")])
}

fn default_per_minute() -> Bounded<1, 4_294_967_295> {
    Bounded::clamped(DEFAULT_PER_MINUTE.into())
}

impl Default for ApiSection {
    fn default() -> Self {
        let ConnectionLimits { total, unauthenticated, per_address } = ConnectionLimits::default();
        let (options, service) = (ApiOptions::default(), ServiceOptions::default());
        Self {
            listen: Located::unwritten(DEFAULT_LISTEN.to_owned()),
            health_listen: None,
            max_connections: Bounded::of_count(total),
            max_unauthenticated_connections: Located::unwritten(unauthenticated),
            max_unauthenticated_connections_per_address: Located::unwritten(
                per_address.unwrap_or(unauthenticated),
            ),
            show_subjects: options.subjects,
            max_state_age_s: Bounded::clamped(service.max_state_age.num_seconds()),
            deadline_s: Bounded::of_seconds(options.deadline),
            release_warning_minutes: Bounded::of_minutes(service.release_warning),
            tls: None,
            cors_allowed_origins: Located::unwritten(Vec::new()),
            public_url: None,
            behind_proxy: false,
            oidc: None,
        }
    }
}
