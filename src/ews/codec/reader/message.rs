//! Decodes response messages. The caller passes a function that decodes the operation's payload.

use super::super::error::{DecodeError, DecodeResult, Deviation};
use super::super::rules::{names, trim};
use super::document::{XmlDocument, XmlElement};
use super::namespace::Namespace;
use super::value;
use crate::ews::code::ResponseCode;
use crate::ews::types::{MessageXmlEntry, ResponseClass, ResponseMessage};

/// `m:ResponseMessages` inside `answer`; `read_payload` gets each child that is not a field of the message itself.
pub(super) fn messages<'a, T: Default>(
    document: &mut XmlDocument<'a>,
    answer: &XmlElement<'a>,
    mut read_payload: impl FnMut(&mut XmlDocument<'a>, &XmlElement<'a>, &mut T) -> DecodeResult<()>,
) -> DecodeResult<Vec<ResponseMessage<'a, T>>> {
    let mut found = None;
    document.children(answer, |document, child| {
        if child.is(Namespace::Messages, "ResponseMessages") {
            found = Some(list(document, child, &mut read_payload)?);
        }
        Ok(())
    })?;
    found.ok_or_else(|| missing("ResponseMessages", answer))
}

/// Each child in the messages namespace is a message, whatever its name: names differ by operation, and the schema allows nothing
/// else here.
pub(super) fn list<'a, T: Default>(
    document: &mut XmlDocument<'a>,
    list: &XmlElement<'a>,
    read_payload: &mut impl FnMut(&mut XmlDocument<'a>, &XmlElement<'a>, &mut T) -> DecodeResult<()>,
) -> DecodeResult<Vec<ResponseMessage<'a, T>>> {
    let mut messages = Vec::new();
    document.children(list, |document, child| {
        if child.namespace == Namespace::Messages {
            messages.push(message(document, child, &mut *read_payload)?);
        }
        Ok(())
    })?;
    Ok(messages)
}

/// One message: `element` has the class as an attribute and the other fields as children.
pub(super) fn message<'a, T: Default>(
    document: &mut XmlDocument<'a>,
    element: &XmlElement<'a>,
    mut read_payload: impl FnMut(&mut XmlDocument<'a>, &XmlElement<'a>, &mut T) -> DecodeResult<()>,
) -> DecodeResult<ResponseMessage<'a, T>> {
    document.count_entry(element)?;
    let class = class(element)?;
    let (mut given, mut message_text, mut message_xml) = (None, None, Vec::new());
    let mut payload = T::default();
    document.children(element, |document, child| {
        match child.local_name_in(Namespace::Messages) {
            "ResponseCode" => given = value::token(document, child)?.map(ResponseCode),
            "MessageText" => message_text = Some(document.text(child)?),
            "MessageXml" => message_xml = entries(document, child)?,
            _ => read_payload(document, child, &mut payload)?,
        }
        Ok(())
    })?;
    let code = code(given, class, element)?;
    Ok(ResponseMessage { class, code, message_text, message_xml, payload })
}

fn class(element: &XmlElement<'_>) -> DecodeResult<ResponseClass> {
    let given = element.attribute("ResponseClass");
    given.as_deref().and_then(|class| names::response_class(trim(class))).ok_or_else(|| {
        let deviation = Deviation::ResponseClass(given.map(|class| class.into_owned()));
        DecodeError::new(deviation, element.offset)
    })
}

/// The schema makes `m:ResponseCode` optional. A success without one is complete; any other class without one supports no
/// decision.
fn code<'a>(
    given: Option<ResponseCode<'a>>,
    class: ResponseClass,
    element: &XmlElement<'a>,
) -> DecodeResult<ResponseCode<'a>> {
    match given {
        Some(code) => Ok(code),
        None if class == ResponseClass::Success => Ok(ResponseCode("NoError".into())),
        None => Err(missing("ResponseCode", element)),
    }
}

/// `MessageXml`: elements of any name. Many carry their value in an attribute: `t:FieldURI` in `FieldURI`; `t:Value` has the subject
/// of its text in `Name`.
pub(super) fn entries<'a>(
    document: &mut XmlDocument<'a>,
    element: &XmlElement<'a>,
) -> DecodeResult<Vec<MessageXmlEntry<'a>>> {
    let mut entries = Vec::new();
    document.children(element, |document, child| {
        document.count_entry(child)?;
        entries.push(MessageXmlEntry {
            element: child.local_name.into(),
            name: child.attribute("Name").or_else(|| child.attribute("FieldURI")),
            value: document.text(child)?,
        });
        Ok(())
    })?;
    Ok(entries)
}

/// The error for a required `element` missing in `inside`.
#[cold]
pub(super) fn missing(element: &'static str, inside: &XmlElement<'_>) -> DecodeError {
    DecodeError::new(
        Deviation::MissingElement { element, inside: inside.local_name.to_owned() },
        inside.offset,
    )
}
