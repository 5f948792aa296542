//! Rules for every request and response, whatever the route: the `Host` header (RFC 9112), and security headers that stop
//! browsers from caching, sniffing, framing or running a response.

use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Version, header};

use super::problem::Problem;

/// Defaults where the handler set no value: a response with a key's data is not cached, does not run, and is not framed.
const DEFAULTS: [(HeaderName, HeaderValue); 4] = [
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
];

/// Adds the security headers that the handler did not set.
pub(super) fn protect(headers: &mut HeaderMap) {
    for (name, value) in DEFAULTS {
        headers.entry(name).or_insert(value);
    }
}

/// Checks that the request names exactly one host (RFC 9112, 3.2), so that a proxy in front of the service and the service agree
/// on it.
pub(super) fn check_host(parts: &Parts) -> Result<(), Problem> {
    let mut hosts = parts.headers.get_all(header::HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host,
        (None, _) if parts.version < Version::HTTP_11 => return Ok(()),
        (None, _) => {
            return Err(Problem::bad_request("The request has no Host header, which HTTP/1.1 needs."));
        }
        (Some(_), Some(_)) => return Err(Problem::bad_request("The request has more than one Host header.")),
    };
    let host = authority(host).ok_or_else(|| Problem::bad_request("The Host header is not a valid host."))?;
    match parts.uri.authority() {
        Some(target) if !is_same(target, &host, parts.uri.scheme_str()) => {
            Err(Problem::bad_request("The request line and the Host header name different hosts."))
        }
        _ => Ok(()),
    }
}

/// Parses the header's host; `None` if it has user information.
fn authority(host: &HeaderValue) -> Option<Authority> {
    let authority: Authority = host.to_str().ok()?.parse().ok()?;
    (!authority.as_str().contains('@')).then_some(authority)
}

fn is_same(target: &Authority, host: &Authority, scheme: Option<&str>) -> bool {
    let default = if scheme == Some("https") { 443 } else { 80 };
    let port = |one: &Authority| one.port_u16().unwrap_or(default);
    target.host().eq_ignore_ascii_case(host.host())
        && port(target) == port(host)
        && !target.as_str().contains('@')
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn parts(version: Version, target: &str, hosts: &[&str]) -> Parts {
        let mut request = Request::builder().version(version).uri(target);
        for host in hosts {
            request = request.header(header::HOST, *host);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn a_request_names_one_host() {
        let check =
            |target: &str, hosts: &[&str]| check_host(&parts(Version::HTTP_11, target, hosts)).is_ok();
        for host in ["adjourn", "adjourn.example:8480", "[::1]:8480", "127.0.0.1"] {
            assert!(check("/v1/rooms", &[host]), "{host}");
        }
        for hosts in [&[][..], &["a", "a"], &["a", "b"], &[""], &["a b"], &["user@a"], &["a/b"]] {
            assert!(!check("/v1/rooms", hosts), "{hosts:?}");
        }
        assert!(check_host(&parts(Version::HTTP_10, "/healthz", &[])).is_ok());
        assert!(check_host(&parts(Version::HTTP_10, "/healthz", &["a", "b"])).is_err());
    }

    #[test]
    fn an_absolute_target_and_the_header_name_the_same_host() {
        let check = |target: &str, host: &str| check_host(&parts(Version::HTTP_11, target, &[host])).is_ok();
        for (target, host) in [("http://a/x", "a"), ("http://A:80/x", "a"), ("https://a/x", "a:443")] {
            assert!(check(target, host), "{target} {host}");
        }
        for (target, host) in [("http://a/x", "b"), ("http://a:81/x", "a"), ("http://u@a/x", "a")] {
            assert!(!check(target, host), "{target} {host}");
        }
    }
}
