//! `m:Restriction`: which rows of a folder a request wants. The tree is read whole before the first row is looked at, so that
//! a request that is wrong is refused however few rows there are.

use std::cmp::Ordering;

use roxmltree::Node;

use super::contains::{self, Containment};
use super::path::{self, Path};
use super::row::Row;
use super::value::{Incomparable, Value};
use crate::sim::soap_in::{Refusal, elements};

/// Expressions of one restriction.
const EXPRESSIONS_MAX: usize = 1_000;

/// A search expression.
pub(super) enum Expression {
    And(Vec<Self>),
    Or(Vec<Self>),
    Not(Box<Self>),
    Exists(Path),
    Excludes(Path, i64),
    Contains(Path, Containment, String),
    Compare(Path, fn(Ordering) -> bool, Operand),
}

/// With what a property is compared.
pub(super) enum Operand {
    Constant(String),
    Property(Path),
}

/// Reads the one expression inside a `Restriction`.
pub(super) fn read(restriction: Node<'_, '_>) -> Result<Expression, Refusal> {
    let mut all = elements(restriction);
    let (Some(root), None) = (all.next(), all.next()) else {
        return Err(Refusal::schema(restriction, "A Restriction holds one search expression."));
    };
    let nodes = root.descendants().filter(|node| elements(*node).next().is_some()).count();
    if nodes > EXPRESSIONS_MAX {
        return Err(Refusal::new("ErrorRestrictionTooComplex", "The restriction is too complex."));
    }
    expression(root)
}

fn expression(node: Node<'_, '_>) -> Result<Expression, Refusal> {
    let inner = || elements(node).map(expression).collect::<Result<Vec<_>, _>>();
    let compare = |wanted: fn(Ordering) -> bool| Ok(Expression::Compare(path(node)?, wanted, operand(node)?));
    match node.tag_name().name() {
        "And" => some(node, inner()?).map(Expression::And),
        "Or" => some(node, inner()?).map(Expression::Or),
        "Not" => match <[Expression; 1]>::try_from(inner()?) {
            Ok([one]) => Ok(Expression::Not(Box::new(one))),
            Err(_) => Err(Refusal::schema(node, "Not holds one search expression.")),
        },
        "Exists" => Ok(Expression::Exists(path(node)?)),
        "Excludes" => Ok(Expression::Excludes(path(node)?, mask(node)?)),
        "Contains" => Ok(Expression::Contains(path(node)?, contains::read(node)?, constant(node)?)),
        "IsEqualTo" => compare(Ordering::is_eq),
        "IsNotEqualTo" => compare(Ordering::is_ne),
        "IsGreaterThan" => compare(Ordering::is_gt),
        "IsGreaterThanOrEqualTo" => compare(Ordering::is_ge),
        "IsLessThan" => compare(Ordering::is_lt),
        "IsLessThanOrEqualTo" => compare(Ordering::is_le),
        other => Err(Refusal::schema(node, &format!("'{other}' is no search expression."))),
    }
}

fn some(node: Node<'_, '_>, all: Vec<Expression>) -> Result<Vec<Expression>, Refusal> {
    match all.is_empty() {
        true => Err(Refusal::schema(node, "The search expression is empty.")),
        false => Ok(all),
    }
}

fn path(node: Node<'_, '_>) -> Result<Path, Refusal> {
    let first =
        elements(node).next().ok_or_else(|| Refusal::schema(node, "The property path is missing."))?;
    path::read(first)
}

fn operand(node: Node<'_, '_>) -> Result<Operand, Refusal> {
    let side = elements(node).nth(1).filter(|side| side.tag_name().name() == "FieldURIOrConstant");
    let inside = side.and_then(|side| elements(side).next());
    let inside = inside.ok_or_else(|| Refusal::schema(node, "FieldURIOrConstant is missing."))?;
    match (inside.tag_name().name(), inside.attribute("Value")) {
        ("Constant", Some(value)) => Ok(Operand::Constant(value.to_owned())),
        ("Constant", None) => Err(Refusal::schema(inside, "The required attribute 'Value' is missing.")),
        _ => path::read(inside).map(Operand::Property),
    }
}

fn constant(node: Node<'_, '_>) -> Result<String, Refusal> {
    let constant = elements(node).nth(1).filter(|constant| constant.tag_name().name() == "Constant");
    let value = constant.and_then(|constant| constant.attribute("Value"));
    value.map(str::to_owned).ok_or_else(|| Refusal::schema(node, "Constant is missing."))
}

fn mask(node: Node<'_, '_>) -> Result<i64, Refusal> {
    let bits = elements(node).nth(1).filter(|bits| bits.tag_name().name() == "Bitmask");
    let value = bits.and_then(|bits| bits.attribute("Value")).map(str::trim);
    let number =
        value.and_then(|value| match value.strip_prefix("0x").or_else(|| value.strip_prefix("0X")) {
            Some(digits) => i64::from_str_radix(digits, 16).ok(),
            None => value.parse().ok(),
        });
    number.ok_or_else(|| Refusal::new("ErrorInvalidExcludesRestriction", "The bitmask is no number."))
}

impl Expression {
    /// Refuses what can be compared with nothing, whatever rows there are.
    pub(super) fn check(&self, searchable: fn(&Path) -> bool) -> Result<(), Refusal> {
        let known = |path: &Path| match searchable(path) {
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

    /// Whether a row is one of those that are wanted. A property that is not there compares with nothing.
    pub(super) fn holds(&self, row: &Row<'_>) -> Result<bool, Refusal> {
        let value = |path: &Path| row.value(path).filter(|value| !value.is_empty());
        match self {
            Self::And(all) => Self::every(all, row, true),
            Self::Or(all) => Self::every(all, row, false).map(|none| !none),
            Self::Not(one) => one.holds(row).map(|holds| !holds),
            Self::Exists(path) => Ok(value(path).is_some()),
            Self::Excludes(path, mask) => match value(path) {
                Some(Value::Number(number)) => Ok(number & mask == 0),
                Some(_) => Err(Refusal::new(
                    "ErrorInvalidExcludesRestriction",
                    "The property has no bits that could be excluded.",
                )),
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

    /// Whether all hold, or none does.
    fn every(all: &[Self], row: &Row<'_>, wanted: bool) -> Result<bool, Refusal> {
        for one in all {
            if one.holds(row)? != wanted {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn any(value: &Value, holds: impl Fn(&Value) -> Result<bool, Refusal>) -> Result<bool, Refusal> {
    for one in value.each() {
        if holds(one)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn compare(
    value: &Value,
    wanted: fn(Ordering) -> bool,
    operand: &Operand,
    row: &Row<'_>,
) -> Result<bool, Refusal> {
    let order = match operand {
        Operand::Constant(constant) => value.against(constant).map(Some),
        Operand::Property(path) => Ok(row.value(path).and_then(|other| value.beside(&other))),
    };
    match order {
        Ok(order) => Ok(order.is_some_and(wanted)),
        Err(Incomparable::Property) => Err(unsupported()),
        Err(Incomparable::Constant) => {
            Err(Refusal::new("ErrorInvalidValueForProperty", "The constant is no value of the property."))
        }
    }
}

fn unsupported() -> Refusal {
    Refusal::new(
        "ErrorUnsupportedPathForQuery",
        "The property can not be used with this type of restriction.",
    )
}
