//! The reference of all configuration keys (`adjourn config reference`, `docs/configuration.md`): made from the types in `file/`,
//! from their doc comments and their limits, so that it cannot say anything else than what the parser does. Reads no file.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::{Map, Value};

use super::error::accepted_keys;
use super::schema::{ONLY_IN_CONNECTIONS, table_in, tables};

/// The version in which a key came, unless it says another one (`#[schemars(extend("x-since" = "0.2.0"))]`).
const FIRST_VERSION: &str = "0.1.0";
/// Keys of `[server]` without which an entry of `[[connections]]` is no connection, for its example; then an entry over Graph.
const CONNECTION_EXAMPLE: &str = "\
url = \"https://mail2.example.com/EWS/Exchange.asmx\"
auth = \"negotiate\"
username = 'EXAMPLE\\svc-rooms'
password = { file = \"/etc/adjourn/password2\" }

[[connections]]
name = \"online\"
rooms = [\"online-*@example.com\"]
protocol = \"graph\"

[connections.oauth]
tenant = \"example.onmicrosoft.com\"
client_id = \"11111111-2222-4333-8444-555555555555\"
federated_token_file = \"/var/run/secrets/azure/tokens/azure-identity-token\"
";

/// One table of the file, with its keys.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TableReference {
    /// As it stands in the file: `[live]`, `[[room_groups]]`; empty at the top of the file.
    pub header: String,
    /// Its purpose.
    pub description: String,
    /// Its keys, tables within it excepted.
    pub keys: Vec<KeyReference>,
}

/// One key.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KeyReference {
    /// Its name.
    pub key: String,
    /// Its type: `string`, `integer`, `list of strings`, …
    #[serde(rename = "type")]
    pub value_type: String,
    /// Unit of its number.
    pub unit: Option<&'static str>,
    /// The table needs it.
    pub required: bool,
    /// Its value when it is not set, in TOML; `None`: none.
    pub default: Option<String>,
    /// Least number.
    pub minimum: Option<i64>,
    /// Greatest number.
    pub maximum: Option<i64>,
    /// Its values, where it takes no others.
    pub choices: Vec<String>,
    /// The version in which it came.
    pub since: String,
    /// A value, in TOML.
    pub example: String,
    /// It is set instead of another key of its table, or beside another value of one; the example shows that one.
    pub alternative: bool,
    /// Its meaning.
    pub description: String,
}

/// Every table and key of the configuration, in the order of the file's types.
pub fn reference() -> Vec<TableReference> {
    let mut found = Vec::new();
    describe("", "", "Keys at the top of the file, before the first table.", &tables(), &mut found);
    found
}

/// Describes the table at `path`, then the tables within it.
fn describe(path: &str, header: &str, description: &str, schema: &Value, tables: &mut Vec<TableReference>) {
    let properties = schema.get("properties").and_then(Value::as_object);
    let required = schema.get("required").and_then(Value::as_array);
    let is_required =
        |key: &str| path == "connections" || required.is_some_and(|keys| keys.iter().any(|one| one == key));
    let mut keys = accepted_keys(header);
    match path {
        "connections" => keys.retain(|key| ONLY_IN_CONNECTIONS.contains(&key.as_str())),
        "server" => keys.retain(|key| !ONLY_IN_CONNECTIONS.contains(&key.as_str())),
        _ => {}
    }
    let (mut own, mut inner) = (Vec::new(), Vec::new());
    for key in keys {
        let Some(property) = properties.and_then(|all| all.get(&key)) else { continue };
        let at = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        match (table_in(property), property.get("items").and_then(table_in)) {
            (Some(table), _) => inner.push((format!("[{at}]"), at, property, table)),
            (None, Some(table)) => inner.push((format!("[[{at}]]"), at, property, table)),
            (None, None) => own.push(KeyReference::new(&key, property, is_required(&key))),
        }
    }
    let (header, description) = (header.to_owned(), description.to_owned());
    tables.push(TableReference { header, description, keys: own });
    for (header, at, property, table) in inner {
        describe(&at, &header, &text(property, "description"), table, tables);
    }
}

impl KeyReference {
    fn new(key: &str, schema: &Value, required: bool) -> Self {
        let number = |name: &str| find(schema, name).and_then(Value::as_i64);
        let default = schema.get("default").filter(|value| !value.is_null()).map(toml);
        let example = schema.get("examples").and_then(|all| all.get(0)).map(toml);
        let mut choices = Vec::new();
        collect_choices(schema, &mut choices);
        Self {
            key: key.to_owned(),
            value_type: type_of(key, schema, &choices),
            unit: unit_of(key),
            required,
            minimum: number("minimum").filter(|minimum| number("maximum").is_some() || *minimum != 0),
            maximum: number("maximum"),
            choices,
            since: schema.get("x-since").and_then(Value::as_str).unwrap_or(FIRST_VERSION).to_owned(),
            alternative: schema.get("x-alternative").is_some(),
            example: example.or_else(|| default.clone()).unwrap_or_default(),
            default,
            description: text(schema, "description"),
        }
    }

    fn limits(&self) -> String {
        match (self.minimum, self.maximum) {
            (Some(minimum), Some(maximum)) => format!("{minimum} to {maximum}"),
            (Some(minimum), None) => format!("from {minimum}"),
            (None, Some(maximum)) => format!("up to {maximum}"),
            (None, None) => {
                self.choices.iter().map(|choice| format!("`\"{choice}\"`")).collect::<Vec<_>>().join(", ")
            }
        }
    }
}

/// A member of a schema, or of the schemas that it chooses from.
fn find<'s>(schema: &'s Value, name: &str) -> Option<&'s Value> {
    let choices = schema.get("anyOf").and_then(Value::as_array);
    schema.get(name).or_else(|| choices?.iter().find_map(|one| one.get(name)))
}

/// A doc comment is one paragraph here.
fn text(schema: &Value, name: &str) -> String {
    schema
        .get(name)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

/// Constant values of a schema, or of the items of its list, in their order.
fn collect_choices(schema: &Value, choices: &mut Vec<String>) {
    let constant = schema.get("const").and_then(Value::as_str);
    let listed = schema.get("enum").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    choices.extend(constant.into_iter().chain(listed).map(str::to_owned));
    for name in ["oneOf", "anyOf"] {
        let inner = schema.get(name).and_then(Value::as_array).into_iter().flatten();
        inner.for_each(|one| collect_choices(one, choices));
    }
    schema.get("items").into_iter().for_each(|items| collect_choices(items, choices));
}

fn type_of(key: &str, schema: &Value, choices: &[String]) -> String {
    let name = match find(schema, "type") {
        Some(Value::String(name)) => name.as_str(),
        // `["string", "null"]`: may be left out.
        Some(Value::Array(names)) => {
            names.iter().filter_map(Value::as_str).find(|name| *name != "null").unwrap_or_default()
        }
        _ => "",
    };
    let inner = |name: &str| schema.get(name).map(|inner| type_of("", inner, &[])).unwrap_or_default();
    match name {
        "array" if !choices.is_empty() => "list of choices".to_owned(),
        _ if !choices.is_empty() => "choice".to_owned(),
        "string" if key.ends_with("_file") || key == "directory" => "path".to_owned(),
        "array" => format!("list of {}s", inner("items")),
        "object" => format!("table of {}s", inner("additionalProperties")),
        other => other.to_owned(),
    }
}

/// A number's unit is the ending of its key.
fn unit_of(key: &str) -> Option<&'static str> {
    let units = [
        ("_ms", "milliseconds"),
        ("_s", "seconds"),
        ("_minutes", "minutes"),
        ("_hours", "hours"),
        ("_days", "days"),
    ];
    units.into_iter().find(|(ending, _)| key.ends_with(ending)).map(|(_, unit)| unit)
}

/// A value as TOML writes it on one line.
fn toml(value: &Value) -> String {
    let all = |values: &[Value]| values.iter().map(toml).collect::<Vec<_>>().join(", ");
    let pair = |(key, value): (&String, &Value)| format!("{} = {}", toml_key(key), toml(value));
    let pairs = |map: &Map<String, Value>| map.iter().map(pair).collect::<Vec<_>>().join(", ");
    match value {
        Value::String(text) if text.contains('\\') => format!("'{text}'"),
        Value::Array(values) => format!("[{}]", all(values)),
        Value::Object(map) if map.is_empty() => "{}".to_owned(),
        Value::Object(map) => format!("{{ {} }}", pairs(map)),
        other => other.to_string(),
    }
}

fn toml_key(key: &str) -> String {
    let is_bare = key.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_".contains(letter));
    if is_bare { key.to_owned() } else { format!("\"{key}\"") }
}

const INTRODUCTION: &str = "\
# Configuration

<!-- Made by `adjourn config reference`; change the doc comments in src/config/file instead. -->

Adjourn reads one TOML file, `adjourn.toml` (`--config FILE`). Every key may be left out unless it is *required*. A key that the file
misspells is an error, and so is a value beyond its limits: the message names file, line and key. `adjourn config explain ROOM` prints
what holds in one room, and from where.

- Numbers with a unit carry it at the end of their key: `_ms`, `_s`, `_minutes`, `_hours`, `_days`.
- A *secret* is never written into the file. Its key names where the secret is: `{ file = \"/etc/adjourn/password\" }`,
  `{ env = \"VARIABLE\" }`, `{ command = [\"pass\", \"show\", \"rooms\"] }` (its output) or `{ credential = \"NAME\" }` (of systemd).
- Rooms are SMTP addresses. Where patterns are allowed, `*` stands for any text and `?` for one character.
";

/// The reference as a page in Markdown.
pub fn markdown(tables: &[TableReference]) -> String {
    let mut page = INTRODUCTION.to_owned();
    for table in tables {
        add_table(&mut page, table);
    }
    page
}

fn add_table(page: &mut String, table: &TableReference) {
    let title =
        if table.header.is_empty() { "Top of the file".to_owned() } else { format!("`{}`", table.header) };
    let _ = write!(page, "\n## {title}\n\n{}\n", table.description);
    if table.keys.is_empty() {
        return;
    }
    page.push_str(
        "\n| key | type | default | limits | since | meaning |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for key in &table.keys {
        let default = match &key.default {
            Some(default) => format!("`{default}`"),
            None if key.required => "*required*".to_owned(),
            None => "not set".to_owned(),
        };
        let unit = key.unit.map_or(String::new(), |unit| format!(", {unit}"));
        let cells = [
            format!("`{}`", key.key),
            format!("{}{unit}", key.value_type),
            default,
            key.limits(),
            key.since.clone(),
            key.description.clone(),
        ];
        let _ = writeln!(page, "| {} |", cells.map(|cell| cell.replace('|', "\\|")).join(" | "));
    }
    let _ = write!(page, "\n```toml\n{}```\n", table.example());
}

impl TableReference {
    /// The table with an example for each key; keys that exclude another one are comments.
    fn example(&self) -> String {
        let mut text = if self.header.is_empty() { String::new() } else { format!("{}\n", self.header) };
        for key in &self.keys {
            let mark = if key.alternative { "# " } else { "" };
            let _ = writeln!(text, "{mark}{} = {}", key.key, key.example);
        }
        if self.header == "[[connections]]" {
            text.push_str(CONNECTION_EXAMPLE);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::super::file::ConfigFile;
    use super::*;

    /// `ADJOURN_WRITE_REFERENCE=1 cargo test --lib config::reference` writes it anew.
    #[test]
    fn the_page_in_docs_is_the_reference() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");
        let page = markdown(&reference());
        if std::env::var_os("ADJOURN_WRITE_REFERENCE").is_some() {
            std::fs::write(path, &page).unwrap();
        }
        let stale = "docs/configuration.md is stale; run the test with ADJOURN_WRITE_REFERENCE=1";
        assert!(std::fs::read_to_string(path).unwrap() == page, "{stale}");
    }

    #[test]
    fn every_key_that_the_parser_takes_is_described() {
        let tables = reference();
        let named = |table: &TableReference| {
            let inner = tables.iter().filter_map(|one| one.header.trim_matches(['[', ']']).rsplit_once('.'));
            let path = table.header.trim_matches(['[', ']']);
            let of_file =
                tables.iter().map(|one| one.header.trim_matches(['[', ']'])).filter(|at| !at.contains('.'));
            let inner = inner.filter(|(at, _)| *at == path).map(|(_, key)| key);
            let tables_within: Vec<_> = if path.is_empty() { of_file.collect() } else { inner.collect() };
            let keys = table.keys.iter().map(|key| key.key.as_str());
            keys.chain(tables_within).map(str::to_owned).collect::<Vec<_>>()
        };
        for table in tables.iter().filter(|table| table.header != "[[connections]]") {
            let named = named(table);
            let of_others = |key: &str| table.header == "[server]" && ONLY_IN_CONNECTIONS.contains(&key);
            for key in accepted_keys(&table.header).into_iter().filter(|key| !of_others(key)) {
                assert!(named.contains(&key), "{} {key} is not in the reference", table.header);
            }
        }
        assert_eq!(accepted_keys("[[connections]]"), accepted_keys("[server]"));
        for table in &tables {
            assert!(!table.description.is_empty(), "{}", table.header);
            for key in &table.keys {
                let complete =
                    !key.description.is_empty() && !key.example.is_empty() && !key.value_type.is_empty();
                assert!(complete, "{} {key:?}", table.header);
            }
        }
    }

    #[test]
    fn the_examples_together_are_a_file_that_the_parser_takes() {
        let file: String = reference().iter().map(TableReference::example).collect();
        if let Err(error) = toml::from_str::<ConfigFile>(&file) {
            panic!("{error}\n{file}");
        }
    }

    #[test]
    fn renamed_keys_name_keys_that_exist() {
        let tables = reference();
        for (old, new) in super::super::renamed::KEYS {
            let (table, key) = new.rsplit_once('.').unwrap_or(("", new));
            let header =
                tables.iter().map(|one| &one.header).find(|header| header.trim_matches(['[', ']']) == table);
            let keys = accepted_keys(header.unwrap());
            assert!(keys.iter().any(|one| one == key), "{new}");
            assert!(
                !keys.iter().any(|one| Some(one.as_str()) == old.rsplit('.').next()),
                "{old} is a key again"
            );
        }
    }
}
