//! JSON objects from the `json!` macro, to which further properties are added.

use serde_json::{Map, Value};

/// The object of a literal; empty for any other value.
pub(super) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}
