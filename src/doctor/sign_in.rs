//! Whether the server knows the account: one request in a room's name, and, where Windows sign-in is refused, one more to
//! tell a wrong password from a channel binding that does not fit.

use super::{DoctorTarget, Findings};
use crate::action::ResponsibleParty;
use crate::calendar::RoomAddress;
use crate::engine::CalendarError;
use crate::exchange::login::{ChannelBinding, Windows};
use crate::exchange::{ErrorKind, Exchange, ExchangeLocation, RequestError, Settings, SignInMethod};

/// Rooms that are tried before EWS counts as switched off for all: it can be for one mailbox.
const ROOMS_TRIED: usize = 3;

/// Whether the account gets as far as to be told what it may do.
pub(super) async fn check_sign_in(patient: &DoctorTarget, findings: &mut Findings) -> bool {
    let Some(first) = patient.rooms.first() else {
        findings.fail(
            "rooms",
            "no room is configured for it",
            "name the rooms in scope.rooms, or a room list and one room",
        );
        return false;
    };
    match patient.exchange.check_calendar(first).await {
        Err(RequestError::Refused(ErrorKind::EwsDisabled, code)) => {
            check_ews_disabled(patient, code, findings).await
        }
        Err(failed) if affects_every_room(&failed) => {
            report_rejected(patient, first, failed, findings).await;
            false
        }
        Ok(_) | Err(_) => {
            report_accepted(patient, first, findings).await;
            true
        }
    }
}

async fn report_accepted(patient: &DoctorTarget, room: &RoomAddress, findings: &mut Findings) {
    let build = patient.exchange.build().map_or(String::new(), |build| format!(" (build {build})"));
    match &patient.settings.sign_in {
        SignInMethod::Windows(windows)
            if windows.binding == ChannelBinding::Auto
                && is_tls(&patient.settings)
                && is_accepted_with(patient, windows, ChannelBinding::Require, room).await == Some(false) =>
        {
            findings.warn(
                "sign-in",
                format!("the server accepts the account only without channel binding{build}"),
                "another machine than Exchange ends TLS here, with another certificate; give it Exchange's certificate, or \
                 set server.channel_binding = \"off\"",
            );
        }
        _ => findings.pass("sign-in", format!("the server accepts the account{build}")),
    }
}

async fn check_ews_disabled(patient: &DoctorTarget, code: String, findings: &mut Findings) -> bool {
    for room in patient.rooms.iter().skip(1).take(ROOMS_TRIED) {
        let answer = patient.exchange.check_calendar(room).await;
        if answer.is_ok() || answer.is_err_and(|failed| !affects_every_room(&failed)) {
            findings.pass("sign-in", "the server accepts the account");
            return true;
        }
    }
    findings
        .fail(
            "EWS",
            "EWS is switched off for the organization, this application or these mailboxes",
            "see Get-OrganizationConfig | fl Ews* (EwsEnabled, EwsAllowedAppIDs, EwsBlockList) and Get-CASMailbox ROOM | fl \
             Ews*; a change takes up to a day",
        )
        .code = Some(code);
    false
}

async fn report_rejected(
    patient: &DoctorTarget,
    room: &RoomAddress,
    failed: RequestError,
    findings: &mut Findings,
) {
    if let (RequestError::Refused(ErrorKind::Credentials, code), SignInMethod::Windows(windows)) =
        (&failed, &patient.settings.sign_in)
        && let Some((says, remedy)) = diagnose_channel_binding(patient, windows, room).await
    {
        findings.fail("channel binding", says, remedy).code = Some(code.clone());
        return;
    }
    let by_token = matches!(patient.settings.sign_in, SignInMethod::OAuth(_) | SignInMethod::Token(_));
    let by_certificate = matches!(patient.settings.sign_in, SignInMethod::Certificate);
    let check = match &failed {
        RequestError::Refused(ErrorKind::SignIn, why) if by_token && why.contains("token") => "token",
        RequestError::Refused(ErrorKind::Version, _) => "version",
        RequestError::Refused(ErrorKind::NotEws, _) => "EWS",
        RequestError::Refused(ErrorKind::Account, _) => "account",
        RequestError::Refused(ErrorKind::Permission, _) => "permission",
        RequestError::Unreachable(crate::exchange::TransportError::SignIn { .. }) if by_token => "token",
        RequestError::Unreachable(crate::exchange::TransportError::SignIn { .. }) => "sign-in",
        RequestError::Refused(..) => "sign-in",
        _ => "answer",
    };
    let CalendarError { responsible: fault, advice, code } = CalendarError::from(failed);
    let advice = match (check, fault) {
        ("token", ResponsibleParty::Administrator) => "the application is given no token".to_owned(),
        ("token", _) => "where tokens come from cannot be reached".to_owned(),
        ("sign-in", ResponsibleParty::Network) => "no KDC can be reached to sign the account in".to_owned(),
        _ => advice,
    };
    let remedy = match (check, fault) {
        ("token", ResponsibleParty::Administrator) => {
            "check tenant, client_id and what proves the application: an expired secret, a certificate that is not registered"
        }
        ("token", _) => "check that this machine reaches where tokens come from (proxy, firewall)",
        ("sign-in", ResponsibleParty::Network) => {
            "check that this machine reaches a KDC (server.kdc, or /etc/krb5.conf; TCP 88)"
        }
        ("account", _) => "unlock the account, or renew its password",
        ("EWS", _) => "server.url should end in /EWS/Exchange.asmx",
        ("version", _) => "Exchange 2010 SP2 is the oldest that is spoken to",
        ("permission", _) => {
            "grant and consent to what the code names: full_access_as_app, or the role Application EWS.AccessAsApp (adjourn setup)"
        }
        ("sign-in", _) if by_token => {
            "check whom the token is for (server.oauth.scope), its tenant, and the permissions of the application; the code holds \
             Exchange's own reason where it names one"
        }
        ("sign-in", _) if by_certificate => {
            "check that the server maps the client certificate to the account"
        }
        ("sign-in", _) => {
            "check user name and password (DOMAIN\\name or name@domain), and that the account is no gMSA"
        }
        _ => "try again; then look at the server and at what stands in between",
    };
    findings.fail(check, advice, remedy).code = Some(code);
}

/// Whether the account is let in with the binding the other way round, and what that means.
async fn diagnose_channel_binding(
    patient: &DoctorTarget,
    windows: &Windows,
    room: &RoomAddress,
) -> Option<(&'static str, &'static str)> {
    let (other, says, remedy) = match windows.binding {
        ChannelBinding::Auto => return None, // both were tried
        ChannelBinding::Off => (
            ChannelBinding::Require,
            "the server requires Extended Protection, and server.channel_binding is off",
            "set server.channel_binding = \"auto\"",
        ),
        ChannelBinding::Require => (
            ChannelBinding::Off,
            "the server refuses this connection's channel binding: another machine than Exchange ends TLS here",
            "give that machine Exchange's own certificate, or set server.channel_binding = \"auto\"",
        ),
    };
    (is_accepted_with(patient, windows, other, room).await == Some(true)).then_some((says, remedy))
}

/// Whether the account is accepted with this binding; `None` when that did not show.
async fn is_accepted_with(
    patient: &DoctorTarget,
    windows: &Windows,
    binding: ChannelBinding,
    room: &RoomAddress,
) -> Option<bool> {
    let windows = Windows { binding, ..windows.clone() };
    let settings = Settings { sign_in: SignInMethod::Windows(windows), ..patient.settings.clone() };
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

/// It is the same for every room.
fn affects_every_room(failed: &RequestError) -> bool {
    match failed {
        RequestError::Refused(kind, _) => matches!(
            kind,
            ErrorKind::Credentials
                | ErrorKind::Token
                | ErrorKind::Permission
                | ErrorKind::SignIn
                | ErrorKind::Account
                | ErrorKind::EwsDisabled
                | ErrorKind::NotEws
                | ErrorKind::Version
                | ErrorKind::BadRequest
        ),
        RequestError::Busy(_)
        | RequestError::InvalidResponse(_)
        | RequestError::Unreachable(_)
        | RequestError::InDoubt(_) => true,
    }
}
