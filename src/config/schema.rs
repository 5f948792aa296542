//! The JSON Schema (draft 2020-12) of `adjourn.toml`, for editors (`adjourn config schema`): made from the types in `file/`, so that it
//! has every key with its description and limits. What several keys mean together only the check knows (`config/every_error.rs`).

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::file::ConfigFile;

/// The schema's own address: an identifier, not a place to fetch it from.
const ID: &str = "urn:adjourn:configuration";

/// `[[connections]]` has the keys of `[server]`, and these two.
pub(super) const ONLY_IN_CONNECTIONS: [&str; 2] = ["name", "rooms"];

/// The schema of the configuration file, every table inline.
pub(super) fn tables() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<ConfigFile>().to_value()
}

/// The schema as editors need it.
pub fn schema() -> Value {
    let mut schema = tables();
    for_editors(&mut schema);
    if let Some(root) = schema.as_object_mut() {
        root.insert("$id".to_owned(), json!(ID));
        root.insert("title".to_owned(), json!("adjourn.toml"));
    }
    if let Some(server) = schema.pointer_mut("/properties/server/properties").and_then(Value::as_object_mut) {
        ONLY_IN_CONNECTIONS.iter().for_each(|key| _ = server.remove(*key));
    }
    if let Some(connection) =
        schema.pointer_mut("/properties/connections/items").and_then(Value::as_object_mut)
    {
        connection.insert("required".to_owned(), json!(ONLY_IN_CONNECTIONS));
    }
    schema
}

/// The schema of a table, also of one that may be left out.
pub(super) fn table_in(schema: &Value) -> Option<&Value> {
    let choices = schema.get("anyOf").and_then(Value::as_array);
    let mut all = std::iter::once(schema).chain(choices.into_iter().flatten());
    all.find(|one| one.get("properties").is_some())
}

/// TOML has no null, a secret is written as its source, and a description is one paragraph.
fn for_editors(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            members.retain(|name, value| !(name == "default" && value.is_null()));
            simplify(members);
            if members.get("type").is_some_and(|name| name == "secret") {
                members.remove("type");
                members.insert("oneOf".to_owned(), sources_of_secrets());
                return;
            }
            members.values_mut().for_each(for_editors);
        }
        Value::Array(values) => values.iter_mut().for_each(for_editors),
        _ => {}
    }
}

/// Removes the alternative `null` of a key that may be left out, and the line ends of its description.
fn simplify(members: &mut Map<String, Value>) {
    let is_null = |schema: &Value| schema.get("type").is_some_and(|name| name == "null");
    if let Some(Value::Array(names)) = members.get_mut("type") {
        names.retain(|name| name != "null");
        if let [name] = names.as_slice() {
            let name = name.clone();
            members.insert("type".to_owned(), name);
        }
    }
    if let Some(Value::Array(choices)) = members.get_mut("anyOf") {
        choices.retain(|choice| !is_null(choice));
    }
    if let Some(Value::Array(choices)) = members.get_mut("enum") {
        choices.retain(|choice| !choice.is_null());
    }
    if let Some(Value::String(text)) = members.get_mut("description") {
        *text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    }
}

fn sources_of_secrets() -> Value {
    let source = |name: &str, description: &str, value: Value| {
        json!({
            "type": "object",
            "description": description,
            "properties": { name: value },
            "required": [name],
            "additionalProperties": false,
        })
    };
    let text = json!({ "type": "string" });
    json!([
        source("file", "In a file, up to its first line end.", text.clone()),
        source("env", "In an environment variable.", text.clone()),
        source(
            "command",
            "The output of a command, up to its first line end; run without a shell.",
            json!({ "type": "array", "items": { "type": "string" }, "minItems": 1 })
        ),
        source("credential", "A systemd credential (LoadCredential=).", text),
    ])
}

#[cfg(test)]
mod tests {
    use super::super::reference::reference;
    use super::*;

    /// The schema of the table with this header.
    fn table<'s>(schema: &'s Value, header: &str) -> Option<&'s Value> {
        let path = header.trim_matches(['[', ']']);
        let keys = path.split('.').filter(|key| !key.is_empty());
        keys.into_iter().try_fold(schema, |at, key| {
            let property = at.get("properties")?.get(key)?;
            table_in(property).or_else(|| table_in(property.get("items")?))
        })
    }

    #[test]
    fn every_key_is_in_the_schema_with_its_description_and_limits() {
        let schema = schema();
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        for of_reference in reference() {
            let header = &of_reference.header;
            let table = table(&schema, header).unwrap_or_else(|| panic!("{header} is not in the schema"));
            assert_eq!(table["additionalProperties"], false, "{header}");
            for key in &of_reference.keys {
                let property = &table["properties"][&key.key];
                assert_eq!(property["description"], key.description.as_str(), "{header} {}", key.key);
                let limits = property.to_string();
                for limit in [key.minimum, key.maximum].into_iter().flatten() {
                    assert!(limits.contains(&limit.to_string()), "{header} {}: {limits}", key.key);
                }
            }
        }
    }

    #[test]
    fn the_schema_has_no_type_that_json_schema_lacks() {
        let text = schema().to_string();
        assert!(!text.contains("\"type\":\"secret\"") && !text.contains("[\"secret\""), "{text}");
        assert!(!text.contains("null"), "{text}");
    }

    #[test]
    fn only_connections_have_a_name_and_rooms() {
        let schema = schema();
        assert!(schema["properties"]["server"]["properties"].get("name").is_none());
        assert_eq!(schema["properties"]["connections"]["items"]["required"], json!(["name", "rooms"]));
    }
}
