//! The types that events name: found, created or extended, as each event allows.

use std::collections::{BTreeSet, HashMap};

use super::{ArtifactIdentity, ArtifactRef, ContextRef, RunEvent, TypeName, TypePolicy};
use crate::error::{Error, Result};
use crate::graph::nodes::rules as node_rules;
use crate::graph::types::put::{PutTypes, stored_types};
use crate::graph::write::Write;
use crate::model::{Kind, Node, NodeType, Origin, Properties, Stored, TypeIdentity, distinct_ids};
use crate::storage::Tx;
use crate::storage::tables::{locks, nodes, types};

/// A use of a type in an event, with properties of it.
struct TypeUse<'e> {
    kind: Kind,
    name: &'e TypeName,
    policy: TypePolicy,
    properties: &'e Properties,
}

/// The types of a batch, as they are when its events are stored.
pub(super) struct TypeCatalog {
    types: HashMap<TypeIdentity, Stored<NodeType>>,
    /// The types of the artifacts that are given by id.
    artifacts: HashMap<i64, TypeName>,
}

impl TypeCatalog {
    /// Reads the types that the events name, and makes of them what the events allow.
    ///
    /// # Errors
    ///
    /// `NotFound` for a type that may not be created and for an artifact with an unknown id,
    /// `InvalidArgument` for a property that is not declared with the type of its value.
    pub(super) async fn resolve(
        tx: &mut Tx,
        events: &[&RunEvent],
        origin: &Origin,
    ) -> Result<Self> {
        let artifacts = types_of_artifacts(tx, events).await?;
        let uses = uses(events, &artifacts)?;
        let mut seen = BTreeSet::new();
        let named: Vec<(Kind, NodeType)> = uses
            .iter()
            .filter(|used| seen.insert((used.kind, &used.name.name, &used.name.version)))
            .map(|used| (used.kind, used.blank()))
            .collect();
        let mut types = candidates(tx, &named).await?;
        let mut changed = apply_policies(&mut types, &uses)?;
        // No unique key keeps a type from being created twice.
        if !changed.is_empty() && locks::structure(tx).await? {
            types = candidates(tx, &named).await?;
            changed = apply_policies(&mut types, &uses)?;
        }
        let with_type = |key: &TypeIdentity| Some((key.0, types.get(key)?.value.clone()));
        let put = PutTypes {
            types: changed.iter().filter_map(with_type).collect(),
            can_add_fields: true,
            can_omit_fields: true,
            partial_match: false,
        };
        if !changed.is_empty() {
            for (key, id) in changed.iter().zip(put.apply(tx, origin).await?) {
                types.entry(key.clone()).and_modify(|put| put.id = Some(id));
            }
        }
        let stored = |(key, Candidate { id, value })| Some((key, Stored { id: id?, value }));
        let types = types.into_iter().filter_map(stored).collect();
        Ok(Self { types, artifacts })
    }

    /// The id of a type that an event names.
    pub(super) fn id(&self, kind: Kind, name: &TypeName) -> Result<i64> {
        let found = self.types.get(&identity(kind, name));
        let id = found.map(|found| found.id);
        id.ok_or_else(|| Error::internal("a type of a run event was not resolved"))
    }

    /// The type of an artifact, which is the stored one where an id finds the artifact.
    pub(super) fn artifact_type<'a>(&'a self, given: &'a ArtifactRef) -> &'a TypeName {
        type_of(given, &self.artifacts)
    }

    /// The types of a kind.
    pub(super) fn of(&self, kind: Kind) -> impl Iterator<Item = &Stored<NodeType>> {
        let of_kind = self.types.iter().filter(move |(key, _)| key.0 == kind);
        of_kind.map(|(_, found)| found)
    }
}

/// A type that a batch names: stored, or to be created.
struct Candidate {
    /// `None` until it is stored.
    id: Option<i64>,
    value: NodeType,
}

/// The stored types among those that a batch names.
async fn candidates(
    tx: &mut Tx,
    named: &[(Kind, NodeType)],
) -> Result<HashMap<TypeIdentity, Candidate>> {
    let stored = stored_types(tx, named).await?.into_iter();
    let candidate = |(key, Stored { id, value })| {
        let id = Some(id);
        (key, Candidate { id, value })
    };
    Ok(stored.map(candidate).collect())
}

fn identity(kind: Kind, name: &TypeName) -> TypeIdentity {
    (kind, name.name.clone(), name.version.clone())
}

impl TypeUse<'_> {
    fn blank(&self) -> NodeType {
        NodeType {
            name: self.name.name.clone(),
            version: self.name.version.clone(),
            ..NodeType::default()
        }
    }

    /// Declares the given properties that are missing. Returns whether there were any.
    fn declare(&self, of: &mut NodeType) -> bool {
        let before = of.properties.len();
        for (name, value) in self.properties {
            if let Some(data_type) = value.property_type() {
                of.properties.entry(name.clone()).or_insert(data_type);
            }
        }
        of.properties.len() > before
    }

    /// The properties must be declared with the types of their values.
    fn check(&self, of: &NodeType) -> Result<()> {
        for (name, value) in self.properties {
            node_rules::check_property(name, value, of).map_err(|error| {
                Error::invalid(format!(
                    "Cannot validate properties of a node of the {} type {}: {error}",
                    self.kind.noun(),
                    describe(self.name)
                ))
            })?;
        }
        Ok(())
    }
}

/// Creates and extends types as the policies of their uses allow, in the order of the uses. The
/// result names the types that changed.
fn apply_policies(
    stored: &mut HashMap<TypeIdentity, Candidate>,
    uses: &[TypeUse<'_>],
) -> Result<Vec<TypeIdentity>> {
    let mut changed: Vec<TypeIdentity> = Vec::new();
    for used in uses {
        let key = identity(used.kind, used.name);
        let is_new = !stored.contains_key(&key);
        if is_new && used.policy == TypePolicy::MustExist {
            return Err(Error::NotFound(format!(
                "No {} type {} exists, and the type_policy of the event does not create it",
                used.kind.noun(),
                describe(used.name)
            )));
        }
        let known = stored.entry(key.clone()).or_insert_with(|| Candidate {
            id: None,
            value: used.blank(),
        });
        let known = &mut known.value;
        let may_declare = is_new || used.policy == TypePolicy::Extend;
        let does_change = is_new | (may_declare && used.declare(known));
        used.check(known)?;
        if does_change && !changed.contains(&key) {
            changed.push(key);
        }
    }
    Ok(changed)
}

/// A type in few words, for error texts.
pub(super) fn describe(of: &TypeName) -> String {
    match &of.version {
        Some(version) => format!("`{}` version `{version}`", of.name),
        None => format!("`{}`", of.name),
    }
}

fn type_of<'a>(given: &'a ArtifactRef, known: &'a HashMap<i64, TypeName>) -> &'a TypeName {
    let stored = match &given.identity {
        Some(ArtifactIdentity::Id(id)) => known.get(id),
        _ => None,
    };
    stored.unwrap_or(&given.artifact_type)
}

/// The types of the stored artifacts that events give by id.
async fn types_of_artifacts(tx: &mut Tx, events: &[&RunEvent]) -> Result<HashMap<i64, TypeName>> {
    let used = events
        .iter()
        .flat_map(|event| event.inputs.iter().chain(&event.outputs));
    let id = |used: &ArtifactRef| match used.identity {
        Some(ArtifactIdentity::Id(id)) => Some(id),
        _ => None,
    };
    let ids = distinct_ids(used.filter_map(id));
    let artifacts = nodes::by_ids(tx, Kind::Artifact, &ids).await?;
    let type_ids = distinct_ids(artifacts.iter().map(|node| node.type_id));
    let found = types::by_ids(tx, Kind::Artifact, &type_ids).await?;
    let by_id: HashMap<i64, TypeName> = found
        .into_iter()
        .map(|Stored { id, value }| {
            let name = TypeName {
                name: value.name,
                version: value.version,
            };
            (id, name)
        })
        .collect();
    let with_type = |node: Node| Some((node.id, by_id.get(&node.type_id)?.clone()));
    Ok(artifacts.into_iter().filter_map(with_type).collect())
}

/// All uses of types, in the order of the events.
fn uses<'e>(
    events: &[&'e RunEvent],
    artifacts: &'e HashMap<i64, TypeName>,
) -> Result<Vec<TypeUse<'e>>> {
    let mut uses = Vec::new();
    for event in events {
        let policy = event.type_policy.unwrap_or(TypePolicy::MustExist);
        for context in event.all_contexts() {
            push_context(&mut uses, context, policy);
        }
        if event.has_run() {
            uses.push(TypeUse {
                kind: Kind::Execution,
                name: &event.run_type,
                policy,
                properties: &event.properties,
            });
        }
        for given in event.inputs.iter().chain(&event.outputs) {
            check_id(given, artifacts)?;
            uses.push(TypeUse {
                kind: Kind::Artifact,
                name: type_of(given, artifacts),
                policy,
                properties: &given.properties,
            });
        }
    }
    Ok(uses)
}

fn push_context<'e>(uses: &mut Vec<TypeUse<'e>>, context: &'e ContextRef, policy: TypePolicy) {
    uses.push(TypeUse {
        kind: Kind::Context,
        name: &context.context_type,
        policy,
        properties: &context.properties,
    });
    for parent in context.parents.iter().chain(&context.other_names) {
        push_context(uses, parent, policy);
    }
}

/// An artifact that is given by id must exist, and have the type that is given, if one is.
fn check_id(given: &ArtifactRef, artifacts: &HashMap<i64, TypeName>) -> Result<()> {
    let Some(ArtifactIdentity::Id(id)) = given.identity else {
        return Ok(());
    };
    let Some(known) = artifacts.get(&id) else {
        return Err(Error::NotFound(format!(
            "No artifact with the given id {id}"
        )));
    };
    if given.artifact_type != TypeName::default() && given.artifact_type != *known {
        return Err(Error::invalid(format!(
            "The artifact with the id {id} is of the type {}, not {}",
            describe(known),
            describe(&given.artifact_type)
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{PropertyType, Value};
    use TypePolicy::{Create, Extend, MustExist};

    /// Uses an execution type `T` with these policies and properties, in order; the answer is how
    /// many types change, and what `T` declares afterwards.
    fn after(
        stored: &[(&str, PropertyType)],
        given: &[(TypePolicy, &[(&str, Value)])],
    ) -> Result<(usize, Vec<String>)> {
        let name = TypeName {
            name: "T".into(),
            version: None,
        };
        let properties: Vec<Properties> = given
            .iter()
            .map(|(_, given)| {
                let own = |(name, value): &(&str, Value)| ((*name).to_owned(), value.clone());
                given.iter().map(own).collect()
            })
            .collect();
        let uses: Vec<TypeUse<'_>> = given
            .iter()
            .zip(&properties)
            .map(|((policy, _), properties)| TypeUse {
                kind: Kind::Execution,
                name: &name,
                policy: *policy,
                properties,
            })
            .collect();
        let key = identity(Kind::Execution, &name);
        let mut types = HashMap::new();
        if !stored.is_empty() {
            let own = |(name, of): &(&str, PropertyType)| ((*name).to_owned(), *of);
            let mut known = uses[0].blank();
            known.properties = stored.iter().map(own).collect();
            let known = Candidate {
                id: Some(1),
                value: known,
            };
            types.insert(key.clone(), known);
        }
        let changed = apply_policies(&mut types, &uses)?;
        let declared = types[&key].value.properties.keys().cloned().collect();
        Ok((changed.len(), declared))
    }

    #[test]
    fn each_event_may_do_what_its_policy_says() {
        let p: &[_] = &[("p", Value::Int(1))];
        let q: &[_] = &[("q", Value::Bool(true))];
        let stored: &[_] = &[("p", PropertyType::Int)];
        assert!(matches!(
            after(&[], &[(MustExist, p)]),
            Err(Error::NotFound(_))
        ));
        assert_eq!(after(stored, &[(MustExist, p)]).unwrap().0, 0);
        assert_eq!(after(stored, &[(Create, p), (Extend, p)]).unwrap().0, 0);
        assert_eq!(after(&[], &[(Create, p), (MustExist, p)]).unwrap().0, 1);
        assert_eq!(
            after(stored, &[(Extend, q)]).unwrap(),
            (1, vec!["p".into(), "q".into()])
        );
        for policy in [MustExist, Create] {
            let refused = after(stored, &[(policy, q)]).unwrap_err();
            assert!(matches!(refused, Error::InvalidArgument(_)), "{refused:?}");
        }
        // What a later event of the batch declares, an earlier one could not know.
        assert!(after(stored, &[(Create, q), (Extend, q)]).is_err());
    }

    #[test]
    fn a_declared_property_keeps_its_type() {
        let text: &[_] = &[("p", Value::String("1".into()))];
        let refused = after(&[("p", PropertyType::Int)], &[(Extend, text)]).unwrap_err();
        assert!(
            refused
                .to_string()
                .ends_with("Found unmatched property type: p")
        );
    }
}
