//! `places`: rooms, room lists, and the rooms of a list, a hundred on a page.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::context::GraphContext;
use super::error::GraphError;
use super::json_object::object;
use super::paging;
use super::query::QueryOptions;
use super::reply::GraphReply;
use crate::sim::ids;
use crate::sim::mailbox::{Mailbox, MailboxKind, key};
use crate::sim::world::RoomList;

/// Default page size.
const PLACES: usize = 100;

pub(super) fn rooms(context: &GraphContext<'_>) -> Result<GraphReply, GraphError> {
    let is_room = |mailbox: &&Mailbox| mailbox.kind == MailboxKind::Room && !mailbox.entry.is_hidden;
    let rooms: Vec<&Mailbox> = context.world.mailboxes().filter(is_room).collect();
    page(context, "places/microsoft.graph.room", &rooms, |room| place(room))
}

/// The room with this id or address.
pub(super) fn room(context: &GraphContext<'_>, wanted: &str) -> Result<GraphReply, GraphError> {
    let is_wanted = |room: &&Mailbox| {
        room.kind == MailboxKind::Room
            && (key(&room.address) == key(wanted) || ids::guid(room.number) == key(wanted))
    };
    let room = context.world.mailboxes().find(is_wanted).ok_or_else(|| {
        GraphError::new(StatusCode::NOT_FOUND, "ResourceNotFound", "The place was not found.")
    })?;
    let mut shown = place(room);
    shown.insert("@odata.context".to_owned(), json!(context.metadata("places/$entity")));
    shown.insert("@odata.type".to_owned(), json!("#microsoft.graph.room"));
    Ok(GraphReply::ok(Value::Object(shown)))
}

pub(super) fn room_lists(context: &GraphContext<'_>) -> Result<GraphReply, GraphError> {
    let lists: Vec<(usize, &RoomList)> = context.world.room_lists.iter().enumerate().collect();
    page(context, "places/microsoft.graph.roomList", &lists, |(at, list)| room_list(*at, list))
}

/// The rooms of a list, which is named by its id or address.
pub(super) fn rooms_of_list(context: &GraphContext<'_>, wanted: &str) -> Result<GraphReply, GraphError> {
    let mut lists = context.world.room_lists.iter().enumerate();
    let is_wanted =
        |at: usize, list: &RoomList| key(&list.address) == key(wanted) || list_id(at) == key(wanted);
    let (_, list) = lists.find(|(at, list)| is_wanted(*at, list)).ok_or_else(|| {
        GraphError::new(StatusCode::NOT_FOUND, "ResourceNotFound", "The room list was not found.")
    })?;
    let rooms: Vec<&Mailbox> =
        list.rooms.iter().filter_map(|address| context.world.mailbox(address)).collect();
    let fragment = format!("places('{}')/microsoft.graph.roomList/rooms", list.address.replace('\'', "''"));
    page(context, &fragment, &rooms, |room| place(room))
}

fn page<T>(
    context: &GraphContext<'_>,
    fragment: &str,
    all: &[T],
    render: impl Fn(&T) -> Map<String, Value>,
) -> Result<GraphReply, GraphError> {
    let mut options = QueryOptions::read(context.call, &context.preferences)?;
    if context.call.field("$top").is_none() {
        options.top = PLACES;
    }
    Ok(GraphReply::ok(paging::page(context.call, context.metadata(fragment), &options, all, render)))
}

fn place(room: &Mailbox) -> Map<String, Value> {
    let spec = &room.entry.place;
    object(json!({
        "id": ids::guid(room.number),
        "displayName": room.name,
        "emailAddress": room.address,
        "nickname": room.name,
        "address": null,
        "geoCoordinates": null,
        "phone": "",
        "label": null,
        "capacity": spec.capacity,
        "building": spec.building,
        "floorNumber": spec.floor,
        "floorLabel": spec.floor_label,
        "isWheelChairAccessible": false,
        "bookingType": "standard",
        "tags": spec.tags,
        "audioDeviceName": null,
        "videoDeviceName": spec.video_device,
        "displayDeviceName": null,
    }))
}

fn room_list(at: usize, list: &RoomList) -> Map<String, Value> {
    object(json!({
        "id": list_id(at),
        "displayName": list.name,
        "emailAddress": list.address,
        "address": null,
        "geoCoordinates": null,
        "phone": null,
    }))
}

/// The object id of the list at this position.
fn list_id(at: usize) -> String {
    format!("7c1d0000-6d1c-4e02-9f3b-{at:012x}")
}
