//! The OpenAPI description is part of the interface: every change shows in fixtures/openapi.json.

use std::collections::BTreeSet;

use adjourn::api::PROBLEM_TYPES;
use serde_json::Value;

const GOLDEN: &str = include_str!("../../fixtures/openapi.json");

/// `ADJOURN_WRITE_OPENAPI=fixtures/openapi.json cargo test --test api contract` rewrites it.
#[test]
fn the_description_is_the_one_that_was_agreed_on() {
    let text = serde_json::to_string_pretty(&adjourn::api::openapi()).unwrap() + "\n";
    if let Some(path) = std::env::var_os("ADJOURN_WRITE_OPENAPI") {
        std::fs::write(path, &text).unwrap();
        return;
    }
    let changed = text.lines().zip(GOLDEN.lines()).position(|(is, was)| is != was);
    assert!(
        text == GOLDEN,
        "the API has changed, first at line {changed:?}: read the difference, and write the file anew if it is meant"
    );
}

fn document() -> Value {
    serde_json::to_value(adjourn::api::openapi()).unwrap()
}

/// The operations of the description: path, method and operation.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let mut all = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            all.push((path.clone(), method.clone(), operation.clone()));
        }
    }
    all
}

#[test]
fn every_operation_has_a_name_of_its_own_and_names_each_status() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    let operations = operations(&document);
    let ids: BTreeSet<&str> =
        operations.iter().filter_map(|(.., operation)| operation["operationId"].as_str()).collect();
    assert_eq!((operations.len(), ids.len()), (35, 35), "{ids:?}");
    for (path, method, operation) in &operations {
        assert!(operation["summary"].is_string(), "{method} {path}");
        let responses = operation["responses"].as_object().unwrap();
        let needs_key = operation["security"].is_null();
        for status in ["400", "401", "403", "429", "503"] {
            assert!(!needs_key || responses.contains_key(status), "{method} {path}: {status}");
        }
        assert!(
            needs_key || !responses.contains_key("403"),
            "{method} {path}: a caller without a key has no rights"
        );
        let is_open = path.starts_with("/v1/pairings") || path == "/v1/check-ins";
        assert_eq!(needs_key, !is_open, "{method} {path}");
        assert_eq!(responses.contains_key("413"), !operation["requestBody"].is_null(), "{method} {path}");
        for (status, response) in responses {
            assert!(status.parse::<u16>().is_ok(), "{method} {path}: {status}");
            assert!(response["description"].as_str().is_some_and(|text| !text.is_empty()), "{path} {status}");
            assert!(response["headers"]["X-Request-Id"].is_object(), "{method} {path}: {status}");
        }
    }
}

/// A `DateTime` beside the type of all times would be written with fractions of a second.
#[test]
fn every_time_in_an_answer_has_the_one_format() {
    let document = document();
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        if name == "Timestamp" || schema["additionalProperties"] == false {
            continue;
        }
        assert!(!schema.to_string().contains("date-time"), "{name} has a time of its own");
        let properties = schema["properties"].as_object().map_or(0, serde_json::Map::len);
        let required = schema["required"].as_array().map_or(0, Vec::len);
        assert_eq!(properties, required, "{name}: every member of an answer is always there");
    }
}

#[test]
fn the_problem_types_are_those_of_the_description() {
    let described = document()["components"]["schemas"]["ProblemType"]["enum"].clone();
    let types: Vec<_> = PROBLEM_TYPES.iter().map(|name| format!("urn:adjourn:problem:{name}")).collect();
    assert_eq!(described, serde_json::json!(types));
}
