//! Property values: their XML, and their comparison in restrictions and sort orders. Pure.

use std::cmp::Ordering;

use chrono::{DateTime, Utc};

use crate::sim::soap_request;
use crate::sim::soap_response::{element, instant};

/// The value of a property.
#[derive(Debug, Clone)]
pub(super) enum PropertyValue {
    Text(String),
    /// An enumeration value: its name, its stored number, and the parser of names.
    Enumeration(&'static str, i64, fn(&str) -> Option<i64>),
    Boolean(bool),
    Number(i64),
    Real(f64),
    Time(DateTime<Utc>),
    /// A list of `t:String`.
    List(Vec<Self>),
    /// A text with special XML: the element, and the text to compare.
    XmlWithText(String, String),
    /// Structured XML that cannot be compared.
    Xml(String),
}

/// Why a value cannot be compared with a constant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Incomparable {
    /// The constant is invalid for this property.
    Constant,
    /// The property has neither an order nor a text.
    Property,
}

impl PropertyValue {
    /// The element with this name.
    pub(super) fn write(&self, name: &str) -> String {
        match self {
            Self::XmlWithText(xml, _) | Self::Xml(xml) => xml.clone(),
            Self::List(values) => {
                let all: String = values.iter().map(|value| value.write("String")).collect();
                format!("<t:{name}>{all}</t:{name}>")
            }
            _ => element(name, &self.text()),
        }
    }

    /// The text content of the element.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Text(text) | Self::XmlWithText(_, text) => text.clone(),
            Self::Enumeration(word, ..) => (*word).to_owned(),
            Self::Boolean(yes) => yes.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Real(number) => number.to_string(),
            Self::Time(at) => instant(*at),
            Self::List(values) => values.iter().map(Self::text).collect::<Vec<_>>().join(" "),
            Self::Xml(_) => String::new(),
        }
    }

    /// Whether it is empty, which a mailbox does not store.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Text(text) | Self::XmlWithText(_, text) => text.is_empty(),
            Self::List(values) => values.is_empty(),
            _ => false,
        }
    }

    /// The elements of a list, or the value itself.
    pub(super) fn each(&self) -> &[Self] {
        match self {
            Self::List(values) => values,
            one => std::slice::from_ref(one),
        }
    }

    /// Compares with a constant of a request.
    pub(super) fn compare_to_constant(&self, constant: &str) -> Result<Ordering, Incomparable> {
        use Incomparable::Constant;
        let order = match self {
            Self::Text(text) | Self::XmlWithText(_, text) => Some(text.as_str().cmp(constant)),
            Self::Enumeration(_, rank, rank_of) => Some(rank.cmp(&rank_of(constant.trim()).ok_or(Constant)?)),
            Self::Boolean(yes) => Some(yes.cmp(&soap_request::boolean(constant).ok_or(Constant)?)),
            Self::Number(number) => Some(number.cmp(&constant.trim().parse().map_err(|_| Constant)?)),
            Self::Real(number) => number.partial_cmp(&constant.trim().parse::<f64>().map_err(|_| Constant)?),
            Self::Time(at) => Some(at.cmp(&soap_request::instant(constant).ok_or(Constant)?)),
            Self::List(_) | Self::Xml(_) => None,
        };
        order.ok_or(Incomparable::Property)
    }

    /// Compares with the value of another property, if they are comparable.
    pub(super) fn compare_to(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Boolean(one), Self::Boolean(other)) => Some(one.cmp(other)),
            (Self::Time(one), Self::Time(other)) => Some(one.cmp(other)),
            (Self::Enumeration(_, one, _), Self::Enumeration(_, other, _))
            | (Self::Number(one), Self::Number(other)) => Some(one.cmp(other)),
            (Self::Real(one), Self::Real(other)) => one.partial_cmp(other),
            (
                Self::Text(one) | Self::XmlWithText(_, one),
                Self::Text(other) | Self::XmlWithText(_, other),
            ) => Some(one.cmp(other)),
            (Self::List(one), Self::List(other)) => one
                .iter()
                .zip(other)
                .find_map(|(one, other)| one.compare_to(other).filter(|order| order.is_ne()))
                .or(Some(one.len().cmp(&other.len()))),
            _ => None,
        }
    }

    /// Compares with the same property of another item, ignoring case.
    pub(super) fn sort_order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (
                Self::Text(one) | Self::XmlWithText(_, one),
                Self::Text(other) | Self::XmlWithText(_, other),
            ) => one.to_lowercase().cmp(&other.to_lowercase()),
            _ => self.compare_to(other).unwrap_or(Ordering::Equal),
        }
    }
}
