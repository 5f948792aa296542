//! SOAP headers of a request: the schema version and the impersonated mailbox. Never checks either.
//!
//! The version header comes first, as in Microsoft's own client. No header appears twice: `ErrorDuplicateSOAPHeader`. There is no
//! `TimeZoneContext`, because all times in requests and responses are UTC, and no `DateTimePrecision`, because Adjourn uses whole
//! seconds only.

use super::version::ServerVersion;
use crate::ews::codec::xml_writer::XmlWriter;

/// `t:ExchangeImpersonation`: the mailbox that the request acts for. Exactly one way to name it (`t:ConnectingSIDType` is a
/// choice). Naming it by address costs the server one more directory look-up (ConnectingSID page).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Impersonate<'a> {
    /// `t:PrincipalName`: the user principal name.
    PrincipalName(&'a str),
    /// `t:PrimarySmtpAddress`: an alias is refused with `ErrorNonPrimarySmtpAddress`.
    PrimarySmtpAddress(&'a str),
    /// `t:SmtpAddress`: primary or alias. Exchange 2010 and later.
    SmtpAddress(&'a str),
}

/// The headers of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RequestHeaders<'a> {
    /// The schema version.
    pub version: ServerVersion,
    /// The impersonated mailbox; `None` acts as the service account itself.
    pub impersonate: Option<Impersonate<'a>>,
}

/// Everything before the request element.
macro_rules! opening {
    ($version:literal) => {
        concat!(
            r#"<?xml version="1.0" encoding="utf-8"?>"#,
            r#"<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/""#,
            r#" xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages""#,
            r#" xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types">"#,
            r#"<soap:Header><t:RequestServerVersion Version=""#,
            $version,
            r#""/>"#,
        )
    };
}

impl RequestHeaders<'_> {
    /// Writes the envelope up to and including the start tag of `soap:Body`.
    pub(in crate::ews) fn write_opening(&self, out: &mut XmlWriter<'_>) {
        out.raw(match self.version {
            ServerVersion::Exchange2010Sp2 => opening!("Exchange2010_SP2"),
            ServerVersion::Exchange2013 => opening!("Exchange2013"),
            ServerVersion::Exchange2013Sp1 => opening!("Exchange2013_SP1"),
            ServerVersion::Exchange2016 => opening!("Exchange2016"),
        });
        match self.impersonate {
            Some(impersonate) => impersonate.write(out),
            None => out.raw("</soap:Header><soap:Body>"),
        }
    }
}

/// Everything after the request element.
pub(in crate::ews) const CLOSE: &str = "</soap:Body></soap:Envelope>";

/// The impersonated mailbox, named in this way, and the end of the headers.
macro_rules! impersonation {
    ($out:ident, $element:literal, $name:ident) => {{
        $out.raw(concat!("<t:ExchangeImpersonation><t:ConnectingSID><t:", $element, ">"));
        $out.text($name);
        $out.raw(concat!(
            "</t:",
            $element,
            "></t:ConnectingSID></t:ExchangeImpersonation></soap:Header><soap:Body>"
        ));
    }};
}

impl Impersonate<'_> {
    #[inline]
    fn write(self, out: &mut XmlWriter<'_>) {
        match self {
            Self::PrincipalName(name) => impersonation!(out, "PrincipalName", name),
            Self::PrimarySmtpAddress(name) => impersonation!(out, "PrimarySmtpAddress", name),
            Self::SmtpAddress(name) => impersonation!(out, "SmtpAddress", name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_opening_says_the_version_it_is_asked_for() {
        for version in ServerVersion::ALL {
            let mut out = Vec::new();
            RequestHeaders { version, impersonate: None }
                .write_opening(&mut XmlWriter::new(&mut out, version));
            let said = format!("Version=\"{}\"/>", version.as_str());
            assert!(String::from_utf8(out).unwrap().contains(&said));
        }
    }
}
