//! Rules of type evolution, decided without the database: whether a type may be created or
//! extended.

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::model::{NodeType, PropertyType};

/// The differences from a stored type that a caller allows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Evolution {
    /// The given type may declare more properties than the stored one.
    pub can_add_fields: bool,
    /// The given type may declare fewer properties than the stored one.
    pub can_omit_fields: bool,
}

/// Refuses a new type whose properties have no type.
pub(super) fn check_new(given: &NodeType) -> Result<()> {
    match first_unknown(&given.properties) {
        Some(name) => Err(Error::invalid(format!("Property {name} is UNKNOWN."))),
        None => Ok(()),
    }
}

/// The properties that a stored type gains when it is put again as `given`.
///
/// # Errors
///
/// `AlreadyExists` when the two contradict each other or differ in a way that is not allowed,
/// `InvalidArgument` for an addition without a type.
pub(super) fn additions(
    stored: &NodeType,
    given: &NodeType,
    allowed: Evolution,
) -> Result<BTreeMap<String, PropertyType>> {
    for (name, wanted) in &given.properties {
        if stored
            .properties
            .get(name)
            .is_some_and(|known| known != wanted)
        {
            return Err(differs(
                "Conflicting property value type found in stored and given types",
                stored,
                name,
            ));
        }
    }
    let omitted = stored
        .properties
        .keys()
        .find(|name| !given.properties.contains_key(*name));
    if let (Some(name), false) = (omitted, allowed.can_omit_fields) {
        return Err(differs(
            "can_omit_fields is false while stored type has more properties",
            stored,
            name,
        ));
    }
    let added: BTreeMap<_, _> = given
        .properties
        .iter()
        .filter(|(name, _)| !stored.properties.contains_key(*name))
        .map(|(name, data_type)| (name.clone(), *data_type))
        .collect();
    if let (Some(name), false) = (added.keys().next(), allowed.can_add_fields) {
        return Err(differs(
            "can_add_fields is false while the given type has more properties",
            stored,
            name,
        ));
    }
    match first_unknown(&added) {
        Some(name) => Err(Error::invalid(format!(
            "Property:{name} type should not be UNKNOWN."
        ))),
        None => Ok(added),
    }
}

fn first_unknown(properties: &BTreeMap<String, PropertyType>) -> Option<&String> {
    properties
        .iter()
        .find(|(_, data_type)| **data_type == PropertyType::Unknown)
        .map(|(name, _)| name)
}

fn differs(how: &str, stored: &NodeType, property: &str) -> Error {
    Error::AlreadyExists(format!(
        "Type already exists with different properties: {how}: type `{}`, property `{property}`",
        stored.name
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::PropertyType::{Int, String as Text, Unknown};

    fn type_of(properties: &[(&str, PropertyType)]) -> NodeType {
        NodeType {
            name: "T".into(),
            properties: properties
                .iter()
                .map(|(name, data_type)| ((*name).to_owned(), *data_type))
                .collect(),
            ..NodeType::default()
        }
    }

    fn put(
        stored: &[(&str, PropertyType)],
        given: &[(&str, PropertyType)],
        can_add_fields: bool,
        can_omit_fields: bool,
    ) -> Result<Vec<String>> {
        let allowed = Evolution {
            can_add_fields,
            can_omit_fields,
        };
        additions(&type_of(stored), &type_of(given), allowed)
            .map(|added| added.into_keys().collect())
    }

    #[test]
    fn a_type_only_grows_and_only_when_allowed() {
        let (p, q) = (("p", Int), ("q", Text));
        assert_eq!(put(&[p], &[p], false, false).unwrap(), [""; 0]);
        assert_eq!(put(&[p], &[p, q], true, false).unwrap(), ["q"]);
        assert_eq!(put(&[p, q], &[p], false, true).unwrap(), [""; 0]);
        assert_eq!(put(&[p], &[q], true, true).unwrap(), ["q"]);
        for (given, add, omit) in [(&[p, q][..], false, true), (&[][..], true, false)] {
            assert!(matches!(
                put(&[p], given, add, omit),
                Err(Error::AlreadyExists(_))
            ));
        }
    }

    #[test]
    fn a_property_keeps_its_type_whatever_is_allowed() {
        let refused = put(&[("p", Int)], &[("p", Text)], true, true).unwrap_err();
        assert!(refused.to_string().starts_with(
            "Type already exists with different properties: Conflicting property value type"
        ));
    }

    #[test]
    fn an_unknown_type_is_no_type() {
        assert!(matches!(
            put(&[], &[("p", Unknown)], true, false),
            Err(Error::InvalidArgument(_))
        ));
        assert!(check_new(&type_of(&[("p", Unknown)])).is_err());
        assert!(check_new(&type_of(&[("p", Int)])).is_ok());
    }
}
