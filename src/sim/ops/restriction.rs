//! `m:Restriction`: selects the rows of a folder. The whole expression is validated before the first row is read, so an
//! invalid request fails even in an empty folder.

use std::cmp::Ordering;

use roxmltree::Node;

use super::contains::{self, Containment};
use super::folder_row::FolderRow;
use super::property_path::{self, PropertyPath};
use super::property_value::{Incomparable, PropertyValue};
use crate::sim::ews_error::EwsError;
use crate::sim::soap_request::elements;

/// Limit of expressions in one restriction.
const EXPRESSIONS_MAX: usize = 1_000;

/// A search expression.
pub(super) enum SearchExpression {
    And(Vec<Self>),
    Or(Vec<Self>),
    Not(Box<Self>),
    Exists(PropertyPath),
    Excludes(PropertyPath, i64),
    Contains(PropertyPath, Containment, String),
    Compare(PropertyPath, fn(Ordering) -> bool, Operand),
}

/// The right side of a comparison.
pub(super) enum Operand {
    Constant(String),
    Property(PropertyPath),
}

/// Parses the expression of a `Restriction`.
pub(super) fn read(restriction: Node<'_, '_>) -> Result<SearchExpression, EwsError> {
    let mut all = elements(restriction);
    let (Some(root), None) = (all.next(), all.next()) else {
        return Err(EwsError::schema_violation(
            restriction,
            "The element 'Restriction' must contain one search expression.",
        ));
    };
    let nodes = root.descendants().filter(|node| elements(*node).next().is_some()).count();
    if nodes > EXPRESSIONS_MAX {
        return Err(EwsError::new("ErrorRestrictionTooComplex", "The restriction is too complex."));
    }
    expression(root)
}

fn expression(node: Node<'_, '_>) -> Result<SearchExpression, EwsError> {
    let inner = || elements(node).map(expression).collect::<Result<Vec<_>, _>>();
    let compare =
        |wanted: fn(Ordering) -> bool| Ok(SearchExpression::Compare(path(node)?, wanted, operand(node)?));
    match node.tag_name().name() {
        "And" => some(node, inner()?).map(SearchExpression::And),
        "Or" => some(node, inner()?).map(SearchExpression::Or),
        "Not" => match <[SearchExpression; 1]>::try_from(inner()?) {
            Ok([one]) => Ok(SearchExpression::Not(Box::new(one))),
            Err(_) => {
                Err(EwsError::schema_violation(node, "The element 'Not' must contain one search expression."))
            }
        },
        "Exists" => Ok(SearchExpression::Exists(path(node)?)),
        "Excludes" => Ok(SearchExpression::Excludes(path(node)?, mask(node)?)),
        "Contains" => Ok(SearchExpression::Contains(path(node)?, contains::read(node)?, constant(node)?)),
        "IsEqualTo" => compare(Ordering::is_eq),
        "IsNotEqualTo" => compare(Ordering::is_ne),
        "IsGreaterThan" => compare(Ordering::is_gt),
        "IsGreaterThanOrEqualTo" => compare(Ordering::is_ge),
        "IsLessThan" => compare(Ordering::is_lt),
        "IsLessThanOrEqualTo" => compare(Ordering::is_le),
        other => Err(EwsError::schema_violation(
            node,
            &format!("The element '{other}' is not a search expression."),
        )),
    }
}

fn some(node: Node<'_, '_>, all: Vec<SearchExpression>) -> Result<Vec<SearchExpression>, EwsError> {
    match all.is_empty() {
        true => Err(EwsError::schema_violation(node, "The search expression is empty.")),
        false => Ok(all),
    }
}

fn path(node: Node<'_, '_>) -> Result<PropertyPath, EwsError> {
    let first = elements(node)
        .next()
        .ok_or_else(|| EwsError::schema_violation(node, "The property path is missing."))?;
    property_path::read(first)
}

fn operand(node: Node<'_, '_>) -> Result<Operand, EwsError> {
    let side = elements(node).nth(1).filter(|side| side.tag_name().name() == "FieldURIOrConstant");
    let inside = side.and_then(|side| elements(side).next());
    let inside = inside.ok_or_else(|| EwsError::schema_violation(node, "FieldURIOrConstant is missing."))?;
    match (inside.tag_name().name(), inside.attribute("Value")) {
        ("Constant", Some(value)) => Ok(Operand::Constant(value.to_owned())),
        ("Constant", None) => {
            Err(EwsError::schema_violation(inside, "The required attribute 'Value' is missing."))
        }
        _ => property_path::read(inside).map(Operand::Property),
    }
}

fn constant(node: Node<'_, '_>) -> Result<String, EwsError> {
    let constant = elements(node).nth(1).filter(|constant| constant.tag_name().name() == "Constant");
    let value = constant.and_then(|constant| constant.attribute("Value"));
    value.map(str::to_owned).ok_or_else(|| EwsError::schema_violation(node, "Constant is missing."))
}

fn mask(node: Node<'_, '_>) -> Result<i64, EwsError> {
    let bits = elements(node).nth(1).filter(|bits| bits.tag_name().name() == "Bitmask");
    let value = bits.and_then(|bits| bits.attribute("Value")).map(str::trim);
    let number =
        value.and_then(|value| match value.strip_prefix("0x").or_else(|| value.strip_prefix("0X")) {
            Some(digits) => i64::from_str_radix(digits, 16).ok(),
            None => value.parse().ok(),
        });
    number.ok_or_else(|| EwsError::new("ErrorInvalidExcludesRestriction", "The bitmask is not a number."))
}

impl SearchExpression {
    /// Rejects properties that cannot be searched, whatever rows exist.
    pub(super) fn check(&self, searchable: fn(&PropertyPath) -> bool) -> Result<(), EwsError> {
        let known = |path: &PropertyPath| match searchable(path) {
            true => Ok(()),
            false => Err(unsupported()),
        };
        match self {
            Self::And(all) | Self::Or(all) => all.iter().try_for_each(|one| one.check(searchable)),
            Self::Not(one) => one.check(searchable),
            Self::Exists(path) | Self::Excludes(path, _) | Self::Contains(path, ..) => known(path),
            Self::Compare(path, _, Operand::Property(other)) => known(path).and_then(|()| known(other)),
            Self::Compare(path, _, Operand::Constant(_)) => known(path),
        }
    }

    /// Whether a row matches. A missing property matches no comparison.
    pub(super) fn holds(&self, row: &FolderRow<'_>) -> Result<bool, EwsError> {
        let value = |path: &PropertyPath| row.value(path).filter(|value| !value.is_empty());
        match self {
            Self::And(all) => Self::every(all, row, true),
            Self::Or(all) => Self::every(all, row, false).map(|none| !none),
            Self::Not(one) => one.holds(row).map(|holds| !holds),
            Self::Exists(path) => Ok(value(path).is_some()),
            Self::Excludes(path, mask) => match value(path) {
                Some(PropertyValue::Number(number)) => Ok(number & mask == 0),
                Some(_) => {
                    Err(EwsError::new("ErrorInvalidExcludesRestriction", "The property is not a number."))
                }
                None => Ok(false),
            },
            Self::Contains(path, how, constant) => match value(path) {
                Some(value) => any(&value, |one| how.holds(one, constant)),
                None => Ok(false),
            },
            Self::Compare(path, wanted, operand) => match value(path) {
                Some(value) => any(&value, |one| compare(one, *wanted, operand, row)),
                None => Ok(false),
            },
        }
    }

    /// Whether all (or, with `wanted` false, none) of the expressions match.
    fn every(all: &[Self], row: &FolderRow<'_>, wanted: bool) -> Result<bool, EwsError> {
        for one in all {
            if one.holds(row)? != wanted {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn any(
    value: &PropertyValue,
    holds: impl Fn(&PropertyValue) -> Result<bool, EwsError>,
) -> Result<bool, EwsError> {
    for one in value.each() {
        if holds(one)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn compare(
    value: &PropertyValue,
    wanted: fn(Ordering) -> bool,
    operand: &Operand,
    row: &FolderRow<'_>,
) -> Result<bool, EwsError> {
    let order = match operand {
        Operand::Constant(constant) => value.compare_to_constant(constant).map(Some),
        Operand::Property(path) => Ok(row.value(path).and_then(|other| value.compare_to(&other))),
    };
    match order {
        Ok(order) => Ok(order.is_some_and(wanted)),
        Err(Incomparable::Property) => Err(unsupported()),
        Err(Incomparable::Constant) => Err(EwsError::new(
            "ErrorInvalidValueForProperty",
            "The constant is not a valid value of the property.",
        )),
    }
}

fn unsupported() -> EwsError {
    EwsError::new(
        "ErrorUnsupportedPathForQuery",
        "The property can not be used with this type of restriction.",
    )
}
