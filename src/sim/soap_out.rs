//! Writing answers, as Exchange shapes them: envelopes, response messages, faults. Templates and one escaping function.

use chrono::{DateTime, SecondsFormat, Utc};

use super::soap_in::Refusal;

/// What the server says it is: Exchange Server SE.
const SERVER_VERSION: &str = concat!(
    r#"<h:ServerVersionInfo MajorVersion="15" MinorVersion="2" MajorBuildNumber="2562" MinorBuildNumber="17" "#,
    r#"Version="V2017_07_11" xmlns:h="http://schemas.microsoft.com/exchange/services/2006/types" "#,
    r#"xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"/>"#
);
const OPEN: &str = concat!(
    r#"<?xml version="1.0" encoding="utf-8"?>"#,
    r#"<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/">"#
);
const PAYLOAD_NAMESPACES: &str = concat!(
    r#"xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages" "#,
    r#"xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types""#
);
const TYPES: &str = "http://schemas.microsoft.com/exchange/services/2006/types";
const ERRORS: &str = "http://schemas.microsoft.com/exchange/services/2006/errors";

/// Escapes text for element content and attributes. Characters XML forbids become numeric references, which is what
/// Exchange does and what clients trip over.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' => out.push(character),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {
                out.push_str(&format!("&#x{:X};", u32::from(character)));
            }
            _ => out.push(character),
        }
    }
    out
}

/// `<t:Name>text</t:Name>`.
pub(crate) fn element(name: &str, text: &str) -> String {
    format!("<t:{name}>{}</t:{name}>", escape(text))
}

/// An instant as Exchange writes it.
pub(crate) fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// An envelope around a response element whose name is `{operation}Response`.
pub(crate) fn envelope(operation: &str, attributes: &str, content: &str) -> String {
    let body_namespaces = r#"xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema""#;
    format!(
        "{OPEN}<s:Header>{SERVER_VERSION}</s:Header><s:Body {body_namespaces}>\
         <m:{operation}Response{attributes} {PAYLOAD_NAMESPACES}>{content}</m:{operation}Response></s:Body></s:Envelope>"
    )
}

/// A fault. No header, as observed.
pub(crate) fn fault(refusal: &Refusal) -> String {
    let (code, text) = (refusal.code, escape(&refusal.text));
    let xml =
        refusal.xml.as_ref().map(|xml| format!(r#"<t:MessageXml xmlns:t="{TYPES}">{xml}</t:MessageXml>"#));
    format!(
        r#"{OPEN}<s:Body><s:Fault><faultcode xmlns:a="{TYPES}">a:{code}</faultcode><faultstring xml:lang="en-US">{text}</faultstring><detail><e:ResponseCode xmlns:e="{ERRORS}">{code}</e:ResponseCode><e:Message xmlns:e="{ERRORS}">{text}</e:Message>{}</detail></s:Fault></s:Body></s:Envelope>"#,
        xml.unwrap_or_default()
    )
}

/// One `m:{operation}ResponseMessage`. `when_refused` is what the schema still wants in an error, such as `<m:Items/>`.
pub(crate) fn message(operation: &str, outcome: &Result<String, Refusal>, when_refused: &str) -> String {
    let name = format!("{operation}ResponseMessage");
    match outcome {
        Ok(payload) => format!(
            r#"<m:{name} ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode>{payload}</m:{name}>"#
        ),
        Err(refusal) => {
            format!(r#"<m:{name} ResponseClass="Error">{}{when_refused}</m:{name}>"#, explanation(refusal))
        }
    }
}

/// `MessageText`, `ResponseCode`, `DescriptiveLinkKey` and perhaps `MessageXml`.
pub(crate) fn explanation(refusal: &Refusal) -> String {
    let xml = refusal.xml.as_ref().map(|xml| format!("<m:MessageXml>{xml}</m:MessageXml>"));
    format!(
        "<m:MessageText>{}</m:MessageText><m:ResponseCode>{}</m:ResponseCode>\
         <m:DescriptiveLinkKey>0</m:DescriptiveLinkKey>{}",
        escape(&refusal.text),
        refusal.code,
        xml.unwrap_or_default()
    )
}

/// A whole answer of one message per thing asked.
pub(crate) fn messages(operation: &str, outcomes: &[Result<String, Refusal>], when_refused: &str) -> String {
    let all: String = outcomes.iter().map(|outcome| message(operation, outcome, when_refused)).collect();
    envelope(operation, "", &format!("<m:ResponseMessages>{all}</m:ResponseMessages>"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forbidden_characters_leave_as_references() {
        assert_eq!(escape("a<b>&\"\u{1}\r\n"), "a&lt;b&gt;&amp;&quot;&#x1;&#xD;\n");
    }
}
