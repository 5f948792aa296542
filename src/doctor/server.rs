//! The findings of a probe that concern any server: its connection, its certificate, its clock. Sends nothing.

use chrono::{DateTime, TimeDelta, Utc};

use super::{FindingId, Findings};
use crate::clock::SKEW_MAX;
use crate::exchange::{ServerCertificate, TlsFailure, TransportError};

/// A certificate that expires within this time is a warning: three weeks are enough to order a new one.
const CERTIFICATE_EXPIRES_SOON: TimeDelta = TimeDelta::days(21);
/// People notice an early end that is off by more than this.
const CLOCK_SKEW_WARNING: TimeDelta = TimeDelta::minutes(1);

const NOT_TLS: (FindingId, &str, &str) =
    (FindingId::NotTls, "port", "check scheme and port in server.url: https needs a TLS port, usually 443");

/// Reports why the server does not respond. `server` is its name in sentences.
pub(super) fn report_unreachable(url: &str, failure: &TransportError, server: &str, findings: &mut Findings) {
    let (id, check, remedy) = cause(failure);
    findings.fail(id, check, format!("{url}: {}", failure.describe(server)), remedy);
}

/// The finding of a failed connection, the check that it belongs to, and the remedy.
fn cause(failure: &TransportError) -> (FindingId, &'static str, &'static str) {
    match failure {
        TransportError::Resolve(_) => (
            FindingId::NameNotResolved,
            "name resolution",
            "check the host name in server.url and this machine's DNS",
        ),
        TransportError::Connect(_) | TransportError::ConnectTimeout(_) => (
            FindingId::ConnectionFailed,
            "connection",
            "check host and port in server.url, and the firewalls on the way",
        ),
        TransportError::Proxy(_) => (
            FindingId::ProxyFailed,
            "proxy",
            "check server.proxy: its URL, user name and password, and its access rules",
        ),
        TransportError::NotHttp(_) => NOT_TLS,
        TransportError::Tls(failure, _) => cause_of_tls(*failure),
        _ => (
            FindingId::NoHttpResponse,
            "answer",
            "check the firewalls and load balancers on the way: the connection was accepted without an HTTP response",
        ),
    }
}

fn cause_of_tls(failure: TlsFailure) -> (FindingId, &'static str, &'static str) {
    match failure {
        TlsFailure::Expired => {
            (FindingId::CertificateExpired, "certificate", "renew the certificate on the server")
        }
        TlsFailure::NotYetValid => (
            FindingId::CertificateNotYetValid,
            "certificate",
            "check this machine's clock, then the certificate",
        ),
        TlsFailure::WrongName => (
            FindingId::CertificateWrongName,
            "certificate",
            "use the name in the certificate, or issue the server a certificate for this name",
        ),
        TlsFailure::UnknownIssuer => (
            FindingId::CertificateUnknownIssuer,
            "certificate",
            "set server.ca_file to the site's own CA, or make the server send its whole chain",
        ),
        TlsFailure::ClientCertificate => (
            FindingId::ClientCertificateRejected,
            "client certificate",
            "set server.client_certificate to one that the server's administrator issued",
        ),
        TlsFailure::CaCertificate => (
            FindingId::CertificateIsAuthority,
            "certificate",
            "set server.ca_file to this certificate, or issue the server one that is not marked as an authority's \
             (basicConstraints=CA:FALSE)",
        ),
        TlsFailure::BadCertificate => (
            FindingId::CertificateInvalid,
            "certificate",
            "issue the server a certificate without this fault",
        ),
        TlsFailure::NotTls => NOT_TLS,
        _ => (
            FindingId::TlsFailed,
            "TLS",
            "check that the port accepts TLS 1.2 or 1.3, and that no proxy on the way breaks it",
        ),
    }
}

/// Warns of a certificate that expires soon.
pub(super) fn check_certificate(
    certificate: &ServerCertificate,
    now: DateTime<Utc>,
    findings: &mut Findings,
) {
    let until = certificate.not_after.format("%F");
    let says = format!("{}, issued by {}, valid until {until}", certificate.subject, certificate.issuer);
    if certificate.not_after - now < CERTIFICATE_EXPIRES_SOON {
        let remedy = "renew it before that day; afterwards no action reaches Exchange";
        findings.warn(FindingId::CertificateExpiresSoon, "certificate", says, remedy);
    } else {
        findings.pass("certificate", says);
    }
}

/// Compares the server's clock with this machine's. `false`: they differ too much for any decision about a meeting.
pub(super) fn check_clock(
    server_time: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
    findings: &mut Findings,
) -> bool {
    let Some(theirs) = server_time else { return true };
    let apart = (theirs - now).abs();
    let says = format!("the server's clock and this machine's differ by {} s", apart.num_seconds());
    let remedy =
        "set both by NTP; while they differ by more than 5 minutes, Adjourn decides about no meeting";
    if apart > SKEW_MAX {
        findings.fail(FindingId::ClockSkew, "clock", says, remedy);
        return false;
    }
    if apart > CLOCK_SKEW_WARNING {
        findings.warn(FindingId::ClockSkew, "clock", says, remedy);
    } else {
        findings.pass("clock", says);
    }
    true
}
