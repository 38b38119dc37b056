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

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::ops::Bound::{Excluded, Unbounded};

use super::RunEventType;
use crate::model::{ExecutionState, NodeContent, NodeState, Value};

/// The custom property with the time of the first start of the last attempt, in milliseconds
/// since epoch.
pub(super) const STARTED_AT: &str = "started_at";

/// The custom property with the time of the last end, in milliseconds since epoch.
pub(super) const ENDED_AT: &str = "ended_at";

/// The custom property with all starts and ends, of runs that have more than one of either:
/// `TYPE@TIME`, separated by commas, in the order of their times. The format is stored: it never
/// changes.
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

/// Merges an event of this time, in milliseconds since epoch, into a run.
pub(super) fn merge(run: &mut NodeContent, event_type: RunEventType, time: i64) {
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

const NEW: NodeState = NodeState::Execution(ExecutionState::New);

/// The starts and ends of a run, by time in milliseconds since epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Lifecycle {
    starts: BTreeSet<i64>,
    /// Of ends of the same time, the one of the highest rank.
    ends: BTreeMap<i64, RunEventType>,
}

impl Lifecycle {
    /// What a stored run says, whichever version or program wrote it.
    fn of(run: &NodeContent) -> Self {
        let mut known = match run.custom_properties.get(LIFECYCLE) {
            Some(Value::String(text)) => Self::parse(text),
            _ => Self::default(),
        };
        known.starts.extend(time_of(run, STARTED_AT));
        if let Some(ended) = time_of(run, ENDED_AT)
            && !known.ends.contains_key(&ended)
        {
            let leads_to_state =
                |end: &RunEventType| end.end_state().map(NodeState::from) == run.state;
            let end = ENDS.into_iter().find(leads_to_state);
            // A version that kept no lifecycle forgot how an earlier attempt ended. It had begun
            // before its end.
            if end.is_none() && known.starts.last().is_some_and(|start| *start > ended) {
                known.starts.insert(ended);
            }
            known.add_end(ended, end.unwrap_or(RunEventType::Complete));
        }
        known
    }

    fn parse(text: &str) -> Self {
        let mut known = Self::default();
        for part in text.split(',') {
            let Some((name, time)) = part.split_once('@') else {
                continue;
            };
            match (RunEventType::from_name(name), time.parse()) {
                (Some(RunEventType::Start), Ok(time)) => _ = known.starts.insert(time),
                (Some(end), Ok(time)) => known.add_end(time, end),
                _ => {}
            }
        }
        known
    }

    fn is_empty(&self) -> bool {
        self.starts.is_empty() && self.ends.is_empty()
    }

    fn add_end(&mut self, time: i64, end: RunEventType) {
        let known = self.ends.entry(time).or_insert(end);
        if end.rank() > known.rank() {
            *known = end;
        }
    }

    /// Writes the state, the times and, where these do not say everything, the lifecycle.
    fn store(mut self, run: &mut NodeContent) {
        self.prune();
        run.state = self.state().map(NodeState::from);
        for (name, time) in [(STARTED_AT, self.started_at()), (ENDED_AT, self.ended_at())] {
            if let Some(time) = time {
                run.custom_properties.insert(name.into(), Value::Int(time));
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

    fn started_at(&self) -> Option<i64> {
        let last = self.starts.last()?;
        let attempt = match self.ends.range(..last).next_back() {
            Some((end, _)) => self.starts.range((Excluded(end), Unbounded)).next(),
            None => self.starts.first(),
        };
        attempt.copied()
    }

    fn ended_at(&self) -> Option<i64> {
        self.ends.last_key_value().map(|(time, _)| *time)
    }

    fn text(&self) -> String {
        let starts = self.starts.iter().map(|time| (*time, RunEventType::Start));
        let ends = self.ends.iter().map(|(time, end)| (*time, *end));
        let mut events: Vec<(i64, RunEventType)> = starts.chain(ends).collect();
        events.sort_by_key(|(time, event_type)| (*time, event_type.rank()));
        let mut text = String::new();
        for (time, event_type) in events {
            let comma = if text.is_empty() { "" } else { "," };
            // Writing to a string never fails.
            _ = write!(text, "{comma}{}@{time}", event_type.name());
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

fn time_of(run: &NodeContent, name: &str) -> Option<i64> {
    match run.custom_properties.get(name) {
        Some(Value::Int(time)) => Some(*time),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;
    use ExecutionState::{Canceled, Complete as Succeeded, Failed, Running as Runs};
    use RunEventType::{Abort, Cached, Complete, Fail, Other, Running, Start};

    type Events = [(RunEventType, i64)];

    fn after(events: &Events) -> NodeContent {
        let mut run = NodeContent::default();
        for &(event_type, time) in events {
            merge(&mut run, event_type, time);
        }
        run
    }

    fn orders(events: &Events) -> Vec<Vec<(RunEventType, i64)>> {
        let mut orders = vec![vec![]];
        for &event in events {
            let put = |order: Vec<_>| {
                (0..=order.len()).map(move |place| {
                    let mut order = order.clone();
                    order.insert(place, event);
                    order
                })
            };
            orders = orders.into_iter().flat_map(put).collect();
        }
        orders
    }

    /// In whatever order the events arrive, the run has this state, start and end.
    #[track_caller]
    fn check(events: &Events, state: ExecutionState, started: Option<i64>, ended: Option<i64>) {
        for order in orders(events) {
            let run = after(&order);
            let times = (time_of(&run, STARTED_AT), time_of(&run, ENDED_AT));
            let expected = (Some(state.into()), (started, ended));
            assert_eq!((run.state, times), expected, "{order:?}");
        }
    }

    #[test]
    fn the_latest_event_decides() {
        check(&[(Start, 1)], Runs, Some(1), None);
        check(&[(Start, 1), (Complete, 5)], Succeeded, Some(1), Some(5));
        check(&[(Start, 1), (Fail, 5), (Start, 7)], Runs, Some(7), Some(5));
        check(&[(Fail, 5), (Complete, 4)], Failed, None, Some(5));
    }

    #[test]
    fn at_the_same_time_an_end_comes_after_a_start_and_a_failure_counts() {
        check(&[(Start, 3), (Complete, 3)], Succeeded, Some(3), Some(3));
        check(&[(Fail, 3), (Complete, 3)], Failed, None, Some(3));
        check(&[(Cached, 3), (Abort, 3)], Canceled, None, Some(3));
    }

    #[test]
    fn other_facts_leave_the_state() {
        assert_eq!(after(&[(Other, 3)]), NodeContent::default());
    }

    #[test]
    fn a_run_in_progress_is_running_until_a_start_or_an_end_is_known() {
        check(&[(Running, 3)], Runs, None, None);
        check(&[(Running, 9), (Fail, 5)], Failed, None, Some(5));
        check(&[(Running, 1), (Start, 4)], Runs, Some(4), None);
        let mut stored = NodeContent {
            state: Some(Succeeded.into()),
            ..NodeContent::default()
        };
        merge(&mut stored, Running, 3);
        assert_eq!(stored.state, Some(Succeeded.into()));
    }

    #[test]
    fn an_end_from_a_clock_that_is_behind_ends_the_run() {
        check(&[(Start, 9), (Complete, 4)], Succeeded, Some(9), Some(4));
        check(
            &[(Start, 9), (Start, 12), (Fail, 4)],
            Failed,
            Some(9),
            Some(4),
        );
    }

    #[test]
    fn a_start_that_is_repeated_leaves_the_first_one() {
        check(
            &[(Start, 1), (Start, 60), (Complete, 90)],
            Succeeded,
            Some(1),
            Some(90),
        );
        check(
            &[(Start, 1), (Fail, 5), (Start, 7), (Start, 8), (Complete, 9)],
            Succeeded,
            Some(7),
            Some(9),
        );
    }

    #[test]
    fn a_failure_stays_until_the_next_start() {
        check(
            &[(Start, 1), (Fail, 5), (Complete, 7)],
            Failed,
            Some(1),
            Some(7),
        );
        check(
            &[(Start, 1), (Abort, 5), (Start, 6), (Complete, 7)],
            Succeeded,
            Some(6),
            Some(7),
        );
        check(
            &[(Fail, 5), (Abort, 6), (Cached, 7)],
            Canceled,
            None,
            Some(7),
        );
    }

    fn stored(state: ExecutionState, started: i64, ended: Option<i64>) -> NodeContent {
        let mut run = NodeContent {
            state: Some(state.into()),
            ..NodeContent::default()
        };
        for (name, time) in [(STARTED_AT, Some(started)), (ENDED_AT, ended)] {
            let value = time.map(|time| (name.to_owned(), Value::Int(time)));
            run.custom_properties.extend(value);
        }
        run
    }

    #[test]
    fn a_run_that_an_earlier_version_stored_goes_on() {
        // The second attempt of a run, whose first end was forgotten.
        let mut run = stored(Runs, 7, Some(5));
        merge(&mut run, Start, 1);
        assert_eq!(run.state, Some(Runs.into()));
        assert_eq!(time_of(&run, STARTED_AT), Some(7));
        merge(&mut run, Complete, 9);
        assert_eq!(run.state, Some(Succeeded.into()));
        assert_eq!(time_of(&run, STARTED_AT), Some(7));
        // Its start was given in microseconds.
        let mut run = stored(Runs, 1_700_000_000_000_000, None);
        merge(&mut run, Complete, 1_700_000_000_000);
        assert_eq!(run.state, Some(Succeeded.into()));
    }

    #[test]
    fn what_another_program_changed_is_no_obstacle() {
        let mut run = after(&[(Start, 1), (Fail, 5), (Start, 7)]);
        // A server of an earlier version stores an end.
        run.state = Some(Succeeded.into());
        run.custom_properties.insert(ENDED_AT.into(), Value::Int(9));
        merge(&mut run, Start, 2);
        assert_eq!(run.state, Some(Succeeded.into()));
        run.custom_properties
            .insert(LIFECYCLE.into(), Value::String("START@x,?,LATER@3".into()));
        merge(&mut run, Fail, 10);
        assert_eq!(run.state, Some(Failed.into()));
    }

    #[test]
    fn the_lifecycle_is_kept_where_the_times_do_not_say_it() {
        let lifecycle = |events: &Events| after(events).custom_properties.remove(LIFECYCLE);
        assert_eq!(lifecycle(&[(Start, 1), (Complete, 5)]), None);
        assert_eq!(lifecycle(&[(Start, 9), (Fail, 5)]), None);
        let text = "START@1,FAIL@5,START@7";
        assert_eq!(
            lifecycle(&[(Start, 7), (Fail, 5), (Start, 1)]),
            Some(Value::String(text.into()))
        );
    }

    /// The state and the start that the contract names, read from the events in their order.
    fn expected(events: &Events) -> (Option<ExecutionState>, Option<i64>) {
        let mut sorted = events.to_vec();
        sorted.sort_by_key(|(event_type, time)| (*time, event_type.rank()));
        let (mut outcome, mut before_first, mut started) = (None, None, None);
        for (event_type, time) in sorted {
            match event_type.end_state() {
                Some(_)
                    if matches!(outcome, Some(Failed | Canceled)) && !event_type.is_failure() => {}
                Some(end) => outcome = Some(end),
                None if event_type != Start => {}
                None if started.is_none() => {
                    (before_first, outcome, started) = (outcome, None, Some(time));
                }
                None if outcome.is_some() => {
                    (before_first, outcome, started) = (None, None, Some(time));
                }
                None => {}
            }
        }
        let runs = events.iter().any(|(event_type, _)| *event_type == Running);
        let runs = (runs || started.is_some()).then_some(Runs);
        (outcome.or(before_first).or(runs), started)
    }

    /// Types of events with their times.
    type EventList = Vec<(RunEventType, i64)>;

    fn events(most: usize, last: i64) -> impl Strategy<Value = EventList> {
        let event_type = select(vec![
            Start, Start, Running, Other, Complete, Fail, Abort, Cached,
        ]);
        prop::collection::vec((event_type, 0..=last), 0..=most)
    }

    fn shuffled(
        events: impl Strategy<Value = EventList>,
    ) -> impl Strategy<Value = (EventList, EventList)> {
        events.prop_flat_map(|events| (Just(events.clone()), Just(events).prop_shuffle()))
    }

    proptest! {
        #[test]
        fn any_order_of_arrival_gives_the_same_run(events in events(5, 5)) {
            let run = after(&events);
            let state = run.state.and_then(|state| match state {
                NodeState::Execution(state) => Some(state),
                NodeState::Artifact(_) => None,
            });
            prop_assert_eq!((state, time_of(&run, STARTED_AT)), expected(&events));
            for order in orders(&events) {
                prop_assert_eq!(&run, &after(&order));
            }
        }

        #[test]
        fn more_events_than_are_kept_have_no_order_either(
            (events, shuffled) in shuffled(events(120, 200)),
        ) {
            prop_assert_eq!(after(&events), after(&shuffled));
        }
    }
}
