//! The envelope, its header, and whose answer is inside.
//!
//! Never demands a header: faults come without one, and so do answers that a proxy has touched.

use super::super::decode::{Body, Envelope};
use super::super::error::{DecodeError, Deviation};
use super::availability::availability;
use super::document::{Document, Element};
use super::fault::fault;
use super::message::{list, message, messages};
use super::namespace::Namespace;
use super::{changes, payload, value};
use crate::ews::soap::ServerVersionInfo;
use crate::ews::types::ResponseMessage;

type Result<T> = std::result::Result<T, DecodeError>;

/// The whole document.
pub(super) fn envelope<'a>(document: &mut Document<'a>) -> Result<Envelope<'a>> {
    let root = document.root()?;
    if !(root.namespace.is_soap() && root.local == "Envelope") {
        let deviation = Deviation::NotSoap { root: root.local.to_owned(), namespace: root.uri().to_owned() };
        return Err(DecodeError::new(deviation, root.offset));
    }
    let (mut server, mut body) = (None, None);
    document.children(&root, |document, child| {
        match child.local {
            _ if !child.namespace.is_soap() => {}
            "Header" => server = header(document, child)?,
            "Body" => body = content(document, child)?,
            _ => {}
        }
        Ok(())
    })?;
    document.finish()?;
    let body = body.ok_or_else(|| DecodeError::new(Deviation::EmptyEnvelope, root.offset))?;
    Ok(Envelope { server, body })
}

fn header<'a>(document: &mut Document<'a>, element: &Element<'a>) -> Result<Option<ServerVersionInfo<'a>>> {
    let mut server = None;
    document.children(element, |_, child| {
        if child.is(Namespace::Types, "ServerVersionInfo") {
            server = Some(server_version(child));
        }
        Ok(())
    })?;
    Ok(server)
}

fn server_version<'a>(element: &Element<'a>) -> ServerVersionInfo<'a> {
    ServerVersionInfo {
        major: value::number_in(element, "MajorVersion"),
        minor: value::number_in(element, "MinorVersion"),
        major_build: value::number_in(element, "MajorBuildNumber"),
        minor_build: value::number_in(element, "MinorBuildNumber"),
        version: element.attribute("Version"),
    }
}

fn content<'a>(document: &mut Document<'a>, element: &Element<'a>) -> Result<Option<Body<'a>>> {
    let mut body = None;
    document.children(element, |document, child| {
        body = Some(answer(document, child)?);
        Ok(())
    })?;
    Ok(body)
}

fn answer<'a>(document: &mut Document<'a>, element: &Element<'a>) -> Result<Body<'a>> {
    if element.namespace.is_soap() && element.local == "Fault" {
        return fault(document, element).map(Body::Fault);
    }
    Ok(match element.local_in(Namespace::Messages) {
        "FindItemResponse" => Body::FindItem(messages(document, element, payload::root_folder)?),
        "GetItemResponse" => Body::GetItem(messages(document, element, payload::items)?),
        "UpdateItemResponse" => Body::UpdateItem(messages(document, element, payload::updated)?),
        "DeleteItemResponse" => Body::DeleteItem(messages(document, element, payload::nothing)?),
        "CreateItemResponse" => Body::CreateItem(messages(document, element, payload::items)?),
        "MoveItemResponse" => Body::MoveItem(messages(document, element, payload::items)?),
        "GetFolderResponse" => Body::GetFolder(messages(document, element, payload::folders)?),
        "ResolveNamesResponse" => Body::ResolveNames(messages(document, element, payload::resolutions)?),
        "GetRoomListsResponse" => Body::GetRoomLists(message(document, element, payload::room_lists)?),
        "GetRoomsResponse" => Body::GetRooms(message(document, element, payload::rooms)?),
        "SubscribeResponse" => Body::Subscribe(messages(document, element, changes::subscribed)?),
        "UnsubscribeResponse" => Body::Unsubscribe(messages(document, element, payload::nothing)?),
        "GetStreamingEventsResponse" => {
            Body::GetStreamingEvents(messages(document, element, changes::streamed)?)
        }
        "SyncFolderItemsResponse" => Body::SyncFolderItems(messages(document, element, changes::synced)?),
        "GetUserAvailabilityResponse" => Body::GetUserAvailability(availability(document, element)?),
        _ => Body::Other { element: element.local.into(), messages: others(document, element)? },
    })
}

/// The messages of an operation that we never call. Whether they stand in `m:ResponseMessages`, alone
/// (`GetUserOofSettings`), or are the answer itself (`FindPeople`), depends on the operation.
fn others<'a>(document: &mut Document<'a>, element: &Element<'a>) -> Result<Vec<ResponseMessage<'a, ()>>> {
    if element.attribute("ResponseClass").is_some() {
        return Ok(vec![message(document, element, payload::nothing)?]);
    }
    let mut found = Vec::new();
    document.children(element, |document, child| {
        match child.local_in(Namespace::Messages) {
            "ResponseMessages" => found.extend(list(document, child, &mut payload::nothing)?),
            "ResponseMessage" => found.push(message(document, child, payload::nothing)?),
            _ => {}
        }
        Ok(())
    })?;
    Ok(found)
}
