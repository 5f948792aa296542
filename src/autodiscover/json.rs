//! Autodiscover v2: one GET without credentials, with a JSON response from Exchange Online and from Exchange 2013 (CU
//! 19) and later. Writes the URL and reads the response.
//!
//! The response does not prove that the mailbox exists: for unknown addresses Exchange Online also redirects to the
//! domain's own `autodiscover.` host. Microsoft documents the protocol by example only ("Resolve interaction issues
//! between Teams and Exchange Server").

use serde::Deserialize;

use super::ParsedResponse;
use super::malformed_response::MalformedResponse;
use super::report::excerpt;
use crate::calendar::RoomAddress;

/// `{"Protocol":"EWS","Url":"https://…"}`, or `{"ErrorCode":"UserNotFound","ErrorMessage":"…"}`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct JsonResponse {
    protocol: Option<String>,
    url: Option<String>,
    error_code: Option<String>,
    error_message: Option<String>,
}

/// Path and query of the request. `redirects` is the number followed so far, for the server's own loop check.
pub(super) fn path(address: &RoomAddress, redirects: usize) -> String {
    let address = encode(address.as_str());
    format!("/autodiscover/autodiscover.json/v1.0/{address}?Protocol=EWS&RedirectCount={redirects}")
}

pub(super) fn read(body: &[u8]) -> Result<ParsedResponse, MalformedResponse> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let response: JsonResponse = serde_json::from_slice(body)?;
    if let Some(code) = response.error_code {
        let text = excerpt(&format!("{code} {}", response.error_message.unwrap_or_default()));
        return Ok(match code.as_str() {
            "UserNotFound" | "InvalidUserId" => ParsedResponse::UnknownMailbox(text),
            "InternalServerError" | "ServerBusy" => ParsedResponse::Busy(text),
            _ => ParsedResponse::OtherError(text),
        });
    }
    let other = response.protocol.filter(|protocol| !protocol.eq_ignore_ascii_case("EWS"));
    match (other, response.url) {
        (Some(other), _) => Err(MalformedResponse::OtherProtocol(excerpt(&other))),
        (None, None) => Err(MalformedResponse::NoUrl),
        (None, Some(url)) => Ok(ParsedResponse::Settings { urls: vec![url], schemas: Vec::new() }),
    }
}

/// Percent-encodes everything but RFC 3986's unreserved characters and the `@`, which a path may contain.
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'@' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_or_an_error_is_read() {
        let url = r#"{"Protocol":"EWS","Url":"https://mail.example.com/EWS/Exchange.asmx"}"#;
        let urls = vec!["https://mail.example.com/EWS/Exchange.asmx".to_owned()];
        assert_eq!(read(url.as_bytes()).unwrap(), ParsedResponse::Settings { urls, schemas: vec![] });
        let unknown = br#"{"ErrorCode":"UserNotFound","ErrorMessage":"The given user is not found"}"#;
        assert_eq!(
            read(unknown).unwrap(),
            ParsedResponse::UnknownMailbox("UserNotFound The given user is not found".to_owned())
        );
        let other = br#"{"ErrorCode":"ProtocolNotSupported"}"#;
        assert_eq!(read(other).unwrap(), ParsedResponse::OtherError("ProtocolNotSupported".to_owned()));
    }

    #[test]
    fn an_answer_cut_anywhere_is_an_error() {
        let whole = br#"{"Protocol":"EWS","Url":"https://mail.example.com/EWS/Exchange.asmx"}"#;
        for cut in 0..whole.len() {
            assert!(read(&whole[..cut]).is_err(), "{cut}");
        }
        for odd in [r#"{"Protocol":"ActiveSync","Url":"https://a/"}"#, "{}", "[]", "null", r#"{"Url":7}"#] {
            assert!(read(odd.as_bytes()).is_err(), "{odd}");
        }
        assert!(read("[".repeat(1 << 20).as_bytes()).is_err());
    }
}
