//! The OData query options of a request: `$top`, `$skip`, `$select`, `$filter`, `$expand`, `$orderby` and `$count`.
//! Rejects unknown options and properties, as Graph does. Evaluates nothing.

use serde_json::{Map, Value};

use super::call::GraphCall;
use super::error::GraphError;
use super::preferences::Preferences;

/// Limit of `$top`.
const TOP_MAX: usize = 1_000;
/// Default page size.
const TOP: usize = 10;

/// The options of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct QueryOptions {
    pub(super) top: usize,
    pub(super) skip: usize,
    /// The names in `$select`, as sent.
    pub(super) select: Option<Vec<String>>,
    pub(super) filter: Option<String>,
    pub(super) expand: Vec<Expansion>,
    /// A property path, and whether the order is descending.
    pub(super) order_by: Option<(String, bool)>,
    pub(super) counts: bool,
}

/// One property of `$expand`, with its own options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Expansion {
    pub(super) name: String,
    pub(super) select: Option<Vec<String>>,
    pub(super) filter: Option<String>,
}

impl QueryOptions {
    pub(super) fn read(call: &GraphCall, preferences: &Preferences) -> Result<Self, GraphError> {
        let mut options = Self {
            top: preferences.page_size.unwrap_or(TOP),
            skip: 0,
            select: None,
            filter: None,
            expand: Vec::new(),
            order_by: None,
            counts: false,
        };
        for (name, value) in &call.query {
            if name.starts_with('$') {
                options.set(name, value)?;
            }
        }
        Ok(options)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), GraphError> {
        let number = || {
            let text = format!("Invalid value '{value}' for {name} query option found.");
            value.trim().parse::<usize>().map_err(|_| GraphError::bad_request("BadRequest", text))
        };
        match name.to_ascii_lowercase().as_str() {
            "$top" => self.top = number()?,
            "$skip" => self.skip = number()?,
            "$select" => self.select = Some(names(value)),
            "$filter" => self.filter = Some(value.to_owned()),
            "$expand" => self.expand = expansions(value)?,
            "$orderby" => self.order_by = order(value),
            "$count" => self.counts = value.eq_ignore_ascii_case("true"),
            _ => {
                let text = format!("The query parameter '{name}' is not supported.");
                return Err(GraphError::bad_request("BadRequest", text));
            }
        }
        if !(1..=TOP_MAX).contains(&self.top) {
            let text = "The value of $top must be from 1 to 1000.";
            return Err(GraphError::invalid_request(text));
        }
        Ok(())
    }

    /// Rejects selected names that the type does not have.
    pub(super) fn check_select(&self, type_name: &str, known: &[&str]) -> Result<(), GraphError> {
        self.select.as_deref().map_or(Ok(()), |names| check(names, type_name, known))
    }
}

/// Rejects names that the type does not have.
pub(super) fn check(names: &[String], type_name: &str, known: &[&str]) -> Result<(), GraphError> {
    let is_known = |name: &String| name == "*" || known.iter().any(|known| known.eq_ignore_ascii_case(name));
    match names.iter().find(|name| !is_known(name)) {
        None => Ok(()),
        Some(name) => Err(GraphError::parse_uri(format!(
            "Could not find a property named '{name}' on type 'microsoft.graph.{type_name}'."
        ))),
    }
}

/// Keeps the selected properties, the id and the annotations.
pub(super) fn select(mut object: Map<String, Value>, names: Option<&[String]>) -> Map<String, Value> {
    if let Some(names) = names.filter(|names| !names.iter().any(|name| name == "*")) {
        object.retain(|key, _| {
            key == "id"
                || key.starts_with("@odata.")
                || names.iter().any(|name| name.eq_ignore_ascii_case(key))
        });
    }
    object
}

fn names(value: &str) -> Vec<String> {
    value.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
}

fn order(value: &str) -> Option<(String, bool)> {
    let mut words = value.split(',').next()?.split_whitespace();
    let path = words.next()?.to_owned();
    Some((path, words.next().is_some_and(|word| word.eq_ignore_ascii_case("desc"))))
}

/// Reads `a,b($select=c,d)`.
fn expansions(value: &str) -> Result<Vec<Expansion>, GraphError> {
    let mut depth = 0_usize;
    let parts = value.split(|letter| {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        letter == ',' && depth == 0
    });
    parts.map(str::trim).filter(|part| !part.is_empty()).map(expansion).collect()
}

fn expansion(part: &str) -> Result<Expansion, GraphError> {
    let (name, inner) = part.split_once('(').unwrap_or((part, ")"));
    let mut expansion = Expansion { name: name.trim().to_owned(), select: None, filter: None };
    let unsupported = || GraphError::parse_uri(format!("The $expand of '{name}' is not supported."));
    let inner = inner.strip_suffix(')').ok_or_else(unsupported)?;
    for option in inner.split(';').filter(|option| !option.is_empty()) {
        match option.split_once('=') {
            Some(("$select", value)) => expansion.select = Some(names(value)),
            Some(("$filter", value)) => expansion.filter = Some(value.to_owned()),
            _ => return Err(unsupported()),
        }
    }
    Ok(expansion)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expansions_are_split_outside_of_parentheses() {
        let read = expansions("exceptionOccurrences($select=id,start), calendar").unwrap();
        let select = Some(vec!["id".to_owned(), "start".to_owned()]);
        let calendar = Expansion { name: "calendar".to_owned(), select: None, filter: None };
        let exceptions = Expansion { name: "exceptionOccurrences".to_owned(), select, filter: None };
        assert_eq!(read, [exceptions, calendar]);
        assert_eq!(expansions("a($filter=b eq 1)").unwrap()[0].filter.as_deref(), Some("b eq 1"));
        assert!(expansions("a($top=1)").is_err() && expansions("a($select=b").is_err());
    }
}
