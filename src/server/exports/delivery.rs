//! The delivery of events: in order, each until the target has it or has refused it.

use std::collections::VecDeque;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use metrics::{counter, gauge};
use tokio::time::sleep;

use super::LineageTarget;
use super::request::{SendOutcome, UntakenEvent};
use crate::api::openlineage::out::OutgoingEvent;
use crate::graph::Clock;

/// The shortest and the longest pause before events are sent again.
const MIN_RETRY_DELAY: Duration = Duration::from_millis(500);
const MAX_RETRY_DELAY: Duration = Duration::from_mins(5);

/// The longest pause that a target may ask for.
const MAX_ASKED_DELAY: Duration = Duration::from_hours(1);

/// The most bytes of the events of a request, unless it has one event.
const MAX_REQUEST_BYTES: usize = 1 << 20;

/// What is being delivered to one target.
pub(super) struct Delivery<'t> {
    target: &'t LineageTarget,
    clock: &'t Clock,
    delays: ExponentialBackoff,
}

fn delays() -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(MIN_RETRY_DELAY)
        .with_max_delay(MAX_RETRY_DELAY)
        .with_jitter()
        .without_max_times()
        .build()
}

impl<'t> Delivery<'t> {
    pub(super) fn new(target: &'t LineageTarget, clock: &'t Clock) -> Self {
        Self {
            target,
            clock,
            delays: delays(),
        }
    }

    /// Sends events until the target has all of them, or has refused them. `since` is when the
    /// first change was committed that they are about, in milliseconds since epoch.
    pub(super) async fn deliver(&mut self, events: Vec<OutgoingEvent>, since: Option<i64>) {
        let mut waiting = requests(events, self.target.endpoint.max_events());
        while let Some(events) = waiting.pop_front() {
            match self.target.endpoint.send(&events).await {
                SendOutcome::Taken(failed) => {
                    let again = self.taken(events, &failed);
                    if again.is_empty() {
                        self.delays = delays();
                    } else {
                        waiting.push_front(again);
                        self.pause("some events are to be sent again", None, since)
                            .await;
                    }
                }
                SendOutcome::Refused(reason) => match halves(events) {
                    Ok((first, second)) => {
                        waiting.push_front(second);
                        waiting.push_front(first);
                    }
                    Err(_) => self.refused(&reason),
                },
                SendOutcome::Later(reason, after) => {
                    waiting.push_front(events);
                    self.pause(&reason, after, since).await;
                }
            }
        }
    }

    /// Counts what the target has taken and refused, and returns what is to be sent again.
    fn taken(&self, events: Vec<OutgoingEvent>, failed: &[UntakenEvent]) -> Vec<OutgoingEvent> {
        let mut again = Vec::new();
        let mut sent = 0;
        for (index, event) in events.into_iter().enumerate() {
            match failed.iter().find(|failed| failed.index == index) {
                None => sent += 1,
                Some(failed) if failed.retriable => again.push(event),
                Some(failed) => self.refused(&failed.reason),
            }
        }
        counter!("pedigree_openlineage_sent_total", "target" => self.name()).increment(sent);
        again
    }

    /// Counts an event that is left out.
    fn refused(&self, reason: &str) {
        let lineage_target = self.name();
        tracing::warn!(
            lineage_target,
            reason,
            "the target refuses an event, which is left out"
        );
        counter!("pedigree_openlineage_refused_total", "target" => lineage_target).increment(1);
    }

    /// Waits before the next attempt.
    async fn pause(&mut self, reason: &str, after: Option<Duration>, since: Option<i64>) {
        let own = self.delays.next().unwrap_or(MAX_RETRY_DELAY);
        let pause = after.map_or(own, |after| after.min(MAX_ASKED_DELAY).max(own));
        let lineage_target = self.name();
        tracing::warn!(
            lineage_target,
            reason,
            ?pause,
            "cannot send lineage; trying again"
        );
        counter!("pedigree_openlineage_failures_total", "target" => lineage_target).increment(1);
        self.count_lag(since);
        sleep(pause).await;
    }

    /// Sets how old the change is that is being sent; `None` if the target has everything.
    pub(super) fn count_lag(&self, since: Option<i64>) {
        let milliseconds = since.map_or(0, |since| self.clock.now().saturating_sub(since).max(0));
        let lag = Duration::from_millis(milliseconds.unsigned_abs());
        gauge!("pedigree_openlineage_lag_seconds", "target" => self.name()).set(lag.as_secs_f64());
    }

    fn name(&self) -> String {
        self.target.name.clone()
    }
}

/// Events in requests of at most so many, in order.
fn requests(events: Vec<OutgoingEvent>, max_events: usize) -> VecDeque<Vec<OutgoingEvent>> {
    let mut requests: VecDeque<Vec<OutgoingEvent>> = VecDeque::new();
    let mut bytes = 0;
    for event in events {
        bytes += event.body.len();
        match requests.back_mut() {
            Some(last) if last.len() < max_events && bytes <= MAX_REQUEST_BYTES => last.push(event),
            _ => {
                bytes = event.body.len();
                requests.push_back(vec![event]);
            }
        }
    }
    requests
}

/// The halves of a request, so that one event does not take others with it; `Err` for one event.
fn halves(
    mut events: Vec<OutgoingEvent>,
) -> Result<(Vec<OutgoingEvent>, Vec<OutgoingEvent>), Vec<OutgoingEvent>> {
    if events.len() < 2 {
        return Err(events);
    }
    let second = events.split_off(events.len() / 2);
    Ok((events, second))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::EventTime;

    fn event(bytes: usize) -> OutgoingEvent {
        OutgoingEvent {
            time: EventTime::from_milliseconds(0),
            body: "x".repeat(bytes),
        }
    }

    #[test]
    fn requests_are_bounded_by_events_and_bytes() {
        let sizes = |sizes: &[usize], max| -> Vec<usize> {
            let events = sizes.iter().copied().map(event).collect();
            requests(events, max).iter().map(Vec::len).collect()
        };
        assert_eq!(sizes(&[1, 1, 1], 1), [1, 1, 1]);
        assert_eq!(sizes(&[1, 1, 1], 2), [2, 1]);
        let large = MAX_REQUEST_BYTES - 1;
        assert_eq!(sizes(&[1, large, large, 1, 9], 10), [2, 2, 1]);
        assert_eq!(sizes(&[], 10), [0; 0]);
    }
}
