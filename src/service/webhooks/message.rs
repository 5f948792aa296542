//! The body of a webhook's POST, and its signature. Pure.
//!
//! ```text
//! Adjourn-Timestamp: 1778058000
//! Adjourn-Signature: v1=HEX      HMAC-SHA-256, by the shared secret, of TIMESTAMP + "." + BODY
//!
//! {"event":"action","number":17,"id":"…","time":"2026-05-06T09:00:00Z","room":…}
//! ```
//!
//! The receiver checks the signature, and that the timestamp is recent (docs/http-api.md). A notice may arrive twice, with the same `id`
//! and `number`. Numbers are consecutive, also over a restart, so a missing number means a lost notice.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::secret::Secret;
use crate::store::OutboxNotice;
use crate::timestamp::Timestamp;

/// The header with the time of the request, in seconds since 1970.
pub(super) const TIMESTAMP_HEADER: &str = "adjourn-timestamp";
/// The header with the signature.
pub(super) const SIGNATURE_HEADER: &str = "adjourn-signature";

/// The body: the notice's data, its id, by which the receiver detects a repeated delivery, and its number, by which it detects a loss.
pub(super) fn body(number: u64, notice: &OutboxNotice) -> String {
    let mut body: Value = serde_json::from_str(&notice.body).unwrap_or_else(|_| json!({}));
    body["id"] = json!(notice.id);
    body["event"] = json!(notice.kind);
    body["number"] = json!(number);
    body["time"] = json!(Timestamp::from(notice.at));
    body.to_string()
}

/// The headers that prove who sent the body, and when.
pub(super) fn signed_headers(secret: &Secret, body: &str, now: DateTime<Utc>) -> [(&'static str, String); 2] {
    let timestamp = now.timestamp().to_string();
    let signature = sign(secret.expose(), &timestamp, body);
    [(TIMESTAMP_HEADER, timestamp), (SIGNATURE_HEADER, format!("v1={signature}"))]
}

fn sign(secret: &str, timestamp: &str, body: &str) -> String {
    let mut hex = String::new();
    // HMAC takes a key of any length.
    if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) {
        mac.update(timestamp.as_bytes());
        mac.update(b".");
        mac.update(body.as_bytes());
        mac.finalize().into_bytes().iter().for_each(|byte| {
            let _ = write!(hex, "{byte:02x}");
        });
    }
    hex
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected text was computed by Python: `hmac.new(b"Jefe", b'1778058000.{"id":1}', hashlib.sha256).hexdigest()`.
    #[test]
    fn the_signature_is_what_anybody_computes() {
        let expected = "63e1078f3685f52f5dea1d8384e7afe92074661d1399ae2e822669ce72d0a6b8";
        assert_eq!(sign("Jefe", "1778058000", r#"{"id":1}"#), expected);
        let now = DateTime::from_timestamp(1_778_058_000, 0).unwrap();
        let headers = signed_headers(&Secret::new("Jefe".to_owned()), r#"{"id":1}"#, now);
        assert_eq!(headers[0], (TIMESTAMP_HEADER, "1778058000".to_owned()));
        assert_eq!(headers[1], (SIGNATURE_HEADER, format!("v1={expected}")));
    }

    #[test]
    fn a_body_has_the_data_and_what_every_notice_has() {
        let id = uuid::Uuid::from_u128(7);
        let (kind, body_text) = ("check-in".to_owned(), r#"{"room":"r@example.com"}"#.to_owned());
        let notice = OutboxNotice { id, kind, at: DateTime::UNIX_EPOCH, body: body_text };
        let sent: Value = serde_json::from_str(&body(3, &notice)).unwrap();
        let expected = json!({
            "room": "r@example.com",
            "id": id,
            "event": "check-in",
            "number": 3,
            "time": "1970-01-01T00:00:00Z",
        });
        assert_eq!(sent, expected);
    }
}
