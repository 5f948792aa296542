//! Autodiscover's JSON protocol, which needs no authentication. Parses the query and formats the response that
//! `autodiscover` resolves; stores nothing.

use http::request::Parts;

use super::autodiscover::{
    AutodiscoverAnswer, AutodiscoverProtocol, AutodiscoverResponse, AutodiscoverService, GARBAGE,
};
use super::world::World;

/// `/autodiscover/autodiscover.json/v1.0/{address}?Protocol=EWS`, or the older `…json?Email={address}&Protocol=EWS`.
pub(super) fn json(
    autodiscover: &mut AutodiscoverService,
    world: &World,
    head: &Parts,
) -> AutodiscoverAnswer {
    let error = |status, code: &str, text: &str| {
        AutodiscoverAnswer::Json(
            status,
            serde_json::json!({ "ErrorCode": code, "ErrorMessage": text }).to_string(),
        )
    };
    let query = |name: &str| {
        let pairs = head.uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
        pairs.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| decoded(value))
    };
    let in_path = head.uri.path().rsplit_once("/v1.0/").map(|(_, address)| decoded(address));
    let (Some(address), Some(protocol)) = (in_path.or_else(|| query("Email")), query("Protocol")) else {
        return error(
            400,
            "MandatoryParameterMissing",
            "A valid value must be provided for the query parameters.",
        );
    };
    if !protocol.eq_ignore_ascii_case("EWS") {
        return error(400, "InvalidProtocol", "The given protocol value is invalid.");
    }
    let again = |base: &str| {
        let count = query("RedirectCount").and_then(|count| count.parse::<u32>().ok()).unwrap_or(0);
        let address = address.replace('@', "%40").replace('+', "%2B");
        let count = count.saturating_add(1);
        AutodiscoverAnswer::Redirect(format!(
            "{base}/autodiscover/autodiscover.json?Email={address}&Protocol=EWS&RedirectCount={count}"
        ))
    };
    match autodiscover.record_and_resolve(world, head, AutodiscoverProtocol::Json, &address) {
        AutodiscoverResponse::EwsUrl(url) => {
            AutodiscoverAnswer::Json(200, serde_json::json!({ "Protocol": "EWS", "Url": url }).to_string())
        }
        AutodiscoverResponse::RedirectUrl(base) | AutodiscoverResponse::HttpRedirect(base) => again(&base),
        AutodiscoverResponse::RedirectLoop => again(&autodiscover.base),
        AutodiscoverResponse::Garbage => AutodiscoverAnswer::Json(200, GARBAGE.to_owned()),
        AutodiscoverResponse::RedirectAddress(_) | AutodiscoverResponse::InvalidUser => {
            error(404, "UserNotFound", "The given user is not found")
        }
    }
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).filter(|_| *first == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
