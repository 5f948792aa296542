//! Checks the tables of the service: `[api]`, `[live]`, `[[schedules]]` and `[[webhooks]]`. Opens no socket and no file.

use std::net::SocketAddr;

use http::Uri;

use super::error::{ConfigError, SourceText};
use super::file::{self, Located};
use super::room_patterns_of;
use super::secrets::SecretSource;
use crate::access::{Grant, Right, Rights, TrustedIssuer};
use crate::api::{ApiOptions, CORS_ORIGINS_MAX, ConnectionLimits, InvalidOrigin, Origin, TlsFiles};
use crate::console::ConsoleClient;
use crate::http::url::{has_userinfo, parse_url, redacted};
use crate::live;
use crate::service::{NoticeFilter, Schedule, ScheduleError, WEBHOOKS_MAX};

/// Characters of a webhook's name, so that it fits a table.
const WEBHOOK_NAME_MAX: usize = 64;

/// Bytes of `api.public_url`, so that a check-in link fits a QR code.
const PUBLIC_URL_BYTES_MAX: usize = 300;

/// The HTTP service: its listeners, its limits, and the data that it returns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiConfig {
    /// Address and port of its listener.
    pub listen: SocketAddr,
    /// Address and port of a second listener for `/healthz` and `/readyz`, over plain HTTP.
    pub health_listen: Option<SocketAddr>,
    /// Limits on open connections.
    pub connections: ConnectionLimits,
    /// What can change while it runs.
    pub options: ApiOptions,
    /// Certificate and key; `None`: plain HTTP.
    pub tls: Option<TlsFiles>,
    /// A reverse proxy in front of it ends TLS.
    pub behind_proxy: bool,
    /// The OpenID provider whose tokens are accepted besides API keys.
    pub oidc: Option<OidcConfig>,
}

/// An OpenID provider whose tokens are accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OidcConfig {
    /// Issuer and audience of the tokens, and the rights that they grant.
    pub issuer: TrustedIssuer,
    /// URL of its signing keys; `None`: its description names it.
    pub jwks_url: Option<Uri>,
    /// The console as a client of the provider; `None`: the console offers no such sign-in.
    pub console: Option<ConsoleClient>,
}

/// An endpoint that receives notices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookConfig {
    /// Its name.
    pub name: String,
    /// Its URL. The path may be secret.
    pub url: String,
    /// Where the secret is that signs each request.
    pub secret: SecretSource,
    /// The notices that it receives.
    pub filter: NoticeFilter,
}

impl WebhookConfig {
    /// The URL for people: without its path, which may be secret.
    pub fn shown_url(&self) -> String {
        redacted(&self.url)
    }
}

pub(super) fn check_api(source: &SourceText<'_>, file: &file::ApiSection) -> Result<ApiConfig, ConfigError> {
    Ok(ApiConfig {
        listen: check_listen(source, &file.listen)?,
        health_listen: file.health_listen.as_ref().map(|listen| check_listen(source, listen)).transpose()?,
        connections: check_connection_limits(source, file)?,
        options: ApiOptions {
            deadline: file.deadline_s.as_seconds(),
            subjects: file.show_subjects,
            cors_allowed_origins: check_origins(source, &file.cors_allowed_origins)?,
            public_url: file.public_url.as_ref().map(|url| check_public_url(source, url)).transpose()?,
        },
        tls: file.tls.as_ref().map(|tls| check_tls(source, tls)).transpose()?,
        behind_proxy: file.behind_proxy,
        oidc: file.oidc.as_ref().map(|oidc| check_oidc(source, oidc)).transpose()?,
    })
}

fn check_origins(
    source: &SourceText<'_>,
    origins: &Located<Vec<String>>,
) -> Result<Vec<Origin>, ConfigError> {
    if origins.get_ref().len() > CORS_ORIGINS_MAX {
        return Err(source.error_at(origins, format!("at most {CORS_ORIGINS_MAX} origins are allowed")));
    }
    let parsed = origins.get_ref().iter().map(|origin| origin.parse());
    parsed.collect::<Result<_, InvalidOrigin>>().map_err(|error| source.error_at(origins, error.to_string()))
}

/// A check-in link is this address and a path of Adjourn's own. The link is a credential, so plain HTTP is for this machine only.
fn check_public_url(source: &SourceText<'_>, url: &Located<String>) -> Result<Origin, ConfigError> {
    let text = url.get_ref();
    parse_url(text).map_err(|error| source.error_at(url, error))?;
    let origin = text.strip_suffix('/').unwrap_or(text);
    let parsed = origin.parse().ok().filter(|_| text.len() <= PUBLIC_URL_BYTES_MAX);
    parsed.ok_or_else(|| {
        let shape = "is not of the form https://adjourn.example.com, without a path, and at most";
        source.error_at(url, format!("`{}` {shape} {PUBLIC_URL_BYTES_MAX} bytes long", redacted(text)))
    })
}

fn check_listen(source: &SourceText<'_>, listen: &Located<String>) -> Result<SocketAddr, ConfigError> {
    let text = listen.get_ref();
    text.parse().map_err(|_| {
        source.error_at(listen, format!("`{text}` is no address with a port, such as 127.0.0.1:8480"))
    })
}

fn check_connection_limits(
    source: &SourceText<'_>,
    file: &file::ApiSection,
) -> Result<ConnectionLimits, ConfigError> {
    let total = file.max_connections.count();
    let unauthenticated = &file.max_unauthenticated_connections;
    // A default is lowered to fit the limits above it; a written number beyond them is an error.
    let unauthenticated = match unauthenticated.is_written() {
        true => in_range(source, unauthenticated, 4, total / 2)?,
        false => (*unauthenticated.get_ref()).min(total / 2),
    };
    let per_address = &file.max_unauthenticated_connections_per_address;
    let per_address = match per_address.is_written() {
        true => in_range(source, per_address, 1, unauthenticated)?,
        false => (*per_address.get_ref()).min(unauthenticated),
    };
    let per_address = (!file.behind_proxy).then_some(per_address);
    Ok(ConnectionLimits { total, unauthenticated, per_address })
}

fn in_range(
    source: &SourceText<'_>,
    value: &Located<usize>,
    min: usize,
    max: usize,
) -> Result<usize, ConfigError> {
    match *value.get_ref() {
        number if (min..=max).contains(&number) => Ok(number),
        number => Err(source.error_at(value, format!("{number} is not between {min} and {max}"))),
    }
}

fn check_tls(source: &SourceText<'_>, tls: &file::TlsSection) -> Result<TlsFiles, ConfigError> {
    let client_crl = match (&tls.client_crl_file, &tls.client_ca_file) {
        (Some(crl), None) => {
            return Err(
                source.error_at(crl, "client_crl_file needs client_ca_file, whose certificates it revokes")
            );
        }
        (crl, _) => crl.as_ref().map(|crl| crl.get_ref().clone()),
    };
    Ok(TlsFiles {
        cert: tls.cert_file.clone(),
        key: tls.key_file.clone(),
        client_ca: tls.client_ca_file.clone(),
        client_crl,
    })
}

pub(super) fn check_live(file: &file::LiveSection) -> live::LiveOptions {
    live::LiveOptions {
        best_mode: file.mode,
        poll_interval: file.poll_interval_s.as_seconds(),
        connections_max: file.max_streaming_connections.count(),
        ..live::LiveOptions::default()
    }
}

fn check_oidc(source: &SourceText<'_>, file: &file::OidcSection) -> Result<OidcConfig, ConfigError> {
    let at = |url: &Located<String>| parse_url(url.get_ref()).map_err(|error| source.error_at(url, error));
    if has_userinfo(file.issuer.get_ref()) {
        return Err(source.error_at(&file.issuer, "an issuer contains no user name and no password"));
    }
    // With `jwks_url` the issuer is only compared, never fetched, so it may be any name, such as http://HOST/adfs/services/trust.
    if file.jwks_url.is_none() || file.console.is_some() {
        at(&file.issuer)?;
    }
    let mut grants = Vec::new();
    for grant in &file.grants {
        let words = grant.rights.get_ref();
        let rights = Right::parse_all(words).map_err(|error| source.error_at(&grant.rights, error))?;
        grants.push(Grant {
            claim: grant.claim.clone(),
            value: grant.value.clone(),
            rights: Rights::new(room_patterns_of(&grant.rooms), rights),
            per_minute: grant.per_minute.as_u32(),
        });
    }
    let issuer = TrustedIssuer {
        issuer: file.issuer.get_ref().clone(),
        audience: file.audience.clone(),
        name_claim: file.name_claim.clone(),
        grants,
    };
    let console = file
        .console
        .as_ref()
        .map(|one| ConsoleClient { id: one.client_id.clone(), scope: one.scope.clone() });
    Ok(OidcConfig { issuer, jwks_url: file.jwks_url.as_ref().map(at).transpose()?, console })
}

pub(super) fn check_webhooks(
    source: &SourceText<'_>,
    file: Vec<file::WebhookSection>,
) -> Result<Vec<WebhookConfig>, ConfigError> {
    let mut webhooks: Vec<WebhookConfig> = Vec::new();
    for one in file {
        let name = one.name.get_ref();
        if !is_webhook_name(name) {
            let why = format!("a name has 1 to {WEBHOOK_NAME_MAX} letters, digits, `-`, `_` or `.`");
            return Err(source.error_at(&one.name, why));
        }
        if webhooks.iter().any(|other| other.name == *name) {
            return Err(source.error_at(&one.name, format!("another webhook is named `{name}`")));
        }
        if webhooks.len() == WEBHOOKS_MAX {
            return Err(source.error_at(&one.name, format!("there are more than {WEBHOOKS_MAX} webhooks")));
        }
        let url = one.url.get_ref();
        parse_url(url).map_err(|error| source.error_at(&one.url, error))?;
        let filter = NoticeFilter { kinds: one.kinds, rooms: room_patterns_of(&one.rooms) };
        webhooks.push(WebhookConfig { name: name.clone(), url: url.clone(), secret: one.secret, filter });
    }
    Ok(webhooks)
}

/// Names stand in commands, labels of metrics and log lines.
fn is_webhook_name(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=WEBHOOK_NAME_MAX).contains(&name.len()) && name.bytes().all(is_allowed)
}

pub(super) fn check_schedules(
    source: &SourceText<'_>,
    file: Vec<file::ScheduleSection>,
) -> Result<Vec<Schedule>, ConfigError> {
    let mut schedules: Vec<Schedule> = Vec::new();
    for one in file {
        let (name, cron, zone) = (one.name.get_ref(), one.cron.get_ref(), one.time_zone.get_ref());
        if schedules.iter().any(|other| other.name == *name) {
            return Err(source.error_at(&one.name, format!("another schedule is named `{name}`")));
        }
        let mut schedule = Schedule::new(name, cron, zone).map_err(|error| match error {
            ScheduleError::Cron(..) => source.error_at(&one.cron, error),
            ScheduleError::Zone(_) => source.error_at(&one.time_zone, error),
        })?;
        schedule.rooms = room_patterns_of(&one.rooms);
        schedule.jitter = one.jitter_minutes.as_minutes();
        schedules.push(schedule);
    }
    Ok(schedules)
}
