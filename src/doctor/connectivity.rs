//! The way to the server, before anybody signs in: name, connection, TLS, what answers there, its clock.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::{DoctorTarget, Findings};
use crate::calendar::RoomAddress;
use crate::clock::{Clock, SKEW_MAX};
use crate::engine::CalendarError;
use crate::exchange::{
    ErrorKind, ExchangeLocation, ProbeResult, RequestError, ServerCertificate, SignInMethod, TlsFailure,
    TransportError, probe,
};

/// A certificate that ends sooner is worth a warning: three weeks are enough to order one.
const CERTIFICATE_EXPIRES_SOON: TimeDelta = TimeDelta::days(21);
/// An early end that is off by more than this is seen by people.
const CLOCK_SKEW_WARNING: TimeDelta = TimeDelta::minutes(1);

/// Whether there is an Exchange to sign in to: one, or each of those where the rooms live.
pub(super) async fn check_connectivity(
    patient: &DoctorTarget,
    clock: &dyn Clock,
    findings: &mut Findings,
) -> bool {
    let Some(urls) = resolve_endpoints(patient, findings).await else { return false };
    let mut met = 0;
    for url in &urls {
        met += usize::from(check_server(url, patient, clock, findings).await);
    }
    met == urls.len()
}

async fn check_server(url: &str, patient: &DoctorTarget, clock: &dyn Clock, findings: &mut Findings) -> bool {
    match probe(&patient.settings, url).await {
        Err(failure) => {
            report_unreachable(url, &failure, findings);
            false
        }
        Ok(meeting) => {
            findings.pass("network", format!("{url} answers"));
            let now = clock.now();
            if let Some(certificate) = &meeting.certificate {
                check_certificate(certificate, now, findings);
            }
            check_ews(patient, &meeting, findings)
                && check_clock(&meeting, now, findings)
                && check_auth_schemes(patient, &meeting, findings)
        }
    }
}

/// Where the servers of the rooms are. A room that is not found is said with the rooms, unless none is found at all.
async fn resolve_endpoints(patient: &DoctorTarget, findings: &mut Findings) -> Option<Vec<String>> {
    if let ExchangeLocation::Url(url) = &patient.settings.location {
        return Some(vec![url.clone()]);
    }
    if patient.rooms.is_empty() {
        findings.fail("rooms", "no room is configured for it", "name the rooms in scope.rooms");
        return None;
    }
    let (mut live_at, mut lost) = (BTreeMap::<String, Vec<&RoomAddress>>::new(), None);
    for room in &patient.rooms {
        match patient.exchange.find_server(room).await {
            Ok(url) => live_at.entry(url.unwrap_or_default()).or_default().push(room),
            Err(failed) => {
                let about_us = matches!(
                    &failed,
                    RequestError::Refused(ErrorKind::Credentials | ErrorKind::Token | ErrorKind::SignIn, _)
                );
                lost.get_or_insert(failed);
                if about_us {
                    break; // it would be the same for all, and count towards a lock
                }
            }
        }
    }
    if let (true, Some(failed)) = (live_at.is_empty(), lost) {
        let CalendarError { advice, code, .. } = CalendarError::from(failed);
        let remedy = "set server.url, or mend what Autodiscover says; the code names the cause";
        findings.fail("autodiscover", advice, remedy).code = Some(code);
        return None;
    }
    for (url, rooms) in &live_at {
        let says = match rooms[..] {
            [room] => format!("{room} lives at {url}"),
            _ => format!("{} rooms live at {url}", rooms.len()),
        };
        findings.pass("autodiscover", says);
    }
    Some(live_at.into_keys().collect())
}

fn report_unreachable(url: &str, failure: &TransportError, findings: &mut Findings) {
    let (check, remedy) = match failure {
        TransportError::Resolve(_) => {
            ("name resolution", "check the host name in server.url, and this machine's DNS")
        }
        TransportError::Connect(_) | TransportError::ConnectTimeout(_) => {
            ("connection", "check host and port in server.url, and the firewalls in between")
        }
        TransportError::Proxy(_) => {
            ("proxy", "check server.proxy: its address, user name and password, and whom it lets through")
        }
        TransportError::Tls(TlsFailure::Expired, _) => ("certificate", "renew the certificate on the server"),
        TransportError::Tls(TlsFailure::NotYetValid, _) => {
            ("certificate", "check this machine's clock, then the certificate")
        }
        TransportError::Tls(TlsFailure::WrongName, _) => (
            "certificate",
            "use the name that the certificate has, or give the server a certificate of this name",
        ),
        TransportError::Tls(TlsFailure::UnknownIssuer, _) => (
            "certificate",
            "name the site's own CA in server.ca_file, or have the server send the whole chain",
        ),
        TransportError::Tls(TlsFailure::ClientCertificate, _) => (
            "client certificate",
            "set server.client_certificate to one that the server's administrator issued",
        ),
        TransportError::Tls(TlsFailure::CaCertificate, _) => (
            "certificate",
            "name this very certificate in server.ca_file, or give the server one that is not marked as an authority's \
             (basicConstraints=CA:FALSE)",
        ),
        TransportError::Tls(TlsFailure::BadCertificate, _) => {
            ("certificate", "give the server a certificate without the fault that is named here")
        }
        TransportError::Tls(TlsFailure::NotTls, _) | TransportError::NotHttp(_) => {
            ("port", "check scheme and port in server.url: https goes with a port that speaks TLS, often 443")
        }
        TransportError::Tls(TlsFailure::Other, _) => {
            ("TLS", "check that TLS 1.2 or 1.3 is spoken on this port, and what stands in between")
        }
        _ => {
            ("answer", "something took the connection and gave no HTTP answer; check what stands in between")
        }
    };
    findings.fail(check, format!("{url}: {failure}"), remedy);
}

fn check_certificate(certificate: &ServerCertificate, now: DateTime<Utc>, findings: &mut Findings) {
    let until = certificate.not_after.format("%F");
    let says = format!("{}, issued by {}, good until {until}", certificate.subject, certificate.issuer);
    if certificate.not_after - now < CERTIFICATE_EXPIRES_SOON {
        findings.warn("certificate", says, "renew it before that day: afterwards no action reaches Exchange");
    } else {
        findings.pass("certificate", says);
    }
}

/// What answers a request from nobody. 401 is Exchange's; 200 and 302 are login forms'; 404 is another path's. Whoever is
/// known by a certificate is somebody already, to whom EWS shows its page for people, or says that it wants a POST.
fn check_ews(patient: &DoctorTarget, meeting: &ProbeResult, findings: &mut Findings) -> bool {
    let is_known = matches!(patient.settings.sign_in, SignInMethod::Certificate);
    let remedy = match (meeting.status, meeting.is_html) {
        _ if meeting.is_tls_port => {
            let says = "TLS is spoken on this port, and server.url begins with http";
            findings.fail("port", says, "write https in server.url").code =
                Some(format!("HTTP {}", meeting.status));
            return false;
        }
        (status, _) if is_known && (matches!(status, 200 | 405) || meeting.answers_post) => {
            findings.pass("EWS", "something that may be EWS answers there");
            return true;
        }
        (403, _) => {
            findings
                .fail(
                    "EWS",
                    "EWS is refused before anybody signs in",
                    "EWS is switched off for the organization or this application (Get-OrganizationConfig | fl Ews*), or \
                     this machine's address is not let in",
                )
                .code = Some("HTTP 403".to_owned());
            return false;
        }
        (404 | 405, _) => "server.url should end in /EWS/Exchange.asmx",
        (300..=399 | 440, _) | (200, true) => {
            "a login form stands before EWS; publish /EWS without one (forms authentication does not work for programs)"
        }
        (500..=599, _) => "the server, or what stands before it, is out of order; ask its administrator",
        _ => {
            findings.pass("EWS", "something that may be EWS answers there");
            return true;
        }
    };
    let says = "what answers there is not EWS";
    findings.fail("EWS", says, remedy).code = Some(format!("HTTP {}", meeting.status));
    false
}

fn check_clock(meeting: &ProbeResult, now: DateTime<Utc>, findings: &mut Findings) -> bool {
    let Some(theirs) = meeting.server_time else { return true };
    let apart = (theirs - now).abs();
    let says = format!("the server's clock and this machine's are {} s apart", apart.num_seconds());
    let remedy = "set both by NTP: while they are more than 5 minutes apart, Adjourn judges no meeting";
    if apart > SKEW_MAX {
        findings.fail("clock", says, remedy);
        return false;
    }
    if apart > CLOCK_SKEW_WARNING {
        findings.warn("clock", says, remedy);
    } else {
        findings.pass("clock", says);
    }
    true
}

/// Whether the configured way of signing in is among those offered. What offers none says so later, when it refuses.
fn check_auth_schemes(patient: &DoctorTarget, meeting: &ProbeResult, findings: &mut Findings) -> bool {
    let wanted = auth_scheme(&patient.settings.sign_in);
    if meeting.auth_schemes.is_empty() {
        return true;
    }
    let offered = meeting.auth_schemes.join(", ");
    if wanted.is_none_or(|wanted| meeting.auth_schemes.iter().any(|offer| offer.eq_ignore_ascii_case(wanted)))
    {
        findings.pass("ways to sign in", format!("the server offers {offered}"));
        return true;
    }
    findings.fail(
        "ways to sign in",
        format!("the server offers {offered}, and server.auth is {}", wanted.unwrap_or_default()),
        "set server.auth to one of those, or switch the other one on (Set-WebServicesVirtualDirectory)",
    );
    false
}

fn auth_scheme(sign_in: &SignInMethod) -> Option<&'static str> {
    use crate::exchange::login::WindowsScheme;
    match sign_in {
        SignInMethod::Basic { .. } => Some("Basic"),
        SignInMethod::Windows(windows) => Some(match windows.scheme {
            WindowsScheme::Ntlm => "NTLM",
            WindowsScheme::Negotiate => "Negotiate",
        }),
        SignInMethod::OAuth(_) | SignInMethod::Token(_) => Some("Bearer"),
        SignInMethod::Certificate => None,
    }
}
