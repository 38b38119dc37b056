//! Recording of messages: each has an id that the client chose, and is stored once, however often
//! it is sent.
//!
//! A batch of messages is one transaction. It is first tried as a whole; when one of its messages
//! is refused, each is tried alone, so that the others are stored all the same.

pub(in crate::graph) mod batch;
mod codec;
pub(in crate::graph) mod missing_right;
pub(in crate::graph) mod queue;
pub(in crate::graph) mod runs;

use std::sync::Arc;

use self::missing_right::MissingTypeRight;
use crate::error::{Error, Result};
use crate::graph::composite::events::PutEvents;
use crate::graph::composite::execution::{PutExecution, PutExecutionAnswer};
use crate::graph::composite::nodes::PutNodes;
use crate::graph::composite::subgraph::{PutSubgraph, PutSubgraphAnswer};
use crate::graph::edges::memberships::PutMemberships;
use crate::graph::edges::parents::PutParentContexts;
use crate::graph::ingest::runs::{RecordRuns, RunEvent, RunResult};
use crate::graph::types::put::PutTypes;
use crate::graph::write::Write;
use crate::model::{Caller, Origin};
use crate::storage::Tx;

/// The longest id of a message, in bytes.
pub const MAX_MESSAGE_ID_BYTES: usize = 255;

/// What a client says, and the id by which it knows that it was stored.
#[derive(Clone, Debug)]
pub struct Message {
    pub id: String,
    /// Of the change that the message asks for. One id with two digests is two messages.
    pub digest: u128,
    pub change: Recordable,
    /// The caller whose request brought it, if its batch has those of several requests.
    pub caller: Option<Caller>,
    /// Set if its caller may not change types.
    pub missing_right: Option<Arc<MissingTypeRight>>,
}

/// A change that a message can ask for.
#[derive(Clone, Debug)]
pub enum Recordable {
    /// An event about a run. Such messages are stored together, and together with reports.
    Run(Box<RunEvent>),
    /// The events of one message, which are about runs or about contexts alone.
    Report(Vec<RunEvent>),
    Types(PutTypes),
    Nodes(PutNodes),
    Events(PutEvents),
    Execution(Box<PutExecution>),
    Subgraph(PutSubgraph),
    Memberships(PutMemberships),
    Parents(PutParentContexts),
}

impl Recordable {
    /// The kind of change, stored with the answer: it never changes.
    const fn label(&self) -> &'static str {
        match self {
            Self::Run(_) => "Run",
            Self::Report(_) => "Report",
            Self::Types(_) => "Types",
            Self::Nodes(_) => "Nodes",
            Self::Events(_) => "Events",
            Self::Execution(_) => "Execution",
            Self::Subgraph(_) => "Subgraph",
            Self::Memberships(_) => "Memberships",
            Self::Parents(_) => "Parents",
        }
    }

    /// The events about runs and contexts, if that is what it asks for.
    fn events(&self) -> Option<&[RunEvent]> {
        match self {
            Self::Run(event) => Some(std::slice::from_ref(event)),
            Self::Report(events) => Some(events),
            _ => None,
        }
    }

    async fn apply(&self, tx: &mut Tx, origin: &Origin) -> Result<Recorded> {
        match self {
            Self::Run(_) | Self::Report(_) => {
                let recorded = apply_runs(tx, &[self], origin).await?.pop();
                recorded.ok_or_else(|| Error::internal("an event has no answer"))
            }
            Self::Types(change) => change.apply(tx, origin).await.map(Recorded::Ids),
            Self::Nodes(change) => change.apply(tx, origin).await.map(Recorded::Ids),
            Self::Events(change) => change.apply(tx, origin).await.map(Recorded::Done),
            Self::Execution(change) => change.apply(tx, origin).await.map(Recorded::Execution),
            Self::Subgraph(change) => change.apply(tx, origin).await.map(Recorded::Subgraph),
            Self::Memberships(change) => change.apply(tx, origin).await.map(Recorded::Done),
            Self::Parents(change) => change.apply(tx, origin).await.map(Recorded::Done),
        }
    }
}

/// Stores changes that are events about runs together.
async fn apply_runs(
    tx: &mut Tx,
    changes: &[&Recordable],
    origin: &Origin,
) -> Result<Vec<Recorded>> {
    let events = changes
        .iter()
        .filter_map(|change| change.events())
        .flatten();
    let events = events.collect();
    let stored = RecordRuns::<&RunEvent> { events }.apply(tx, origin).await?;
    let mut stored = stored.into_iter();
    let mut recorded = Vec::with_capacity(changes.len());
    for change in changes {
        let count = change.events().unwrap_or_default().len();
        let last = stored.by_ref().take(count).last().flatten();
        recorded.push(match (change, last) {
            (Recordable::Run(_), Some(result)) => Recorded::Run(result),
            (Recordable::Run(_), None) => {
                return Err(Error::internal("an event about a run has no result"));
            }
            _ => Recorded::Done(()),
        });
    }
    Ok(recorded)
}

/// The answer to a message, which is remembered with its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recorded {
    Run(RunResult),
    Ids(Vec<i64>),
    Done(()),
    Execution(PutExecutionAnswer),
    Subgraph(PutSubgraphAnswer),
}

/// What became of a message.
#[derive(Debug)]
pub enum Reply {
    Stored(Recorded),
    /// It had been stored before; the answer is that of then.
    Repeated(Recorded),
    /// Nothing of it was stored.
    Refused(Error),
}

impl Message {
    fn check(&self) -> Result<()> {
        if self.id.is_empty() || self.id.len() > MAX_MESSAGE_ID_BYTES {
            return Err(Error::invalid(format!(
                "the id of a message must have 1 to {MAX_MESSAGE_ID_BYTES} bytes: it has {}",
                self.id.len()
            )));
        }
        if self.id.contains('\0') {
            return Err(Error::invalid(
                "the id of a message must not contain the character NUL",
            ));
        }
        Ok(())
    }
}
