//! One page of a collection, and the link to the next one: an absolute URL under the host that the client used.

use serde_json::{Map, Value, json};

use super::call::GraphCall;
use super::query::QueryOptions;

/// A page of `all`; only its own elements are rendered.
pub(super) fn page<T>(
    call: &GraphCall,
    context: String,
    options: &QueryOptions,
    all: &[T],
    render: impl Fn(&T) -> Map<String, Value>,
) -> Value {
    let rest = all.get(options.skip..).unwrap_or_default();
    let shown: Vec<Value> = rest.iter().take(options.top).map(|one| Value::Object(render(one))).collect();
    let mut page = Map::new();
    page.insert("@odata.context".to_owned(), json!(context));
    if options.counts {
        page.insert("@odata.count".to_owned(), json!(all.len()));
    }
    if rest.len() > shown.len() {
        page.insert("@odata.nextLink".to_owned(), json!(next_link(call, options.skip + shown.len())));
    }
    page.insert("value".to_owned(), Value::Array(shown));
    Value::Object(page)
}

/// The request's own URL with another `$skip`.
fn next_link(call: &GraphCall, skip: usize) -> String {
    let others = call.query.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("$skip"));
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(others)
        .append_pair("$skip", &skip.to_string())
        .finish();
    format!("{}/v1.0{}?{}", call.root, call.path, query.replace("%24", "$"))
}
