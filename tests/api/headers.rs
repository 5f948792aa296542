//! Headers of every response for browsers and caches, and the checks of the `Host` header.

use adjourn::access::Right;
use adjourn_test::HttpReply;

use crate::fixture::{ApiFixture, BUSY};

/// Checks the headers that every response has.
fn is_protected(said: &HttpReply, cache_control: &str) {
    assert_eq!(said.header("x-content-type-options"), Some("nosniff"), "{said:?}");
    assert_eq!(said.header("referrer-policy"), Some("no-referrer"), "{said:?}");
    assert_eq!(said.header("cache-control"), Some(cache_control), "{said:?}");
    let policy = said.header("content-security-policy").unwrap();
    assert!(
        policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
        "{policy}"
    );
    assert!(!policy.contains("unsafe"), "{policy}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_is_stored_guessed_framed_or_run() {
    let lobby = ApiFixture::open().await;
    let room = format!("/v1/rooms/{BUSY}");
    for (path, status) in
        [("/v1/rooms", 200), (room.as_str(), 200), ("/v1/me", 200), ("/nothing", 404), ("/metrics", 403)]
    {
        let said = lobby.get(path).await;
        assert_eq!(said.status, status, "{path}");
        is_protected(&said, "no-store");
    }
    let tag = lobby.get(&room).await.header("etag").unwrap().to_owned();
    let known = lobby.send("GET", &room, &[("If-None-Match", &tag)], "").await;
    assert_eq!(known.status, 304);
    is_protected(&known, "no-store");
    for path in ["/healthz", "/readyz", "/v1/rooms"] {
        let stranger =
            lobby.send_raw(&format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")).await;
        is_protected(&stranger, "no-store");
    }
    let refused = lobby.send_raw("GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n").await;
    is_protected(&refused, "no-store");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_description_s_style_is_the_one_that_its_policy_names() {
    use base64::Engine as _;
    use sha2::Digest as _;
    let lobby = ApiFixture::open().await;
    let page = lobby.get("/docs").await;
    is_protected(&page, "no-store");
    let style = page.body.split_once("<style>").unwrap().1.split_once("</style>").unwrap().0;
    let hash = base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(style));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains(&format!("style-src 'sha256-{hash}'")), "{policy}");
    assert!(
        !page.body.contains(" style=") && !page.body.contains("<script"),
        "nothing else would be applied"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_names_no_host_or_two_is_refused() {
    let lobby = ApiFixture::open().await;
    for (request, status) in [
        ("GET /healthz HTTP/1.1\r\nHost: a\r\n", 200),
        ("GET /healthz HTTP/1.0\r\n", 200),
        ("GET http://a/healthz HTTP/1.1\r\nHost: a\r\n", 200),
        ("GET /healthz HTTP/1.1\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nHost: a\r\nHost: a\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nHost: me@a\r\n", 400),
        ("GET http://b/healthz HTTP/1.1\r\nHost: a\r\n", 400),
    ] {
        let said = lobby.send_raw(&format!("{request}Connection: close\r\n\r\n")).await;
        assert_eq!(said.status, status, "{request}");
        if status == 400 {
            assert_eq!(said.problem(), "bad-request");
        }
    }
}

/// `r` and `t` of a `RateLimit` header.
fn rate_limit(said: &HttpReply) -> (u32, u32) {
    let text = said.header("ratelimit").unwrap_or_else(|| panic!("{said:?}"));
    let (remaining, reset) = text.strip_prefix("\"requests\";r=").unwrap().split_once(";t=").unwrap();
    (remaining.parse().unwrap(), reset.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_sees_how_many_requests_it_has_left() {
    let lobby = ApiFixture::open().await;
    let slow = lobby.key("slow", "*", &[Right::Read], 3).await;
    let mut left = Vec::new();
    for status in [200, 200, 200, 429] {
        let said = lobby.send_as(&slow, "GET", "/v1/me", &[], "").await;
        assert_eq!(said.status, status, "{said:?}");
        assert_eq!(said.header("ratelimit-policy"), Some("\"requests\";q=3;w=60"));
        let (remaining, reset) = rate_limit(&said);
        left.push(remaining);
        assert!((1..=60).contains(&reset), "{said:?}");
        if status == 429 {
            assert_eq!(said.header("retry-after"), Some(reset.to_string().as_str()));
        }
    }
    assert_eq!(left, [2, 1, 0, 0]);
    let stranger = lobby.send_as("adj_x", "GET", "/v1/me", &[], "").await;
    assert_eq!((stranger.status, stranger.header("ratelimit")), (401, None));
}
