//! The two XML protocols of Autodiscover: SOAP (`GetUserSettings`, MS-OXWSADISC) and POX in Outlook's schema
//! (MS-OXDSCLI). Parses requests and formats the responses that `autodiscover` resolves; stores nothing.

use http::request::Parts;
use roxmltree::{Document, Node};

use super::autodiscover::{
    AutodiscoverAnswer, AutodiscoverProtocol, AutodiscoverResponse, AutodiscoverService, GARBAGE,
};
use super::soap_request::elements;
use super::world::World;
use super::xml::{SOAP, escape};

const SERVICE: &str = "http://schemas.microsoft.com/exchange/2010/Autodiscover";
const ADDRESSING: &str = "http://www.w3.org/2005/08/addressing";
const ACTION: &str = "http://schemas.microsoft.com/exchange/2010/Autodiscover/Autodiscover/GetUserSettings";
const REQUEST: &str = "http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006";
const ROOT: &str = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006";
const RESPONSE: &str = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a";
const SCHEMAS: &str = "Exchange2007, Exchange2007_SP1, Exchange2010, Exchange2010_SP1, Exchange2010_SP2, Exchange2013, Exchange2013_SP1";

/// Limit of mailboxes in one request.
const USERS_MAX: usize = 90;

pub(super) fn soap(
    autodiscover: &mut AutodiscoverService,
    world: &World,
    head: &Parts,
    document: Option<&Document<'_>>,
) -> AutodiscoverAnswer {
    let whole = |content: &str| {
        AutodiscoverAnswer::Xml(format!(
            r#"<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="{SOAP}" xmlns:a="{ADDRESSING}"><s:Header><a:Action s:mustUnderstand="1">{ACTION}Response</a:Action></s:Header><s:Body><GetUserSettingsResponseMessage xmlns="{SERVICE}" xmlns:i="http://www.w3.org/2001/XMLSchema-instance"><Response>{content}</Response></GetUserSettingsResponseMessage></s:Body></s:Envelope>"#
        ))
    };
    let Some((addresses, wanted)) = document.and_then(|document| settings_wanted(document.root_element()))
    else {
        return whole(
            "<ErrorCode>InvalidRequest</ErrorCode><ErrorMessage>The request is invalid.</ErrorMessage>",
        );
    };
    let user = |code: &str, target: &str, settings: &str| {
        format!(
            "<UserResponse><ErrorCode>{code}</ErrorCode><ErrorMessage>{code}.</ErrorMessage>{target}<UserSettingErrors/><UserSettings>{settings}</UserSettings></UserResponse>"
        )
    };
    let target = |text: &str| format!("<RedirectTarget>{}</RedirectTarget>", escape(text));
    let file = |base: &str| format!("{base}/autodiscover/autodiscover.svc");
    let nowhere = r#"<RedirectTarget i:nil="true"/>"#;
    let mut users = String::new();
    for address in &addresses {
        users += &match autodiscover.record_and_resolve(world, head, AutodiscoverProtocol::Soap, address) {
            AutodiscoverResponse::EwsUrl(url) => {
                let group = autodiscover.group_of(address);
                user("NoError", nowhere, &settings(&wanted, address, &url, group))
            }
            AutodiscoverResponse::RedirectAddress(other) => user("RedirectAddress", &target(&other), ""),
            AutodiscoverResponse::RedirectUrl(base) => user("RedirectUrl", &target(&file(&base)), ""),
            AutodiscoverResponse::HttpRedirect(base) => return AutodiscoverAnswer::Redirect(file(&base)),
            AutodiscoverResponse::RedirectLoop => {
                return AutodiscoverAnswer::Redirect(file(&autodiscover.base));
            }
            AutodiscoverResponse::Garbage => return AutodiscoverAnswer::Xml(GARBAGE.to_owned()),
            AutodiscoverResponse::InvalidUser => user("InvalidUser", nowhere, ""),
        };
    }
    whole(&format!("<ErrorCode>NoError</ErrorCode><ErrorMessage/><UserResponses>{users}</UserResponses>"))
}

/// The requested mailboxes and settings; `None` for an invalid request.
fn settings_wanted(envelope: Node<'_, '_>) -> Option<(Vec<String>, Vec<String>)> {
    let header = down(envelope, &[(SOAP, "Header")])?;
    down(header, &[(SERVICE, "RequestedServerVersion")])?;
    let action = down(header, &[(ADDRESSING, "Action")])?;
    let request = [(SOAP, "Body"), (SERVICE, "GetUserSettingsRequestMessage"), (SERVICE, "Request")];
    let request = down(envelope, &request)?;
    let users = elements(down(request, &[(SERVICE, "Users")])?);
    let users: Option<Vec<_>> = users.map(|user| down(user, &[(SERVICE, "Mailbox")]).map(text)).collect();
    let wanted = down(request, &[(SERVICE, "RequestedSettings")])?;
    let users = users.filter(|users| (1..=USERS_MAX).contains(&users.len()))?;
    (text(action) == ACTION).then(|| (users, elements(wanted).map(text).collect()))
}

/// The settings that are requested and known; unknown ones are omitted, as Exchange does.
fn settings(wanted: &[String], address: &str, url: &str, group: Option<&str>) -> String {
    let setting = |name: &String| {
        let value = match name.as_str() {
            "ExternalEwsUrl" | "InternalEwsUrl" => url,
            "AutoDiscoverSMTPAddress" => address,
            "EwsSupportedSchemas" => SCHEMAS,
            "GroupingInformation" => group?,
            _ => return None,
        };
        let (name, value) = (escape(name), escape(value));
        Some(format!(
            r#"<UserSetting i:type="StringSetting"><Name>{name}</Name><Value>{value}</Value></UserSetting>"#
        ))
    };
    wanted.iter().filter_map(setting).collect()
}

pub(super) fn pox(
    autodiscover: &mut AutodiscoverService,
    world: &World,
    head: &Parts,
    document: Option<&Document<'_>>,
) -> AutodiscoverAnswer {
    let whole = |content: &str| {
        AutodiscoverAnswer::Xml(format!(
            r#"<?xml version="1.0" encoding="utf-8"?><Autodiscover xmlns="{ROOT}"><Response xmlns="{RESPONSE}">{content}</Response></Autodiscover>"#
        ))
    };
    let error = |code: u16, text: &str| {
        whole(&format!(
            r#"<Error Time="00:00:00.0000000" Id="1"><ErrorCode>{code}</ErrorCode><Message>{text}</Message><DebugData/></Error>"#
        ))
    };
    let Some(address) = document.and_then(|document| mailbox_wanted(document.root_element())) else {
        return error(600, "Invalid Request");
    };
    let account = |content: &str| {
        let user = format!("<User><DisplayName>{}</DisplayName></User>", escape(&address));
        whole(&format!("{user}<Account><AccountType>email</AccountType>{content}</Account>"))
    };
    let file = |base: &str| format!("{base}/autodiscover/autodiscover.xml");
    match autodiscover.record_and_resolve(world, head, AutodiscoverProtocol::Pox, &address) {
        AutodiscoverResponse::EwsUrl(url) => {
            let url = escape(&url);
            let protocol = |kind| {
                format!("<Protocol><Type>{kind}</Type><ASUrl>{url}</ASUrl><EwsUrl>{url}</EwsUrl></Protocol>")
            };
            account(&format!("<Action>settings</Action>{}{}", protocol("EXCH"), protocol("EXPR")))
        }
        AutodiscoverResponse::RedirectAddress(other) => {
            account(&format!("<Action>redirectAddr</Action><RedirectAddr>{}</RedirectAddr>", escape(&other)))
        }
        AutodiscoverResponse::RedirectUrl(base) => account(&format!(
            "<Action>redirectUrl</Action><RedirectUrl>{}</RedirectUrl>",
            escape(&file(&base))
        )),
        AutodiscoverResponse::HttpRedirect(base) => AutodiscoverAnswer::Redirect(file(&base)),
        AutodiscoverResponse::RedirectLoop => AutodiscoverAnswer::Redirect(file(&autodiscover.base)),
        AutodiscoverResponse::Garbage => AutodiscoverAnswer::Xml(GARBAGE.to_owned()),
        AutodiscoverResponse::InvalidUser => error(500, "The e-mail address cannot be found."),
    }
}

fn mailbox_wanted(root: Node<'_, '_>) -> Option<String> {
    let request =
        down(root, &[(REQUEST, "Request")]).filter(|_| root.has_tag_name((REQUEST, "Autodiscover")))?;
    let schema = down(request, &[(REQUEST, "AcceptableResponseSchema")])?;
    let address = down(request, &[(REQUEST, "EMailAddress")])?;
    (text(schema) == RESPONSE).then(|| text(address))
}

fn down<'a, 'i>(from: Node<'a, 'i>, path: &[(&str, &str)]) -> Option<Node<'a, 'i>> {
    path.iter().try_fold(from, |node, name| elements(node).find(|child| child.has_tag_name(*name)))
}

fn text(node: Node<'_, '_>) -> String {
    node.text().unwrap_or_default().trim().to_owned()
}
