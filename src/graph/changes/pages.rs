//! Pages of the history that watches share: those at the same place read it once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::OnceCell;

use crate::error::{Error, Result};
use crate::graph::changes::standby::Standby;
use crate::storage::Database;
use crate::storage::tables::changes::{self, HistoryPage, PageRows, RowDigest};

/// How long a page is shared after its read began. Watches at the same place are woken together.
const PAGE_SHARING_TIME: Duration = Duration::from_secs(1);

/// The most pages that are shared at once.
const MAX_SHARED_PAGES: usize = 16;

/// A place in the history: after the row at a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct HistoryPlace {
    pub position: i64,
    /// Of the row at the position. `None` where there is no such row: before the oldest one.
    pub digest: Option<RowDigest>,
}

/// Pages under way and pages that were read a moment ago. Clones share them.
#[derive(Clone, Debug, Default)]
pub(in crate::graph) struct SharedPages {
    shared: Arc<Mutex<HashMap<HistoryPlace, SharedPage>>>,
}

#[derive(Clone, Debug)]
struct SharedPage {
    began: Instant,
    page: Arc<OnceCell<Arc<HistoryPage>>>,
}

impl SharedPage {
    fn is_fresh(&self) -> bool {
        self.began.elapsed() < PAGE_SHARING_TIME
    }
}

/// The error of a place whose following rows were pruned.
pub(super) fn expired() -> Error {
    Error::OutOfRange(
        "the history since the cursor is not kept any more (see --change-retention and \
         --audit-retention); read the graph again and watch from now on"
            .into(),
    )
}

/// The error of a place in a history that the database does not have any more.
pub(super) fn rewound() -> Error {
    Error::OutOfRange(
        "the database has gone back to a state before the cursor, by a restored backup or a \
         failover that lost commits; read the graph again and watch from now on"
            .into(),
    )
}

impl SharedPages {
    /// The rows that follow a place, as far as they are in one page.
    ///
    /// # Errors
    ///
    /// `OutOfRange` when the row at the place is another one now, or when rows after it were
    /// pruned; those of the database.
    pub(super) async fn after(
        &self,
        database: &Database,
        standby: &Standby,
        place: HistoryPlace,
        rows: PageRows,
    ) -> Result<Arc<HistoryPage>> {
        let shared = self.share(place);
        let read = || async {
            if let Some(page) = standby.page_after(place, rows).await {
                return Ok(Arc::new(page));
            }
            let mut tx = database.single_read().await?;
            let page = changes::page_after(&mut tx, place.position, rows).await?;
            Ok::<_, Error>(Arc::new(page))
        };
        let page = shared.page.get_or_try_init(read).await?.clone();
        if page.rows.is_empty() {
            self.forget(place, &shared);
        }
        check(place, &page)?;
        Ok(page)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<HistoryPlace, SharedPage>> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets all pages: the database has gone back to an earlier state.
    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    /// Frees the pages whose lifetime has ended.
    pub(super) fn free_expired(&self) {
        self.lock().retain(|_, page| page.is_fresh());
    }

    fn share(&self, place: HistoryPlace) -> SharedPage {
        let mut pages = self.lock();
        pages.retain(|_, page| page.is_fresh());
        let new = || SharedPage {
            began: Instant::now(),
            page: Arc::default(),
        };
        if pages.len() >= MAX_SHARED_PAGES && !pages.contains_key(&place) {
            return new();
        }
        pages.entry(place).or_insert_with(new).clone()
    }

    /// Ends the sharing of a page without rows: rows may follow at any time.
    fn forget(&self, place: HistoryPlace, shared: &SharedPage) {
        let mut pages = self.lock();
        let is_same = |page: &SharedPage| Arc::ptr_eq(&page.page, &shared.page);
        if pages.get(&place).is_some_and(is_same) {
            pages.remove(&place);
        }
    }
}

/// Refuses a page that does not follow the place.
pub(super) fn check(place: HistoryPlace, page: &HistoryPage) -> Result<()> {
    let first = page.rows.first();
    match (place.digest, page.before) {
        (Some(known), Some(found)) if known != found => return Err(rewound()),
        (Some(_), None) if first.is_none() => return Err(rewound()),
        (Some(_), None) => return Err(expired()),
        (None | Some(_), _) => {}
    }
    if first.is_some_and(|first| first.position != place.position + 1) {
        return Err(expired());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Caller, Change, Door, JournalEntry, Kind, Membership, Subject};
    use crate::storage::TakenJournal;
    use crate::storage::migrate::{Migration, prepare};

    #[tokio::test]
    async fn watches_at_the_same_place_share_one_read() {
        let database = Database::open("sqlite::memory:", 1).await.unwrap();
        prepare(&database, &Migration::default()).await.unwrap();
        let member = Membership {
            context_id: 1,
            node_id: 2,
        };
        let change = Change::created(Subject::Membership(Kind::Artifact, member));
        let origin = Arc::new(Caller::anonymous(Door::Pedigree).at(0));
        let tx = database.write().await.unwrap();
        let journal = TakenJournal {
            entries: vec![JournalEntry { origin, change }],
            ..TakenJournal::default()
        };
        changes::commit(tx, journal, 0).await.unwrap();
        let (pages, standby) = (SharedPages::default(), Standby::default());
        let begin = HistoryPlace {
            position: 0,
            digest: None,
        };
        let rows = PageRows::default();
        let (one, other) = tokio::join!(
            pages.after(&database, &standby, begin, rows),
            pages.after(&database, &standby, begin, rows),
        );
        let one = one.unwrap();
        assert!(Arc::ptr_eq(&one, &other.unwrap()));
        // A page without rows is read again: rows may have come.
        let end = HistoryPlace {
            position: 1,
            digest: Some(one.rows[0].digest),
        };
        let none = pages.after(&database, &standby, end, rows).await.unwrap();
        assert!(none.rows.is_empty());
        let again = pages.after(&database, &standby, end, rows).await.unwrap();
        assert!(!Arc::ptr_eq(&none, &again));
    }
}
