//! Autodiscover's POX protocol (plain old XML, MS-OXDSCLI), as Outlook uses it: writes the request and reads the
//! response. The oldest protocol; Exchange 2007 has no other.

use super::ParsedResponse;
use super::malformed_response::MalformedResponse;
use super::report::excerpt;
use super::xml::{self, XmlNode, escaped};
use crate::calendar::RoomAddress;

const REQUEST: &str = "http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006";
const RESPONSE: &str = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a";
/// `Type` (POX), the preferred first: only the URL differs for EWS, and `EXPR` has the external one.
const TYPES: [&str; 4] = ["EXPR", "EXHTTP", "EXCH", "WEB"];

pub(super) fn settings_request(address: &RoomAddress) -> String {
    format!(
        r#"<?xml version="1.0" encoding="utf-8"?><Autodiscover xmlns="{REQUEST}"><Request><EMailAddress>{}</EMailAddress><AcceptableResponseSchema>{RESPONSE}</AcceptableResponseSchema></Request></Autodiscover>"#,
        escaped(address.as_str())
    )
}

pub(super) fn read(body: &[u8]) -> Result<ParsedResponse, MalformedResponse> {
    let root = xml::read(body)?;
    if root.name != "Autodiscover" {
        return Err(MalformedResponse::NotPox);
    }
    let response = root.child("Response").ok_or(MalformedResponse::NoResponseElement)?;
    // An error may be in a response of another namespace, or right in the root; its name is the same.
    if let Some(error) = response.child("Error").or_else(|| root.child("Error")) {
        return Ok(failed(error));
    }
    let account = response.child("Account").ok_or(MalformedResponse::NoAccount)?;
    // `Action` (POX) names the kind of result; without it, settings are assumed.
    match account.text_of("Action").unwrap_or("settings").to_ascii_lowercase().as_str() {
        "redirectaddr" => Ok(ParsedResponse::RedirectAddress(
            account.text_of("RedirectAddr").unwrap_or_default().to_owned(),
        )),
        "redirecturl" => {
            Ok(ParsedResponse::RedirectUrl(account.text_of("RedirectUrl").unwrap_or_default().to_owned()))
        }
        _ => Ok(ParsedResponse::Settings { urls: urls(account), schemas: Vec::new() }),
    }
}

/// MS-OXDSCLI 2.2.4.1.1.3.2.
fn failed(error: &XmlNode) -> ParsedResponse {
    let code = error.text_of("ErrorCode").unwrap_or_default();
    let text = excerpt(&format!("error {code} {}", error.text_of("Message").unwrap_or_default()));
    match code {
        "500" | "501" | "602" => ParsedResponse::UnknownMailbox(text),
        "603" => ParsedResponse::Busy(text),
        _ => ParsedResponse::OtherError(text),
    }
}

/// `EwsUrl`; for Exchange 2007, which has none, `ASUrl`: the same address under its first name.
fn urls(account: &XmlNode) -> Vec<String> {
    let mut found: Vec<(usize, &str)> = Vec::new();
    for protocol in account.children.iter().filter(|child| child.name == "Protocol") {
        let kind = protocol.text_of("Type").unwrap_or_default().to_ascii_uppercase();
        let rank = TYPES.iter().position(|known| *known == kind).unwrap_or(TYPES.len());
        found.extend(url(protocol).map(|url| (rank, url)));
        for side in ["External", "Internal"] {
            found.extend(protocol.at(&[side, "Protocol"]).and_then(url).map(|url| (TYPES.len(), url)));
        }
    }
    found.sort_by_key(|(rank, _)| *rank);
    let mut urls: Vec<String> = Vec::new();
    for (_, url) in found {
        if !urls.iter().any(|known| known == url) {
            urls.push(url.to_owned());
        }
    }
    urls
}

fn url(protocol: &XmlNode) -> Option<&str> {
    protocol.text_of("EwsUrl").or_else(|| protocol.text_of("ASUrl"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(content: &str) -> String {
        format!(
            r#"<?xml version="1.0"?><Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"><Response xmlns="{RESPONSE}">{content}</Response></Autodiscover>"#
        )
    }

    fn text(content: &str) -> ParsedResponse {
        read(answer(content).as_bytes()).unwrap()
    }

    #[test]
    fn the_external_url_comes_first_and_none_twice() {
        let urls = |content: &str| match text(&format!("<User/><Account>{content}</Account>")) {
            ParsedResponse::Settings { urls, .. } => urls,
            other => panic!("{other:?}"),
        };
        let exch =
            "<Protocol><Type>EXCH</Type><EwsUrl>https://in/</EwsUrl><ASUrl>https://as/</ASUrl></Protocol>";
        let expr = "<Protocol><Type>EXPR</Type><EwsUrl>https://out/</EwsUrl></Protocol>";
        let web = "<Protocol><Type>WEB</Type><External><Protocol><Type>EXPR</Type><ASUrl>https://out/</ASUrl></Protocol></External></Protocol>";
        let old = "<Protocol><Type>EXCH</Type><ASUrl>https://as/</ASUrl></Protocol>";
        assert_eq!(urls(&[exch, web, expr].concat()), ["https://out/", "https://in/"]);
        assert_eq!(urls(&format!("<Action>settings</Action>{old}")), ["https://as/"]);
        assert_eq!(urls(web), ["https://out/"]);
        assert!(urls("").is_empty());
    }

    #[test]
    fn redirects_and_errors_are_told_apart() {
        let address =
            "<Account><Action>redirectAddr</Action><RedirectAddr>x@y.example</RedirectAddr></Account>";
        assert_eq!(text(address), ParsedResponse::RedirectAddress("x@y.example".to_owned()));
        let url = "<Account><Action>redirectUrl</Action><RedirectUrl>https://y/</RedirectUrl></Account>";
        assert_eq!(text(url), ParsedResponse::RedirectUrl("https://y/".to_owned()));
        let error =
            |code: &str| text(&format!("<Error Time='1' Id='2'><ErrorCode>{code}</ErrorCode></Error>"));
        assert!(matches!(error("500"), ParsedResponse::UnknownMailbox(_)));
        assert!(matches!(error("600"), ParsedResponse::OtherError(_)));
        assert!(matches!(error("603"), ParsedResponse::Busy(_)));
    }

    #[test]
    fn an_answer_cut_anywhere_is_an_error() {
        let whole = answer("<Account><Action>settings</Action></Account>");
        for cut in 0..whole.len() {
            assert!(read(&whole.as_bytes()[..cut]).is_err(), "{cut}");
        }
        for odd in ["<html><body/></html>", "<Autodiscover/>", "<Autodiscover><Response/></Autodiscover>"] {
            assert!(read(odd.as_bytes()).is_err(), "{odd}");
        }
    }
}
