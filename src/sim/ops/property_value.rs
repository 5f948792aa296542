//! The value of a property: how an answer writes it, and how restrictions and sort orders compare it. Pure.

use std::cmp::Ordering;

use chrono::{DateTime, Utc};

use crate::sim::soap_request;
use crate::sim::soap_response::{element, instant};

/// What a property is.
#[derive(Debug, Clone)]
pub(super) enum PropertyValue {
    Text(String),
    /// A word of an enumeration, which is stored as a number.
    Enumeration(&'static str, i64, fn(&str) -> Option<i64>),
    Boolean(bool),
    Number(i64),
    Real(f64),
    Time(DateTime<Utc>),
    /// Several, in a `t:String` each.
    List(Vec<Self>),
    /// A text that is written in its own way: the element, and what it says.
    XmlWithText(String, String),
    /// A structure that only answers show: the element.
    Xml(String),
}

/// Why a value cannot be compared with a constant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Incomparable {
    /// The constant is no value of this property.
    Constant,
    /// The property has no order and no text.
    Property,
}

impl PropertyValue {
    /// The element of this name.
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

    /// As the text of an element.
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

    /// Whether there is nothing in it, which a mailbox does not store at all.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Text(text) | Self::XmlWithText(_, text) => text.is_empty(),
            Self::List(values) => values.is_empty(),
            _ => false,
        }
    }

    /// The values it consists of.
    pub(super) fn each(&self) -> &[Self] {
        match self {
            Self::List(values) => values,
            one => std::slice::from_ref(one),
        }
    }

    /// How it stands to a constant of a request.
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

    /// How it stands to the value of another property, if the two can be compared.
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

    /// How it stands to the value of the same property of another item, case aside.
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
