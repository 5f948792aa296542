//! Decodes the envelope, its header, and the body by the name of the response element.
//!
//! Never requires a header: faults have none, and a proxy may remove it.

use super::super::envelope::{SoapBody, SoapEnvelope};
use super::super::error::{DecodeError, DecodeResult, Deviation};
use super::availability::availability;
use super::document::{XmlDocument, XmlElement};
use super::fault::fault;
use super::message::{list, message, messages};
use super::namespace::Namespace;
use super::{changes, payload, value};
use crate::ews::soap::ServerVersionInfo;
use crate::ews::types::ResponseMessage;

/// Decodes the whole document.
pub(super) fn envelope<'a>(document: &mut XmlDocument<'a>) -> DecodeResult<SoapEnvelope<'a>> {
    let root = document.root()?;
    if !(root.namespace.is_soap() && root.local_name == "Envelope") {
        let deviation =
            Deviation::NotSoap { root: root.local_name.to_owned(), namespace: root.uri().to_owned() };
        return Err(DecodeError::new(deviation, root.offset));
    }
    let (mut server, mut body) = (None, None);
    document.children(&root, |document, child| {
        match child.local_name {
            _ if !child.namespace.is_soap() => {}
            "Header" => server = header(document, child)?,
            "Body" => body = body_content(document, child)?,
            _ => {}
        }
        Ok(())
    })?;
    document.finish()?;
    let body = body.ok_or_else(|| DecodeError::new(Deviation::EmptyEnvelope, root.offset))?;
    Ok(SoapEnvelope { server, body })
}

fn header<'a>(
    document: &mut XmlDocument<'a>,
    element: &XmlElement<'a>,
) -> DecodeResult<Option<ServerVersionInfo<'a>>> {
    let mut server = None;
    document.children(element, |_, child| {
        if child.is(Namespace::Types, "ServerVersionInfo") {
            server = Some(server_version(child));
        }
        Ok(())
    })?;
    Ok(server)
}

fn server_version<'a>(element: &XmlElement<'a>) -> ServerVersionInfo<'a> {
    ServerVersionInfo {
        major: value::number_in(element, "MajorVersion"),
        minor: value::number_in(element, "MinorVersion"),
        major_build: value::number_in(element, "MajorBuildNumber"),
        minor_build: value::number_in(element, "MinorBuildNumber"),
        version: element.attribute("Version"),
    }
}

fn body_content<'a>(
    document: &mut XmlDocument<'a>,
    element: &XmlElement<'a>,
) -> DecodeResult<Option<SoapBody<'a>>> {
    let mut body = None;
    document.children(element, |document, child| {
        body = Some(answer(document, child)?);
        Ok(())
    })?;
    Ok(body)
}

fn answer<'a>(document: &mut XmlDocument<'a>, element: &XmlElement<'a>) -> DecodeResult<SoapBody<'a>> {
    if element.namespace.is_soap() && element.local_name == "Fault" {
        return fault(document, element).map(SoapBody::Fault);
    }
    Ok(match element.local_name_in(Namespace::Messages) {
        "FindItemResponse" => SoapBody::FindItem(messages(document, element, payload::root_folder)?),
        "GetItemResponse" => SoapBody::GetItem(messages(document, element, payload::items)?),
        "UpdateItemResponse" => SoapBody::UpdateItem(messages(document, element, payload::updated)?),
        "DeleteItemResponse" => SoapBody::DeleteItem(messages(document, element, payload::no_payload)?),
        "CreateItemResponse" => SoapBody::CreateItem(messages(document, element, payload::items)?),
        "MoveItemResponse" => SoapBody::MoveItem(messages(document, element, payload::items)?),
        "GetFolderResponse" => SoapBody::GetFolder(messages(document, element, payload::folders)?),
        "ResolveNamesResponse" => SoapBody::ResolveNames(messages(document, element, payload::resolutions)?),
        "GetRoomListsResponse" => SoapBody::GetRoomLists(message(document, element, payload::room_lists)?),
        "GetRoomsResponse" => SoapBody::GetRooms(message(document, element, payload::rooms)?),
        "SubscribeResponse" => SoapBody::Subscribe(messages(document, element, changes::subscribed)?),
        "UnsubscribeResponse" => SoapBody::Unsubscribe(messages(document, element, payload::no_payload)?),
        "GetStreamingEventsResponse" => {
            SoapBody::GetStreamingEvents(messages(document, element, changes::streamed)?)
        }
        "SyncFolderItemsResponse" => SoapBody::SyncFolderItems(messages(document, element, changes::synced)?),
        "GetUserAvailabilityResponse" => SoapBody::GetUserAvailability(availability(document, element)?),
        _ => SoapBody::Other { element: element.local_name.into(), messages: others(document, element)? },
    })
}

/// The messages of an operation that Adjourn never calls. Depending on the operation they are in `m:ResponseMessages`, alone
/// (`GetUserOofSettings`), or the response itself (`FindPeople`).
fn others<'a>(
    document: &mut XmlDocument<'a>,
    element: &XmlElement<'a>,
) -> DecodeResult<Vec<ResponseMessage<'a, ()>>> {
    if element.attribute("ResponseClass").is_some() {
        return Ok(vec![message(document, element, payload::no_payload)?]);
    }
    let mut found = Vec::new();
    document.children(element, |document, child| {
        match child.local_name_in(Namespace::Messages) {
            "ResponseMessages" => found.extend(list(document, child, &mut payload::no_payload)?),
            "ResponseMessage" => found.push(message(document, child, payload::no_payload)?),
            _ => {}
        }
        Ok(())
    })?;
    Ok(found)
}
