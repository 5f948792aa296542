//! The OpenAPI description is part of the interface: every change shows in fixtures/openapi.json.

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

#[test]
fn every_operation_says_what_it_answers() {
    let document = serde_json::to_value(adjourn::api::openapi()).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    let mut operations = 0;
    for methods in document["paths"].as_object().unwrap().values() {
        for (method, operation) in methods.as_object().unwrap() {
            operations += 1;
            assert!(operation["summary"].is_string(), "{method} {operation}");
            assert!(operation["responses"]["4XX"].is_object(), "{method} {operation}");
        }
    }
    assert_eq!(operations, 18);
}
