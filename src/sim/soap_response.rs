//! Writes SOAP responses in Exchange's form: envelopes, response messages, faults. Templates and one escaping function.

use chrono::{DateTime, SecondsFormat, Utc};

use super::ews_error::EwsError;
use super::exchange_release::ExchangeRelease;
use super::xml::{TYPES, escape};

const OPEN: &str = concat!(
    r#"<?xml version="1.0" encoding="utf-8"?>"#,
    r#"<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/">"#
);
const PAYLOAD_NAMESPACES: &str = concat!(
    r#"xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages" "#,
    r#"xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types""#
);
const ERRORS: &str = "http://schemas.microsoft.com/exchange/services/2006/errors";

/// `<t:Name>text</t:Name>`.
pub(crate) fn element(name: &str, text: &str) -> String {
    format!("<t:{name}>{}</t:{name}>", escape(text))
}

/// An instant in Exchange's format.
pub(crate) fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// The response element of an operation, `{operation}NtlmV2Response`.
pub(crate) fn response(operation: &str, attributes: &str, content: &str) -> String {
    format!("<m:{operation}Response{attributes} {PAYLOAD_NAMESPACES}>{content}</m:{operation}Response>")
}

/// The envelope around a response element.
pub(crate) fn envelope(release: ExchangeRelease, response: &str) -> String {
    let namespaces = r#"xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema""#;
    format!(
        r#"{OPEN}<s:Header><h:ServerVersionInfo {} xmlns:h="{TYPES}" xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"/></s:Header><s:Body {namespaces}>{response}</s:Body></s:Envelope>"#,
        release.version_attributes()
    )
}

/// The envelope of a stream, which Exchange serializes differently from other responses.
pub(crate) fn stream_envelope(release: ExchangeRelease, response: &str) -> String {
    let soap = super::xml::SOAP;
    format!(
        r#"<?xml version="1.0" encoding="utf-8"?><Envelope xmlns="{soap}"><soap11:Header xmlns:soap11="{soap}"><ServerVersionInfo xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" {} xmlns="{TYPES}"/></soap11:Header><soap11:Body xmlns:soap11="{soap}">{response}</soap11:Body></Envelope>"#,
        release.version_attributes()
    )
}

/// A SOAP fault; without a header, as Exchange sends it.
pub(crate) fn fault(refusal: &EwsError) -> String {
    let (code, text) = (refusal.code, escape(&refusal.text));
    let xml =
        refusal.xml.as_ref().map(|xml| format!(r#"<t:MessageXml xmlns:t="{TYPES}">{xml}</t:MessageXml>"#));
    format!(
        r#"{OPEN}<s:Body><s:Fault><faultcode xmlns:a="{TYPES}">a:{code}</faultcode><faultstring xml:lang="en-US">{text}</faultstring><detail><e:ResponseCode xmlns:e="{ERRORS}">{code}</e:ResponseCode><e:Message xmlns:e="{ERRORS}">{text}</e:Message>{}</detail></s:Fault></s:Body></s:Envelope>"#,
        xml.unwrap_or_default()
    )
}

/// One `m:{operation}ResponseMessage`. `when_refused` is the content that the schema requires in an error too, such as
/// `<m:Items/>`.
pub(crate) fn message(operation: &str, outcome: &Result<String, EwsError>, when_refused: &str) -> String {
    let name = format!("{operation}ResponseMessage");
    match outcome {
        Ok(payload) => format!(
            r#"<m:{name} ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode>{payload}</m:{name}>"#
        ),
        Err(refusal) => {
            format!(r#"<m:{name} ResponseClass="Error">{}{when_refused}</m:{name}>"#, error_elements(refusal))
        }
    }
}

/// `MessageText`, `ResponseCode`, `DescriptiveLinkKey` and, if present, `MessageXml`.
pub(crate) fn error_elements(refusal: &EwsError) -> String {
    let xml = refusal.xml.as_ref().map(|xml| format!("<m:MessageXml>{xml}</m:MessageXml>"));
    format!(
        "<m:MessageText>{}</m:MessageText><m:ResponseCode>{}</m:ResponseCode>\
         <m:DescriptiveLinkKey>0</m:DescriptiveLinkKey>{}",
        escape(&refusal.text),
        refusal.code,
        xml.unwrap_or_default()
    )
}

/// A response with one message for each item.
pub(crate) fn messages(operation: &str, outcomes: &[Result<String, EwsError>], when_refused: &str) -> String {
    let all: String = outcomes.iter().map(|outcome| message(operation, outcome, when_refused)).collect();
    response(operation, "", &format!("<m:ResponseMessages>{all}</m:ResponseMessages>"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forbidden_characters_leave_as_references() {
        assert_eq!(escape("a<b>&\"\u{1}\r\n"), "a&lt;b&gt;&amp;&quot;&#x1;&#xD;\n");
    }
}
