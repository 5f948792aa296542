//! Extended properties (`t:ExtendedFieldURI`): MAPI properties that clients name by tag, id or name, with their values
//! as text. Pure; `ops::aliases` maps those that are ordinary EWS properties.

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// The distinguished property sets and their GUIDs.
const SETS: [(&str, &str); 11] = [
    ("Address", "00062004-0000-0000-c000-000000000046"),
    ("Appointment", "00062002-0000-0000-c000-000000000046"),
    ("CalendarAssistant", "11000e07-b51b-40d6-af21-caa85edab1d0"),
    ("Common", "00062008-0000-0000-c000-000000000046"),
    ("InternetHeaders", "00020386-0000-0000-c000-000000000046"),
    ("Meeting", "6ed8da90-450b-101b-98da-00aa003f1305"),
    ("PublicStrings", "00020329-0000-0000-c000-000000000046"),
    ("Sharing", "00062040-0000-0000-c000-000000000046"),
    ("Task", "00062003-0000-0000-c000-000000000046"),
    ("UnifiedMessaging", "4442858e-a9e3-4e80-b900-317a210cc15b"),
    ("Location", "a719e259-2a9a-4fb8-bab3-3a9f02970e4b"),
];

/// The property types that Exchange stores.
const TYPES: [&str; 12] = [
    "ApplicationTime",
    "Binary",
    "Boolean",
    "CLSID",
    "Currency",
    "Double",
    "Float",
    "Integer",
    "Long",
    "Short",
    "SystemTime",
    "String",
];

/// The identity of a property.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum PropertyName {
    Tag(u16),
    Numbered { set: String, id: i64 },
    Named { set: String, name: String },
}

/// A property and its type.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ExtendedProperty {
    pub(crate) owner: PropertyName,
    /// One of [`TYPES`].
    pub(crate) kind: &'static str,
    pub(crate) is_array: bool,
}

/// Why an `ExtendedFieldURI` is invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InvalidPath {
    /// Attributes that are missing or exclude each other.
    Attributes,
    /// A type that Exchange does not store.
    Type,
}

impl ExtendedProperty {
    /// Reads the attributes of an `ExtendedFieldURI`.
    pub(crate) fn read<'a>(attribute: impl Fn(&str) -> Option<&'a str>) -> Result<Self, InvalidPath> {
        let (kind, is_array) = attribute("PropertyType").and_then(read_type).ok_or(InvalidPath::Type)?;
        let set = match (attribute("DistinguishedPropertySetId"), attribute("PropertySetId")) {
            (Some(name), None) => Some(set_of(name).ok_or(InvalidPath::Attributes)?.to_owned()),
            (None, Some(guid)) => Some(guid.trim_matches(['{', '}']).to_lowercase()),
            (None, None) => None,
            (Some(_), Some(_)) => return Err(InvalidPath::Attributes),
        };
        let owner = match (set, attribute("PropertyTag"), attribute("PropertyId"), attribute("PropertyName"))
        {
            (None, Some(tag), None, None) => read_tag(tag).map(PropertyName::Tag),
            (Some(set), None, Some(id), None) => {
                id.trim().parse().ok().map(|id| PropertyName::Numbered { set, id })
            }
            (Some(set), None, None, Some(name)) => Some(PropertyName::Named { set, name: name.to_owned() }),
            _ => None,
        };
        Ok(Self { owner: owner.ok_or(InvalidPath::Attributes)?, kind, is_array })
    }

    /// The set's distinguished name, if it has one.
    pub(crate) fn set(&self) -> Option<&'static str> {
        let (PropertyName::Numbered { set, .. } | PropertyName::Named { set, .. }) = &self.owner else {
            return None;
        };
        SETS.iter().find(|(_, guid)| guid == set).map(|(name, _)| *name)
    }

    /// Whether a value is valid for the type.
    pub(crate) fn takes(&self, value: &str) -> bool {
        let value = value.trim();
        match self.kind {
            "Integer" => value.parse::<i32>().is_ok(),
            "Short" => value.parse::<i16>().is_ok(),
            "Long" | "Currency" => value.parse::<i64>().is_ok(),
            "Double" | "Float" | "ApplicationTime" => value.parse::<f64>().is_ok(),
            "Boolean" => super::soap_request::boolean(value).is_some(),
            "SystemTime" => super::soap_request::instant(value).is_some(),
            "Binary" => STANDARD.decode(value).is_ok(),
            "CLSID" => uuid::Uuid::try_parse(value).is_ok(),
            _ => true,
        }
    }
}

fn set_of(name: &str) -> Option<&'static str> {
    SETS.iter().find(|(known, _)| *known == name).map(|(_, guid)| *guid)
}

fn read_type(word: &str) -> Option<(&'static str, bool)> {
    let (word, is_array) = word.strip_suffix("Array").map_or((word, false), |word| (word, true));
    TYPES.iter().find(|known| **known == word).map(|kind| (*kind, is_array))
}

/// Decimal or hexadecimal (`0x…`). Tags from 0x8000 belong to named properties, which clients must not address by tag.
fn read_tag(text: &str) -> Option<u16> {
    let text = text.trim();
    let tag = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => u16::from_str_radix(digits, 16).ok()?,
        None => text.parse().ok()?,
    };
    (tag < 0x8000).then_some(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(attributes: &[(&str, &'static str)]) -> Result<ExtendedProperty, InvalidPath> {
        ExtendedProperty::read(|wanted| {
            attributes.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value)
        })
    }

    #[test]
    fn a_property_is_the_same_however_its_set_is_named() {
        let by_name =
            [("DistinguishedPropertySetId", "Common"), ("PropertyId", "34051"), ("PropertyType", "Boolean")];
        let by_guid = [
            ("PropertySetId", "{00062008-0000-0000-C000-000000000046}"),
            ("PropertyId", "34051"),
            ("PropertyType", "Boolean"),
        ];
        assert_eq!(read(&by_name), read(&by_guid));
        assert_eq!(read(&by_guid).unwrap().set(), Some("Common"));
    }

    #[test]
    fn paths_that_name_nothing_are_refused() {
        for (bad, why) in [
            (vec![("PropertyType", "String")], InvalidPath::Attributes),
            (vec![("PropertyTag", "0x37"), ("PropertyType", "Object")], InvalidPath::Type),
            (vec![("PropertyTag", "0x8001"), ("PropertyType", "String")], InvalidPath::Attributes),
            (
                vec![("PropertyTag", "0x37"), ("PropertyName", "x"), ("PropertyType", "String")],
                InvalidPath::Attributes,
            ),
            (
                vec![
                    ("DistinguishedPropertySetId", "Nothing"),
                    ("PropertyName", "x"),
                    ("PropertyType", "String"),
                ],
                InvalidPath::Attributes,
            ),
        ] {
            assert_eq!(read(&bad), Err(why), "{bad:?}");
        }
    }
}
