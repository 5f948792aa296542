//! `Subscribe`, `Unsubscribe`, `GetEvents` and `GetStreamingEvents`: parses the requests. `notify` holds the
//! subscriptions and produces the events. Push subscriptions are rejected.

use std::collections::BTreeSet;

use roxmltree::Node;

use super::RequestContext;
use super::ids::folder;
use crate::sim::faults::InjectedFault;
use crate::sim::ids::{self, DecodedId};
use crate::sim::notify::{
    DeliveryMode, EventType, StreamHandle, StreamRequest, SubscriptionFilter, no_live_subscription_response,
    start_after_watermark, watermark,
};
use crate::sim::soap_request::{
    EwsError, boolean, elements, m, require_m, require_order, require_t, t, t_text, text,
};
use crate::sim::soap_response::{escape, messages};
use crate::sim::world::MailboxFolder;

/// Range of a pull subscription's `Timeout`, in minutes.
const TIMEOUT: std::ops::RangeInclusive<u32> = 1..=1_440;
/// Range of a stream's `ConnectionTimeout`, in minutes.
const CONNECTION_TIMEOUT: std::ops::RangeInclusive<u32> = 1..=30;
/// Limit of subscriptions of one stream.
const STREAM_SUBSCRIPTIONS_MAX: usize = 200;

pub(super) fn subscribe(desk: &mut RequestContext<'_>, request: Node<'_, '_>) -> Result<String, EwsError> {
    let asked = elements(request).next().ok_or_else(|| {
        EwsError::schema_violation(request, "The element 'Subscribe' has incomplete content.")
    })?;
    let way = match asked.tag_name().name() {
        "StreamingSubscriptionRequest" => {
            require_order(asked, &["FolderIds", "EventTypes"])?;
            Some(DeliveryMode::Streaming)
        }
        "PullSubscriptionRequest" => {
            require_order(asked, &["FolderIds", "EventTypes", "Watermark", "Timeout"])?;
            let minutes = minutes(require_t(asked, "Timeout")?, &TIMEOUT)?;
            Some(DeliveryMode::Pull(desk.hub.minutes(minutes)))
        }
        "PushSubscriptionRequest" => None,
        other => {
            return Err(EwsError::schema_violation(
                asked,
                &format!("The element 'Subscribe' has invalid child element '{other}'."),
            ));
        }
    };
    let types = types(require_t(asked, "EventTypes")?)?;
    let outcome = one(desk, asked, way, types);
    Ok(messages("Subscribe", &[outcome], ""))
}

fn one(
    desk: &mut RequestContext<'_>,
    asked: Node<'_, '_>,
    way: Option<DeliveryMode>,
    types: Vec<EventType>,
) -> Result<String, EwsError> {
    let way = way.ok_or_else(|| {
        EwsError::new("ErrorInvalidPushSubscriptionUrl", "The simulator does not push notifications.")
    })?;
    let folders = folders(desk, asked)?;
    let mailbox = desk.mailbox()?;
    let (number, last) = (mailbox.number, mailbox.items.log().last());
    // Some clients write it in the other namespace, which Exchange accepts.
    let told = match t_text(asked, "Watermark").or_else(|| m(asked, "Watermark").map(text)) {
        Some(mark) => start_after_watermark(&mark, number, last)?,
        None => last,
    };
    let interest = SubscriptionFilter { mailbox: number, folders, types };
    let id = desk.hub.subscribe(interest, way, told, desk.caller.back_end, desk.caller.now)?;
    let mark = match way {
        DeliveryMode::Streaming => String::new(),
        DeliveryMode::Pull(_) => format!("<m:Watermark>{}</m:Watermark>", watermark(number, told)),
    };
    Ok(format!("<m:SubscriptionId>{id}</m:SubscriptionId>{mark}"))
}

/// The subscribed folders, all of one mailbox; `None` for all folders.
fn folders(desk: &RequestContext<'_>, asked: Node<'_, '_>) -> Result<Option<Vec<MailboxFolder>>, EwsError> {
    let bad = |text: &str| EwsError::new("ErrorInvalidSubscriptionRequest", text);
    let all = asked.attribute("SubscribeToAllFolders").and_then(boolean).unwrap_or(false);
    let named: Vec<Node<'_, '_>> = t(asked, "FolderIds").into_iter().flat_map(elements).collect();
    match (all, named.is_empty()) {
        (true, true) => return Ok(None),
        (false, false) => {}
        (true, false) => return Err(bad("SubscribeToAllFolders and FolderIds exclude each other.")),
        (false, true) => return Err(bad("FolderIds is empty.")),
    }
    let mailboxes: BTreeSet<Option<u32>> = named.iter().map(|id| mailbox_of(desk, *id)).collect();
    if mailboxes.len() > 1 {
        return Err(bad("The folders of a subscription must be in one mailbox."));
    }
    named.into_iter().map(|id| folder(desk, id)).collect::<Result<_, _>>().map(Some)
}

/// The mailbox of a folder id; the target mailbox if the id names none.
fn mailbox_of(desk: &RequestContext<'_>, id: Node<'_, '_>) -> Option<u32> {
    let by_id = || match ids::read_id(id.attribute("Id")?)? {
        DecodedId::Folder { mailbox, .. } => Some(mailbox),
        DecodedId::Item(_) => None,
    };
    match t(id, "Mailbox").and_then(|mailbox| t_text(mailbox, "EmailAddress")) {
        Some(address) => desk.world.mailbox(&address).map(|mailbox| mailbox.number),
        None => by_id().or(desk.acting),
    }
}

fn types(node: Node<'_, '_>) -> Result<Vec<EventType>, EwsError> {
    let one = |node| {
        EventType::from_name(text(node).trim())
            .ok_or_else(|| EwsError::schema_violation(node, "The 'EventType' element is invalid."))
    };
    let types: Vec<EventType> = elements(node).map(one).collect::<Result<_, _>>()?;
    if types.is_empty() {
        return Err(EwsError::schema_violation(node, "The element 'EventTypes' has incomplete content."));
    }
    Ok(types)
}

fn minutes(node: Node<'_, '_>, allowed: &std::ops::RangeInclusive<u32>) -> Result<u32, EwsError> {
    let minutes = text(node).trim().parse().ok().filter(|minutes| allowed.contains(minutes));
    let name = node.tag_name().name();
    minutes.ok_or_else(|| EwsError::schema_violation(node, &format!("The '{name}' element is invalid.")))
}

/// A subscription id, which must not be empty.
fn id(node: Node<'_, '_>) -> Result<String, EwsError> {
    let id = text(node).trim().to_owned();
    if id.is_empty() {
        return Err(EwsError::schema_violation(node, "The 'SubscriptionId' element is invalid."));
    }
    Ok(id)
}

pub(super) fn unsubscribe(desk: &mut RequestContext<'_>, request: Node<'_, '_>) -> Result<String, EwsError> {
    let id = id(require_m(request, "SubscriptionId")?)?;
    let outcome = desk.hub.unsubscribe(&id, desk.caller.back_end, desk.caller.now);
    Ok(messages("Unsubscribe", &[outcome.map(|()| String::new())], ""))
}

pub(super) fn get_events(desk: &mut RequestContext<'_>, request: Node<'_, '_>) -> Result<String, EwsError> {
    let id = id(require_m(request, "SubscriptionId")?)?;
    let mark = text(require_m(request, "Watermark")?);
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

/// Opens a stream: returns it with its minutes, or a complete response with the reason why not.
pub(super) fn get_streaming_events(
    desk: &mut RequestContext<'_>,
    request: Node<'_, '_>,
    wrong: Option<InjectedFault>,
) -> Result<Result<(StreamHandle, u32), String>, EwsError> {
    require_order(request, &["SubscriptionIds", "ConnectionTimeout"])?;
    let ids: Vec<String> =
        elements(require_m(request, "SubscriptionIds")?).map(id).collect::<Result<_, _>>()?;
    let minutes = minutes(require_m(request, "ConnectionTimeout")?, &CONNECTION_TIMEOUT)?;
    if ids.is_empty() {
        return Err(EwsError::schema_violation(
            request,
            "The element 'SubscriptionIds' has incomplete content.",
        ));
    }
    if ids.len() > STREAM_SUBSCRIPTIONS_MAX {
        let why =
            EwsError::new("ErrorInvalidSubscriptionRequest", "SubscriptionIds has more than 200 entries.");
        return Ok(Err(no_live_subscription_response(&[(why, String::new())])));
    }
    let wish = StreamRequest { ids, acting: desk.acting, back_end: desk.caller.back_end, fault: wrong };
    let opened = desk.hub.open(wish, desk.world, desk.caller.now);
    Ok(opened.map(|opening| (opening, minutes)).map_err(|failures| no_live_subscription_response(&failures)))
}
