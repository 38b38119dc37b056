//! The life of a run: its state and its times, as a function of the set of its events.
//!
//! Events arrive in any order, several times, and from clocks that differ. So the run keeps the
//! times of its starts and ends, and everything else is computed from them:
//!
//! * An end since the last start ends the run. Of several, a failure counts more than a success.
//! * Otherwise the last start began a new attempt, and the run is running, if an end lies between
//!   two starts.
//! * Otherwise every end is older than every start. Such an end comes from a clock that is behind,
//!   and ends the run.
//!
//! At the same time a start comes before an end.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::ops::RangeInclusive;

use super::{EventTime, RunEventType};
use crate::model::{ExecutionState, NodeContent, NodeState, Value};

/// The custom property with the time of the first start, in milliseconds since epoch.
pub(super) const STARTED_AT: &str = "started_at";

/// The custom property with the time of the last end, in milliseconds since epoch.
pub(super) const ENDED_AT: &str = "ended_at";

/// The custom property with all starts and ends, of runs for which the other two do not say
/// everything: `TYPE@TIME`, separated by commas, in the order of their times. A time is in
/// milliseconds since epoch, with three decimals if it has microseconds. The format is stored: it
/// never changes.
pub(super) const LIFECYCLE: &str = "pedigree.lifecycle";

/// The maximum number of starts of a run that are kept: the first one and the latest ones; and of
/// ends: the latest ones.
const MAX_KEPT_EVENTS: usize = 16;

impl RunEventType {
    /// The state in which an end leaves a run; `None` for an event that is no end.
    const fn end_state(self) -> Option<ExecutionState> {
        match self {
            Self::Start | Self::Running | Self::Other => None,
            Self::Complete => Some(ExecutionState::Complete),
            Self::Fail => Some(ExecutionState::Failed),
            Self::Cached => Some(ExecutionState::Cached),
            Self::Abort => Some(ExecutionState::Canceled),
        }
    }

    /// The name in [`LIFECYCLE`] of a start or an end.
    const fn name(self) -> &'static str {
        match self {
            Self::Start => "START",
            Self::Running => "RUNNING",
            Self::Complete => "COMPLETE",
            Self::Fail => "FAIL",
            Self::Abort => "ABORT",
            Self::Cached => "CACHED",
            Self::Other => "OTHER",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        let all = [Self::Start].into_iter().chain(ENDS);
        all.into_iter().find(|event_type| event_type.name() == name)
    }

    /// Which of two ends of the same time counts: that of the higher rank, so that no failure is
    /// hidden.
    fn rank(self) -> Option<usize> {
        ENDS.iter().position(|end| *end == self)
    }

    const fn is_failure(self) -> bool {
        matches!(self, Self::Fail | Self::Abort)
    }
}

/// The event types that end a run, by rank.
const ENDS: [RunEventType; 4] = [
    RunEventType::Cached,
    RunEventType::Complete,
    RunEventType::Abort,
    RunEventType::Fail,
];

/// Merges an event of this time into a run.
pub(super) fn merge(run: &mut NodeContent, event_type: RunEventType, time: EventTime) {
    let mut known = Lifecycle::of(run);
    match event_type {
        RunEventType::Other => {}
        RunEventType::Running => {
            let is_open = matches!(run.state, None | Some(NEW));
            if is_open && known.is_empty() {
                run.state = Some(ExecutionState::Running.into());
            }
        }
        RunEventType::Start => {
            known.starts.insert(time);
            known.store(run);
        }
        end => {
            known.add_end(time, end);
            known.store(run);
        }
    }
}

/// The first start and the last end of a run.
pub(super) fn times(run: &NodeContent) -> (Option<EventTime>, Option<EventTime>) {
    let known = Lifecycle::of(run);
    let ended = known.ends.last_key_value().map(|(time, _)| *time);
    (known.starts.first().copied(), ended)
}

/// The starts and the ends that the events of a run have, in order. Empty for a run without
/// events.
#[must_use]
pub fn told_times(run: &NodeContent) -> Vec<(EventTime, RunEventType)> {
    Lifecycle::of(run).events()
}

const NEW: NodeState = NodeState::Execution(ExecutionState::New);

/// The starts and ends of a run, by time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Lifecycle {
    starts: BTreeSet<EventTime>,
    /// Of ends of the same time, the one of the highest rank.
    ends: BTreeMap<EventTime, RunEventType>,
}

impl Lifecycle {
    /// What a stored run says, whichever version or program wrote it.
    fn of(run: &NodeContent) -> Self {
        let mut known = match run.custom_properties.get(LIFECYCLE) {
            Some(Value::String(text)) => Self::parse(text),
            _ => Self::default(),
        };
        if let Some(started) = milliseconds_of(run, STARTED_AT)
            && known.starts.range(within(started)).next().is_none()
        {
            known.starts.insert(EventTime::from_milliseconds(started));
        }
        if let Some(ended) = milliseconds_of(run, ENDED_AT)
            && known.ends.range(within(ended)).next().is_none()
        {
            let ended = EventTime::from_milliseconds(ended);
            let leads_to_state =
                |end: &RunEventType| end.end_state().map(NodeState::from) == run.state;
            let end = ENDS.into_iter().find(leads_to_state);
            // A version that kept no lifecycle has left an end of an earlier attempt, of which
            // nothing is known.
            let is_of_earlier_attempt =
                end.is_none() && known.starts.last().is_some_and(|start| *start > ended);
            if !is_of_earlier_attempt {
                known.add_end(ended, end.unwrap_or(RunEventType::Complete));
            }
        }
        known
    }

    fn parse(text: &str) -> Self {
        let mut known = Self::default();
        for part in text.split(',') {
            let Some((name, time)) = part.split_once('@') else {
                continue;
            };
            match (RunEventType::from_name(name), parse_time(time)) {
                (Some(RunEventType::Start), Some(time)) => _ = known.starts.insert(time),
                (Some(end), Some(time)) => known.add_end(time, end),
                _ => {}
            }
        }
        known
    }

    fn is_empty(&self) -> bool {
        self.starts.is_empty() && self.ends.is_empty()
    }

    fn add_end(&mut self, time: EventTime, end: RunEventType) {
        let known = self.ends.entry(time).or_insert(end);
        if end.rank() > known.rank() {
            *known = end;
        }
    }

    /// Writes the state, the times and, where these do not say everything, the lifecycle.
    fn store(mut self, run: &mut NodeContent) {
        self.prune();
        run.state = self.state().map(NodeState::from);
        let started = self.starts.first();
        let ended = self.ends.last_key_value().map(|(time, _)| time);
        for (name, time) in [(STARTED_AT, started), (ENDED_AT, ended)] {
            if let Some(time) = time {
                let value = Value::Int(time.milliseconds);
                run.custom_properties.insert(name.into(), value);
            }
        }
        run.custom_properties.remove(LIFECYCLE);
        if Self::of(run) != self {
            let text = Value::String(self.text());
            run.custom_properties.insert(LIFECYCLE.into(), text);
        }
    }

    /// Forgets what is beyond [`MAX_KEPT_EVENTS`]. What is kept depends on the set of all events
    /// and not on their order.
    fn prune(&mut self) {
        while self.starts.len() > MAX_KEPT_EVENTS {
            if let Some(second) = self.starts.iter().nth(1).copied() {
                self.starts.remove(&second);
            }
        }
        while self.ends.len() > MAX_KEPT_EVENTS {
            self.ends.pop_first();
        }
    }

    fn state(&self) -> Option<ExecutionState> {
        let (Some(first), Some(last)) = (self.starts.first(), self.starts.last()) else {
            return outcome(self.ends.values());
        };
        let since_last_start = outcome(self.ends.range(last..).map(|(_, end)| end));
        let is_new_attempt = self.ends.range(first..).next().is_some();
        let outcome = match since_last_start {
            None if !is_new_attempt => outcome(self.ends.values()),
            outcome => outcome,
        };
        Some(outcome.unwrap_or(ExecutionState::Running))
    }

    /// In the order of their times.
    fn events(&self) -> Vec<(EventTime, RunEventType)> {
        let starts = self.starts.iter().map(|time| (*time, RunEventType::Start));
        let ends = self.ends.iter().map(|(time, end)| (*time, *end));
        let mut events: Vec<(EventTime, RunEventType)> = starts.chain(ends).collect();
        events.sort_by_key(|(time, event_type)| (*time, event_type.rank()));
        events
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for (time, event_type) in self.events() {
            let comma = if text.is_empty() { "" } else { "," };
            // Writing to a string never fails.
            _ = write!(text, "{comma}{}@{}", event_type.name(), time.milliseconds);
            if time.microseconds > 0 {
                _ = write!(text, ".{:03}", time.microseconds);
            }
        }
        text
    }
}

/// The state in which ends without a start between them leave a run: that of the last failure,
/// otherwise that of the last end.
fn outcome<'e>(
    ends: impl DoubleEndedIterator<Item = &'e RunEventType> + Clone,
) -> Option<ExecutionState> {
    let failure = ends.clone().rfind(|end| end.is_failure());
    let last = failure.or(ends.into_iter().next_back());
    last.and_then(|end| end.end_state())
}

/// A time of [`LIFECYCLE`].
fn parse_time(text: &str) -> Option<EventTime> {
    let (milliseconds, microseconds) = text.split_once('.').unwrap_or((text, "0"));
    Some(EventTime {
        milliseconds: milliseconds.parse().ok()?,
        microseconds: microseconds.parse().ok().filter(|it| *it < 1000)?,
    })
}

/// The times of a millisecond.
const fn within(milliseconds: i64) -> RangeInclusive<EventTime> {
    let first = EventTime::from_milliseconds(milliseconds);
    let last = EventTime {
        microseconds: 999,
        ..first
    };
    first..=last
}

fn milliseconds_of(run: &NodeContent, name: &str) -> Option<i64> {
    match run.custom_properties.get(name) {
        Some(Value::Int(time)) => Some(*time),
        _ => None,
    }
}
