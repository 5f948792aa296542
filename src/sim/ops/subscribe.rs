//! `Subscribe`, `Unsubscribe`, `GetEvents` and `GetStreamingEvents`: parses the requests. `notify` holds the
//! subscriptions and produces the events. Push subscriptions are rejected.

use std::collections::BTreeSet;

use roxmltree::Node;

use super::ids::folder;
use super::request_context::{OperationResponse, RequestContext};
use crate::sim::ews_error::EwsError;
use crate::sim::faults::InjectedFault;
use crate::sim::folder::MailboxFolder;
use crate::sim::ids::{self, DecodedId};
use crate::sim::notify::{
    DeliveryMode, EventType, StreamRequest, SubscriptionFilter, no_live_subscription_response,
    start_after_watermark, watermark,
};
use crate::sim::soap_request::{boolean, elements, m, require_m, require_order, require_t, t, t_text, text};
use crate::sim::soap_response::messages;
use crate::sim::xml::escape;

/// Range of a pull subscription's `Timeout`, in minutes.
const TIMEOUT: std::ops::RangeInclusive<u32> = 1..=1_440;
/// Range of a stream's `ConnectionTimeout`, in minutes.
const CONNECTION_TIMEOUT: std::ops::RangeInclusive<u32> = 1..=30;
/// Limit of subscriptions of one stream.
const STREAM_SUBSCRIPTIONS_MAX: usize = 200;

pub(super) fn subscribe(context: &mut RequestContext<'_>, request: Node<'_, '_>) -> Result<String, EwsError> {
    let subscription = elements(request).next().ok_or_else(|| {
        EwsError::schema_violation(request, "The element 'Subscribe' has incomplete content.")
    })?;
    let mode = match subscription.tag_name().name() {
        "StreamingSubscriptionRequest" => {
            require_order(subscription, &["FolderIds", "EventTypes"])?;
            Some(DeliveryMode::Streaming)
        }
        "PullSubscriptionRequest" => {
            require_order(subscription, &["FolderIds", "EventTypes", "Watermark", "Timeout"])?;
            let minutes = minutes(require_t(subscription, "Timeout")?, &TIMEOUT)?;
            Some(DeliveryMode::Pull(context.hub.minutes(minutes)))
        }
        "PushSubscriptionRequest" => None,
        other => {
            return Err(EwsError::schema_violation(
                subscription,
                &format!("The element 'Subscribe' has invalid child element '{other}'."),
            ));
        }
    };
    let types = types(require_t(subscription, "EventTypes")?)?;
    let outcome = one(context, subscription, mode, types);
    Ok(messages("Subscribe", &[outcome], ""))
}

fn one(
    context: &mut RequestContext<'_>,
    subscription: Node<'_, '_>,
    mode: Option<DeliveryMode>,
    types: Vec<EventType>,
) -> Result<String, EwsError> {
    let mode = mode.ok_or_else(|| {
        EwsError::new("ErrorInvalidPushSubscriptionUrl", "The simulator does not push notifications.")
    })?;
    let folders = folders(context, subscription)?;
    let mailbox = context.mailbox()?;
    let (number, last) = (mailbox.number, mailbox.items.log().last());
    // Some clients write it in the other namespace, which Exchange accepts.
    let last_reported =
        match t_text(subscription, "Watermark").or_else(|| m(subscription, "Watermark").map(text)) {
            Some(mark) => start_after_watermark(&mark, number, last)?,
            None => last,
        };
    let interest = SubscriptionFilter { mailbox: number, folders, types };
    let id =
        context.hub.subscribe(interest, mode, last_reported, context.caller.back_end, context.caller.now)?;
    let mark = match mode {
        DeliveryMode::Streaming => String::new(),
        DeliveryMode::Pull(_) => format!("<m:Watermark>{}</m:Watermark>", watermark(number, last_reported)),
    };
    Ok(format!("<m:SubscriptionId>{id}</m:SubscriptionId>{mark}"))
}

/// The subscribed folders, all of one mailbox; `None` for all folders.
fn folders(
    context: &RequestContext<'_>,
    subscription: Node<'_, '_>,
) -> Result<Option<Vec<MailboxFolder>>, EwsError> {
    let bad = |text: &str| EwsError::new("ErrorInvalidSubscriptionRequest", text);
    let all = subscription.attribute("SubscribeToAllFolders").and_then(boolean).unwrap_or(false);
    let named: Vec<Node<'_, '_>> = t(subscription, "FolderIds").into_iter().flat_map(elements).collect();
    match (all, named.is_empty()) {
        (true, true) => return Ok(None),
        (false, false) => {}
        (true, false) => return Err(bad("SubscribeToAllFolders and FolderIds exclude each other.")),
        (false, true) => return Err(bad("FolderIds is empty.")),
    }
    let mailboxes: BTreeSet<Option<u32>> = named.iter().map(|id| mailbox_of(context, *id)).collect();
    if mailboxes.len() > 1 {
        return Err(bad("The folders of a subscription must be in one mailbox."));
    }
    named.into_iter().map(|id| folder(context, id)).collect::<Result<_, _>>().map(Some)
}

/// The mailbox of a folder id; the target mailbox if the id names none.
fn mailbox_of(context: &RequestContext<'_>, id: Node<'_, '_>) -> Option<u32> {
    let by_id = || match ids::read_id(id.attribute("Id")?)? {
        DecodedId::Folder { mailbox, .. } => Some(mailbox),
        DecodedId::Item(_) => None,
    };
    match t(id, "Mailbox").and_then(|mailbox| t_text(mailbox, "EmailAddress")) {
        Some(address) => context.world.mailbox(&address).map(|mailbox| mailbox.number),
        None => by_id().or(context.acting),
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

pub(super) fn unsubscribe(
    context: &mut RequestContext<'_>,
    request: Node<'_, '_>,
) -> Result<String, EwsError> {
    let id = id(require_m(request, "SubscriptionId")?)?;
    let outcome = context.hub.unsubscribe(&id, context.caller.back_end, context.caller.now);
    Ok(messages("Unsubscribe", &[outcome.map(|()| String::new())], ""))
}

pub(super) fn get_events(
    context: &mut RequestContext<'_>,
    request: Node<'_, '_>,
) -> Result<String, EwsError> {
    let id = id(require_m(request, "SubscriptionId")?)?;
    let mark = text(require_m(request, "Watermark")?);
    let page = context.hub.pull(&id, mark.trim(), context.world, context.caller.back_end, context.caller.now);
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

/// Opens a stream, or returns a complete response with the reason why not.
pub(super) fn get_streaming_events(
    context: &mut RequestContext<'_>,
    request: Node<'_, '_>,
    fault: Option<InjectedFault>,
) -> Result<OperationResponse, EwsError> {
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
        return Ok(OperationResponse::Complete(no_live_subscription_response(&[(why, String::new())])));
    }
    let stream_request =
        StreamRequest { ids, acting: context.acting, back_end: context.caller.back_end, fault };
    Ok(match context.hub.open(stream_request, context.world, context.caller.now) {
        Ok(handle) => OperationResponse::Streaming(handle, minutes),
        Err(failures) => OperationResponse::Complete(no_live_subscription_response(&failures)),
    })
}
