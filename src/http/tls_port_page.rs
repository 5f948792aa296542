//! Recognizes the error page of a TLS port that received plain HTTP. Pure.

/// How much of a page is searched.
const PAGE_BYTES_MAX: usize = 16 << 10;

/// Whether an error page of nginx, Apache, or Go reports plain HTTP on a TLS port.
pub(crate) fn is_tls_port_page(page: &[u8]) -> bool {
    let page = String::from_utf8_lossy(page.get(..PAGE_BYTES_MAX).unwrap_or(page)).to_ascii_lowercase();
    [
        "http request was sent to https port",
        "plain http to an ssl-enabled server port",
        "http request to an https server",
    ]
    .iter()
    .any(|words| page.contains(words))
}
