//! `m:SortOrder`: in which order a page shows the rows of a folder.

use std::cmp::Ordering;

use roxmltree::Node;

use super::path::{self, Path};
use super::row::Row;
use super::value::Value;
use crate::sim::soap_in::{Refusal, choice, elements};

/// Keys of one request.
const KEYS_MAX: usize = 16;

/// One key: by which property, and whether the greatest comes first.
struct Key {
    path: Path,
    descending: bool,
}

/// The keys of a request, the weightiest first.
pub(super) struct Order(Vec<Key>);

impl Order {
    /// Reads a `SortOrder`.
    pub(super) fn read(node: Node<'_, '_>, sortable: fn(&Path) -> bool) -> Result<Self, Refusal> {
        let keys: Vec<Key> = elements(node).map(key).collect::<Result<_, _>>()?;
        if keys.is_empty() || keys.len() > KEYS_MAX {
            return Err(Refusal::schema(node, "SortOrder holds between 1 and 16 FieldOrders."));
        }
        match keys.iter().all(|key| sortable(&key.path)) {
            true => Ok(Self(keys)),
            false => Err(Refusal::new(
                "ErrorUnsupportedPathForSortGroup",
                "The property can not be used for sorting.",
            )),
        }
    }

    /// Sorts rows; what is equal keeps its order, and what lacks a property comes before what has it.
    pub(super) fn apply(&self, rows: &mut [Row<'_>]) {
        rows.sort_by_cached_key(|row| Sorted {
            values: self.0.iter().map(|key| row.value(&key.path).filter(|value| !value.is_empty())).collect(),
            descending: self.0.iter().map(|key| key.descending).collect(),
        });
    }
}

fn key(node: Node<'_, '_>) -> Result<Key, Refusal> {
    let order = choice(node, "Order", &["Ascending", "Descending"])?
        .ok_or_else(|| Refusal::schema(node, "The required attribute 'Order' is missing."))?;
    let path = elements(node).next().ok_or_else(|| Refusal::schema(node, "The property path is missing."))?;
    Ok(Key { path: path::read(path)?, descending: order == "Descending" })
}

/// What a row is sorted by.
struct Sorted {
    values: Vec<Option<Value>>,
    descending: Vec<bool>,
}

impl Ord for Sorted {
    fn cmp(&self, other: &Self) -> Ordering {
        let pairs = self.values.iter().zip(&other.values).zip(&self.descending);
        let orders = pairs.map(|((one, other), descending)| {
            let order = match (one, other) {
                (Some(one), Some(other)) => one.sorted_with(other),
                _ => one.is_some().cmp(&other.is_some()),
            };
            if *descending { order.reverse() } else { order }
        });
        orders.into_iter().find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }
}

impl PartialOrd for Sorted {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Sorted {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Sorted {}
