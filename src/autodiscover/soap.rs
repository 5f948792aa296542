//! `GetUserSettings` of Autodiscover's SOAP service ("GetUserSettings operation (SOAP)", MS-OXWSADISC): writes the
//! request and reads the response.

use super::ParsedResponse;
use super::malformed_response::MalformedResponse;
use super::report::excerpt;
use super::xml::{self, XmlNode, escaped};
use crate::calendar::RoomAddress;

const ACTION: &str = "http://schemas.microsoft.com/exchange/2010/Autodiscover/Autodiscover/GetUserSettings";
/// Schema versions that are kept; more than there will be releases.
const SCHEMAS_MAX: usize = 64;

/// Requests settings as a client of the oldest release that has the service; newer ones accept it too. Releases without
/// `EwsSupportedSchemas` omit the setting.
pub(super) fn settings_request(url: &str, address: &RoomAddress) -> String {
    let settings = ["ExternalEwsUrl", "InternalEwsUrl", "EwsSupportedSchemas"];
    envelope(url, "Exchange2010", std::slice::from_ref(address), &settings)
}

/// The `GetUserSettings` request for these addresses, as a client of this release.
pub(super) fn envelope(url: &str, release: &str, addresses: &[RoomAddress], settings: &[&str]) -> String {
    let mailbox = |address: &RoomAddress| {
        format!("<a:User><a:Mailbox>{}</a:Mailbox></a:User>", escaped(address.as_str()))
    };
    let users: String = addresses.iter().map(mailbox).collect();
    let settings: String = settings.iter().map(|name| format!("<a:Setting>{name}</a:Setting>")).collect();
    format!(
        r#"<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" xmlns:a="http://schemas.microsoft.com/exchange/2010/Autodiscover" xmlns:wsa="http://www.w3.org/2005/08/addressing"><soap:Header><a:RequestedServerVersion>{release}</a:RequestedServerVersion><wsa:Action>{ACTION}</wsa:Action><wsa:To>{}</wsa:To></soap:Header><soap:Body><a:GetUserSettingsRequestMessage><a:Request><a:Users>{users}</a:Users><a:RequestedSettings>{settings}</a:RequestedSettings></a:Request></a:GetUserSettingsRequestMessage></soap:Body></soap:Envelope>"#,
        escaped(url),
    )
}

/// The `SOAPAction` header.
pub(super) fn action() -> (&'static str, String) {
    ("SOAPAction", format!("\"{ACTION}\""))
}

/// "Handling Autodiscover error messages": an `ErrorCode` under `Response` concerns the request, one under
/// `UserResponse` the address; the first one other than `NoError` counts.
pub(super) fn read(body: &[u8]) -> Result<ParsedResponse, MalformedResponse> {
    let envelope = xml::read(body)?;
    let users = match users(&envelope)? {
        Ok(users) => users,
        Err(parsed) => return Ok(parsed),
    };
    let user = users.first().ok_or(MalformedResponse::NoResult)?;
    Ok(error(user).unwrap_or_else(|| settings(user)))
}

/// The `UserResponse` of each address, in the order of the request; or the error of the whole request.
pub(super) fn users(envelope: &XmlNode) -> Result<Result<Vec<&XmlNode>, ParsedResponse>, MalformedResponse> {
    let body = envelope.child("Body").ok_or(MalformedResponse::NotSoap)?;
    if let Some(fault) = body.child("Fault") {
        return Ok(Err(ParsedResponse::OtherError(excerpt(
            fault.text_of("faultstring").unwrap_or("a SOAP fault"),
        ))));
    }
    let response = body.at(&["GetUserSettingsResponseMessage", "Response"]);
    let response = response.ok_or(MalformedResponse::NotUserSettings)?;
    if let Some(parsed) = error(response) {
        return Ok(Err(parsed));
    }
    let all = response.child("UserResponses").map(|all| all.children.as_slice()).unwrap_or_default();
    Ok(Ok(all.iter().filter(|user| user.name == "UserResponse").collect()))
}

/// The value of a setting of one address, if it is there.
pub(super) fn setting<'u>(user: &'u XmlNode, name: &str) -> Option<&'u str> {
    let all = user.child("UserSettings")?;
    let setting = all.children.iter().find(|setting| setting.text_of("Name") == Some(name))?;
    setting.text_of("Value")
}

pub(super) fn error(response: &XmlNode) -> Option<ParsedResponse> {
    let code = response.text_of("ErrorCode").filter(|code| *code != "NoError")?;
    let target = || response.text_of("RedirectTarget").unwrap_or_default().to_owned();
    let text = excerpt(&format!("{code} {}", response.text_of("ErrorMessage").unwrap_or_default()));
    Some(match code {
        "RedirectAddress" => ParsedResponse::RedirectAddress(target()),
        "RedirectUrl" => ParsedResponse::RedirectUrl(target()),
        "InvalidUser" | "InvalidDomain" => ParsedResponse::UnknownMailbox(text),
        "ServerBusy" | "InternalServerError" => ParsedResponse::Busy(text),
        _ => ParsedResponse::OtherError(text),
    })
}

/// The external URL first: its name resolves elsewhere too. The internal one is for organizations without it. If both
/// are present, the list of trusted hosts decides.
fn settings(user: &XmlNode) -> ParsedResponse {
    let value = |name: &str| setting(user, name).map(str::to_owned);
    let urls = ["ExternalEwsUrl", "InternalEwsUrl"].into_iter().filter_map(value).collect();
    let schemas = value("EwsSupportedSchemas").unwrap_or_default();
    let schemas = schemas.split(',').map(str::trim).filter(|schema| !schema.is_empty());
    ParsedResponse::Settings { urls, schemas: schemas.take(SCHEMAS_MAX).map(excerpt).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(user: &str) -> String {
        format!(
            r#"<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><GetUserSettingsResponseMessage xmlns="http://schemas.microsoft.com/exchange/2010/Autodiscover"><Response><ErrorCode>NoError</ErrorCode><ErrorMessage/><UserResponses><UserResponse>{user}</UserResponse></UserResponses></Response></GetUserSettingsResponseMessage></s:Body></s:Envelope>"#
        )
    }

    fn setting(name: &str, value: &str) -> String {
        format!("<UserSetting><Name>{name}</Name><Value>{value}</Value></UserSetting>")
    }

    #[test]
    fn the_external_url_comes_before_the_internal_one() {
        let settings = [
            setting("InternalEwsUrl", "https://in.example/"),
            setting("ExternalEwsUrl", "https://out.example/?a&amp;b"),
            setting("EwsSupportedSchemas", "Exchange2007, Exchange2010_SP2,"),
        ];
        let user =
            format!("<ErrorCode>NoError</ErrorCode><UserSettings>{}</UserSettings>", settings.concat());
        let urls = vec!["https://out.example/?a&b".to_owned(), "https://in.example/".to_owned()];
        let schemas = vec!["Exchange2007".to_owned(), "Exchange2010_SP2".to_owned()];
        assert_eq!(read(answer(&user).as_bytes()).unwrap(), ParsedResponse::Settings { urls, schemas });
    }

    #[test]
    fn errors_of_the_address_are_told_apart() {
        let text = |user: &str| read(answer(user).as_bytes()).unwrap();
        let target = "<RedirectTarget>x@y.example</RedirectTarget>";
        let redirect = |code: &str| text(&format!("<ErrorCode>{code}</ErrorCode>{target}"));
        assert_eq!(redirect("RedirectAddress"), ParsedResponse::RedirectAddress("x@y.example".to_owned()));
        assert_eq!(redirect("RedirectUrl"), ParsedResponse::RedirectUrl("x@y.example".to_owned()));
        assert!(matches!(text("<ErrorCode>InvalidUser</ErrorCode>"), ParsedResponse::UnknownMailbox(_)));
        assert!(matches!(text("<ErrorCode>ServerBusy</ErrorCode>"), ParsedResponse::Busy(_)));
        assert!(matches!(text("<ErrorCode>NewError</ErrorCode>"), ParsedResponse::OtherError(_)));
        assert_eq!(text(""), ParsedResponse::Settings { urls: vec![], schemas: vec![] });
    }

    #[test]
    fn an_answer_cut_anywhere_is_an_error() {
        let whole = answer("<ErrorCode>NoError</ErrorCode>");
        for cut in 0..whole.len() {
            assert!(read(&whole.as_bytes()[..cut]).is_err(), "{cut}");
        }
        for odd in ["<html/>", "<s:Envelope xmlns:s='x'><s:Body/></s:Envelope>"] {
            assert!(read(odd.as_bytes()).is_err(), "{odd}");
        }
    }

    #[test]
    fn an_address_cannot_leave_its_element() {
        let address: RoomAddress = "a&b'c@x.example".parse().unwrap();
        let root = xml::read(settings_request("https://x.example/?a&b", &address).as_bytes()).unwrap();
        let user = root.at(&["Body", "GetUserSettingsRequestMessage", "Request", "Users", "User"]).unwrap();
        assert_eq!(user.text_of("Mailbox"), Some("a&b'c@x.example"));
    }
}
