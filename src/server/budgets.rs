//! What each caller has in use, and what it may still ask for.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use metrics::counter;

use crate::error::{Error, Result};
use crate::policy::CallerLimits;

/// The share of a caller in the requests and streams of the server, where the security file says
/// nothing else.
const DEFAULT_SHARE_DIVISOR: usize = 4;

/// How many callers are remembered that ask for nothing.
const MAX_IDLE_CALLERS: usize = 10_000;

/// The unit in which written bytes are counted. The rate limiter counts in 32 bits.
const BYTES_PER_CELL: u64 = 1 << 10;

/// When to try again where it is not known.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// The budgets of all callers, by subject.
#[derive(Debug)]
pub(in crate::server) struct CallerBudgets {
    budgets: Mutex<HashMap<Arc<str>, Arc<CallerBudget>>>,
    default_requests: NonZeroU32,
    default_streams: NonZeroU32,
}

/// The budget of one caller.
#[derive(Debug)]
pub(in crate::server) struct CallerBudget {
    limits: CallerLimits,
    in_use: Arc<InUse>,
    rate: Option<DefaultDirectRateLimiter>,
    written: Option<WrittenBytes>,
}

/// Requests and streams at once.
#[derive(Debug, Default)]
struct InUse {
    requests: AtomicU32,
    streams: AtomicU32,
}

#[derive(Debug)]
struct WrittenBytes {
    limiter: DefaultDirectRateLimiter,
    /// Bytes that are less than a cell.
    rest: AtomicU64,
}

/// A request or a stream of a caller. It counts until this is dropped.
#[derive(Debug)]
pub(in crate::server) struct BudgetUse {
    pub(in crate::server) budget: Arc<CallerBudget>,
    is_stream: bool,
}

impl CallerBudgets {
    /// For a server with so many requests and streams at once.
    pub(in crate::server) fn new(max_requests: usize, max_streams: usize) -> Self {
        let share = |max: usize| {
            let share = u32::try_from(max.div_ceil(DEFAULT_SHARE_DIVISOR));
            NonZeroU32::new(share.unwrap_or(u32::MAX)).unwrap_or(NonZeroU32::MIN)
        };
        Self {
            budgets: Mutex::default(),
            default_requests: share(max_requests),
            default_streams: share(max_streams),
        }
    }

    /// The budget of a caller, whose limits may have changed.
    pub(in crate::server) fn of(
        &self,
        subject: &Arc<str>,
        limits: CallerLimits,
    ) -> Arc<CallerBudget> {
        let limits = CallerLimits {
            requests: limits.requests.or(Some(self.default_requests)),
            streams: limits.streams.or(Some(self.default_streams)),
            ..limits
        };
        let mut budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        let known = budgets.get(subject);
        if let Some(known) = known
            && known.limits == limits
        {
            return known.clone();
        }
        let in_use = known.map(|known| known.in_use.clone()).unwrap_or_default();
        let budget = Arc::new(CallerBudget::new(limits, in_use));
        if budgets.len() >= MAX_IDLE_CALLERS {
            budgets.retain(|_, budget| Arc::strong_count(budget) > 1);
        }
        budgets.insert(subject.clone(), budget.clone());
        budget
    }
}

impl CallerBudget {
    fn new(limits: CallerLimits, in_use: Arc<InUse>) -> Self {
        let rate = limits.requests_per_second.map(Quota::per_second);
        let written = limits.written_bytes_per_hour.map(|bytes| {
            let cells = u32::try_from(bytes.get().div_ceil(BYTES_PER_CELL)).unwrap_or(u32::MAX);
            WrittenBytes {
                limiter: direct(Quota::per_hour(at_least_one(cells))),
                rest: AtomicU64::new(0),
            }
        });
        Self {
            limits,
            in_use,
            rate: rate.map(direct),
            written,
        }
    }

    /// Begins a request or a stream.
    ///
    /// # Errors
    ///
    /// `Limited` beyond a limit.
    pub(in crate::server) fn begin(self: &Arc<Self>, is_stream: bool) -> Result<BudgetUse> {
        if let Some(rate) = &self.rate
            && let Err(not_until) = rate.check()
        {
            let delay = not_until.wait_time_from(rate.clock().now());
            return Err(limited("requests_per_second", delay));
        }
        let (max, name) = if is_stream {
            (self.limits.streams, "streams")
        } else {
            (self.limits.requests, "requests")
        };
        let counter = self.in_use.counter(is_stream);
        let max = max.map_or(u32::MAX, NonZeroU32::get);
        let more = |count: u32| (count < max).then_some(count + 1);
        let begun = counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        begun.map_err(|_| limited(name, RETRY_DELAY))?;
        Ok(BudgetUse {
            budget: self.clone(),
            is_stream,
        })
    }

    /// Counts bytes that the caller writes.
    ///
    /// # Errors
    ///
    /// `Limited` beyond the limit; `TooLarge` if it never allows so many.
    pub(in crate::server) fn write(&self, bytes: usize) -> Result<()> {
        const LIMIT: &str = "written_bytes_per_hour";
        let Some(written) = &self.written else {
            return Ok(());
        };
        let Some(cells) = NonZeroU32::new(written.cells(bytes)) else {
            return Ok(());
        };
        match written.limiter.check_n(cells) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(not_until)) => {
                let delay = not_until.wait_time_from(written.limiter.clock().now());
                Err(limited(LIMIT, delay))
            }
            Err(_) => {
                counter!("pedigree_limit_refusals_total", "limit" => LIMIT).increment(1);
                let text = format!("the request is larger than the limit {LIMIT} of the caller");
                Err(Error::TooLarge(text))
            }
        }
    }
}

impl InUse {
    const fn counter(&self, is_stream: bool) -> &AtomicU32 {
        if is_stream {
            &self.streams
        } else {
            &self.requests
        }
    }
}

impl WrittenBytes {
    /// The cells that are full with these bytes.
    fn cells(&self, bytes: usize) -> u32 {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let add = |rest: u64| Some(rest.saturating_add(bytes) % BYTES_PER_CELL);
        let before = self
            .rest
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, add)
            .unwrap_or_default();
        let cells = before.saturating_add(bytes) / BYTES_PER_CELL;
        u32::try_from(cells).unwrap_or(u32::MAX)
    }
}

impl Drop for BudgetUse {
    fn drop(&mut self) {
        let counter = self.budget.in_use.counter(self.is_stream);
        counter.fetch_sub(1, Ordering::Relaxed);
    }
}

fn direct(quota: Quota) -> DefaultDirectRateLimiter {
    RateLimiter::direct_with_clock(quota, DefaultClock::default())
}

fn at_least_one(count: u32) -> NonZeroU32 {
    NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN)
}

fn limited(limit: &'static str, retry_after: Duration) -> Error {
    counter!("pedigree_limit_refusals_total", "limit" => limit).increment(1);
    Error::Limited { limit, retry_after }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use super::*;

    fn limit_of(error: &Error) -> &'static str {
        match error {
            Error::Limited { limit, .. } => limit,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn a_caller_has_a_quarter_of_the_server_and_others_have_theirs() {
        let budgets = CallerBudgets::new(8, 4);
        let [one, other] = ["one", "other"].map(Arc::from);
        let of = |subject| budgets.of(subject, CallerLimits::default());
        let mut held = vec![
            of(&one).begin(false).unwrap(),
            of(&one).begin(false).unwrap(),
        ];
        assert_eq!(limit_of(&of(&one).begin(false).unwrap_err()), "requests");
        held.push(of(&one).begin(true).unwrap());
        assert_eq!(limit_of(&of(&one).begin(true).unwrap_err()), "streams");
        let _other = of(&other).begin(false).unwrap();
        held.clear();
        of(&one).begin(false).unwrap();
    }

    #[test]
    fn changed_limits_count_what_is_under_way() {
        let budgets = CallerBudgets::new(100, 100);
        let subject = "one".into();
        let limits = |requests| CallerLimits {
            requests: NonZeroU32::new(requests),
            ..CallerLimits::default()
        };
        let held = budgets.of(&subject, limits(1)).begin(false).unwrap();
        let of_two = budgets.of(&subject, limits(2));
        let more = of_two.begin(false).unwrap();
        of_two.begin(false).unwrap_err();
        drop((held, more));
        budgets.of(&subject, limits(1)).begin(false).unwrap();
    }

    #[test]
    fn rates_and_bytes_are_refused_with_the_time_to_wait() {
        let limits = CallerLimits {
            requests_per_second: NonZeroU32::new(2),
            written_bytes_per_hour: NonZeroU64::new(4 << 10),
            ..CallerLimits::default()
        };
        let budget = CallerBudgets::new(8, 8).of(&"one".into(), limits);
        let refused = loop {
            if let Err(error) = budget.begin(false) {
                break error;
            }
        };
        let Error::Limited { limit, retry_after } = refused else {
            panic!("{refused}");
        };
        assert_eq!(limit, "requests_per_second");
        assert!(retry_after <= Duration::from_millis(500), "{retry_after:?}");
        assert!(matches!(budget.write(8 << 10), Err(Error::TooLarge(_))));
        // Small ones add up.
        for _ in 0..40 {
            budget.write(100).unwrap();
        }
        let refused = budget.write(2 << 10).unwrap_err();
        assert_eq!(limit_of(&refused), "written_bytes_per_hour");
    }

    #[test]
    fn idle_callers_are_forgotten() {
        let budgets = CallerBudgets::new(8, 8);
        let first: Arc<str> = "first".into();
        let _held = budgets
            .of(&first, CallerLimits::default())
            .begin(false)
            .unwrap();
        for number in 0..MAX_IDLE_CALLERS {
            budgets.of(&number.to_string().into(), CallerLimits::default());
        }
        let known = budgets.budgets.lock().unwrap();
        assert!(known.len() < MAX_IDLE_CALLERS && known.contains_key(&first));
    }
}
