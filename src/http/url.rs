//! URLs of outgoing requests: what a connection needs of them, where plain HTTP may go, and how a URL is printed.

use http::Uri;
use http::uri::{Authority, InvalidUri};

use super::settings::SettingsError;

/// How much of an invalid URL is shown.
#[cfg(feature = "service")]
const SHOWN_MAX: usize = 200;

/// A checked URL, split into what a connection and a request need.
#[derive(Debug, Clone)]
pub(crate) struct ConnectTarget {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) tls: bool,
    /// `Host` header.
    pub(crate) authority: String,
    /// Path and query.
    pub(crate) target: String,
}

impl ConnectTarget {
    /// The target of a request without credentials whose response is not trusted: plain `http` may go to any host then.
    pub(crate) fn parse_anonymous(url: &str) -> Result<Self, SettingsError> {
        match url.strip_prefix("http://") {
            Some(rest) => {
                let safe = Self::parse(&format!("https://{rest}"))?;
                let port = url.parse::<Uri>().ok().and_then(|uri| uri.port_u16()).unwrap_or(80);
                Ok(Self { tls: false, port, ..safe })
            }
            None => Self::parse(url),
        }
    }

    pub(crate) fn parse(url: &str) -> Result<Self, SettingsError> {
        let uri = parse_secure(url).map_err(|fault| match fault {
            UrlFault::PlainHttp => SettingsError::PlainHttp(without_userinfo(url)),
            UrlFault::NotAUrl(_) | UrlFault::Userinfo | UrlFault::Form => {
                SettingsError::Url(without_userinfo(url))
            }
        })?;
        let tls = uri.scheme_str() == Some("https");
        let host = uri.host().unwrap_or_default();
        Ok(Self {
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: uri.port_u16().unwrap_or(if tls { 443 } else { 80 }),
            tls,
            authority: uri.authority().map_or("", Authority::as_str).to_owned(),
            target: uri.path_and_query().map_or("/", |target| target.as_str()).to_owned(),
        })
    }
}

/// Why no request may go to a URL.
#[derive(Debug)]
pub(crate) enum UrlFault {
    NotAUrl(
        #[cfg_attr(not(feature = "service"), expect(dead_code, reason = "only the configuration prints it"))]
        InvalidUri,
    ),
    /// It contains a user name or password, which would be printed with it, and which no server would get.
    Userinfo,
    /// Plain `http`, and not to this machine.
    PlainHttp,
    /// It has another scheme, or no host.
    Form,
}

/// Parses a URL to which a request stays unreadable for others: `https`, or `http` to this machine. Every check of a configured URL
/// ends here.
pub(crate) fn parse_secure(url: &str) -> Result<Uri, UrlFault> {
    let uri: Uri = url.parse().map_err(UrlFault::NotAUrl)?;
    let authority = uri.authority().map_or("", Authority::as_str);
    // A port that is not a number is the beginning of a password that contains a slash.
    let ends_in_host = authority.ends_with(']') || authority.rsplit_once(':').is_none();
    if authority.contains('@') || !ends_in_host && uri.port_u16().is_none() {
        return Err(UrlFault::Userinfo);
    }
    match (uri.scheme_str(), uri.host()) {
        (Some("https"), Some(host)) if !host.is_empty() => Ok(uri),
        (Some("http"), Some(host)) if is_loopback_host(host) => Ok(uri),
        (Some("http"), Some(_)) => Err(UrlFault::PlainHttp),
        _ => Err(UrlFault::Form),
    }
}

/// A URL that no request may go to.
#[cfg(feature = "service")]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not of the form https://host/path (http only to this machine)")]
pub struct InvalidUrl(String);

#[cfg(feature = "service")]
impl InvalidUrl {
    /// The error about this URL. It prints the URL without user info and path, which may be secret.
    pub(crate) fn new(url: &str) -> Self {
        Self(redacted(url))
    }
}

/// As [`parse_secure`], for a URL whose path may be secret.
#[cfg(feature = "service")]
pub(crate) fn parse_url(url: &str) -> Result<Uri, InvalidUrl> {
    parse_secure(url).map_err(|_| InvalidUrl::new(url))
}

/// A URL for messages: user info and path of a webhook's URL are often secrets.
#[cfg(feature = "service")]
pub(crate) fn redacted(url: &str) -> String {
    let url = without_userinfo(url);
    let host = url.find("://").map_or(0, |scheme| scheme + 3);
    let end = url[host..].find(['/', '?', '#']).map_or(url.len(), |path| host + path);
    let rest = if url[end..].len() > 1 { "/…" } else { &url[end..] };
    url[..end].chars().take(SHOWN_MAX).chain(rest.chars()).collect()
}

/// A URL without user name and password, for messages. A password may contain `/`, `?`, `#` or `@`, so everything up to
/// the last `@` is removed, unless the host is plain and the `@` is in the path.
pub(crate) fn without_userinfo(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").map_or(("", url), |(scheme, rest)| (scheme, rest));
    let Some((before, host)) = rest.rsplit_once('@') else { return url.to_owned() };
    let is_in_path = !scheme.is_empty()
        && !before.contains(':')
        && before.find(['/', '?', '#']).is_some_and(|end| !before[..end].contains('@'));
    match (is_in_path, scheme) {
        (true, _) => url.to_owned(),
        (false, "") => format!("…@{host}"),
        (false, scheme) => format!("{scheme}://…@{host}"),
    }
}

/// Whether the URL seems to contain a user name or password.
#[cfg(feature = "service")]
pub(crate) fn has_userinfo(url: &str) -> bool {
    without_userinfo(url) != url
}

/// Whether plain HTTP to this host stays on this machine.
fn is_loopback_host(host: &str) -> bool {
    matches!(host, "localhost" | "127.0.0.1" | "[::1]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart() {
        let endpoint = ConnectTarget::parse("https://mail.example.com:8443/EWS/Exchange.asmx").unwrap();
        assert_eq!((endpoint.host.as_str(), endpoint.port, endpoint.tls), ("mail.example.com", 8443, true));
        assert_eq!(endpoint.target, "/EWS/Exchange.asmx");
        assert_eq!(endpoint.authority, "mail.example.com:8443");
    }

    #[test]
    fn a_password_never_crosses_the_network_readable() {
        assert!(matches!(
            ConnectTarget::parse("http://mail.example.com/EWS"),
            Err(SettingsError::PlainHttp(_))
        ));
        assert!(matches!(
            ConnectTarget::parse("http://127.0.0.1.example.com/"),
            Err(SettingsError::PlainHttp(_))
        ));
        assert!(!ConnectTarget::parse("http://127.0.0.1:8080/EWS/Exchange.asmx").unwrap().tls);
        assert_eq!(ConnectTarget::parse("http://[::1]:80/").unwrap().host, "::1");
    }

    #[test]
    fn what_carries_nothing_may_go_in_plain_http() {
        let endpoint =
            ConnectTarget::parse_anonymous("http://autodiscover.example.com/autodiscover/autodiscover.xml")
                .unwrap();
        assert_eq!(
            (endpoint.host.as_str(), endpoint.port, endpoint.tls),
            ("autodiscover.example.com", 80, false)
        );
        assert_eq!(ConnectTarget::parse_anonymous("http://x.example:8080/").unwrap().port, 8080);
        assert!(ConnectTarget::parse_anonymous("https://x.example/").unwrap().tls);
    }

    #[test]
    fn what_is_no_address_is_said_so() {
        for bad in
            ["", "mail.example.com", "ftp://mail.example.com/", "https://user:secret@host/", "https:///EWS"]
        {
            let error = ConnectTarget::parse(bad).unwrap_err();
            assert!(matches!(error, SettingsError::Url(_)) && !error.to_string().contains("secret"), "{bad}");
        }
    }

    #[test]
    fn a_url_is_printed_without_its_password_and_otherwise_as_it_is() {
        for url in [
            "https://user:hunter2@host/path",
            "https://hunter2@host/path",
            "https://user:hunter2/x@host/path",
            "https://user:x?hunter2@host",
            "user:hunter2@host",
            "tcp://user:a@hunter2@host:88",
        ] {
            let shown = without_userinfo(url);
            assert!(url != shown && !shown.contains("hunter2") && shown.contains("…@host"), "{shown}");
        }
        for url in ["https://host:8443/path", "https://host/a@b/c", "host", ""] {
            assert!(without_userinfo(url) == url, "{url}");
        }
    }

    #[cfg(feature = "service")]
    #[test]
    fn what_is_no_address_is_shown_without_what_may_be_secret() {
        for url in [
            "http://user:hunter2@hooks.example/T0/B1/hunter2?token=hunter2",
            "https:///hunter2",
            "ftp://x/hunter2",
            "https://user:hunter2@hooks.example/x",
            "https://user@hooks.example/hunter2",
            "https://user:hun/ter2@hooks.example/hunter2",
            "https://user:hunter2?@hooks.example/x",
        ] {
            let error = parse_url(url).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
        assert!(parse_url("http://hooks.example/x").unwrap_err().to_string().contains("hooks.example"));
        assert!(parse_url("https://hooks.example/a@b/c?d=e@f").is_ok(), "Teams writes such paths");
        assert!(parse_url("https://[::1]/x").is_ok() && parse_url("https://[::1]:8443/x").is_ok());
        assert!(parse_url("http://127.0.0.1:80/x").is_ok() && parse_url("https://hooks.example/x").is_ok());
    }
}
