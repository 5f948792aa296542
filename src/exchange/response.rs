//! What Exchange's responses carry outside the envelope: the proof that the account was accepted, and Exchange's id of the
//! request. Reads headers; judges no body.

use http::{HeaderMap, header};

use crate::http::delivery::HttpResponse;

/// Longest request id that is kept.
const REQUEST_ID_BYTES_MAX: usize = 128;

/// Whether only an authenticated client gets such a response: EWS and Autodiscover return XML, and faults have status
/// 500. Any other response may come from a device in front of Exchange (a busy load balancer, a firewall) and proves
/// nothing.
pub(crate) fn proves_authenticated(status: u16, headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    matches!(status, 200 | 500) && kind.is_some_and(|kind| kind.to_ascii_lowercase().contains("xml"))
}

/// Exchange's own id of the request, which its administrators find in their logs.
pub(super) fn request_id(response: &HttpResponse) -> Option<&str> {
    let id = response.headers.get("request-id")?.to_str().ok()?;
    // The id goes into the journal and to callers; Exchange's is a GUID.
    (id.len() <= REQUEST_ID_BYTES_MAX).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_exchange_itself_says_proves_that_we_were_let_in() {
        let proves = |status, kind: &'static str| {
            let headers = [(header::CONTENT_TYPE, http::HeaderValue::from_static(kind))];
            proves_authenticated(status, &headers.into_iter().collect())
        };
        assert!(proves(200, "text/xml; charset=utf-8") && proves(500, "Text/XML"));
        for status in [302, 400, 401, 403, 404, 429, 456, 502, 503, 504] {
            assert!(!proves(status, "text/xml"), "{status}");
        }
        assert!(
            !proves(200, "text/html")
                && !proves(500, "text/html")
                && !proves_authenticated(200, &HeaderMap::new())
        );
    }
}
