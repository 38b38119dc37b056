//! Places, and a queue before them that is fair to callers: they take turns, however often one of
//! them waits.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metrics::gauge;
use tokio::sync::oneshot;

/// Places and their queue. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct FairQueue(Arc<Mutex<WaitingCallers>>);

#[derive(Debug)]
struct WaitingCallers {
    free: usize,
    /// How many may wait.
    max_waiting: usize,
    waiting: usize,
    /// The name of the gauge of those who wait.
    gauge: Option<&'static str>,
    /// Those who wait, by caller. No list is empty.
    queues: HashMap<Arc<str>, VecDeque<oneshot::Sender<QueuePlace>>>,
    /// The callers of `queues`, in the order of their turns.
    turns: VecDeque<Arc<str>>,
}

/// A place of a caller. It is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct QueuePlace(Option<FairQueue>);

impl FairQueue {
    /// So many places, for which as many may wait. A gauge has this name.
    pub(crate) fn new(places: usize, gauge: &'static str) -> Self {
        Self::with(places, places, Some(gauge))
    }

    /// One place, for which any number may wait.
    pub(crate) fn turnstile() -> Self {
        Self::with(1, usize::MAX, None)
    }

    fn with(places: usize, max_waiting: usize, gauge: Option<&'static str>) -> Self {
        Self(Arc::new(Mutex::new(WaitingCallers {
            free: places,
            max_waiting,
            waiting: 0,
            gauge,
            queues: HashMap::new(),
            turns: VecDeque::new(),
        })))
    }

    /// A place, if one is free and no caller waits for it.
    pub(crate) fn try_take(&self) -> Option<QueuePlace> {
        let is_taken = self.state().take();
        is_taken.then(|| QueuePlace(Some(self.clone())))
    }

    /// Waits for a place. Returns `None` when too many wait.
    pub(crate) async fn take(&self, caller: &Arc<str>) -> Option<QueuePlace> {
        let receiver = {
            let mut state = self.state();
            if state.take() {
                return Some(QueuePlace(Some(self.clone())));
            }
            state.enqueue(caller)?
        };
        // The sender is dropped when it has sent.
        receiver.await.ok()
    }

    /// Gives a place to the next one, or back.
    fn give(&self) {
        let mut place = QueuePlace(Some(self.clone()));
        loop {
            let mut state = self.state();
            let Some(next) = state.next() else {
                state.free += 1;
                place.0 = None;
                return;
            };
            drop(state);
            match next.send(place) {
                Ok(()) => return,
                // It has gone.
                Err(back) => place = back,
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, WaitingCallers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WaitingCallers {
    fn take(&mut self) -> bool {
        let is_free = self.free > 0 && self.turns.is_empty();
        if is_free {
            self.free -= 1;
        }
        is_free
    }

    fn enqueue(&mut self, caller: &Arc<str>) -> Option<oneshot::Receiver<QueuePlace>> {
        if self.waiting >= self.max_waiting {
            // Those who have gone wait no longer.
            self.forget_gone();
        }
        if self.waiting >= self.max_waiting {
            return None;
        }
        let (sender, receiver) = oneshot::channel();
        let queue = self.queues.entry(caller.clone()).or_default();
        if queue.is_empty() {
            self.turns.push_back(caller.clone());
        }
        queue.push_back(sender);
        self.waiting += 1;
        self.count();
        Some(receiver)
    }

    fn count(&self) {
        if let Some(name) = self.gauge {
            let waiting = u32::try_from(self.waiting).unwrap_or(u32::MAX);
            gauge!(name).set(waiting);
        }
    }

    fn forget_gone(&mut self) {
        for queue in self.queues.values_mut() {
            queue.retain(|sender| !sender.is_closed());
        }
        self.queues.retain(|_, queue| !queue.is_empty());
        self.turns.retain(|caller| self.queues.contains_key(caller));
        self.waiting = self.queues.values().map(VecDeque::len).sum();
        self.count();
    }

    /// The one whose turn it is.
    fn next(&mut self) -> Option<oneshot::Sender<QueuePlace>> {
        let caller = self.turns.pop_front()?;
        let queue = self.queues.get_mut(&caller)?;
        let next = queue.pop_front()?;
        if queue.is_empty() {
            self.queues.remove(&caller);
        } else {
            self.turns.push_back(caller);
        }
        self.waiting -= 1;
        self.count();
        Some(next)
    }
}

impl Drop for QueuePlace {
    fn drop(&mut self) {
        if let Some(queue) = self.0.take() {
            queue.give();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::task::JoinSet;
    use tokio_util::task::TaskTracker;

    use super::*;

    fn waiting(queue: &FairQueue) -> usize {
        queue.state().waiting
    }

    #[tokio::test]
    async fn callers_take_turns() {
        let queue = FairQueue::new(1, "test");
        queue.state().max_waiting = 8;
        let held = queue.try_take().unwrap();
        assert!(queue.try_take().is_none());
        let (sender, mut order) = tokio::sync::mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        for (number, name) in ["a", "a", "a", "a", "b", "b", "c"].into_iter().enumerate() {
            let (queue, sender) = (queue.clone(), sender.clone());
            let waits = queue.clone();
            tasks.spawn(async move {
                let place = queue.take(&name.into()).await.unwrap();
                sender.send(name).unwrap();
                drop(place);
            });
            while waiting(&waits) <= number {
                tokio::task::yield_now().await;
            }
        }
        drop(held);
        tasks.join_all().await;
        let mut served = Vec::new();
        while let Ok(name) = order.try_recv() {
            served.push(name);
        }
        assert_eq!(served, ["a", "b", "c", "a", "b", "a", "a"]);
        assert!(queue.try_take().is_some());
    }

    #[tokio::test]
    async fn as_many_wait_as_there_are_places() {
        let queue = FairQueue::new(1, "test");
        let held = queue.try_take().unwrap();
        let first = queue.clone();
        let first = TaskTracker::new().spawn(async move { first.take(&"a".into()).await });
        while waiting(&queue) == 0 {
            tokio::task::yield_now().await;
        }
        assert!(queue.take(&"b".into()).await.is_none());
        // One that has gone makes room.
        first.abort();
        first.await.unwrap_err();
        let second = queue.clone();
        let second = TaskTracker::new().spawn(async move { second.take(&"b".into()).await });
        while waiting(&queue) == 0 || !queue.state().queues.contains_key("b") {
            tokio::task::yield_now().await;
        }
        drop(held);
        assert!(second.await.unwrap().is_some());
    }

    /// Requests that stop waiting neither lose a place nor give one twice.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn places_survive_those_who_give_up() {
        const PLACES: usize = 3;
        let queue = FairQueue::new(PLACES, "test");
        queue.state().max_waiting = 1000;
        let in_use = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let mut tasks = JoinSet::new();
        for number in 0..300_u64 {
            let (queue, in_use) = (queue.clone(), in_use.clone());
            tasks.spawn(async move {
                let caller: Arc<str> = (number % 7).to_string().into();
                let patience = Duration::from_micros(number * 37 % 500);
                let taken = tokio::time::timeout(patience, queue.take(&caller)).await;
                if let Ok(Some(_place)) = taken {
                    let others = in_use.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                    assert!(others < PLACES);
                    tokio::task::yield_now().await;
                    in_use.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                }
            });
        }
        tasks.join_all().await;
        let all: Vec<_> = std::iter::from_fn(|| queue.try_take()).collect();
        assert_eq!(all.len(), PLACES);
    }
}
