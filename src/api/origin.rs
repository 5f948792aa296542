//! Origins of web pages (RFC 6454), as the configuration names them and browsers send them. Compares; answers no request.

use std::fmt;
use std::str::FromStr;

use axum::http::uri::Authority;
use axum::http::{HeaderValue, Uri};

/// Origins in `api.cors_allowed_origins`: every request is compared with all of them.
pub const CORS_ORIGINS_MAX: usize = 100;

/// An origin (RFC 6454): scheme, host, and port where it is not the scheme's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(String);

/// A text is no origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no origin, such as https://panel.example.com or http://localhost:3000")]
pub struct InvalidOrigin(String);

impl FromStr for Origin {
    type Err = InvalidOrigin;

    /// Accepts the text as browsers send it, so that the comparison is one of texts.
    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        let uri: Option<Uri> = text.parse().ok();
        let same = uri.as_ref().and_then(|uri| serialize(uri.scheme_str()?, uri.authority()?));
        match same {
            Some(origin) if origin == text => Ok(Self(origin)),
            _ => Err(InvalidOrigin(text.to_owned())),
        }
    }
}

/// As browsers send it; `None` for a scheme that has no pages, and for a pattern.
fn serialize(scheme: &str, authority: &Authority) -> Option<String> {
    let default = match scheme {
        "https" => 443,
        "http" => 80,
        _ => return None,
    };
    let host = authority.host().to_ascii_lowercase();
    if host.contains('*') {
        return None;
    }
    Some(match authority.port_u16() {
        Some(port) if port != default => format!("{scheme}://{host}:{port}"),
        _ => format!("{scheme}://{host}"),
    })
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Origin {
    /// Whether a browser sent this origin.
    pub(super) fn is(&self, sent: &HeaderValue) -> bool {
        self.0.as_bytes() == sent.as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_as_browsers_send_it() {
        for origin in ["https://panel.example.com", "http://localhost:3000", "https://[2001:db8::1]:8443"] {
            assert_eq!(origin.parse(), Ok(Origin(origin.to_owned())));
        }
        for text in [
            "",
            "*",
            "null",
            "panel.example.com",
            "https://panel.example.com/",
            "https://panel.example.com:443",
            "http://panel.example.com:80",
            "https://Panel.example.com",
            "https://user@panel.example.com",
            "https://*.example.com",
            "ftp://panel.example.com",
            "https://panel.example.com?x",
        ] {
            assert_eq!(text.parse::<Origin>(), Err(InvalidOrigin(text.to_owned())), "{text}");
        }
    }
}
