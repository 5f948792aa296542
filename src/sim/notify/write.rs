//! The envelopes of a stream.
//!
//! Exchange writes the `Notification` and `SubscriptionId` of a stream's lists in the messages namespace, although its
//! schema has them in the types namespace. Clients expect the former, so the simulator writes that.

use std::collections::BTreeMap;

use super::super::ews_error::EwsError;
use super::super::exchange_release::ExchangeRelease;
use super::super::soap_response::{error_elements, response, stream_envelope};
use super::super::xml::escape;

const OPERATION: &str = "GetStreamingEvents";

/// A `ConnectionStatus`: `OK` or `Closed`.
pub(super) fn status(release: ExchangeRelease, status: &str) -> String {
    success(release, &format!("<m:ConnectionStatus>{status}</m:ConnectionStatus>"))
}

/// The events, by subscription.
pub(super) fn notifications(release: ExchangeRelease, all: &[(String, Vec<String>)]) -> String {
    let one = |(id, events): &(String, Vec<String>)| {
        let id = escape(id);
        format!(
            "<m:Notification><t:SubscriptionId>{id}</t:SubscriptionId>{}</m:Notification>",
            events.concat()
        )
    };
    let all: String = all.iter().map(one).collect();
    success(release, &format!("<m:Notifications>{all}</m:Notifications>"))
}

/// The failed subscriptions: one envelope for each error code.
pub(super) fn failures(release: ExchangeRelease, failures: &[(EwsError, String)]) -> Vec<String> {
    by_code(failures).values().map(|same| stream_envelope(release, &answer(&error(same)))).collect()
}

/// The whole response to a request without a live subscription.
pub(crate) fn no_live_subscription_response(failures: &[(EwsError, String)]) -> String {
    answer(&by_code(failures).values().map(|same| error(same)).collect::<String>())
}

fn by_code(failures: &[(EwsError, String)]) -> BTreeMap<&'static str, Vec<&(EwsError, String)>> {
    let mut all: BTreeMap<&'static str, Vec<_>> = BTreeMap::new();
    for failure in failures {
        all.entry(failure.0.code).or_default().push(failure);
    }
    all
}

fn error(same: &[&(EwsError, String)]) -> String {
    let id = |id: &str| format!("<m:SubscriptionId>{}</m:SubscriptionId>", escape(id));
    let ids: String = same.iter().filter(|(_, id)| !id.is_empty()).map(|(_, dead)| id(dead)).collect();
    let ids =
        if ids.is_empty() { ids } else { format!("<m:ErrorSubscriptionIds>{ids}</m:ErrorSubscriptionIds>") };
    let why = same.first().map(|(refusal, _)| error_elements(refusal)).unwrap_or_default();
    format!(
        r#"<m:{OPERATION}ResponseMessage ResponseClass="Error">{why}{ids}</m:{OPERATION}ResponseMessage>"#
    )
}

fn success(release: ExchangeRelease, content: &str) -> String {
    stream_envelope(
        release,
        &answer(&format!(
            r#"<m:{OPERATION}ResponseMessage ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode>{content}</m:{OPERATION}ResponseMessage>"#
        )),
    )
}

fn answer(messages: &str) -> String {
    response(OPERATION, "", &format!("<m:ResponseMessages>{messages}</m:ResponseMessages>"))
}
