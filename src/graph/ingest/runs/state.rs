//! The state of a run: that of the latest of its START and ending events, in whatever order they
//! arrive.

use super::RunEventType;
use crate::model::{ExecutionState, NodeContent, NodeState, Value};

/// The custom property with the time of the latest START, in milliseconds since epoch.
pub(super) const STARTED_AT: &str = "started_at";

/// The custom property with the time of the latest ending, in milliseconds since epoch.
pub(super) const ENDED_AT: &str = "ended_at";

impl RunEventType {
    /// The state that the event puts the run into; `None` for one that does not say.
    const fn state(self) -> Option<ExecutionState> {
        match self {
            Self::Running | Self::Other => None,
            Self::Start => Some(ExecutionState::Running),
            Self::Complete => Some(ExecutionState::Complete),
            Self::Fail => Some(ExecutionState::Failed),
            Self::Cached => Some(ExecutionState::Cached),
            Self::Abort => Some(ExecutionState::Canceled),
        }
    }
}

/// Which of two endings of the same time counts: that of the higher rank, so that no failure is
/// hidden.
const fn rank(state: Option<NodeState>) -> u8 {
    match state {
        Some(NodeState::Execution(ExecutionState::Failed)) => 4,
        Some(NodeState::Execution(ExecutionState::Canceled)) => 3,
        Some(NodeState::Execution(ExecutionState::Complete)) => 2,
        Some(NodeState::Execution(ExecutionState::Cached)) => 1,
        _ => 0,
    }
}

/// Merges an event of this time, in milliseconds since epoch, into a run.
///
/// Of events at the same time, an ending comes after a START. The kind of an ending that is older
/// than the latest START is forgotten, as nothing can make it count again.
pub(super) fn merge(run: &mut NodeContent, event_type: RunEventType, time: i64) {
    let started = time_of(run, STARTED_AT);
    let ended = time_of(run, ENDED_AT);
    if event_type == RunEventType::Running
        && (started, ended) == (None, None)
        && matches!(
            run.state,
            None | Some(NodeState::Execution(ExecutionState::New))
        )
    {
        run.state = Some(ExecutionState::Running.into());
    }
    let Some(state) = event_type.state().map(NodeState::from) else {
        return;
    };
    if event_type == RunEventType::Start {
        if started.is_none_or(|started| time > started) {
            set_time(run, STARTED_AT, time);
        }
        if started.is_none_or(|started| time >= started) && ended.is_none_or(|ended| time > ended) {
            run.state = Some(state);
        }
        return;
    }
    if ended.is_none_or(|ended| time > ended) {
        set_time(run, ENDED_AT, time);
    }
    let counts = match ended {
        Some(ended) if time == ended => rank(Some(state)) > rank(run.state),
        Some(ended) => time > ended,
        None => true,
    };
    if counts && started.is_none_or(|started| time >= started) {
        run.state = Some(state);
    }
}

fn time_of(run: &NodeContent, name: &str) -> Option<i64> {
    match run.custom_properties.get(name) {
        Some(Value::Int(time)) => Some(*time),
        _ => None,
    }
}

fn set_time(run: &mut NodeContent, name: &str, time: i64) {
    run.custom_properties
        .insert(name.to_owned(), Value::Int(time));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;
    use ExecutionState::{Canceled, Complete as Succeeded, Failed, Running as Runs};
    use RunEventType::{Abort, Cached, Complete, Fail, Other, Running, Start};

    fn after(events: &[(RunEventType, i64)]) -> NodeContent {
        let mut run = NodeContent::default();
        for &(event_type, time) in events {
            merge(&mut run, event_type, time);
        }
        run
    }

    #[track_caller]
    fn check(
        events: &[(RunEventType, i64)],
        state: ExecutionState,
        started: Option<i64>,
        ended: Option<i64>,
    ) {
        let run = after(events);
        let times = (time_of(&run, STARTED_AT), time_of(&run, ENDED_AT));
        assert_eq!((run.state, times), (Some(state.into()), (started, ended)));
    }

    #[test]
    fn the_latest_event_decides() {
        check(&[(Start, 1)], Runs, Some(1), None);
        check(&[(Start, 1), (Complete, 5)], Succeeded, Some(1), Some(5));
        check(&[(Complete, 5), (Start, 1)], Succeeded, Some(1), Some(5));
        check(&[(Start, 1), (Fail, 5), (Start, 7)], Runs, Some(7), Some(5));
        check(&[(Fail, 5), (Complete, 4)], Failed, None, Some(5));
    }

    #[test]
    fn at_the_same_time_an_ending_comes_after_a_start_and_a_failure_counts() {
        check(&[(Complete, 3), (Start, 3)], Succeeded, Some(3), Some(3));
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
        check(&[(Fail, 5), (Running, 9)], Failed, None, Some(5));
        check(&[(Running, 1), (Start, 4)], Runs, Some(4), None);
        let mut stored = NodeContent {
            state: Some(Succeeded.into()),
            ..NodeContent::default()
        };
        merge(&mut stored, Running, 3);
        assert_eq!(stored.state, Some(Succeeded.into()));
    }

    /// What the contract says, of all events at once.
    fn expected(events: &[(RunEventType, i64)]) -> Option<NodeState> {
        let said = events.iter().filter_map(|&(event_type, time)| {
            let state = NodeState::from(event_type.state()?);
            let ends = event_type != Start;
            Some(((time, ends, rank(Some(state))), state))
        });
        let last = said.max_by_key(|(order, _)| *order);
        let runs = events.iter().any(|(event_type, _)| *event_type == Running);
        last.map(|(_, state)| state)
            .or_else(|| runs.then_some(Runs.into()))
    }

    proptest! {
        #[test]
        fn any_order_of_arrival_gives_the_same_run(
            events in prop::collection::vec(
                (select(vec![Start, Running, Other, Complete, Fail, Abort, Cached]), 0_i64..6),
                0..8,
            ),
            seed in prop::collection::vec(any::<prop::sample::Index>(), 8),
        ) {
            let mut shuffled = events.clone();
            for (place, other) in seed.iter().enumerate().take(events.len()) {
                shuffled.swap(place, other.index(events.len()));
            }
            let run = after(&events);
            prop_assert_eq!(run.state, expected(&events));
            prop_assert_eq!(run, after(&shuffled));
        }
    }
}
