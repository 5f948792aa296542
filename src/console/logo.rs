//! Logos of door displays: SVG or PNG images that the configuration names. Checks and serves their bytes; reads no file, and knows no
//! room: an address has the hash of the content only, so it is public.
//!
//! Displays show a logo in `<img>` only, where an SVG image runs no script and loads nothing. The policy of the response forbids the
//! same to a browser that opens the address itself.

use std::sync::{Arc, PoisonError, RwLock};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use sha2::{Digest as _, Sha256};

/// Bytes of a logo.
pub const LOGO_BYTES_MAX: usize = 64 * 1024;

/// Bytes of the hash in an address.
const HASH_BYTES: usize = 16;
const PNG_SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";
/// Styles within the image are part of it; everything else is forbidden.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox";

/// An image that was checked.
#[derive(Debug)]
pub struct Logo {
    content: Bytes,
    content_type: &'static str,
    hash: String,
}

/// Why a file is no logo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LogoError {
    /// The file is too large.
    #[error("the logo has more than {LOGO_BYTES_MAX} bytes: save a smaller image")]
    TooLarge,
    /// The content is neither SVG nor PNG.
    #[error("the logo is neither an SVG image in UTF-8 nor a PNG image")]
    UnknownFormat,
}

impl Logo {
    /// Checks the content of a file.
    pub fn new(content: Vec<u8>) -> Result<Self, LogoError> {
        if content.len() > LOGO_BYTES_MAX {
            return Err(LogoError::TooLarge);
        }
        let content_type = content_type(&content).ok_or(LogoError::UnknownFormat)?;
        let hash = Sha256::digest(&content);
        let hash = hash.iter().take(HASH_BYTES).map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { content: content.into(), content_type, hash })
    }

    /// The path at which the service serves the logo.
    pub fn path(&self) -> String {
        format!("/console/logos/{}", self.hash)
    }
}

fn content_type(content: &[u8]) -> Option<&'static str> {
    if content.starts_with(PNG_SIGNATURE) {
        return Some("image/png");
    }
    std::str::from_utf8(content).is_ok_and(is_svg).then_some("image/svg+xml")
}

/// Whether the root element is `svg`. A document type with an internal subset is refused: its entities can grow without a limit.
fn is_svg(text: &str) -> bool {
    let mut rest = text.trim_start_matches('\u{feff}').trim_start();
    loop {
        let end = match rest {
            _ if rest.starts_with("<?") => "?>",
            _ if rest.starts_with("<!--") => "-->",
            _ if rest.starts_with("<!DOCTYPE") => ">",
            _ => break,
        };
        let Some((prolog, after)) = rest.split_once(end) else { return false };
        if end == ">" && prolog.contains('[') {
            return false;
        }
        rest = after.trim_start();
    }
    rest.strip_prefix("<svg").is_some_and(|after| after.starts_with([' ', '\t', '\r', '\n', '>', '/']))
}

/// The logos of the configuration in force.
#[derive(Debug, Default)]
pub struct Logos(RwLock<Vec<Logo>>);

impl Logos {
    /// Replaces all logos.
    pub fn replace(&self, logos: Vec<Logo>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = logos;
    }

    fn find(&self, hash: &str) -> Option<(Bytes, &'static str)> {
        let logos = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let logo = logos.iter().find(|logo| logo.hash == hash)?;
        Some((logo.content.clone(), logo.content_type))
    }
}

/// The route of the logos, for merging with those of the console.
pub fn logo_router(logos: Arc<Logos>) -> Router {
    Router::new().route("/console/logos/{hash}", get(serve)).with_state(logos)
}

async fn serve(State(logos): State<Arc<Logos>>, Path(hash): Path<String>) -> Response {
    let Some((content, content_type)) = logos.find(&hash) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, content_type),
        // The address has the hash of the content.
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (headers, content).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(content: &str) -> Option<&'static str> {
        Logo::new(content.as_bytes().to_vec()).ok().map(|logo| logo.content_type)
    }

    #[test]
    fn svg_and_png_are_recognized_by_their_content() {
        for svg in [
            "<svg xmlns=\"http://www.w3.org/2000/svg\"/>",
            "\u{feff}<?xml version=\"1.0\"?>\n<!-- a <svg> --><!DOCTYPE svg PUBLIC \"-//W3C//DTD SVG 1.1//EN\" \"x\">\n<svg>",
        ] {
            assert_eq!(kind(svg), Some("image/svg+xml"), "{svg}");
        }
        for other in [
            "",
            "<svgx/>",
            "<html><svg/></html>",
            "GIF89a",
            "<!-- <svg>",
            "<!DOCTYPE svg [<!ENTITY a \"b\">]><svg/>",
        ] {
            assert_eq!(kind(other), None, "{other}");
        }
        let png = Logo::new([PNG_SIGNATURE, b"rest"].concat()).unwrap();
        assert_eq!(png.content_type, "image/png");
        let large = [PNG_SIGNATURE, &[0; LOGO_BYTES_MAX]].concat();
        assert_eq!(Logo::new(large).unwrap_err(), LogoError::TooLarge);
    }

    #[test]
    fn an_address_has_the_hash_of_the_content() {
        let logo = |content: &str| Logo::new(content.as_bytes().to_vec()).unwrap();
        assert_eq!(logo("<svg/>").path(), logo("<svg/>").path());
        assert_ne!(logo("<svg/>").path(), logo("<svg />").path());
    }
}
