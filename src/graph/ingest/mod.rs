//! Recording messages: each has an id of the client's own, and is stored once however often it
//! comes.
//!
//! A batch of messages is one transaction. It is first tried as a whole; when one of its messages
//! is refused, each is tried alone, so that the others are stored all the same.

pub(in crate::graph) mod batch;
mod codec;
pub(in crate::graph) mod runs;

use crate::error::{Error, Result};
use crate::graph::commit::command::Write;
use crate::graph::composite::execution::{PutExecution, PutExecutionAnswer};
use crate::graph::composite::subgraph::{PutSubgraph, PutSubgraphAnswer};
use crate::graph::edges::events::PutEvents;
use crate::graph::edges::memberships::PutMemberships;
use crate::graph::edges::parents::PutParentContexts;
use crate::graph::ingest::runs::{RecordRuns, RunEvent, RunResult};
use crate::graph::nodes::put::PutNodes;
use crate::graph::types::put::PutTypes;
use crate::model::Origin;
use crate::storage::Tx;

/// The longest id of a message, in bytes.
const MAX_ID_BYTES: usize = 255;

/// What a client says, and the id by which it knows that it was stored.
#[derive(Clone, Debug)]
pub struct Message {
    pub id: String,
    /// Of the change that the message asks for. One id with two digests is two messages.
    pub digest: u128,
    pub change: Recordable,
}

macro_rules! recordable {
    ($($variant:ident($change:ty) $label:literal -> $answer:ident,)*) => {
        /// A change that a message can ask for.
        #[derive(Clone, Debug)]
        pub enum Recordable {
            /// An event about a run. Such messages are stored together.
            Run(Box<RunEvent>),
            $($variant(Box<$change>),)*
        }

        $(impl From<$change> for Recordable {
            fn from(change: $change) -> Self {
                Self::$variant(Box::new(change))
            }
        })*

        impl Recordable {
            /// The kind of change, stored with the answer: it never changes.
            const fn label(&self) -> &'static str {
                match self {
                    Self::Run(_) => "Run",
                    $(Self::$variant(_) => $label,)*
                }
            }

            async fn apply(&self, tx: &mut Tx, origin: &Origin) -> Result<Recorded> {
                match self {
                    Self::Run(event) => {
                        let mut stored = apply_runs(tx, vec![event], origin).await?;
                        stored.pop().ok_or_else(|| Error::internal("an event has no answer"))
                    }
                    $(Self::$variant(change) => {
                        change.apply(tx, origin).await.map(Recorded::$answer)
                    })*
                }
            }
        }
    };
}
recordable! {
    Types(PutTypes) "Types" -> Ids,
    Nodes(PutNodes) "Nodes" -> Ids,
    Events(PutEvents) "Events" -> Done,
    Execution(PutExecution) "Execution" -> Execution,
    Subgraph(PutSubgraph) "Subgraph" -> Subgraph,
    Memberships(PutMemberships) "Memberships" -> Done,
    Parents(PutParentContexts) "Parents" -> Done,
}

impl From<RunEvent> for Recordable {
    fn from(event: RunEvent) -> Self {
        Self::Run(Box::new(event))
    }
}

/// Stores events about runs together.
async fn apply_runs(tx: &mut Tx, events: Vec<&RunEvent>, origin: &Origin) -> Result<Vec<Recorded>> {
    let stored = RecordRuns { events }.apply(tx, origin).await?;
    Ok(stored.into_iter().map(Recorded::Run).collect())
}

macro_rules! recorded {
    ($($variant:ident($answer:ty),)*) => {
        /// The answer to a message, which is remembered with its id.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Recorded {
            $($variant($answer),)*
        }

        $(impl TryFrom<Recorded> for $answer {
            type Error = Error;

            fn try_from(recorded: Recorded) -> Result<Self> {
                match recorded {
                    Recorded::$variant(answer) => Ok(answer),
                    _ => Err(Error::invalid("the id was used for a message of another kind")),
                }
            }
        })*
    };
}
recorded! {
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
        if self.id.is_empty() || self.id.len() > MAX_ID_BYTES {
            return Err(Error::invalid(format!(
                "the id of a message must have 1 to {MAX_ID_BYTES} bytes: it has {}",
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
