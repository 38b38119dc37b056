//! Types that were read before. Ids never change, types are never deleted, and what a type declares
//! only grows, so a type that is here exists, and a property that it declares is declared.
//!
//! That holds for one state of the database and those after it. A standby that takes over can lack
//! the newest commits, and the connections to the server before it are lost. So every connection
//! that is opened ends what was known before: see [`TypeCache::see_connections`].
//!
//! What a type lacks may have come since, from this process or from another. So the cache suffices
//! to accept a node; before a node is refused, its type is read again. Answers to clients have
//! everything that is stored: they come from here only where this process is the one that writes,
//! by [`Dialect::is_single_process`](super::Dialect::is_single_process), and not for longer than
//! [`FRESH_TIME`].

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use crate::model::{Kind, NodeType, Stored, TypeIdentity};

/// How long an answer counts, in case that another process writes the same file.
const FRESH_TIME: Duration = Duration::from_secs(1);

/// How many types are kept. A store has tens of them; one that has more starts again.
const MAX_CACHED_TYPES: usize = 16_384;

/// The types of one database. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct TypeCache {
    shared: Arc<CacheState>,
}

#[derive(Debug, Default)]
struct CacheState {
    /// How often this process changed types.
    changes: AtomicU64,
    /// How many connections had been opened when `types` was emptied last.
    connections: AtomicU64,
    types: RwLock<Types>,
}

#[derive(Debug, Default)]
struct Types {
    by_id: HashMap<(Kind, i64), Arc<Stored<NodeType>>>,
    /// Answers for a name and version.
    by_name: HashMap<TypeIdentity, CachedAnswer<Arc<Stored<NodeType>>>>,
    /// Names and versions that no type has.
    absent: HashMap<TypeIdentity, CachedAnswer<()>>,
    /// Answers for all types of a kind.
    all: HashMap<Kind, CachedAnswer<Arc<[Stored<NodeType>]>>>,
}

/// What was read, from when to what change it counts.
#[derive(Clone, Debug)]
struct CachedAnswer<T> {
    read: ReadTime,
    found: T,
}

/// The moment before something is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReadTime {
    time: Instant,
    changes: u64,
    /// How many connections had been opened.
    connections: u64,
}

/// Holds that types are being changed: when it is dropped, no earlier answer counts any more.
#[derive(Debug)]
pub(super) struct Changing(Arc<CacheState>);

impl Drop for Changing {
    fn drop(&mut self) {
        self.0.changes.fetch_add(1, Ordering::AcqRel);
    }
}

impl TypeCache {
    /// Now, before a transaction begins that reads.
    pub(super) fn moment(&self) -> ReadTime {
        ReadTime {
            time: Instant::now(),
            changes: self.shared.changes.load(Ordering::Acquire),
            connections: self.shared.connections.load(Ordering::Acquire),
        }
    }

    /// Forgets the types if connections have been opened since, of which there were so many until
    /// now. Returns the moment of a transaction that has its connection.
    pub(super) fn see_connections(&self, opened: u64, began: ReadTime) -> ReadTime {
        if self.shared.connections.load(Ordering::Acquire) < opened {
            let mut types = self.write();
            *types = Types::default();
            self.shared.connections.fetch_max(opened, Ordering::AcqRel);
        }
        ReadTime {
            connections: opened,
            ..began
        }
    }

    /// Whether nothing that was read at this moment is to be kept: it may be of another state.
    fn is_over(&self, read: ReadTime) -> bool {
        self.shared.connections.load(Ordering::Acquire) != read.connections
    }

    /// A guard for a transaction that changes types. It is held until the outcome of the commit.
    pub(super) fn changing(&self) -> Changing {
        Changing(self.shared.clone())
    }

    /// A type that exists, and at least what it declares.
    #[must_use]
    pub fn known(&self, kind: Kind, id: i64) -> Option<Arc<Stored<NodeType>>> {
        self.read().by_id.get(&(kind, id)).cloned()
    }

    /// The id of the type with this name and version.
    #[must_use]
    pub fn id(&self, kind: Kind, name: &str, version: Option<&str>) -> Option<i64> {
        Some(self.named(kind, name, version)?.found.id)
    }

    /// The type with this name and version, as it is stored.
    #[must_use]
    pub fn answer(
        &self,
        kind: Kind,
        name: &str,
        version: Option<&str>,
    ) -> Option<Arc<Stored<NodeType>>> {
        self.counting(&self.named(kind, name, version)?)
    }

    /// Whether no type had this name and version within the last [`FRESH_TIME`]. This process has
    /// changed no type since, and another one may have.
    pub(super) fn was_absent(&self, kind: Kind, name: &str, version: Option<&str>) -> bool {
        let key = (kind, name.to_owned(), version.map(str::to_owned));
        let types = self.read();
        types
            .absent
            .get(&key)
            .and_then(|it| self.counting(it))
            .is_some()
    }

    /// All types of a kind as they are stored, ascending by id.
    #[must_use]
    pub fn answer_all(&self, kind: Kind) -> Option<Arc<[Stored<NodeType>]>> {
        self.counting(self.read().all.get(&kind)?)
    }

    fn named(
        &self,
        kind: Kind,
        name: &str,
        version: Option<&str>,
    ) -> Option<CachedAnswer<Arc<Stored<NodeType>>>> {
        let key = (kind, name.to_owned(), version.map(str::to_owned));
        self.read().by_name.get(&key).cloned()
    }

    fn counting<T: Clone>(&self, answer: &CachedAnswer<T>) -> Option<T> {
        let counts = answer.read.changes == self.shared.changes.load(Ordering::Acquire)
            && answer.read.time.elapsed() < FRESH_TIME;
        counts.then(|| answer.found.clone())
    }

    /// Keeps types that are stored.
    pub(super) fn keep(&self, kind: Kind, found: &[Arc<Stored<NodeType>>], read: ReadTime) {
        let mut types = self.write();
        if self.is_over(read) {
            return;
        }
        if types.by_id.len() + found.len() > MAX_CACHED_TYPES {
            types.by_id.clear();
        }
        let by_id = found.iter().map(|found| ((kind, found.id), found.clone()));
        types.by_id.extend(by_id);
    }

    /// Keeps what was found by name and version.
    pub(super) fn keep_answer(&self, kind: Kind, found: &Arc<Stored<NodeType>>, read: ReadTime) {
        let mut types = self.write();
        if self.is_over(read) {
            return;
        }
        if types.by_name.len() >= MAX_CACHED_TYPES {
            types.by_name.clear();
        }
        let value = &found.value;
        let key = (kind, value.name.clone(), value.version.clone());
        let answer = CachedAnswer {
            read,
            found: found.clone(),
        };
        types.by_name.insert(key, answer);
    }

    /// Keeps that no type has this name and version.
    pub(super) fn keep_absence(
        &self,
        kind: Kind,
        name: &str,
        version: Option<&str>,
        read: ReadTime,
    ) {
        let mut types = self.write();
        if types.absent.len() >= MAX_CACHED_TYPES {
            types.absent.clear();
        }
        let key = (kind, name.to_owned(), version.map(str::to_owned));
        types.absent.insert(key, CachedAnswer { read, found: () });
    }

    /// Keeps all types of a kind.
    pub(super) fn keep_all(&self, kind: Kind, found: &[Stored<NodeType>], read: ReadTime) {
        let found = found.into();
        self.write().all.insert(kind, CachedAnswer { read, found });
    }

    // What is under the lock is whole whenever a thread can panic.
    fn read(&self) -> RwLockReadGuard<'_, Types> {
        self.shared
            .types
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Types> {
        self.shared
            .types
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
