//! Records of requests that change nothing, on their way into the history: refusals, and reads that
//! are recorded by choice. Writes are in the history by themselves.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use metrics::counter;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::error::{Error, Result};
use crate::graph::{Clock, Graphs};
use crate::model::{AccessRecord, Caller, Door, Outcome};
use crate::policy::TenantName;
use crate::server::tenants::Tenants;

/// How many records may wait to be stored.
const MAX_WAITING_RECORDS: usize = 10_000;

/// The most records of one transaction.
const MAX_STORED_RECORDS: usize = 1000;

/// Time for which records are collected, so that equal ones become one.
const COLLECTION_TIME: Duration = Duration::from_millis(500);

/// Time between two attempts to store records.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// Time that the last records have at the stop.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);

/// Time for which records wait for the database to be opened, before they are looked at again.
const OPEN_TIMEOUT: Duration = Duration::from_mins(1);

/// The ways into the audits of all tenants. Clones share them.
#[derive(Clone, Debug)]
pub(in crate::server) struct AuditQueues {
    default: AuditQueue,
    /// Of the tenants beside the default one that have had records.
    others: Arc<Mutex<HashMap<TenantName, (AuditQueue, AuditFlush)>>>,
    tenants: Tenants,
    clock: Clock,
    /// The writers of the tenants beside the default one.
    tasks: TaskTracker,
}

/// Where records are stored.
#[derive(Clone, Debug)]
pub(in crate::server) enum AuditTarget {
    Default(Graphs),
    Tenant(Tenants, TenantName),
}

/// The way into the audit of one tenant. Clones share it.
#[derive(Clone, Debug)]
pub(in crate::server) struct AuditQueue {
    sender: Sender<AccessRecord>,
    lost: Arc<AtomicU64>,
}

/// Stores what is in the queue.
#[derive(Debug)]
pub(in crate::server) struct AuditWriter {
    receiver: Receiver<AccessRecord>,
    lost: Arc<AtomicU64>,
    /// Set when no more records come.
    ending: CancellationToken,
    /// Cancels the token that [`AuditFlush`] waits for.
    _flushed: DropGuard,
}

/// Stores the last records.
#[derive(Debug)]
pub(in crate::server) struct AuditFlush {
    ending: CancellationToken,
    flushed: CancellationToken,
}

/// A queue, its writer, and what ends the writer.
pub(in crate::server) fn queue() -> (AuditQueue, AuditWriter, AuditFlush) {
    let (sender, receiver) = mpsc::channel(MAX_WAITING_RECORDS);
    let lost = Arc::<AtomicU64>::default();
    let (ending, flushed) = (CancellationToken::new(), CancellationToken::new());
    let queue = AuditQueue {
        sender,
        lost: lost.clone(),
    };
    let writer = AuditWriter {
        receiver,
        lost,
        ending: ending.clone(),
        _flushed: flushed.clone().drop_guard(),
    };
    (queue, writer, AuditFlush { ending, flushed })
}

impl AuditQueues {
    /// The queue of the default tenant is there from the beginning.
    pub(in crate::server) fn new(default: AuditQueue, tenants: Tenants, clock: Clock) -> Self {
        Self {
            default,
            others: Arc::default(),
            tenants,
            clock,
            tasks: TaskTracker::new(),
        }
    }

    /// Adds a record to the audit of a tenant, or of the default one.
    pub(in crate::server) fn add(&self, tenant: Option<&TenantName>, record: AccessRecord) {
        let Some(name) = tenant else {
            return self.default.add(record);
        };
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        let (queue, _) = others.entry(name.clone()).or_insert_with(|| {
            let (queue, writer, flush) = queue();
            let target = AuditTarget::Tenant(self.tenants.clone(), name.clone());
            let writing = writer.write_forever(target, self.clock.clone());
            self.tasks.spawn(writing);
            (queue, flush)
        });
        queue.add(record);
    }

    /// Stores the last records of all tenants beside the default one.
    pub(in crate::server) async fn flush(&self) {
        let others: Vec<_> = {
            let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
            others.drain().collect()
        };
        let mut flushes = JoinSet::new();
        for (_, (_, flush)) in others {
            flushes.spawn(flush.flush());
        }
        flushes.join_all().await;
    }
}

impl AuditTarget {
    async fn store(&self, records: Vec<AccessRecord>) -> Result<()> {
        match self {
            Self::Default(graphs) => {
                graphs
                    .wait(OPEN_TIMEOUT)
                    .await?
                    .store_accesses(records)
                    .await
            }
            Self::Tenant(tenants, name) => {
                let lease = tenants.lease(name).await;
                if matches!(lease, Err(Error::PermissionDenied(_))) {
                    // The tenant has left the security file, and its audit with it.
                    return Ok(());
                }
                let lease = lease?;
                lease.graph()?.graph.store_accesses(records).await
            }
        }
    }
}

impl AuditFlush {
    /// Waits until the records of all requests are stored, as long as the database takes them.
    pub(in crate::server) async fn flush(self) {
        self.ending.cancel();
        if timeout(FLUSH_TIMEOUT, self.flushed.cancelled())
            .await
            .is_err()
        {
            tracing::warn!("the last records of the audit could not be stored");
        }
    }
}

impl AuditQueue {
    /// Adds a record, or counts it as lost when too many wait.
    pub(in crate::server) fn add(&self, record: AccessRecord) {
        if self.sender.try_send(record).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
            counter!("pedigree_audit_lost_total").increment(1);
        }
    }
}

impl AuditWriter {
    /// Stores records until [`AuditFlush`] asks for the last ones.
    pub(in crate::server) async fn write_forever(
        mut self,
        target: AuditTarget,
        clock: Clock,
    ) -> Result<()> {
        let mut received = Vec::new();
        loop {
            tokio::select! {
                biased;
                count = self.receiver.recv_many(&mut received, MAX_STORED_RECORDS) => {
                    if count == 0 {
                        break;
                    }
                }
                () = self.ending.cancelled(), if !self.receiver.is_closed() => {
                    self.receiver.close();
                    continue;
                }
            }
            let collected = sleep(COLLECTION_TIME);
            self.ending.run_until_cancelled(collected).await;
            while received.len() < MAX_STORED_RECORDS
                && let Ok(record) = self.receiver.try_recv()
            {
                received.push(record);
            }
            let mut records = merged(received.drain(..));
            records.extend(self.gap(clock.now()));
            store(&target, records).await;
        }
        store(&target, self.gap(clock.now()).into_iter().collect()).await;
        Ok(())
    }

    /// The record of records that are missing since the last one, if there are any.
    fn gap(&self, now: i64) -> Option<AccessRecord> {
        let lost = self.lost.swap(0, Ordering::Relaxed);
        (lost > 0).then(|| gap(lost, now))
    }
}

/// Stores records, however often it takes.
async fn store(target: &AuditTarget, records: Vec<AccessRecord>) {
    if records.is_empty() {
        return;
    }
    let mut is_logged = false;
    loop {
        let Err(error) = target.store(records.clone()).await else {
            return;
        };
        if !is_logged {
            let error = error.chain();
            tracing::warn!(error, "cannot store records of the audit; trying again");
            is_logged = true;
        }
        sleep(RETRY_INTERVAL).await;
    }
}

/// Equal records as one: a client that is refused all the time does not fill the history.
fn merged(records: impl Iterator<Item = AccessRecord>) -> Vec<AccessRecord> {
    let mut merged: Vec<AccessRecord> = Vec::new();
    let mut places = HashMap::new();
    for record in records {
        let Caller {
            principal,
            peer,
            access,
            ..
        } = &record.origin.caller;
        let host = peer.as_deref().and_then(|peer| peer.rsplit_once(':'));
        let host = host.map(|(host, _)| host.to_owned());
        let key = (
            principal.clone(),
            access.method.clone(),
            record.outcome,
            record.reason.clone(),
            host,
        );
        let place = *places.entry(key).or_insert(merged.len());
        match merged.get_mut(place) {
            Some(first) => first.count += record.count,
            None => merged.push(record),
        }
    }
    merged
}

/// The record of records that are missing.
fn gap(count: u64, now: i64) -> AccessRecord {
    AccessRecord {
        origin: Arc::new(Caller::anonymous(Door::Unknown).at(now)),
        outcome: Outcome::Lost,
        reason: "records came faster than they could be stored".into(),
        count,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(principal: &str, peer: &str) -> AccessRecord {
        let caller = Caller {
            principal: principal.into(),
            peer: Some(peer.into()),
            ..Caller::anonymous(Door::MlMetadata)
        };
        AccessRecord {
            origin: Arc::new(caller.at(0)),
            outcome: Outcome::PermissionDenied,
            reason: "refused".into(),
            count: 1,
        }
    }

    #[test]
    fn equal_records_of_one_host_become_one() {
        let expired = AccessRecord {
            reason: "expired".into(),
            ..record("token:a", "10.0.0.1:1")
        };
        let records = [
            record("token:a", "10.0.0.1:1"),
            record("token:b", "10.0.0.1:1"),
            record("token:a", "10.0.0.1:2"),
            record("token:a", "10.0.0.2:1"),
            expired,
        ];
        let counts: Vec<u64> = merged(records.into_iter())
            .iter()
            .map(|it| it.count)
            .collect();
        assert_eq!(counts, [2, 1, 1, 1]);
    }

    #[test]
    fn records_without_room_are_counted() {
        let (queue, writer, _flush) = queue();
        for _ in 0..MAX_WAITING_RECORDS + 3 {
            queue.add(record("token:a", "10.0.0.1:1"));
        }
        assert_eq!(writer.lost.load(Ordering::Relaxed), 3);
    }
}
