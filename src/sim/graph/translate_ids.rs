//! `translateExchangeIds`: converts ids of one mailbox between the formats of EWS and Graph. An id that does not
//! convert has error details in its place.

use serde_json::{Map, Value, json};

use super::context::GraphContext;
use super::error::GraphError;
use super::ids::{self, IdFormat};
use super::reply::GraphReply;
use crate::sim::ids as ews_ids;
use crate::sim::mailbox::Mailbox;
use crate::sim::views;

/// Limit of ids in one request.
const IDS_MAX: usize = 1_000;

/// An id format of `exchangeIdFormat`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ExchangeIdFormat {
    Ews,
    Rest,
    RestImmutable,
}

pub(super) fn answer(context: &GraphContext<'_>, mailbox: u32) -> Result<GraphReply, GraphError> {
    let body = context.call.json()?;
    let parameter = |name: &str| {
        body.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value).ok_or_else(|| {
            GraphError::bad_request("BadRequest", format!("The parameter '{name}' is required."))
        })
    };
    let (from, to) = (format(parameter("sourceIdType")?)?, format(parameter("targetIdType")?)?);
    let inputs = parameter("inputIds")?.as_array().filter(|ids| ids.len() <= IDS_MAX);
    let inputs = inputs.ok_or_else(|| {
        GraphError::bad_request("ErrorInvalidParameter", "inputIds must be a collection of at most 1000 ids.")
    })?;
    let mailbox = context.mailbox(mailbox)?;
    let results: Vec<Value> = inputs.iter().map(|id| convert(mailbox, id, from, to)).collect();
    let metadata = context.metadata("Collection(microsoft.graph.convertIdResult)");
    Ok(GraphReply::ok(json!({ "@odata.context": metadata, "value": results })))
}

fn format(value: &Value) -> Result<ExchangeIdFormat, GraphError> {
    match value.as_str() {
        Some("ewsId") => Ok(ExchangeIdFormat::Ews),
        Some("restId") => Ok(ExchangeIdFormat::Rest),
        Some("restImmutableEntryId") => Ok(ExchangeIdFormat::RestImmutable),
        _ => Err(GraphError::bad_request(
            "ErrorInvalidParameter",
            "The id format is not supported by the simulator: use ewsId, restId or restImmutableEntryId.",
        )),
    }
}

fn convert(mailbox: &Mailbox, id: &Value, from: ExchangeIdFormat, to: ExchangeIdFormat) -> Value {
    let source = id.as_str().unwrap_or_default();
    let mut result = Map::new();
    result.insert("sourceId".to_owned(), json!(source));
    match target(mailbox, source, from, to) {
        Ok(target) => result.insert("targetId".to_owned(), json!(target)),
        Err(error) => {
            result.insert("targetId".to_owned(), Value::Null);
            let details = json!({ "code": error.code, "message": error.message });
            result.insert("errorDetails".to_owned(), details)
        }
    };
    Value::Object(result)
}

fn target(
    mailbox: &Mailbox,
    source: &str,
    from: ExchangeIdFormat,
    to: ExchangeIdFormat,
) -> Result<String, GraphError> {
    let is_ews = from == ExchangeIdFormat::Ews;
    let at = ids::find(mailbox, &if is_ews { ids::classic(source) } else { source.to_owned() })?;
    let item = mailbox.items.get(&at.item).ok_or_else(GraphError::item_not_found)?;
    Ok(match to {
        // An exception may have another EWS id than its occurrence had.
        ExchangeIdFormat::Ews => {
            views::view(mailbox, at).map_or_else(|_| ews_ids::item_id(at), |view| view.id())
        }
        ExchangeIdFormat::Rest => IdFormat::Classic.encode(at, item),
        ExchangeIdFormat::RestImmutable => IdFormat::Immutable.encode(at, item),
    })
}
