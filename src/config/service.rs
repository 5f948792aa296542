//! How the service is reached, whom it lets in, whom it tells, and when it sweeps, checked.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use chrono::TimeDelta;
use http::Uri;

use super::error::{ConfigError, SourceText};
use super::file::{self, Spanned};
use super::{in_range, minutes, room_patterns_of};
use crate::access::{Grant, Right, Rights, TrustedIssuer};
use crate::api::{ConnectionLimits, TlsFiles};
use crate::console::ConsoleClient;
use crate::https_client::parse_url;
use crate::live;
use crate::net::has_userinfo;
use crate::service::{Schedule, ScheduleError};

/// How the service is reached, and what it shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiConfig {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Where `/healthz` and `/readyz` are served besides, over plain HTTP, on connections of their own.
    pub health_listen: Option<SocketAddr>,
    /// How many connections may be open.
    pub connections: ConnectionLimits,
    /// Show subjects and organizers of events that are not private.
    pub subjects: bool,
    /// How old what is shown of a room may be.
    pub max_state_age: TimeDelta,
    /// How long a caller waits that did not say how long it would.
    pub deadline: Duration,
    /// How long before a release somebody is warned.
    pub release_warning: TimeDelta,
    /// Certificate and key; `None`: plain HTTP.
    pub tls: Option<TlsFiles>,
    /// Something in front of it speaks TLS to the callers.
    pub behind_proxy: bool,
    /// Whose tokens are taken besides API keys.
    pub oidc: Option<OidcConfig>,
}

/// An OpenID provider whose tokens are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OidcConfig {
    /// Whose, for whom, and what they are good for.
    pub issuer: TrustedIssuer,
    /// Where its keys are; `None`: where its description says.
    pub jwks_url: Option<Uri>,
    /// What the console is there; `None`: it offers no such sign-in.
    pub console: Option<ConsoleClient>,
}

/// Who is told what happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookConfig {
    /// Where.
    pub url: String,
    /// Where the secret is that signs it.
    pub secret_file: PathBuf,
}

pub(super) fn check_api(source: &SourceText<'_>, file: &file::ApiSection) -> Result<ApiConfig, ConfigError> {
    Ok(ApiConfig {
        listen: check_listen(source, &file.listen)?,
        health_listen: file.health_listen.as_ref().map(|listen| check_listen(source, listen)).transpose()?,
        connections: check_connection_limits(source, file)?,
        subjects: file.subjects,
        max_state_age: TimeDelta::seconds(in_range(source, &file.state_age_s, 0, 3600)?),
        deadline: Duration::from_secs(in_range(source, &file.deadline_s, 1, 60)?),
        release_warning: minutes(source, &file.warn_minutes)?,
        tls: file.tls.as_ref().map(|tls| check_tls(source, tls)).transpose()?,
        behind_proxy: file.behind_proxy,
        oidc: file.oidc.as_ref().map(|oidc| check_oidc(source, oidc)).transpose()?,
    })
}

fn check_listen(source: &SourceText<'_>, listen: &Spanned<String>) -> Result<SocketAddr, ConfigError> {
    let text = listen.get_ref();
    text.parse().map_err(|_| source.error_at(listen, format!("`{text}` is not of the form 127.0.0.1:8480")))
}

/// A hundred thousand connections take about 3 GB of memory.
const CONNECTIONS_MAX: usize = 100_000;

fn check_connection_limits(
    source: &SourceText<'_>,
    file: &file::ApiSection,
) -> Result<ConnectionLimits, ConfigError> {
    let total = in_range(source, &file.max_connections, 16, CONNECTIONS_MAX)?;
    let stands = |key: &Spanned<usize>| !key.span().is_empty();
    let unauthenticated = &file.max_unauthenticated_connections;
    // A default follows the limits above it; a number that was written is checked against them.
    let unauthenticated = match stands(unauthenticated) {
        true => in_range(source, unauthenticated, 4, total / 2)?,
        false => (*unauthenticated.get_ref()).min(total / 2),
    };
    let per_address = &file.max_unauthenticated_connections_per_address;
    let per_address = match stands(per_address) {
        true => in_range(source, per_address, 1, unauthenticated)?,
        false => (*per_address.get_ref()).min(unauthenticated),
    };
    let per_address = (!file.behind_proxy).then_some(per_address);
    Ok(ConnectionLimits { total, unauthenticated, per_address })
}

fn check_tls(source: &SourceText<'_>, tls: &file::TlsSection) -> Result<TlsFiles, ConfigError> {
    let client_crl = match (&tls.client_crl_file, &tls.client_ca_file) {
        (Some(crl), None) => {
            return Err(source.error_at(crl, "needs client_ca_file: whose certificates it revokes"));
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

pub(super) fn check_live(
    source: &SourceText<'_>,
    file: &file::LiveSection,
) -> Result<live::LiveOptions, ConfigError> {
    Ok(live::LiveOptions {
        best_mode: file.by,
        // Less than a few seconds is no polling any more; more than an hour is no display.
        poll_interval: Duration::from_secs(in_range(source, &file.ask_every_s, 5, 3600)?),
        connections_max: in_range(source, &file.connections_max, 0, 1_000)?,
        ..live::LiveOptions::default()
    })
}

fn check_oidc(source: &SourceText<'_>, file: &file::OidcSection) -> Result<OidcConfig, ConfigError> {
    let at = |url: &Spanned<String>| parse_url(url.get_ref()).map_err(|error| source.error_at(url, error));
    if has_userinfo(file.issuer.get_ref()) {
        return Err(source.error_at(&file.issuer, "an issuer names no user and no password"));
    }
    // With `jwks_url` the issuer is compared and never fetched, so it may be any name, such as http://HOST/adfs/services/trust.
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
            per_minute: in_range(source, &grant.per_minute, 1, u32::MAX)?,
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

pub(super) fn check_webhook(
    source: &SourceText<'_>,
    file: file::WebhookSection,
) -> Result<WebhookConfig, ConfigError> {
    let url = file.url.get_ref().clone();
    parse_url(&url).map_err(|error| source.error_at(&file.url, error))?;
    Ok(WebhookConfig { url, secret_file: file.secret_file })
}

pub(super) fn check_schedules(
    source: &SourceText<'_>,
    file: Vec<file::ScheduleSection>,
) -> Result<Vec<Schedule>, ConfigError> {
    let mut schedules: Vec<Schedule> = Vec::new();
    for one in file {
        let (name, cron, zone) = (one.name.get_ref(), one.cron.get_ref(), one.zone.get_ref());
        if schedules.iter().any(|other| other.name == *name) {
            return Err(source.error_at(&one.name, format!("there is another schedule `{name}`")));
        }
        let mut schedule = Schedule::new(name, cron, zone).map_err(|error| match error {
            ScheduleError::Cron(..) => source.error_at(&one.cron, error),
            ScheduleError::Zone(_) => source.error_at(&one.zone, error),
        })?;
        schedule.rooms = room_patterns_of(&one.rooms);
        schedule.jitter = minutes(source, &one.jitter_minutes)?;
        schedules.push(schedule);
    }
    Ok(schedules)
}
