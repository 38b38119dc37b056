//! `PutEvents`.

use crate::error::Result;
use crate::graph::datasets::join;
use crate::graph::edges::events::{self, Written};
use crate::graph::write::Write;
use crate::model::{EventInput, Origin};
use crate::storage::Tx;

/// Records events between artifacts and executions that exist (`PutEvents`).
#[derive(Clone, Debug)]
pub struct PutEvents {
    pub events: Vec<EventInput>,
}

impl Write for PutEvents {
    type Answer = ();

    async fn apply(&self, tx: &mut Tx, origin: &Origin) -> Result<()> {
        let now = origin.time;
        let written = Written::default();
        let outputs = events::put(tx, self.events.clone(), written, now).await?;
        join::outputs(tx, &outputs, now).await
    }
}
