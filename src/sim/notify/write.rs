//! What streams say, as complete envelopes.
//!
//! Exchange puts the `Notification` and `SubscriptionId` of a stream's lists into the messages namespace, where its own schema
//! has them in that of the types; clients have learnt to expect the former, so that is what is written.

use std::collections::BTreeMap;

use super::super::exchange_release::ExchangeRelease;
use super::super::soap_request::EwsError;
use super::super::soap_response::{error_elements, escape, response, stream_envelope};

const OPERATION: &str = "GetStreamingEvents";

/// That the stream is there, or that its time has come.
pub(super) fn status(release: ExchangeRelease, status: &str) -> String {
    success(release, &format!("<m:ConnectionStatus>{status}</m:ConnectionStatus>"))
}

/// What happened, by subscription.
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

/// The subscriptions that are in trouble: one envelope for each kind of it.
pub(super) fn failures(release: ExchangeRelease, failures: &[(EwsError, String)]) -> Vec<String> {
    by_code(failures).values().map(|same| stream_envelope(release, &answer(&error(same)))).collect()
}

/// The whole answer to a request none of whose subscriptions can be served.
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
