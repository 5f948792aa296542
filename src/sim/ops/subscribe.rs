//! `Subscribe`, `Unsubscribe`, `GetEvents` and the beginning of `GetStreamingEvents`: what is asked for, and for which mailbox.
//! Who is told what is `notify`'s business. Nothing is ever pushed.

use std::collections::BTreeSet;

use roxmltree::Node;

use super::Desk;
use super::ids::folder;
use crate::sim::ids::{self, Named};
use crate::sim::notify::{EventType, Interest, Opening, Way, Wish, begin, dead_message, watermark};
use crate::sim::soap_in::{Refusal, boolean, elements, in_order, m, need_m, need_t, t, t_text, text};
use crate::sim::soap_out::{escape, messages};
use crate::sim::trouble::Wrong;
use crate::sim::world::Folder;

/// Minutes a pull subscription may live without being asked.
const TIMEOUT: std::ops::RangeInclusive<u32> = 1..=1_440;
/// Minutes a stream may last.
const CONNECTION_TIMEOUT: std::ops::RangeInclusive<u32> = 1..=30;
/// Subscriptions one stream may serve.
const STREAM_SUBSCRIPTIONS_MAX: usize = 200;

pub(super) fn subscribe(desk: &mut Desk<'_>, request: Node<'_, '_>) -> Result<String, Refusal> {
    let asked =
        elements(request).next().ok_or_else(|| Refusal::schema(request, "Nothing is subscribed to."))?;
    let way = match asked.tag_name().name() {
        "StreamingSubscriptionRequest" => {
            in_order(asked, &["FolderIds", "EventTypes"])?;
            Some(Way::Streaming)
        }
        "PullSubscriptionRequest" => {
            in_order(asked, &["FolderIds", "EventTypes", "Watermark", "Timeout"])?;
            let minutes = minutes(need_t(asked, "Timeout")?, &TIMEOUT)?;
            Some(Way::Pull(desk.hub.minutes(minutes)))
        }
        "PushSubscriptionRequest" => None,
        other => return Err(Refusal::schema(asked, &format!("'{other}' is no way of subscribing."))),
    };
    let types = types(need_t(asked, "EventTypes")?)?;
    let outcome = one(desk, asked, way, types);
    Ok(messages("Subscribe", &[outcome], ""))
}

fn one(
    desk: &mut Desk<'_>,
    asked: Node<'_, '_>,
    way: Option<Way>,
    types: Vec<EventType>,
) -> Result<String, Refusal> {
    let way = way.ok_or_else(|| {
        Refusal::new("ErrorInvalidPushSubscriptionUrl", "The simulator does not push notifications.")
    })?;
    let folders = folders(desk, asked)?;
    let mailbox = desk.mailbox()?;
    let (number, last) = (mailbox.number, mailbox.items.log().last());
    // Some clients have it in the other namespace, and Exchange does not mind.
    let told = match t_text(asked, "Watermark").or_else(|| m(asked, "Watermark").map(text)) {
        Some(mark) => begin(&mark, number, last)?,
        None => last,
    };
    let interest = Interest { mailbox: number, folders, types };
    let id = desk.hub.subscribe(interest, way, told, desk.caller.back_end, desk.caller.now)?;
    let mark = match way {
        Way::Streaming => String::new(),
        Way::Pull(_) => format!("<m:Watermark>{}</m:Watermark>", watermark(number, told)),
    };
    Ok(format!("<m:SubscriptionId>{id}</m:SubscriptionId>{mark}"))
}

/// The folders listened to, all of one mailbox; `None` for all it has.
fn folders(desk: &Desk<'_>, asked: Node<'_, '_>) -> Result<Option<Vec<Folder>>, Refusal> {
    let bad = |text: &str| Refusal::new("ErrorInvalidSubscriptionRequest", text);
    let all = asked.attribute("SubscribeToAllFolders").and_then(boolean).unwrap_or(false);
    let named: Vec<Node<'_, '_>> = t(asked, "FolderIds").into_iter().flat_map(elements).collect();
    match (all, named.is_empty()) {
        (true, true) => return Ok(None),
        (false, false) => {}
        (true, false) => return Err(bad("Either all folders are subscribed to, or those that are named.")),
        (false, true) => return Err(bad("There is no folder to subscribe to.")),
    }
    let mailboxes: BTreeSet<Option<u32>> = named.iter().map(|id| mailbox_of(desk, *id)).collect();
    if mailboxes.len() > 1 {
        return Err(bad("The folders of a subscription have to be in one mailbox."));
    }
    named.into_iter().map(|id| folder(desk, id)).collect::<Result<_, _>>().map(Some)
}

/// The mailbox that a folder's id names; that acted for, when it names none.
fn mailbox_of(desk: &Desk<'_>, id: Node<'_, '_>) -> Option<u32> {
    let by_id = || match ids::read_id(id.attribute("Id")?)? {
        Named::Folder { mailbox, .. } => Some(mailbox),
        Named::Item(_) => None,
    };
    match t(id, "Mailbox").and_then(|mailbox| t_text(mailbox, "EmailAddress")) {
        Some(address) => desk.world.mailbox(&address).map(|mailbox| mailbox.number),
        None => by_id().or(desk.acting),
    }
}

fn types(node: Node<'_, '_>) -> Result<Vec<EventType>, Refusal> {
    let one = |node| {
        EventType::named(text(node).trim())
            .ok_or_else(|| Refusal::schema(node, "The 'EventType' element is invalid."))
    };
    let types: Vec<EventType> = elements(node).map(one).collect::<Result<_, _>>()?;
    if types.is_empty() {
        return Err(Refusal::schema(node, "The element 'EventTypes' has incomplete content."));
    }
    Ok(types)
}

fn minutes(node: Node<'_, '_>, allowed: &std::ops::RangeInclusive<u32>) -> Result<u32, Refusal> {
    let minutes = text(node).trim().parse().ok().filter(|minutes| allowed.contains(minutes));
    let name = node.tag_name().name();
    minutes.ok_or_else(|| Refusal::schema(node, &format!("The '{name}' element is invalid.")))
}

/// A subscription's id, which the schema wants not to be empty.
fn id(node: Node<'_, '_>) -> Result<String, Refusal> {
    let id = text(node).trim().to_owned();
    if id.is_empty() {
        return Err(Refusal::schema(node, "The 'SubscriptionId' element is invalid."));
    }
    Ok(id)
}

pub(super) fn unsubscribe(desk: &mut Desk<'_>, request: Node<'_, '_>) -> Result<String, Refusal> {
    let id = id(need_m(request, "SubscriptionId")?)?;
    let outcome = desk.hub.unsubscribe(&id, desk.caller.back_end, desk.caller.now);
    Ok(messages("Unsubscribe", &[outcome.map(|()| String::new())], ""))
}

pub(super) fn get_events(desk: &mut Desk<'_>, request: Node<'_, '_>) -> Result<String, Refusal> {
    let id = id(need_m(request, "SubscriptionId")?)?;
    let mark = text(need_m(request, "Watermark")?);
    let page = desk.hub.pull(&id, mark.trim(), desk.world, desk.caller.back_end, desk.caller.now);
    let outcome = page.map(|page| {
        format!(
            "<m:Notification><t:SubscriptionId>{}</t:SubscriptionId>\
             <t:PreviousWatermark>{}</t:PreviousWatermark><t:MoreEvents>{}</t:MoreEvents>{}</m:Notification>",
            escape(&id),
            escape(&page.previous),
            page.more,
            page.events.concat()
        )
    });
    Ok(messages("GetEvents", &[outcome], ""))
}

/// What `GetStreamingEvents` leads to: a stream and the minutes it lasts, or a whole answer that says why there is none.
pub(super) fn get_streaming_events(
    desk: &mut Desk<'_>,
    request: Node<'_, '_>,
    wrong: Option<Wrong>,
) -> Result<Result<(Opening, u32), String>, Refusal> {
    in_order(request, &["SubscriptionIds", "ConnectionTimeout"])?;
    let ids: Vec<String> = elements(need_m(request, "SubscriptionIds")?).map(id).collect::<Result<_, _>>()?;
    let minutes = minutes(need_m(request, "ConnectionTimeout")?, &CONNECTION_TIMEOUT)?;
    if ids.is_empty() {
        return Err(Refusal::schema(request, "The element 'SubscriptionIds' has incomplete content."));
    }
    if ids.len() > STREAM_SUBSCRIPTIONS_MAX {
        let why = Refusal::new("ErrorInvalidSubscriptionRequest", "There are too many subscriptions.");
        return Ok(Err(dead_message(&[(why, String::new())])));
    }
    let wish = Wish { ids, acting: desk.acting, back_end: desk.caller.back_end, wrong };
    let opened = desk.hub.open(wish, desk.world, desk.caller.now);
    Ok(opened.map(|opening| (opening, minutes)).map_err(|failures| dead_message(&failures)))
}
