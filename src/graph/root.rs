//! The root of Microsoft Graph in one cloud, and the URLs of further pages, which are followed only below it. Pure.

use http::Uri;
use http::uri::PathAndQuery;

use crate::http::settings::SettingsError;
use crate::http::url::{ConnectTarget, without_userinfo};

/// The version of the API. Every path begins with it.
pub(super) const VERSION: &str = "/v1.0/";

/// `https://graph.microsoft.com`, or the root of a national cloud.
#[derive(Debug, Clone)]
pub(super) struct GraphRoot {
    url: String,
    scheme: String,
    host: String,
    port: u16,
}

impl GraphRoot {
    /// Checks the root of the configuration.
    pub(super) fn parse(url: &str) -> Result<Self, SettingsError> {
        let bad = || SettingsError::Root(without_userinfo(url));
        let ConnectTarget { host, port, tls, target, .. } =
            ConnectTarget::parse(url).map_err(|error| match error {
                SettingsError::Url(_) => bad(),
                other => other,
            })?;
        if target != "/" || url.contains(['?', '#']) {
            return Err(bad());
        }
        let scheme = if tls { "https" } else { "http" };
        Ok(Self { url: url.trim_end_matches('/').to_owned(), scheme: scheme.to_owned(), host, port })
    }

    /// The URL, without a slash at its end.
    pub(super) fn as_str(&self) -> &str {
        &self.url
    }

    /// Path and query of the next page; `None` if its URL is not below this root. The path is used as the server wrote it.
    pub(super) fn next_page(&self, next_link: &str) -> Option<PathAndQuery> {
        let uri: Uri = next_link.parse().ok()?;
        let authority = uri.authority()?;
        let scheme = uri.scheme_str()?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let default_port = if scheme == "https" { 443 } else { 80 };
        let is_here = scheme == self.scheme
            && host.eq_ignore_ascii_case(&self.host)
            && authority.port_u16().unwrap_or(default_port) == self.port
            && !authority.as_str().contains('@');
        let path = uri.path();
        // A server or proxy may resolve `..`, also in its encoded form.
        let stays_below =
            path.starts_with(VERSION) && !path.to_ascii_lowercase().replace("%2e", ".").contains("/..");
        (is_here && stays_below).then(|| uri.path_and_query().cloned()).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> GraphRoot {
        GraphRoot::parse("https://graph.microsoft.com").unwrap()
    }

    #[test]
    fn a_root_has_no_path() {
        for good in ["https://graph.microsoft.us", "https://graph.microsoft.us/", "http://127.0.0.1:8080"] {
            assert!(GraphRoot::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "https://graph.microsoft.com/v1.0",
            "graph.microsoft.com",
            "https://user:hunter2@graph.microsoft.com",
            "https://graph.microsoft.com/?x",
        ] {
            let error = GraphRoot::parse(bad).unwrap_err();
            assert!(
                matches!(error, SettingsError::Root(_)) && !error.to_string().contains("hunter2"),
                "{bad}"
            );
        }
        assert!(matches!(GraphRoot::parse("http://graph.microsoft.com"), Err(SettingsError::PlainHttp(_))));
    }

    #[test]
    fn a_next_page_below_the_root_is_followed_as_the_server_wrote_it() {
        let link = "https://graph.microsoft.com/v1.0/users/a%40b/calendarView?startDateTime=x&$skip=100";
        let next = root().next_page(link).unwrap();
        assert_eq!(next.as_str(), "/v1.0/users/a%40b/calendarView?startDateTime=x&$skip=100");
        assert!(root().next_page("https://GRAPH.microsoft.com:443/v1.0/x").is_some());
    }

    #[test]
    fn no_other_server_gets_the_token() {
        for other in [
            "https://graph.microsoft.com.example.org/v1.0/x",
            "https://example.org/v1.0/x",
            "http://graph.microsoft.com/v1.0/x",
            "https://graph.microsoft.com:8443/v1.0/x",
            "https://user@graph.microsoft.com/v1.0/x",
            "https://graph.microsoft.com/beta/x",
            "https://graph.microsoft.com/v1.0/../beta/x",
            "https://graph.microsoft.com/v1.0/%2E%2e/beta/x",
            "/v1.0/x",
            "",
            "not a url",
        ] {
            assert!(root().next_page(other).is_none(), "{other}");
        }
    }
}
