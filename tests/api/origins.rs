//! Cross-origin requests (CORS): pages of configured origins may call the API from a browser, and no others.

use adjourn::api::{self, ApiOptions, ListenerLimits};
use adjourn_test::HttpReply;

use crate::fixture::{ApiFixture, BUSY};

const PANEL: &str = "https://panel.example.com";

/// A served API that allows the panel's origin.
async fn with_panel() -> ApiFixture {
    let mut lobby = ApiFixture::open().await;
    let api = lobby.api();
    let cors_allowed_origins = vec![PANEL.parse().unwrap()];
    api.set_options(ApiOptions { cors_allowed_origins, ..ApiOptions::default() });
    lobby.at = lobby.serve(api::router(api), None, ListenerLimits::default()).await;
    lobby
}

/// The request that a browser sends before one with a key. It has no key itself.
async fn preflight(lobby: &ApiFixture, origin: &str, path: &str) -> HttpReply {
    let request = format!(
        "OPTIONS {path} HTTP/1.1\r\nHost: a\r\nOrigin: {origin}\r\nAccess-Control-Request-Method: POST\r\n\
         Access-Control-Request-Headers: authorization,idempotency-key\r\nConnection: close\r\n\r\n"
    );
    lobby.send_raw(&request).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_an_allowed_origin_may_read_answers_and_no_other_page() {
    let lobby = with_panel().await;
    let end = format!("/v1/rooms/{BUSY}/end");
    let allowed = preflight(&lobby, PANEL, &end).await;
    assert_eq!((allowed.status, allowed.header("access-control-allow-origin")), (204, Some(PANEL)));
    assert_eq!(allowed.header("access-control-allow-methods"), Some("GET, POST, PATCH, DELETE"));
    let headers = allowed.header("access-control-allow-headers").unwrap().to_ascii_lowercase();
    assert!(headers.contains("authorization") && headers.contains("idempotency-key"), "{headers}");
    for origin in [
        "https://evil.example.com",
        "http://panel.example.com",
        "https://panel.example.com.evil.example",
        "null",
    ] {
        let refused = preflight(&lobby, origin, &end).await;
        assert_eq!((refused.status, refused.header("access-control-allow-origin")), (401, None), "{origin}");
        let other = lobby.send("GET", "/v1/me", &[("Origin", origin)], "").await;
        assert_eq!((other.status, other.header("access-control-allow-origin")), (200, None), "{origin}");
        assert_eq!(other.header("vary"), Some("Origin"), "a cache keeps the answers apart");
    }
    let read = lobby.send("GET", "/v1/me", &[("Origin", PANEL)], "").await;
    assert_eq!((read.status, read.header("access-control-allow-origin")), (200, Some(PANEL)));
    assert!(read.header("access-control-expose-headers").is_some_and(|names| names.contains("ETag")));
    assert_eq!(read.header("access-control-allow-credentials"), None);
    let refused = lobby.send_as("adj_x", "GET", "/v1/me", &[("Origin", PANEL)], "").await;
    assert_eq!((refused.status, refused.header("access-control-allow-origin")), (401, Some(PANEL)));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_configured_origins_no_page_of_another_origin_is_answered() {
    let lobby = ApiFixture::open().await;
    assert_eq!(preflight(&lobby, PANEL, "/v1/rooms").await.status, 401);
    let said = lobby.send("GET", "/v1/rooms", &[("Origin", PANEL)], "").await;
    assert_eq!(
        (said.status, said.header("access-control-allow-origin"), said.header("vary")),
        (200, None, None)
    );
}
