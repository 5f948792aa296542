//! `m:SortOrder`: sorts the rows of a folder. Reads no item but through `FolderRow`.

use std::cmp::Ordering;

use roxmltree::Node;

use super::folder_row::FolderRow;
use super::property_path::{self, PropertyPath};
use super::property_value::PropertyValue;
use crate::sim::ews_error::EwsError;
use crate::sim::soap_request::{elements, enum_attribute};

/// Limit of sort keys in one request.
const KEYS_MAX: usize = 16;

/// One sort key.
struct SortKey {
    path: PropertyPath,
    descending: bool,
}

/// The sort keys of a request, most significant first.
pub(super) struct SortOrder(Vec<SortKey>);

impl SortOrder {
    /// Parses a `SortOrder`.
    pub(super) fn read(node: Node<'_, '_>, sortable: fn(&PropertyPath) -> bool) -> Result<Self, EwsError> {
        let keys: Vec<SortKey> = elements(node).map(key).collect::<Result<_, _>>()?;
        if keys.is_empty() || keys.len() > KEYS_MAX {
            return Err(EwsError::schema_violation(
                node,
                "The element 'SortOrder' must contain 1 to 16 FieldOrder elements.",
            ));
        }
        match keys.iter().all(|key| sortable(&key.path)) {
            true => Ok(Self(keys)),
            false => Err(EwsError::new(
                "ErrorUnsupportedPathForSortGroup",
                "The property can not be used for sorting.",
            )),
        }
    }

    /// Sorts rows, stably; rows without a property come before those with it.
    pub(super) fn apply(&self, rows: &mut [FolderRow<'_>]) {
        rows.sort_by_cached_key(|row| SortValues {
            values: self.0.iter().map(|key| row.value(&key.path).filter(|value| !value.is_empty())).collect(),
            descending: self.0.iter().map(|key| key.descending).collect(),
        });
    }
}

fn key(node: Node<'_, '_>) -> Result<SortKey, EwsError> {
    let order = enum_attribute(node, "Order", &["Ascending", "Descending"])?
        .ok_or_else(|| EwsError::schema_violation(node, "The required attribute 'Order' is missing."))?;
    let path = elements(node)
        .next()
        .ok_or_else(|| EwsError::schema_violation(node, "The property path is missing."))?;
    Ok(SortKey { path: property_path::read(path)?, descending: order == "Descending" })
}

/// The sort values of a row.
struct SortValues {
    values: Vec<Option<PropertyValue>>,
    descending: Vec<bool>,
}

impl Ord for SortValues {
    fn cmp(&self, other: &Self) -> Ordering {
        let pairs = self.values.iter().zip(&other.values).zip(&self.descending);
        let orders = pairs.map(|((one, other), descending)| {
            let order = match (one, other) {
                (Some(one), Some(other)) => one.sort_order(other),
                _ => one.is_some().cmp(&other.is_some()),
            };
            if *descending { order.reverse() } else { order }
        });
        orders.into_iter().find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }
}

impl PartialOrd for SortValues {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for SortValues {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for SortValues {}
