//! The state of a run: that of the latest of its START and ending events, in whatever order they arrive.

use super::Moment;
use crate::model::{Node, Value};

/// The custom property with the time of the latest START, in milliseconds since epoch.
pub(super) const STARTED_AT: &str = "started_at";

/// The custom property with the time of the latest ending, in milliseconds since epoch.
pub(super) const ENDED_AT: &str = "ended_at";

/// The number of `Execution.State` RUNNING.
const RUNNING: i64 = 2;

impl Moment {
    /// The number of `Execution.State` that the event puts the run into; `None` for one that does not say.
    const fn state(self) -> Option<i64> {
        match self {
            Self::Update => None,
            Self::Start => Some(RUNNING),
            Self::Complete => Some(3),
            Self::Fail => Some(4),
            Self::Cached => Some(5),
            Self::Cancel => Some(6),
        }
    }
}

/// Which of two endings of the same time counts: that of the higher rank, so that no failure is hidden.
fn rank(state: Option<i64>) -> u8 {
    match state {
        Some(4) => 4,
        Some(6) => 3,
        Some(3) => 2,
        Some(5) => 1,
        _ => 0,
    }
}

/// Merges an event of this time, in milliseconds since epoch, into a run.
///
/// Of events at the same time, an ending comes after a START. The kind of an ending that is older than the latest START is
/// forgotten, as nothing can make it count again.
pub(super) fn merge(run: &mut Node, moment: Moment, time: i64) {
    let Some(state) = moment.state() else {
        return;
    };
    let started = time_of(run, STARTED_AT);
    let ended = time_of(run, ENDED_AT);
    if moment == Moment::Start {
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

fn time_of(run: &Node, name: &str) -> Option<i64> {
    match run.custom_properties.get(name) {
        Some(Value::Int(time)) => Some(*time),
        _ => None,
    }
}

fn set_time(run: &mut Node, name: &str, time: i64) {
    run.custom_properties
        .insert(name.to_owned(), Value::Int(time));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;
    use Moment::{Cached, Cancel, Complete, Fail, Start, Update};

    fn after(events: &[(Moment, i64)]) -> Node {
        let mut run = Node::default();
        for &(moment, time) in events {
            merge(&mut run, moment, time);
        }
        run
    }

    #[track_caller]
    fn check(events: &[(Moment, i64)], state: i64, started: Option<i64>, ended: Option<i64>) {
        let run = after(events);
        let times = (time_of(&run, STARTED_AT), time_of(&run, ENDED_AT));
        assert_eq!((run.state, times), (Some(state), (started, ended)));
    }

    #[test]
    fn the_latest_event_decides() {
        check(&[(Start, 1)], 2, Some(1), None);
        check(&[(Start, 1), (Complete, 5)], 3, Some(1), Some(5));
        check(&[(Complete, 5), (Start, 1)], 3, Some(1), Some(5));
        check(&[(Start, 1), (Fail, 5), (Start, 7)], 2, Some(7), Some(5));
        check(&[(Fail, 5), (Complete, 4)], 4, None, Some(5));
    }

    #[test]
    fn at_the_same_time_an_ending_comes_after_a_start_and_a_failure_counts() {
        check(&[(Complete, 3), (Start, 3)], 3, Some(3), Some(3));
        check(&[(Start, 3), (Complete, 3)], 3, Some(3), Some(3));
        check(&[(Fail, 3), (Complete, 3)], 4, None, Some(3));
        check(&[(Cached, 3), (Cancel, 3)], 6, None, Some(3));
    }

    #[test]
    fn an_update_says_nothing_about_the_state() {
        assert_eq!(after(&[(Update, 3)]), Node::default());
    }

    /// What the contract says, of all events at once.
    fn expected(events: &[(Moment, i64)]) -> Option<i64> {
        let said = events.iter().filter_map(|&(moment, time)| {
            let state = moment.state()?;
            let ends = moment != Start;
            Some((time, ends, rank(Some(state)), state))
        });
        said.max().map(|(_, _, _, state)| state)
    }

    proptest! {
        #[test]
        fn any_order_of_arrival_gives_the_same_run(
            events in prop::collection::vec(
                (select(vec![Start, Update, Complete, Fail, Cancel, Cached]), 0_i64..6),
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
