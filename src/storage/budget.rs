//! A budget of connections that the pools of several databases share.
//!
//! A pool needs a permit for each of its connections. When none is left, pools with fewer
//! connections take precedence: pools with more close idle connections, and those that are given
//! back. So a busy pool cannot starve another one.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use metrics::gauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::timeout;

/// How long a pool may keep its last connection while another pool has none.
const MIN_TURN_TIME: Duration = Duration::from_millis(200);

/// How long a connection has been idle that goes to a pool with as many.
const UNUSED_TIME: Duration = Duration::from_secs(1);

/// Interval between two looks at the idle connections of others.
const RECLAIM_INTERVAL: Duration = Duration::from_millis(50);

/// The permits that opening a database takes at once.
const OPENING_PERMITS: u32 = 2;

/// Connections that only the default database can use.
const DEFAULT_RESERVE: u32 = 2;

/// A pool that can close idle connections.
pub(super) trait IdleConnections: Send + Sync {
    /// Closes a connection that has been idle for so long, in the background. Returns whether there
    /// was one.
    fn close_idle_for(&self, time: Duration) -> bool;
}

/// A budget of connections. Clones share it.
#[derive(Clone)]
pub struct ConnectionBudget {
    shared: Arc<SharedBudget>,
    /// How many connections a pool may have beside the budget.
    reserve: u32,
}

struct SharedBudget {
    limit: u32,
    /// How many databases may be opened at once: their permits are half of all at most.
    openings: Arc<Semaphore>,
    state: Mutex<BudgetState>,
}

#[derive(Default)]
struct BudgetState {
    in_use: u32,
    members: HashMap<u64, MemberState>,
    waiting: VecDeque<WaitingMember>,
    next_member: u64,
}

struct MemberState {
    in_use: u32,
    /// How many of its reserve are in use.
    reserved: u32,
    pool: Option<Weak<dyn IdleConnections>>,
}

struct WaitingMember {
    member: u64,
    sender: oneshot::Sender<BudgetPermit>,
}

/// A pool as a member of the budget, until it is dropped.
pub(super) struct BudgetMember {
    budget: ConnectionBudget,
    id: u64,
}

/// The right to one connection, released on drop.
#[derive(Debug)]
pub(super) struct BudgetPermit {
    budget: ConnectionBudget,
    member: u64,
    is_reserved: bool,
}

/// The right to the connections by which a database is opened.
#[derive(Debug)]
pub(super) struct OpeningPermits {
    _permits: Vec<BudgetPermit>,
    _opening: OwnedSemaphorePermit,
}

impl fmt::Debug for ConnectionBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ConnectionBudget")
            .field(&self.shared.limit)
            .finish()
    }
}

impl ConnectionBudget {
    /// A budget of so many connections, and the share of the default database in it: a few of them
    /// are apart, so that it can always be asked how it is.
    #[must_use]
    pub fn new(connections: u32) -> (Self, Self) {
        let reserve = DEFAULT_RESERVE.min(connections.saturating_sub(1));
        let limit = connections - reserve;
        let openings = (limit / (2 * OPENING_PERMITS)).max(1);
        let budget = Self {
            shared: Arc::new(SharedBudget {
                limit,
                openings: Arc::new(Semaphore::new(openings as usize)),
                state: Mutex::default(),
            }),
            reserve: 0,
        };
        let of_default = Self {
            reserve,
            ..budget.clone()
        };
        (budget, of_default)
    }

    /// Whether a pool has no connections but those of the budget.
    pub(super) const fn is_shared(&self) -> bool {
        self.reserve == 0
    }

    /// Counts the connections as the metrics of this moment.
    pub fn count(&self) {
        let (in_use, waiting) = {
            let state = self.lock();
            (state.in_use, state.waiting.len())
        };
        gauge!("pedigree_shared_connections", "state" => "in_use").set(in_use);
        gauge!("pedigree_shared_connections", "state" => "max").set(self.shared.limit);
        let waiting = u32::try_from(waiting).unwrap_or(u32::MAX);
        gauge!("pedigree_shared_connections", "state" => "waiting").set(waiting);
    }

    fn lock(&self) -> MutexGuard<'_, BudgetState> {
        let state = self.shared.state.lock();
        state.unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a pool a member.
    pub(super) fn join(&self, pool: Option<Weak<dyn IdleConnections>>) -> BudgetMember {
        let mut state = self.lock();
        let id = state.next_member;
        state.next_member += 1;
        let member = MemberState {
            in_use: 0,
            reserved: 0,
            pool,
        };
        state.members.insert(id, member);
        BudgetMember {
            budget: self.clone(),
            id,
        }
    }

    /// Waits for the permits by which a database is opened; `None` after the deadline.
    pub(super) async fn open(&self, deadline: Instant) -> Option<OpeningPermits> {
        let left = deadline.saturating_duration_since(Instant::now());
        let opening = timeout(left, self.shared.openings.clone().acquire_owned());
        let opening = opening.await.ok()?.ok()?;
        let member = self.join(None);
        let mut permits = Vec::new();
        for _ in 0..OPENING_PERMITS.min(self.shared.limit) {
            permits.push(member.acquire(deadline).await?);
        }
        Some(OpeningPermits {
            _permits: permits,
            _opening: opening,
        })
    }

    /// Gives free permits to the members that wait, those with the fewest first.
    fn hand_out(&self) {
        loop {
            let (sender, member) = {
                let mut state = self.lock();
                state.waiting.retain(|waiting| !waiting.sender.is_closed());
                if state.in_use >= self.shared.limit {
                    return;
                }
                let in_use = |waiting: &WaitingMember| state.in_use_by(waiting.member);
                let places = 0..state.waiting.len();
                let Some(place) = places.min_by_key(|place| in_use(&state.waiting[*place])) else {
                    return;
                };
                let Some(next) = state.waiting.remove(place) else {
                    return;
                };
                state.take(next.member);
                (next.sender, next.member)
            };
            // A member that has stopped waiting drops the permit, which is handed out again.
            let _ = sender.send(self.permit(member, false));
        }
    }

    fn permit(&self, member: u64, is_reserved: bool) -> BudgetPermit {
        BudgetPermit {
            budget: self.clone(),
            member,
            is_reserved,
        }
    }
}

impl BudgetState {
    fn in_use_by(&self, member: u64) -> u32 {
        self.members.get(&member).map_or(0, |member| member.in_use)
    }

    fn take(&mut self, member: u64) {
        self.in_use += 1;
        if let Some(member) = self.members.get_mut(&member) {
            member.in_use += 1;
        }
    }
}

impl BudgetMember {
    /// A permit, if one is free and no member waits.
    pub(super) fn try_acquire(&self) -> Option<BudgetPermit> {
        let budget = &self.budget;
        let mut state = budget.lock();
        let member = state.members.get_mut(&self.id)?;
        if member.reserved < budget.reserve {
            member.reserved += 1;
            drop(state);
            return Some(budget.permit(self.id, true));
        }
        state.waiting.retain(|waiting| !waiting.sender.is_closed());
        if state.in_use >= budget.shared.limit || !state.waiting.is_empty() {
            return None;
        }
        state.take(self.id);
        drop(state);
        Some(budget.permit(self.id, false))
    }

    /// Waits for a permit; `None` after the deadline.
    pub(super) async fn acquire(&self, deadline: Instant) -> Option<BudgetPermit> {
        if let Some(permit) = self.try_acquire() {
            return Some(permit);
        }
        let (sender, mut receiver) = oneshot::channel();
        self.budget.lock().waiting.push_back(WaitingMember {
            member: self.id,
            sender,
        });
        self.budget.hand_out();
        loop {
            self.reclaim();
            let left = deadline.saturating_duration_since(Instant::now());
            match timeout(left.min(RECLAIM_INTERVAL), &mut receiver).await {
                Ok(permit) => return permit.ok(),
                Err(_) if Instant::now() >= deadline => return None,
                Err(_) => {}
            }
        }
    }

    /// Has another pool close an idle connection, which this one may have instead.
    fn reclaim(&self) {
        let others: Vec<_> = {
            let state = self.budget.lock();
            let own = state.in_use_by(self.id);
            let mut others: Vec<_> = state
                .members
                .iter()
                .filter(|(id, other)| **id != self.id && other.in_use >= own.max(1))
                .filter_map(|(_, other)| Some((other.in_use, other.pool.clone()?)))
                .collect();
            others.sort_by_key(|(in_use, _)| std::cmp::Reverse(*in_use));
            let time = |in_use| {
                let has_more = in_use > own + 1 || own == 0;
                if has_more {
                    Duration::ZERO
                } else {
                    UNUSED_TIME
                }
            };
            let others = others.into_iter();
            others.map(|(in_use, pool)| (time(in_use), pool)).collect()
        };
        for (time, pool) in others {
            if pool.upgrade().is_some_and(|pool| pool.close_idle_for(time)) {
                return;
            }
        }
    }

    /// Whether an idle connection of this age is to be closed for another pool.
    pub(super) fn must_yield(&self, age: Duration) -> bool {
        let state = self.budget.lock();
        let own = state.in_use_by(self.id);
        own > 0
            && state.waiting.iter().any(|waiting| {
                let other = state.in_use_by(waiting.member);
                let is_behind = other + 1 < own || other == 0 && age >= MIN_TURN_TIME;
                waiting.member != self.id && !waiting.sender.is_closed() && is_behind
            })
    }

    /// Whether its pool has no connections but those of the budget.
    pub(super) const fn is_shared(&self) -> bool {
        self.budget.is_shared()
    }
}

impl Drop for BudgetMember {
    fn drop(&mut self) {
        self.budget.lock().members.remove(&self.id);
    }
}

impl Drop for BudgetPermit {
    fn drop(&mut self) {
        let mut state = self.budget.lock();
        if self.is_reserved {
            if let Some(member) = state.members.get_mut(&self.member) {
                member.reserved -= 1;
            }
            return;
        }
        state.in_use -= 1;
        if let Some(member) = state.members.get_mut(&self.member) {
            member.in_use -= 1;
        }
        drop(state);
        self.budget.hand_out();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(20)
    }

    #[tokio::test]
    async fn a_member_with_fewer_connections_comes_first() {
        let (budget, of_default) = ConnectionBudget::new(4);
        let [one, other] = [budget.join(None), budget.join(None)];
        let default = of_default.join(None);
        let first = one.try_acquire().unwrap();
        let second = one.try_acquire().unwrap();
        assert!(one.try_acquire().is_none() && other.try_acquire().is_none());
        // What is apart is there whatever others have.
        let reserved = [
            default.try_acquire().unwrap(),
            default.try_acquire().unwrap(),
        ];
        assert!(default.try_acquire().is_none());
        let (mut greedy, mut hungry) = (
            Box::pin(one.acquire(soon())),
            Box::pin(other.acquire(soon())),
        );
        let now = Duration::ZERO;
        assert!(timeout(now, &mut greedy).await.is_err());
        assert!(!one.must_yield(MIN_TURN_TIME), "no other member waits");
        assert!(timeout(now, &mut hungry).await.is_err());
        assert!(one.must_yield(Duration::ZERO));
        drop(first);
        let got = hungry.await.unwrap();
        assert!(timeout(now, &mut greedy).await.is_err());
        drop(second);
        assert!(greedy.await.is_some());
        drop((got, reserved));
        assert_eq!(budget.lock().in_use, 0);
    }

    #[tokio::test]
    async fn waiting_that_ended_takes_no_permit() {
        let (budget, _) = ConnectionBudget::new(3);
        let member = budget.join(None);
        let held = member.try_acquire().unwrap();
        assert!(member.acquire(Instant::now()).await.is_none());
        let mut gone = Box::pin(member.acquire(soon()));
        assert!(timeout(Duration::ZERO, &mut gone).await.is_err());
        drop(held);
        drop(gone);
        assert!(member.try_acquire().is_some());
        assert_eq!(budget.lock().in_use, 0);
    }

    /// A pool with idle connections.
    struct IdlePool {
        member: BudgetMember,
        idle: Mutex<Vec<BudgetPermit>>,
        closed: AtomicU32,
    }

    impl IdleConnections for IdlePool {
        fn close_idle_for(&self, time: Duration) -> bool {
            let closed = if time.is_zero() {
                self.idle.lock().unwrap().pop()
            } else {
                None
            };
            self.closed
                .fetch_add(u32::from(closed.is_some()), Ordering::Relaxed);
            closed.is_some()
        }
    }

    #[tokio::test]
    async fn idle_connections_are_closed_for_a_pool_that_waits() {
        let (budget, _) = ConnectionBudget::new(4);
        let pool = Arc::new_cyclic(|pool: &Weak<IdlePool>| IdlePool {
            member: budget.join(Some(pool.clone() as Weak<dyn IdleConnections>)),
            idle: Mutex::default(),
            closed: AtomicU32::new(0),
        });
        for _ in 0..2 {
            let permit = pool.member.try_acquire().unwrap();
            pool.idle.lock().unwrap().push(permit);
        }
        let other = budget.join(None);
        let first = other.acquire(soon()).await.unwrap();
        assert_eq!(pool.closed.load(Ordering::Relaxed), 1);
        // Both have one now, and the other one has just been used.
        let more = timeout(Duration::from_millis(200), other.acquire(soon()));
        assert!(more.await.is_err());
        drop(first);
    }
}
