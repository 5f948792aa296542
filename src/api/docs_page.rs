//! Renders the OpenAPI description as one HTML page without scripts or external resources.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use utoipa::openapi::OpenApi;

/// A policy that allows only the page's own style, by hash, and no framing.
pub(super) fn content_security_policy() -> String {
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    )
}

/// Renders the whole page.
pub(super) fn render(document: &OpenApi) -> String {
    let value = serde_json::to_value(document).unwrap_or_default();
    let mut page = format!("{HEAD}<style>{STYLE}</style>");
    let text = |value: &Value| escape(value.as_str().unwrap_or_default());
    let _ = write!(
        page,
        "<h1>{}</h1><p>{}</p>",
        text(&value["info"]["title"]),
        text(&value["info"]["description"])
    );
    let _ = write!(page, "<p><a href=\"/v1/openapi.json\">OpenAPI 3.1 as JSON</a></p>");
    operations(&mut page, &value["paths"]);
    page.push_str("<h1>Webhooks</h1>");
    operations(&mut page, &value["webhooks"]);
    page.push_str("<h1>Schemas</h1>");
    for (name, schema) in object(&value["components"]["schemas"]) {
        let name = escape(name);
        let _ = write!(page, "<h2 id=\"{name}\">{name}</h2><p>{}</p>", text(&schema["description"]));
        values(&mut page, schema);
        page.push_str("<dl>");
        for (field, about) in object(&schema["properties"]) {
            let _ = write!(
                page,
                "<dt><code>{}</code> {}</dt><dd>{}</dd>",
                escape(field),
                type_link(about),
                text(&about["description"])
            );
        }
        page.push_str("</dl>");
    }
    page
}

fn operations(page: &mut String, paths: &Value) {
    let text = |value: &Value| escape(value.as_str().unwrap_or_default());
    for (path, methods) in object(paths) {
        for (method, operation) in object(methods) {
            let (method, path) = (escape(&method.to_uppercase()), escape(path));
            let _ =
                write!(page, "<h2><code>{method} {path}</code></h2><p>{}</p>", text(&operation["summary"]));
            let _ = write!(page, "<p>{}</p>", text(&operation["description"]));
            parameters(page, operation);
            body(page, operation);
            responses(page, operation);
        }
    }
}

/// The values of a closed set.
fn values(page: &mut String, schema: &Value) {
    let Some(values) = schema["enum"].as_array() else { return };
    let values =
        values.iter().filter_map(Value::as_str).map(|value| format!("<code>{}</code>", escape(value)));
    let _ = write!(page, "<p>{}</p>", values.collect::<Vec<_>>().join(", "));
}

fn parameters(page: &mut String, operation: &Value) {
    let Some(parameters) = operation["parameters"].as_array() else { return };
    page.push_str("<dl>");
    for parameter in parameters {
        let of = |key: &str| escape(parameter[key].as_str().unwrap_or_default());
        let _ = write!(
            page,
            "<dt><code>{}</code> in {}</dt><dd>{}</dd>",
            of("name"),
            of("in"),
            of("description")
        );
    }
    page.push_str("</dl>");
}

fn body(page: &mut String, operation: &Value) {
    let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
    if !schema.is_null() {
        let _ = write!(page, "<p>Body: {}</p>", type_link(schema));
    }
}

fn responses(page: &mut String, operation: &Value) {
    page.push_str("<p>Responses:");
    for (status, answer) in object(&operation["responses"]) {
        let schemas = object(&answer["content"]).map(|(_, content)| type_link(&content["schema"]));
        let _ = write!(page, " <code>{}</code> {}", escape(status), schemas.collect::<Vec<_>>().join(", "));
    }
    page.push_str("</p>");
}

/// Links to the schemas, or the type's name.
fn type_link(schema: &Value) -> String {
    let parts = ["oneOf", "allOf"].iter().find_map(|kind| schema[*kind].as_array());
    let all = parts.map_or_else(|| std::slice::from_ref(schema), Vec::as_slice);
    let names = all.iter().filter_map(|one| one["$ref"].as_str()?.rsplit('/').next());
    let links: Vec<_> = names.map(|name| format!("<a href=\"#{0}\">{0}</a>", escape(name))).collect();
    match links.is_empty() {
        true => escape(&schema["type"].to_string().replace('"', "")),
        false => links.join(", "),
    }
}

fn object(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

const HEAD: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Adjourn: API</title>\
<meta name=\"viewport\" content=\"width=device-width\">";

const STYLE: &str = "body{font:1rem/1.5 system-ui;max-width:60rem;margin:2rem \
auto;padding:0 1rem;color-scheme:light dark}h2{border-top:1px solid;padding-top:1rem}dd{margin-bottom:.5rem}";
