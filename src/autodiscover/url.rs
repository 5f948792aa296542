//! URLs that requests may go to: `https`, a plain host, no user info. Rebuilt from their parts, so that the checked
//! text is the requested one.

use std::fmt;

use http::Uri;

use super::policy::Host;

/// Longest URL that is accepted; browsers stop here too.
const URL_LEN_MAX: usize = 2_048;

/// An `https` URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HttpsUrl {
    host: Host,
    /// Path and query.
    path: String,
}

/// An EWS URL: `https`, on a trusted host. Only a discovery makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EwsUrl {
    text: String,
    host: Host,
}

impl HttpsUrl {
    /// `path` is our own, or comes from another such URL.
    pub(super) fn new(host: Host, path: impl Into<String>) -> Self {
        Self { host, path: path.into() }
    }

    /// Parses a URL that a server sent, or returns why no request may go to it.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        if text.len() > URL_LEN_MAX {
            return Err("the URL is too long");
        }
        let uri: Uri = text.parse().map_err(|_| "not a URL")?;
        let authority = uri.authority().ok_or("not a URL")?;
        if uri.scheme_str() != Some("https") {
            return Err("not an https URL");
        }
        if authority.as_str().contains('@') {
            return Err("the URL names a user");
        }
        let host = authority.as_str().parse().map_err(|_| "the URL names no host")?;
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        Ok(Self { host, path: path.to_owned() })
    }

    /// The target of a `Location` header: a URL, or a path on the same host (RFC 9110, 10.2.2).
    pub(super) fn join(&self, location: &str) -> Result<Self, &'static str> {
        let location = location.trim();
        if location.starts_with('/') && !location.starts_with("//") {
            return Self::parse(&format!("https://{}{location}", self.host));
        }
        Self::parse(location)
    }

    /// The same URL with the other protocol's file name: SOAP uses `.svc`, POX `.xml` ("Generate a list of Autodiscover
    /// endpoints": add or replace the file extension).
    pub(super) fn with_extension(mut self, extension: &str) -> Self {
        let path = self.path.split('?').next().unwrap_or_default();
        let stem = path.len().checked_sub(4).and_then(|at| path.split_at_checked(at));
        if let Some((stem, old)) = stem
            && (old.eq_ignore_ascii_case(".svc") || old.eq_ignore_ascii_case(".xml"))
        {
            self.path = format!("{stem}{extension}");
        }
        self
    }

    pub(super) fn host(&self) -> &Host {
        &self.host
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Equal for two URLs of the same request: lower case, without the count of redirects.
    pub(super) fn key(&self) -> String {
        let path = self.path.to_ascii_lowercase();
        let (path, query) = path.split_once('?').unwrap_or((&path, ""));
        let query: Vec<_> = query.split('&').filter(|pair| !pair.starts_with("redirectcount=")).collect();
        format!("{}{path}?{}", self.host, query.join("&"))
    }
}

impl fmt::Display for HttpsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}{}", self.host, self.path)
    }
}

impl EwsUrl {
    /// `url` is on a trusted host; the discovery has checked that.
    pub(super) fn on_trusted_host(url: &HttpsUrl) -> Self {
        Self { text: url.to_string(), host: url.host.clone() }
    }

    /// The URL.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its host.
    pub fn host(&self) -> &Host {
        &self.host
    }
}

impl fmt::Display for EwsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_to_a_plain_host_may_be_asked() {
        for bad in [
            "",
            "mail.example.com",
            "http://mail.example.com/",
            "ftp://mail.example.com/",
            "https://",
            "https:///EWS",
            "https://user:secret@mail.example.com/",
            "https://mail.example.com@evil.net/",
            "https://mail.example.com\\@evil.net/",
            "https://mail.example.com%2eevil.net/",
            "https://mail.example.com./",
            "https://mail.example.com /",
            "https://mail.example.com/\r\nX: y",
            "https://mail.example.com:0/",
            "javascript:alert(1)",
        ] {
            assert!(HttpsUrl::parse(bad).is_err(), "{bad}");
        }
        assert!(HttpsUrl::parse(&format!("https://a.example/{}", "x".repeat(URL_LEN_MAX))).is_err());
        let url = HttpsUrl::parse(" HTTPS://Mail.Example.com:443/EWS/Exchange.asmx#x ").unwrap();
        assert_eq!(url.to_string(), "https://mail.example.com/EWS/Exchange.asmx");
    }

    #[test]
    fn a_location_may_be_a_path_but_not_another_scheme() {
        let here = HttpsUrl::parse("https://a.example/autodiscover/autodiscover.xml").unwrap();
        assert_eq!(here.join("/x?y").unwrap().to_string(), "https://a.example/x?y");
        assert_eq!(here.join("https://b.example/x").unwrap().to_string(), "https://b.example/x");
        assert!(here.join("//b.example/x").is_err());
        assert!(here.join("http://a.example/x").is_err());
        assert!(here.join("x").is_err());
    }

    #[test]
    fn the_extension_follows_the_protocol() {
        let swap = |text: &str| HttpsUrl::parse(text).unwrap().with_extension(".svc").to_string();
        assert_eq!(swap("https://a.example/x/Autodiscover.XML?y"), "https://a.example/x/Autodiscover.svc");
        assert_eq!(swap("https://a.example/x"), "https://a.example/x");
    }

    #[test]
    fn a_redirect_count_makes_no_new_question() {
        let key = |text: &str| HttpsUrl::parse(text).unwrap().key();
        assert_eq!(key("https://a.example/X?Email=a&RedirectCount=2"), key("https://a.example/x?email=a"));
        assert_ne!(key("https://a.example/x?email=a"), key("https://a.example/x?email=b"));
    }
}
