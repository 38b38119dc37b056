//! Puts the contexts of a composite write, some of which may exist and stay unchanged.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::error::{Error, Result};
use crate::graph::nodes::rules::describe;
use crate::graph::nodes::writer::{NodeWriter, OnConflict, PutOptions};
use crate::model::{Kind, NodeInput, NodeKey};
use crate::storage::Tx;
use crate::storage::tables::nodes;

/// What of contexts that exist is left alone.
#[derive(Clone, Copy, Debug)]
pub(in crate::graph) struct ContextReuse {
    /// Contexts without id whose type and name exist.
    pub by_name: bool,
    /// Contexts with id.
    pub by_id: bool,
}

/// Where the id of a context comes from.
enum Slot {
    Known(i64),
    /// The place in the answer of the writer.
    Put(usize),
}

pub(in crate::graph) struct ContextWriter<'a> {
    contexts: &'a [NodeInput],
    reuse: ContextReuse,
    writer: NodeWriter<'a>,
    /// Stored contexts by type and name.
    known: HashMap<(i64, String), i64>,
}

impl<'a> ContextWriter<'a> {
    /// Reads what the contexts refer to, and locks those that they will change.
    pub(in crate::graph) async fn new(
        tx: &mut Tx,
        contexts: &'a [NodeInput],
        reuse: ContextReuse,
        now: i64,
    ) -> Result<Self> {
        let options = PutOptions {
            on_conflict: if reuse.by_name {
                OnConflict::RetryThenAbort
            } else {
                OnConflict::Error
            },
            ..PutOptions::default()
        };
        let known = if reuse.by_name {
            ids_by_names(tx, contexts).await?
        } else {
            HashMap::new()
        };
        // A context that is only linked to is not changed, but its existence is checked.
        let linked = |context: &&NodeInput| reuse.by_id && context.id.is_some();
        let changed = contexts.iter().filter(|context| !linked(context));
        let mut writer = NodeWriter::new(tx, Kind::Context, changed, options, now).await?;
        let linked = contexts.iter().filter(linked);
        writer
            .load_nodes(tx, linked.filter_map(|context| context.id).collect())
            .await?;
        Ok(Self {
            contexts,
            reuse,
            writer,
            known,
        })
    }

    /// Puts the contexts; the ids are aligned with them.
    pub(in crate::graph) async fn put(mut self, tx: &mut Tx) -> Result<Vec<i64>> {
        let mut fresh: HashMap<(i64, &str), usize> = HashMap::new();
        let mut slots = Vec::with_capacity(self.contexts.len());
        for context in self.contexts {
            if let (Some(id), true) = (context.id, self.reuse.by_id) {
                if !self.writer.exists(id) {
                    let missing = Error::NotFound(format!("Results missing for ids: {{{id}}}"));
                    return Err(self.writer.refuse(tx, missing).await);
                }
                slots.push(Slot::Known(id));
                continue;
            }
            let (type_id, name) = match required(context) {
                Ok(key) => key,
                Err(error) => return Err(self.writer.refuse(tx, error).await),
            };
            if self.reuse.by_name && context.id.is_none() {
                if let Some(&place) = fresh.get(&(type_id, name)) {
                    slots.push(Slot::Put(place));
                    continue;
                }
                if let Some(id) = self.stored(tx, type_id, name).await? {
                    slots.push(Slot::Known(id));
                    continue;
                }
            }
            let place = self.writer.put(tx, Cow::Borrowed(context)).await?;
            // An update may have renamed the context that had the name.
            self.known.retain(|_, id| context.id != Some(*id));
            fresh.insert((type_id, name), place);
            slots.push(Slot::Put(place));
        }
        let stored = self.writer.finish(tx).await?;
        let id = |slot| match slot {
            Slot::Known(id) => id,
            Slot::Put(place) => stored[place],
        };
        Ok(slots.into_iter().map(id).collect())
    }

    /// The id of the stored context of that type and name. Where names that look different can be
    /// equal, the database decides.
    async fn stored(&mut self, tx: &mut Tx, type_id: i64, name: &str) -> Result<Option<i64>> {
        match self.known.get(&(type_id, name.to_owned())) {
            Some(&id) => Ok(Some(id)),
            None if tx.dialect().has_loose_collation() => {
                // The context that had the name may have been renamed a moment ago.
                self.writer.write_updates(tx).await?;
                nodes::find(tx, Kind::Context, NodeKey::TypeAndName(type_id, name)).await
            }
            None => Ok(None),
        }
    }
}

fn required(context: &NodeInput) -> Result<(i64, &str)> {
    let missing = |what: &str| {
        let which = describe(Kind::Context, context);
        Error::invalid(format!("Context is missing a {what}: {which}"))
    };
    let type_id = context.type_id.ok_or_else(|| missing("type_id"))?;
    let name = context.content.name.as_deref();
    let name = name.ok_or_else(|| missing("name"))?;
    Ok((type_id, name))
}

async fn ids_by_names(tx: &mut Tx, contexts: &[NodeInput]) -> Result<HashMap<(i64, String), i64>> {
    let new = contexts.iter().filter(|context| context.id.is_none());
    let type_ids: Vec<i64> = new.clone().filter_map(|context| context.type_id).collect();
    let names: Vec<&str> = new
        .filter_map(|context| context.content.name.as_deref())
        .collect();
    nodes::ids_by_names(tx, Kind::Context, &type_ids, &names).await
}
