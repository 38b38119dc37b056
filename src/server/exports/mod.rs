//! Lineage that is sent to targets as events of `OpenLineage`, from the history of the default
//! tenant.
//!
//! Each target has a task of its own, and a cursor in the database. Of several servers on one
//! database, one sends to a target at a time.
//!
//! * `file`: the targets of the configuration.
//! * `delivery`: sends events until a target has them, or has refused them.
//! * `request`: one request.

mod delivery;
mod file;
mod request;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use metrics::{counter, gauge};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::delivery::Delivery;
use self::request::TargetEndpoint;
use crate::api::openlineage::out::{self, ExportRules};
use crate::error::{Error, Result, StartError};
use crate::graph::{Changes, Clock, Graph, Graphs, Since, TargetSlot, Topic, Watch, WatchQuery};
use crate::model::Kind;

/// Time for which a target waits for the database to be opened, before it looks again.
const OPEN_TIMEOUT: Duration = Duration::from_mins(1);

/// The pause after an error of the database.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// The pause between two cursors of a history without changes for a target.
const CURSOR_INTERVAL: Duration = Duration::from_secs(10);

/// Time to let another server send, at the stop.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(1);

/// The most runs whose events are made at once.
const MAX_RUNS_AT_ONCE: usize = 100;

/// A target.
#[derive(Debug)]
pub(super) struct LineageTarget {
    name: String,
    rules: ExportRules,
    endpoint: TargetEndpoint,
}

/// Sends to all targets until `stop` is cancelled.
pub(super) async fn send(
    targets: Vec<LineageTarget>,
    graphs: &Graphs,
    clock: &Clock,
    stop: &CancellationToken,
) {
    let server_id = Uuid::new_v4().to_string();
    let mut tasks = JoinSet::new();
    for target in targets {
        let sender = Sender {
            target: Arc::new(target),
            graphs: graphs.clone(),
            clock: clock.clone(),
            server_id: server_id.clone(),
        };
        tasks.spawn(sender.send_until(stop.clone()));
    }
    tasks.join_all().await;
}

/// What sends to one target.
struct Sender {
    target: Arc<LineageTarget>,
    graphs: Graphs,
    clock: Clock,
    /// By which the database knows this server.
    server_id: String,
}

impl Sender {
    async fn send_until(self, stop: CancellationToken) {
        let sending = Box::pin(self.send_forever());
        stop.run_until_cancelled(sending).await;
        if let Ok(graph) = self.graphs.get() {
            let slot = self.slot(graph);
            // Otherwise the others wait until they miss this one.
            let _ = timeout(RELEASE_TIMEOUT, slot.release()).await;
        }
    }

    fn slot(&self, graph: &Graph) -> TargetSlot {
        let export = graph.export();
        export.target_slot(&self.target.name, &self.server_id)
    }

    async fn send_forever(&self) {
        let lineage_target = self.target.name.as_str();
        loop {
            let ended = match self.graphs.wait(OPEN_TIMEOUT).await {
                Ok(graph) => self.send_as_only_one(graph).await,
                Err(Error::NotReady) => Ok(()),
                Err(error) => Err(error),
            };
            self.delivery().count_lag(None);
            if let Err(error) = ended {
                let error = error.chain();
                tracing::warn!(
                    lineage_target,
                    error,
                    "cannot read what is to be sent; trying again"
                );
            }
            sleep(RETRY_INTERVAL).await;
        }
    }

    fn delivery(&self) -> Delivery<'_> {
        Delivery::new(&self.target, &self.clock)
    }

    /// Sends for as long as no other server does.
    async fn send_as_only_one(&self, graph: &Graph) -> Result<()> {
        let slot = self.slot(graph);
        let cursor = slot.acquire().await?;
        let lineage_target = self.target.name.as_str();
        tracing::info!(lineage_target, "this server sends lineage to the target");
        tokio::select! {
            held = slot.hold() => held,
            sent = self.send_from(graph, &slot, cursor) => sent,
        }
    }

    async fn send_from(
        &self,
        graph: &Graph,
        slot: &TargetSlot,
        mut cursor: Option<String>,
    ) -> Result<()> {
        let store_id = graph.store_id().await?;
        let mut watch = self.watch(graph, cursor.clone()).await?;
        let mut delivery = self.delivery();
        loop {
            let Changes {
                cursor: next,
                changes,
                memory,
            } = match watch.next(CURSOR_INTERVAL).await {
                Err(error @ Error::OutOfRange(_)) => {
                    self.count_gap(&error);
                    watch = self.watch(graph, None).await?;
                    continue;
                }
                changes => changes?,
            };
            let since = changes.first().map(|entry| entry.origin.time);
            delivery.count_lag(since);
            let rules = &self.target.rules;
            let runs = out::changed_runs(rules, &changes);
            // A target may be away for long, and watches wait for this memory.
            drop((changes, memory));
            for runs in runs.chunks(MAX_RUNS_AT_ONCE) {
                let events = out::events(graph, &store_id, rules, runs).await?;
                delivery.deliver(events, since).await;
            }
            delivery.count_lag(None);
            if cursor.as_ref() != Some(&next) {
                if !slot.save(&next).await? {
                    return Ok(());
                }
                cursor = Some(next);
            }
        }
    }

    /// The changes after what the target has got. If they are not kept any more, all that are.
    async fn watch(&self, graph: &Graph, cursor: Option<String>) -> Result<Watch> {
        let query = |since| WatchQuery {
            since,
            topics: vec![
                Topic::Node(Kind::Execution),
                Topic::Event,
                Topic::Membership(Kind::Execution),
            ],
            ..WatchQuery::default()
        };
        let since = cursor.map_or(Since::Beginning, Since::Cursor);
        match graph.watch(query(since)).await {
            Err(error @ (Error::OutOfRange(_) | Error::InvalidArgument(_))) => {
                self.count_gap(&error);
                graph.watch(query(Since::Beginning)).await
            }
            watch => watch,
        }
    }

    /// Changes between what the target has got and what it gets next are lost to it.
    fn count_gap(&self, error: &Error) {
        let lineage_target = self.target.name.as_str();
        let error = error.chain();
        tracing::error!(lineage_target, error, "the target has missed changes");
        counter!("pedigree_openlineage_gaps_total", "target" => lineage_target.to_owned())
            .increment(1);
    }
}

/// The targets in the file of a configuration.
///
/// # Errors
///
/// If the file cannot be used, with the line and no secret.
pub(super) fn open(path: Option<&Path>) -> Result<Vec<LineageTarget>, StartError> {
    let targets = path.map(file::read).transpose()?.unwrap_or_default();
    for target in &targets {
        let name = target.name.clone();
        gauge!("pedigree_openlineage_lag_seconds", "target" => name).set(0);
    }
    Ok(targets)
}
