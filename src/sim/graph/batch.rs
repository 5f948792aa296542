//! `$batch`: up to twenty requests in one, worked off one after the other, each with its own headers. The responses
//! come in another order and are matched by `id`; a request whose dependency failed is answered with 424.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::call::GraphCall;
use super::error::{GraphError, ResponseIds};
use super::perform::{GraphBackEnd, after_execution, before_execution};
use super::reply::{GraphOutcome, GraphReply};

/// Limit of requests in a batch.
const REQUESTS_MAX: usize = 20;

/// One request of a batch.
struct BatchStep {
    id: String,
    depends_on: Vec<String>,
    call: Result<GraphCall, GraphError>,
}

/// Performs a batch. If the answer to one request is lost, that to the whole batch is.
pub(super) async fn perform(
    back_end: &GraphBackEnd,
    call: &GraphCall,
    connection: u64,
) -> Result<GraphOutcome, GraphError> {
    back_end.log(call, "Batch", None, connection);
    let injected = back_end.pick_fault("Batch", None).await;
    if let Some(instead) = injected.as_ref().and_then(|fault| before_execution(fault, &back_end.options)) {
        return instead;
    }
    let steps = in_order(read(call)?)?;
    let mut statuses: BTreeMap<String, u16> = BTreeMap::new();
    let mut responses = Vec::new();
    let mut is_lost = false;
    for step in steps {
        let has_failed = |id: &String| statuses.get(id).is_none_or(|status| *status >= 300);
        let outcome = match step.call {
            _ if step.depends_on.iter().any(has_failed) => Err(failed_dependency()),
            Ok(call) => back_end.perform(&call, connection).await,
            Err(error) => Err(error),
        };
        let response = match outcome {
            Ok(GraphOutcome::Reply(reply)) => response(&step.id, reply.status, reply.headers, reply.body),
            Ok(GraphOutcome::Page(status, _)) => response(&step.id, status, Vec::new(), None),
            Ok(_) => {
                is_lost = true;
                response(&step.id, StatusCode::OK, Vec::new(), None)
            }
            Err(error) => error_response(back_end, &step.id, &error),
        };
        let status =
            response.get("status").and_then(Value::as_u64).and_then(|status| u16::try_from(status).ok());
        statuses.insert(step.id, status.unwrap_or(500));
        responses.push(response);
    }
    if is_lost {
        return Ok(GraphOutcome::Reset);
    }
    responses.reverse();
    after_execution(Ok(GraphReply::ok(json!({ "responses": responses }))), injected)
}

fn read(call: &GraphCall) -> Result<Vec<BatchStep>, GraphError> {
    let body = call.json()?;
    let requests = body.get("requests").and_then(Value::as_array).filter(|requests| !requests.is_empty());
    let requests = requests.ok_or_else(|| invalid("The batch has no requests."))?;
    if requests.len() > REQUESTS_MAX {
        return Err(invalid("Number of batch request steps exceeds the maximum value of 20."));
    }
    requests.iter().map(|request| step(call, request)).collect()
}

fn step(batch: &GraphCall, request: &Value) -> Result<BatchStep, GraphError> {
    let text = |name: &str| request.get(name).and_then(Value::as_str);
    let id = text("id").filter(|id| !id.is_empty()).ok_or_else(|| invalid("A request has no id."))?;
    let method = text("method").and_then(|method| Method::from_bytes(method.to_uppercase().as_bytes()).ok());
    let method = method.ok_or_else(|| invalid("A request has no method."))?;
    let url = text("url").ok_or_else(|| invalid("A request has no url."))?;
    let url = if url.starts_with('/') { url.to_owned() } else { format!("/{url}") };
    let body = match request.get("body") {
        None | Some(Value::Null) => Bytes::new(),
        Some(body) => Bytes::from(body.to_string()),
    };
    let depends_on = match request.get("dependsOn") {
        None | Some(Value::Null) => Vec::new(),
        Some(ids) => {
            let ids = ids.as_array().ok_or_else(|| invalid("dependsOn is not a collection."))?;
            ids.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        }
    };
    let call = GraphCall::new(method, &url, headers(request.get("headers")), body, &batch.root);
    Ok(BatchStep { id: id.to_owned(), depends_on, call })
}

fn headers(value: Option<&Value>) -> HeaderMap {
    let listed = value.and_then(Value::as_object).into_iter().flatten();
    let pairs = listed.filter_map(|(name, value)| {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        Some((name, HeaderValue::from_str(value.as_str()?).ok()?))
    });
    pairs.collect()
}

/// The steps in an order in which each follows those it depends on.
fn in_order(mut steps: Vec<BatchStep>) -> Result<Vec<BatchStep>, GraphError> {
    let ids: BTreeSet<String> = steps.iter().map(|step| step.id.clone()).collect();
    if ids.len() != steps.len() {
        return Err(invalid("Two requests have the same id."));
    }
    let mut sorted: Vec<BatchStep> = Vec::new();
    while !steps.is_empty() {
        let done: BTreeSet<String> = sorted.iter().map(|step| step.id.clone()).collect();
        let (ready, waiting): (Vec<_>, Vec<_>) =
            steps.into_iter().partition(|step| step.depends_on.iter().all(|id| done.contains(id)));
        if ready.is_empty() {
            return Err(invalid("dependsOn refers to a missing request, or in a circle."));
        }
        sorted.extend(ready);
        steps = waiting;
    }
    Ok(sorted)
}

fn response(
    id: &str,
    status: StatusCode,
    headers: Vec<(&'static str, String)>,
    body: Option<Value>,
) -> Value {
    let mut shown: Map<String, Value> =
        headers.into_iter().map(|(name, value)| (name.to_owned(), Value::String(value))).collect();
    if body.is_some() {
        shown.insert("Content-Type".to_owned(), json!("application/json"));
    }
    json!({ "id": id, "status": status.as_u16(), "headers": shown, "body": body })
}

fn error_response(back_end: &GraphBackEnd, id: &str, error: &GraphError) -> Value {
    let own = Uuid::new_v4().to_string();
    let ids = ResponseIds { request_id: own.clone(), client_request_id: own };
    let retry = error.retry_after.map(|seconds| ("Retry-After", seconds.to_string()));
    let body = error.body(back_end.now(), &ids);
    response(id, error.status, retry.into_iter().collect(), Some(body))
}

fn failed_dependency() -> GraphError {
    let text = "The request depends on a request that failed.";
    GraphError::new(StatusCode::FAILED_DEPENDENCY, "FailedDependency", text)
}

fn invalid(text: &str) -> GraphError {
    GraphError::bad_request("BadRequest", text)
}
