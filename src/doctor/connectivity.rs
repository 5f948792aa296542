//! Checks the way to the server without signing in: host name, connection, TLS certificate, whether EWS responds, and its clock.

use std::collections::BTreeMap;

use super::exchange_online::check_retirement;
use super::server::{check_certificate, check_clock, report_unreachable};
use super::{DoctorTarget, FindingId, Findings};
use crate::calendar::RoomAddress;
use crate::clock::Clock;
use crate::engine::{CalendarError, ErrorKind};
use crate::exchange::{ExchangeLocation, ProbeResult, RequestError, SignInMethod, probe};

/// The name of the server in sentences about connections.
const SERVER: &str = "Exchange";

/// Whether every server of the rooms can be signed in to.
pub(super) async fn check_connectivity(
    target: &DoctorTarget,
    clock: &dyn Clock,
    findings: &mut Findings,
) -> bool {
    let Some(urls) = resolve_endpoints(target, findings).await else { return false };
    let mut ready = 0;
    check_retirement(&urls, clock.now(), findings);
    for url in &urls {
        ready += usize::from(check_server(url, target, clock, findings).await);
    }
    ready == urls.len()
}

async fn check_server(url: &str, target: &DoctorTarget, clock: &dyn Clock, findings: &mut Findings) -> bool {
    match probe(&target.settings, url).await {
        Err(failure) => {
            report_unreachable(url, &failure, SERVER, findings);
            false
        }
        Ok(response) => {
            findings.pass("network", format!("{url} responded"));
            let now = clock.now();
            if let Some(certificate) = &response.certificate {
                check_certificate(certificate, now, findings);
            }
            check_ews(target, &response, findings)
                && check_clock(response.server_time, now, findings)
                && check_auth_schemes(target, &response, findings)
        }
    }
}

/// The URLs of the rooms' servers. A room without one is reported with the rooms, unless Autodiscover finds none at all.
async fn resolve_endpoints(target: &DoctorTarget, findings: &mut Findings) -> Option<Vec<String>> {
    if let ExchangeLocation::Url(url) = &target.settings.location {
        return Some(vec![url.clone()]);
    }
    if target.rooms.is_empty() {
        let message = "no configured room belongs to this connection";
        findings.fail(FindingId::NoRoomConfigured, "rooms", message, "list its rooms in scope.rooms");
        return None;
    }
    let (mut found_at, mut failure) = (BTreeMap::<String, Vec<&RoomAddress>>::new(), None);
    for room in &target.rooms {
        match target.exchange.find_server(room).await {
            Ok(url) => found_at.entry(url.unwrap_or_default()).or_default().push(room),
            Err(failed) => {
                let is_credentials = matches!(
                    &failed,
                    RequestError::Refused(
                        ErrorKind::Credentials | ErrorKind::Token | ErrorKind::SignIn | ErrorKind::AuthScheme,
                        _
                    )
                );
                failure.get_or_insert(failed);
                if is_credentials {
                    break; // every room would fail alike, and each failure counts towards account lockout
                }
            }
        }
    }
    if let (true, Some(failed)) = (found_at.is_empty(), failure) {
        let CalendarError { advice, code, .. } = CalendarError::from(failed);
        let remedy = "set server.url, or correct Autodiscover's answer; the code names the cause";
        findings.fail(FindingId::AutodiscoverFailed, "autodiscover", advice, remedy).code = Some(code);
        return None;
    }
    for (url, rooms) in &found_at {
        let says = match rooms[..] {
            [room] => format!("{room} is at {url}"),
            _ => format!("{} rooms are at {url}", rooms.len()),
        };
        findings.pass("autodiscover", says);
    }
    Some(found_at.into_keys().collect())
}

/// Checks the response to a request without credentials. EWS responds with 401, a login form with 200 or 302, another path with
/// 404. With a client certificate the request is authenticated already; then EWS responds with its page for people (200), or
/// demands POST (405).
fn check_ews(target: &DoctorTarget, response: &ProbeResult, findings: &mut Findings) -> bool {
    let is_known = matches!(target.settings.sign_in, SignInMethod::Certificate);
    let (id, remedy) = match (response.status, response.is_html) {
        _ if response.is_tls_port => {
            let says = "the port accepts TLS only, and server.url begins with http";
            findings.fail(FindingId::HttpsRequired, "port", says, "write https in server.url").code =
                Some(format!("HTTP {}", response.status));
            return false;
        }
        (status, _) if is_known && (matches!(status, 200 | 405) || response.answers_post) => {
            findings.pass("EWS", "EWS responded");
            return true;
        }
        (403, _) => {
            findings
                .fail(
                    FindingId::EwsForbidden,
                    "EWS",
                    "the server refuses EWS before sign-in",
                    "turn EWS on for the organization and this application (Get-OrganizationConfig | fl Ews*), or \
                     allow this machine's address",
                )
                .code = Some("HTTP 403".to_owned());
            return false;
        }
        (404 | 405, _) => (FindingId::EwsWrongPath, "end server.url in /EWS/Exchange.asmx"),
        (300..=399 | 440, _) | (200, true) => (
            FindingId::EwsLoginForm,
            "publish /EWS without the login form in front of it; programs cannot use forms authentication",
        ),
        (500..=599, _) => (
            FindingId::EwsServerError,
            "ask the administrator of the server and of its load balancer; one of them is out of order",
        ),
        _ => {
            findings.pass("EWS", "EWS responded");
            return true;
        }
    };
    let says = "the response is not from EWS";
    findings.fail(id, "EWS", says, remedy).code = Some(format!("HTTP {}", response.status));
    false
}

/// Whether the server offers the configured sign-in method. A server that offers none is checked by the sign-in itself.
fn check_auth_schemes(target: &DoctorTarget, response: &ProbeResult, findings: &mut Findings) -> bool {
    let wanted = auth_scheme(&target.settings.sign_in);
    if response.auth_schemes.is_empty() {
        return true;
    }
    let offered = response.auth_schemes.join(", ");
    if wanted
        .is_none_or(|wanted| response.auth_schemes.iter().any(|offer| offer.eq_ignore_ascii_case(wanted)))
    {
        findings.pass("ways to sign in", format!("the server offers {offered}"));
        return true;
    }
    findings.fail(
        FindingId::SignInMethodNotOffered,
        "ways to sign in",
        format!("the server offers {offered}, and server.auth is {}", wanted.unwrap_or_default()),
        "set server.auth to one of those, or turn the other one on (Set-WebServicesVirtualDirectory)",
    );
    false
}

fn auth_scheme(sign_in: &SignInMethod) -> Option<&'static str> {
    use crate::login::WindowsScheme;
    match sign_in {
        SignInMethod::Basic { .. } => Some("Basic"),
        SignInMethod::Windows(windows) => Some(match windows.scheme {
            WindowsScheme::Ntlm => "NTLM",
            WindowsScheme::Negotiate => "Negotiate",
        }),
        SignInMethod::OAuth(_) | SignInMethod::Token(_) | SignInMethod::ManagedIdentity(_) => Some("Bearer"),
        SignInMethod::Certificate => None,
    }
}
