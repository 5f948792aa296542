//! Finds a field of a calendar item by its name, with a perfect hash that the compiler computes. Never reads a value.

use crate::ews::fields::calendar_item_fields;

macro_rules! define_field {
    ($($(#[$_:meta])* $property:ident: $Name:ident $element:literal $kind:ident $(, $($request:ident)+)?;)*) => {
        /// The known fields.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Field {
            $($Name,)*
        }

        /// The fields' names, each in the row of its field.
        const FIELDS: &[(&str, Field)] = &[$(($element, Field::$Name),)*];
    };
}

calendar_item_fields!(define_field);

/// Slots of the perfect hash table of fields: enough that the search for a collision-free multiplier is short.
const SLOTS: usize = 64;

/// Multiplier that maps each field to its own slot; the compiler searches for it.
const HASH_MULTIPLIER: u32 = {
    let mut mix = 0x9e37_79b1;
    while fields_by_slot(mix).is_none() {
        mix += 2;
    }
    mix
};

/// The field of each slot; unused slots hold any field, because the name is always compared afterwards.
const FIELD_OF_SLOT: [Field; SLOTS] = match fields_by_slot(HASH_MULTIPLIER) {
    Some(fields) => fields,
    None => [Field::ItemId; SLOTS],
};

impl Field {
    /// The only field whose start tag can start with `<t:` and these four bytes.
    #[inline(always)]
    pub(super) fn guess(front: [u8; 4]) -> Self {
        FIELD_OF_SLOT[slot(front, HASH_MULTIPLIER)]
    }

    /// The field with this name.
    pub(super) fn named(name: &[u8]) -> Option<Self> {
        let field = Self::guess(front(name)?);
        (FIELDS[field as usize].0.as_bytes() == name).then_some(field)
    }
}

/// Hashes a field's first four letters, which are unique if `>` counts as a letter.
const fn slot(front: [u8; 4], mix: u32) -> usize {
    (u32::from_le_bytes(front).wrapping_mul(mix) >> 26) as usize
}

const fn front(name: &[u8]) -> Option<[u8; 4]> {
    match name {
        [a, b, c] => Some([*a, *b, *c, b'>']),
        [a, b, c, d, ..] => Some([*a, *b, *c, *d]),
        _ => None,
    }
}

const fn fields_by_slot(mix: u32) -> Option<[Field; SLOTS]> {
    let mut fields = [Field::ItemId; SLOTS];
    let mut taken = [false; SLOTS];
    let mut at = 0;
    while at < FIELDS.len() {
        let (name, field) = FIELDS[at];
        let Some(front) = front(name.as_bytes()) else { return None };
        let slot = slot(front, mix);
        if taken[slot] {
            return None;
        }
        taken[slot] = true;
        fields[slot] = field;
        at += 1;
    }
    Some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_found_by_its_name_and_by_no_other() {
        for (at, &(name, field)) in FIELDS.iter().enumerate() {
            assert_eq!(field as usize, at, "{name} is in its own row");
            assert!(Field::named(name.as_bytes()).is_some_and(|found| found as usize == at), "{name}");
            for other in [&name[..name.len() - 1], &format!("{name}s"), ""] {
                assert!(Field::named(other.as_bytes()).is_none(), "{other}");
            }
        }
    }
}
