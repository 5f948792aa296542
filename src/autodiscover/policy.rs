//! Host names, and which of them the administrator trusts with credentials. Compares name and port; resolves nothing.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use serde::Deserialize;
use thiserror::Error;

/// RFC 1035, section 2.3.4: a name has at most 255 octets on the wire, which is 253 characters.
const NAME_LEN_MAX: usize = 253;
/// Likewise, 63 per label.
const LABEL_LEN_MAX: usize = 63;
const HTTPS_PORT: u16 = 443;
/// "The client application should stop redirecting after 10 redirects" ("RedirectUrl (POX)", remarks).
const REDIRECTS_MAX: usize = 10;

/// Which hosts Autodiscover may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Hosts that may receive the service account's credentials, here and later in every EWS request. No other host is
    /// trusted: neither the room's own domain, whose web site often belongs to another company, nor
    /// [`Self::preferred_host`].
    pub trusted: Vec<HostPattern>,
    /// Host to try before those derived from the address, such as `outlook.office365.com`.
    pub preferred_host: Option<Host>,
    /// Redirects of all kinds that are followed.
    pub max_redirects: usize,
}

/// A host name or address, with its port unless that is 443; in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Host(String);

/// One host, or all below a domain: `mail.example.com`, `*.example.com`. Both may name a port; without one it is 443.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct HostPattern {
    host: Host,
    below: bool,
}

/// Why a text is not a host or pattern.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HostError {
    /// Not a name of letters, digits, hyphens and dots, with or without a port.
    #[error("`{0}` is not a host name (write international names in their xn-- form)")]
    NotAHost(String),
    /// `*`, `*.com`: would trust hosts of others.
    #[error("`{0}` would trust hosts that are not yours; name a domain of your own")]
    TooWide(String),
}

impl Policy {
    /// Trusts these hosts; no preferred host, ten redirects.
    pub fn new(confirmed: impl IntoIterator<Item = HostPattern>) -> Self {
        Self { trusted: confirmed.into_iter().collect(), preferred_host: None, max_redirects: REDIRECTS_MAX }
    }

    /// Whether this host may receive credentials.
    pub fn trusts(&self, host: &Host) -> bool {
        self.trusted.iter().any(|pattern| pattern.matches(host))
    }
}

impl Host {
    /// With its port, unless that is 443.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Without the port.
    pub fn name(&self) -> &str {
        split_port(&self.0).map_or(&self.0, |(name, _)| name)
    }

    /// The port, 443 unless it says otherwise.
    pub fn port(&self) -> u16 {
        split_port(&self.0).and_then(|(_, port)| port.parse().ok()).unwrap_or(HTTPS_PORT)
    }
}

impl FromStr for Host {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Self, HostError> {
        let bad = || HostError::NotAHost(text.to_owned());
        let (name, port) = split_port(text).map_or((text, None), |(name, port)| (name, Some(port)));
        if !is_name(name) && !is_ipv6(name) {
            return Err(bad());
        }
        let name = name.to_ascii_lowercase();
        let port: Option<u16> = port.map(|port| digits(port).ok_or_else(bad)).transpose()?;
        Ok(Self(match port {
            None | Some(HTTPS_PORT) => name,
            Some(port) => format!("{name}:{port}"),
        }))
    }
}

impl HostPattern {
    /// Whether the pattern matches this host. `*.example.com` matches hosts below `example.com`, not that host itself.
    pub fn matches(&self, host: &Host) -> bool {
        if !self.below {
            return *host == self.host;
        }
        let below = host.name().strip_suffix(self.host.name()).and_then(|rest| rest.strip_suffix('.'));
        below.is_some_and(|rest| !rest.is_empty()) && host.port() == self.host.port()
    }
}

impl FromStr for HostPattern {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Self, HostError> {
        let text = text.trim();
        let Some(domain) = text.strip_prefix("*.") else {
            let wide = || HostError::TooWide(text.to_owned());
            return if text == "*" { Err(wide()) } else { Ok(Self { host: text.parse()?, below: false }) };
        };
        let host: Host = domain.parse().map_err(|_| HostError::NotAHost(text.to_owned()))?;
        let mut labels = host.name().split('.');
        let top = labels.next_back().unwrap_or_default();
        // No host is below an IP address; below `com` and its like are too many.
        if labels.next().is_none() || top.bytes().all(|byte| byte.is_ascii_digit()) || is_ipv6(host.name()) {
            return Err(HostError::TooWide(text.to_owned()));
        }
        Ok(Self { host, below: true })
    }
}

fn split_port(text: &str) -> Option<(&str, &str)> {
    text.rsplit_once(':').filter(|(_, port)| !port.ends_with(']'))
}

/// A port, without the signs that `parse` lets pass.
fn digits(port: &str) -> Option<u16> {
    let port = Some(port).filter(|port| port.bytes().all(|byte| byte.is_ascii_digit()))?;
    port.parse().ok().filter(|port| *port != 0)
}

fn is_name(name: &str) -> bool {
    let label = |label: &str| {
        (1..=LABEL_LEN_MAX).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    name.len() <= NAME_LEN_MAX && name.split('.').all(label)
}

fn is_ipv6(name: &str) -> bool {
    let inside = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    inside.is_some_and(|address| address.parse::<Ipv6Addr>().is_ok())
}

impl TryFrom<String> for Host {
    type Error = HostError;

    fn try_from(text: String) -> Result<Self, HostError> {
        text.trim().parse()
    }
}

impl TryFrom<String> for HostPattern {
    type Error = HostError;

    fn try_from(text: String) -> Result<Self, HostError> {
        text.parse()
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.below { "*." } else { "" }, self.host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str) -> Host {
        text.parse().unwrap()
    }

    fn matches(pattern: &str, name: &str) -> bool {
        pattern.parse::<HostPattern>().unwrap().matches(&host(name))
    }

    #[test]
    fn a_host_is_its_name_and_port_whatever_the_case() {
        assert_eq!(host("Mail.Example.COM:443"), host("mail.example.com"));
        assert_ne!(host("mail.example.com:8443"), host("mail.example.com"));
        assert_eq!((host("[::1]:8443").name(), host("[::1]:8443").port()), ("[::1]", 8443));
        assert_eq!((host("[::1]").name(), host("[::1]").port()), ("[::1]", 443));
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for bad in [
            "",
            ".",
            "a..b",
            "a.",
            "a b",
            "a/b",
            "a?b",
            "a#b",
            "a@b",
            "a\\b",
            "a%2e",
            "bücher.example",
            "a:",
            "a:0",
            "a:+1",
            "a:65536",
            "a:b",
            "[::1",
            "[x]",
            "a:1:2",
            "*.example.com",
        ] {
            assert!(bad.parse::<Host>().is_err(), "{bad}");
        }
        assert!("a".repeat(64).parse::<Host>().is_err());
        assert!(vec!["abc"; 64].join(".").parse::<Host>().is_err());
    }

    #[test]
    fn a_pattern_means_one_host_or_all_below_a_domain() {
        assert!(matches("mail.example.com", "MAIL.example.com"));
        assert!(!matches("mail.example.com", "mail.example.com:8443"));
        assert!(matches("*.example.com", "a.b.example.com"));
        assert!(!matches("*.example.com", "example.com"));
        assert!(!matches("*.example.com", "notexample.com"));
        assert!(!matches("*.example.com", "example.com.evil.net"));
        assert!(!matches("*.example.com", "mail.example.com:8443"));
        assert!(matches("*.example.com:8443", "mail.example.com:8443"));
    }

    #[test]
    fn a_pattern_that_confirms_strangers_is_refused() {
        for wide in ["*", "*.com", "*.0.0.1", "*.[::1]"] {
            assert!(matches!(wide.parse::<HostPattern>(), Err(HostError::TooWide(_))), "{wide}");
        }
        assert!(matches!("ma*l.example.com".parse::<HostPattern>(), Err(HostError::NotAHost(_))));
    }
}
