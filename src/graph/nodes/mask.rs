//! The part of a node that an update writes.

use std::collections::BTreeSet;

/// The fields and properties that an update writes. Those outside the mask stay as they are stored.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a field of a node")]
pub struct Mask {
    pub name: bool,
    pub external_id: bool,
    pub uri: bool,
    pub state: bool,
    pub properties: PropertyMask,
    pub custom_properties: PropertyMask,
}

/// The properties of one map that an update writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PropertyMask {
    All,
    Named(BTreeSet<String>),
}

/// The mask of an update that has none.
pub(in crate::graph) static FULL_MASK: Mask = Mask {
    name: true,
    external_id: true,
    uri: true,
    state: true,
    properties: PropertyMask::All,
    custom_properties: PropertyMask::All,
};

impl Mask {
    /// The mask of no field and no property.
    pub const EMPTY: Self = Self {
        name: false,
        external_id: false,
        uri: false,
        state: false,
        properties: PropertyMask::Named(BTreeSet::new()),
        custom_properties: PropertyMask::Named(BTreeSet::new()),
    };
}

impl PropertyMask {
    pub(super) fn contains(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Named(names) => names.contains(name),
        }
    }
}
