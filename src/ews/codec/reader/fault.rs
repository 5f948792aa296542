//! Decodes faults: SOAP 1.1's `faultcode`, `faultstring` and `detail`, SOAP 1.2's `Code`, `Reason` and `Detail`, and Exchange's codes
//! in the detail of either.
//!
//! Never requires a child: a fault with unknown content is still a fault.

use super::super::error::DecodeResult;
use super::document::{XmlDocument, XmlElement};
use super::message;
use super::namespace::Namespace;
use super::value;
use crate::ews::code::ResponseCode;
use crate::ews::soap::SoapFault;
use crate::ews::types::Text;

/// A `Fault` of either version. SOAP 1.1 has its children in no namespace (4.4), SOAP 1.2 in its own (5.4); some intermediaries mix
/// them, so both are accepted.
pub(super) fn fault<'a>(
    document: &mut XmlDocument<'a>,
    element: &XmlElement<'a>,
) -> DecodeResult<SoapFault<'a>> {
    let mut fault = SoapFault::default();
    document.children(element, |document, child| {
        match soap_local_name(child) {
            "faultcode" => fault.fault_code = qualified(document, child)?,
            "faultstring" => fault.text = Some(document.text(child)?),
            "Code" => fault.fault_code = code(document, child)?,
            "Reason" => fault.text = reason(document, child)?,
            "detail" | "Detail" => detail(document, child, &mut fault)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(fault)
}

fn soap_local_name<'a>(element: &XmlElement<'a>) -> &'a str {
    if element.namespace == Namespace::None || element.namespace.is_soap() { element.local_name } else { "" }
}

/// `Code/Subcode/Value` if there is one, else `Code/Value`. `Value` only names the party at fault (SOAP 1.2 part 1, 5.4.6); the
/// subcode is what a server that supports both versions writes into SOAP 1.1's `faultcode`.
fn code<'a>(document: &mut XmlDocument<'a>, element: &XmlElement<'a>) -> DecodeResult<Option<Text<'a>>> {
    let (mut general, mut specific) = (None, None);
    document.children(element, |document, child| {
        match soap_local_name(child) {
            "Value" => general = qualified(document, child)?,
            "Subcode" => specific = subcode(document, child)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(specific.or(general))
}

fn subcode<'a>(document: &mut XmlDocument<'a>, element: &XmlElement<'a>) -> DecodeResult<Option<Text<'a>>> {
    let mut found = None;
    document.children(element, |document, child| {
        if soap_local_name(child) == "Value" {
            found = qualified(document, child)?;
        }
        Ok(())
    })?;
    Ok(found)
}

fn reason<'a>(document: &mut XmlDocument<'a>, element: &XmlElement<'a>) -> DecodeResult<Option<Text<'a>>> {
    let mut found = None;
    document.children(element, |document, child| {
        if soap_local_name(child) == "Text" {
            found = Some(document.text(child)?);
        }
        Ok(())
    })?;
    Ok(found)
}

/// A qualified name without its prefix.
fn qualified<'a>(document: &mut XmlDocument<'a>, element: &XmlElement<'a>) -> DecodeResult<Option<Text<'a>>> {
    let local = |name: &str| name.find(':').map_or(0, |colon| colon + 1);
    Ok(value::token(document, element)?.map(|name| match name {
        Text::Borrowed(name) => Text::Borrowed(&name[local(name)..]),
        Text::Owned(name) => Text::Owned(name[local(&name)..].to_owned()),
    }))
}

/// The detail. Exchange writes `ResponseCode` and `Message` in the errors namespace and `MessageXml` in the types namespace; the same
/// elements of a response are in the messages namespace, and gateways mix them up, so all three are accepted.
fn detail<'a>(
    document: &mut XmlDocument<'a>,
    element: &XmlElement<'a>,
    fault: &mut SoapFault<'a>,
) -> DecodeResult<()> {
    document.children(element, |document, child| {
        match exchange_local_name(child) {
            "ResponseCode" => fault.response_code = value::token(document, child)?.map(ResponseCode),
            "Message" => fault.message = Some(document.text(child)?),
            "MessageXml" => fault.message_xml = message::entries(document, child)?,
            _ => {}
        }
        Ok(())
    })
}

fn exchange_local_name<'a>(element: &XmlElement<'a>) -> &'a str {
    match element.namespace {
        Namespace::Errors | Namespace::Types | Namespace::Messages => element.local_name,
        _ => "",
    }
}
