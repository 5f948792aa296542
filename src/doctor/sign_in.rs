//! Checks that the server accepts the account: one request in a room's name. Where Windows sign-in is rejected, one more request
//! distinguishes a wrong password from a channel binding that does not fit. It never tries a password twice.

use super::token::token_finding;
use super::{DoctorTarget, FindingId, Findings};
use crate::action::ResponsibleParty;
use crate::calendar::RoomAddress;
use crate::engine::{CalendarError, ErrorKind};
use crate::exchange::{Exchange, ExchangeLocation, RequestError, Settings, SignInMethod, TransportError};
use crate::login::{ChannelBinding, Windows};

/// Rooms to try before EWS counts as turned off for all: it can be off for one mailbox.
const ROOMS_TRIED: usize = 3;

/// Whether the server accepts the account. Its rights in rooms are another check.
pub(super) async fn check_sign_in(target: &DoctorTarget, findings: &mut Findings) -> bool {
    let Some(first) = findings.first_room(&target.rooms) else { return false };
    match target.exchange.check_calendar(first).await {
        Err(RequestError::Refused(ErrorKind::ApiDisabled, code)) => {
            check_ews_disabled(target, code, findings).await
        }
        Err(failed) if affects_every_room(&failed) => {
            report_rejected(target, first, failed, findings).await;
            false
        }
        Ok(_) | Err(_) => {
            report_accepted(target, first, findings).await;
            true
        }
    }
}

async fn report_accepted(target: &DoctorTarget, room: &RoomAddress, findings: &mut Findings) {
    let build = target.exchange.build().map_or(String::new(), |build| format!(" (build {build})"));
    match &target.settings.sign_in {
        SignInMethod::Windows(windows)
            if windows.binding == ChannelBinding::Auto
                && is_tls(&target.settings)
                && is_accepted_with(target, windows, ChannelBinding::Require, room).await == Some(false) =>
        {
            findings.warn(
                FindingId::ChannelBindingUnavailable,
                "sign-in",
                format!("the server accepts the account only without channel binding{build}"),
                "a machine in front of Exchange ends TLS with another certificate; give it Exchange's certificate, or \
                 set server.channel_binding = \"off\"",
            );
        }
        _ => findings.pass("sign-in", format!("the server accepts the account{build}")),
    }
}

async fn check_ews_disabled(target: &DoctorTarget, code: String, findings: &mut Findings) -> bool {
    for room in target.rooms.iter().skip(1).take(ROOMS_TRIED) {
        let answer = target.exchange.check_calendar(room).await;
        if answer.is_ok() || answer.is_err_and(|failed| !affects_every_room(&failed)) {
            findings.pass("sign-in", "the server accepts the account");
            return true;
        }
    }
    findings
        .fail(
            FindingId::EwsDisabled,
            "EWS",
            "EWS is turned off for the organization, this application or these mailboxes",
            "check Get-OrganizationConfig | fl Ews* (EwsEnabled, EwsAllowedAppIDs, EwsBlockList) and Get-CASMailbox ROOM | fl \
             Ews*; a change takes up to a day",
        )
        .code = Some(code);
    false
}

async fn report_rejected(
    target: &DoctorTarget,
    room: &RoomAddress,
    failed: RequestError,
    findings: &mut Findings,
) {
    if let (RequestError::Refused(ErrorKind::Credentials, code), SignInMethod::Windows(windows)) =
        (&failed, &target.settings.sign_in)
        && let Some((id, message, remedy)) = diagnose_channel_binding(target, windows, room).await
    {
        findings.fail(id, "channel binding", message, remedy).code = Some(code.clone());
        return;
    }
    let method = &target.settings.sign_in;
    let check = RejectedCheck::of(&failed, method);
    let error = CalendarError::from(failed);
    let code = error.code.clone();
    let (id, message, remedy) = check.finding(method, error);
    findings.fail(id, check.name(), message, remedy).code = Some(code);
}

/// What a rejection concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RejectedCheck {
    Token,
    SignIn,
    Account,
    Ews,
    Version,
    Permission,
    Answer,
}

impl RejectedCheck {
    fn of(failed: &RequestError, method: &SignInMethod) -> Self {
        let by_token = matches!(
            method,
            SignInMethod::OAuth(_) | SignInMethod::Token(_) | SignInMethod::ManagedIdentity(_)
        );
        match failed {
            RequestError::Refused(ErrorKind::SignIn, _) if by_token => Self::Token,
            RequestError::Unreachable(TransportError::SignIn { .. }) if by_token => Self::Token,
            RequestError::Unreachable(TransportError::SignIn { .. }) => Self::SignIn,
            RequestError::Refused(ErrorKind::Version, _) => Self::Version,
            RequestError::Refused(ErrorKind::WrongProtocol, _) => Self::Ews,
            RequestError::Refused(ErrorKind::Account, _) => Self::Account,
            RequestError::Refused(ErrorKind::Permission, _) => Self::Permission,
            RequestError::Refused(..) => Self::SignIn,
            _ => Self::Answer,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::SignIn => "sign-in",
            Self::Account => "account",
            Self::Ews => "EWS",
            Self::Version => "version",
            Self::Permission => "permission",
            Self::Answer => "answer",
        }
    }

    /// The finding, its message, and the remedy.
    fn finding(self, method: &SignInMethod, error: CalendarError) -> (FindingId, String, &'static str) {
        let CalendarError { responsible, advice, code, .. } = error;
        match self {
            Self::Token => token_finding(responsible, &code),
            Self::SignIn => sign_in_finding(method, responsible, advice),
            Self::Account => (FindingId::AccountUnusable, advice, "unlock the account or renew its password"),
            Self::Ews => (FindingId::EwsWrongPath, advice, "end server.url in /EWS/Exchange.asmx"),
            Self::Version => (
                FindingId::VersionUnsupported,
                advice,
                "upgrade Exchange; the oldest supported version is 2010 SP2",
            ),
            Self::Permission => (
                FindingId::PermissionMissing,
                advice,
                "grant the permission that the code names: consent to full_access_as_app, or assign the role Application \
                 EWS.AccessAsApp (adjourn setup)",
            ),
            Self::Answer => (
                FindingId::SignInFailed,
                advice,
                "try again; then check the server, and the proxies and firewalls on the way",
            ),
        }
    }
}

fn sign_in_finding(
    method: &SignInMethod,
    responsible: ResponsibleParty,
    advice: String,
) -> (FindingId, String, &'static str) {
    match method {
        _ if responsible == ResponsibleParty::Network => (
            FindingId::KdcUnreachable,
            "no KDC can be reached".to_owned(),
            "check that this machine reaches a KDC (server.kdc, or /etc/krb5.conf; TCP 88)",
        ),
        SignInMethod::OAuth(_) | SignInMethod::Token(_) | SignInMethod::ManagedIdentity(_) => (
            FindingId::TokenRejected,
            advice,
            "check the token's audience (server.oauth.scope), its tenant, and the permissions of the application; the code holds \
             Exchange's own reason where it names one",
        ),
        SignInMethod::Certificate => (
            FindingId::ClientCertificateNotMapped,
            advice,
            "check that the server maps the client certificate to the account",
        ),
        _ => (
            FindingId::CredentialsRejected,
            advice,
            "check user name (DOMAIN\\name or name@domain) and password; a gMSA cannot be used",
        ),
    }
}

/// Tries the opposite channel binding. If the server accepts the account then, the binding is the cause.
async fn diagnose_channel_binding(
    target: &DoctorTarget,
    windows: &Windows,
    room: &RoomAddress,
) -> Option<(FindingId, &'static str, &'static str)> {
    let (other, id, message, remedy) = match windows.binding {
        ChannelBinding::Auto => return None, // the sign-in tried both
        ChannelBinding::Off => (
            ChannelBinding::Require,
            FindingId::ChannelBindingRequired,
            "the server requires Extended Protection, and server.channel_binding is off",
            "set server.channel_binding = \"auto\"",
        ),
        ChannelBinding::Require => (
            ChannelBinding::Off,
            FindingId::ChannelBindingRejected,
            "the server rejects this connection's channel binding: a machine in front of Exchange ends TLS",
            "give that machine Exchange's own certificate, or set server.channel_binding = \"auto\"",
        ),
    };
    (is_accepted_with(target, windows, other, room).await == Some(true)).then_some((id, message, remedy))
}

/// Whether the server accepts the account with this binding; `None` when the response does not show it.
async fn is_accepted_with(
    target: &DoctorTarget,
    windows: &Windows,
    binding: ChannelBinding,
    room: &RoomAddress,
) -> Option<bool> {
    let windows = Windows { binding, ..windows.clone() };
    let settings = Settings { sign_in: SignInMethod::Windows(windows), ..target.settings.clone() };
    match Exchange::new(&settings).ok()?.check_calendar(room).await {
        Err(RequestError::Refused(ErrorKind::Credentials, _)) => Some(false),
        Err(failed) if affects_every_room(&failed) => None,
        Ok(_) | Err(_) => Some(true),
    }
}

fn is_tls(settings: &Settings) -> bool {
    match &settings.location {
        ExchangeLocation::Url(url) => url.starts_with("https:"),
        ExchangeLocation::Discovered(_) => true,
    }
}

/// Whether every room would fail alike.
fn affects_every_room(failed: &RequestError) -> bool {
    match failed {
        RequestError::Refused(kind, _) => matches!(
            kind,
            ErrorKind::Credentials
                | ErrorKind::Token
                | ErrorKind::Permission
                | ErrorKind::SignIn
                | ErrorKind::AuthScheme
                | ErrorKind::Account
                | ErrorKind::ApiDisabled
                | ErrorKind::WrongProtocol
                | ErrorKind::Version
                | ErrorKind::BadRequest
        ),
        RequestError::Busy(_)
        | RequestError::InvalidResponse(_)
        | RequestError::Unreachable(_)
        | RequestError::InDoubt(_) => true,
    }
}
