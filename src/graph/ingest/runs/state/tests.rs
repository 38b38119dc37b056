//! The state and the times of a run after events in every order.

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use ExecutionState::{Canceled, Complete as Succeeded, Failed, Running as Runs};
use RunEventType::{Abort, Cached, Complete, Fail, Other, Running, Start};

type Events = [(RunEventType, i64)];

fn after(events: &Events) -> NodeContent {
    after_times(events, EventTime::from_milliseconds)
}

fn after_times(events: &Events, time_of: fn(i64) -> EventTime) -> NodeContent {
    let mut run = NodeContent::default();
    for &(event_type, time) in events {
        merge(&mut run, event_type, time_of(time));
    }
    run
}

fn half_milliseconds(count: i64) -> EventTime {
    EventTime {
        milliseconds: count / 2,
        microseconds: if count % 2 == 0 { 0 } else { 500 },
    }
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
        let times = (
            milliseconds_of(&run, STARTED_AT),
            milliseconds_of(&run, ENDED_AT),
        );
        let expected = (Some(state.into()), (started, ended));
        assert_eq!((run.state, times), expected, "{order:?}");
    }
}

#[test]
fn the_latest_event_decides() {
    check(&[(Start, 1)], Runs, Some(1), None);
    check(&[(Start, 1), (Complete, 5)], Succeeded, Some(1), Some(5));
    check(&[(Start, 1), (Fail, 5), (Start, 7)], Runs, Some(1), Some(5));
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
    merge(&mut stored, Running, EventTime::from_milliseconds(3));
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
fn the_first_start_and_the_last_end_are_the_times() {
    check(
        &[(Start, 1), (Start, 60), (Complete, 90)],
        Succeeded,
        Some(1),
        Some(90),
    );
    check(
        &[(Start, 1), (Fail, 5), (Start, 7), (Start, 8), (Complete, 9)],
        Succeeded,
        Some(1),
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
        Some(1),
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
    merge(&mut run, Start, EventTime::from_milliseconds(1));
    assert_eq!(run.state, Some(Runs.into()));
    assert_eq!(milliseconds_of(&run, STARTED_AT), Some(1));
    merge(&mut run, Complete, EventTime::from_milliseconds(9));
    assert_eq!(run.state, Some(Succeeded.into()));
    assert_eq!(milliseconds_of(&run, STARTED_AT), Some(1));
    // Its start was given in microseconds.
    let mut run = stored(Runs, 1_700_000_000_000_000, None);
    merge(
        &mut run,
        Complete,
        EventTime::from_milliseconds(1_700_000_000_000),
    );
    assert_eq!(run.state, Some(Succeeded.into()));
}

#[test]
fn what_another_program_changed_is_no_obstacle() {
    let mut run = after(&[(Start, 1), (Fail, 5), (Start, 7)]);
    // A server of an earlier version stores an end.
    run.state = Some(Succeeded.into());
    run.custom_properties.insert(ENDED_AT.into(), Value::Int(9));
    merge(&mut run, Start, EventTime::from_milliseconds(2));
    assert_eq!(run.state, Some(Succeeded.into()));
    run.custom_properties
        .insert(LIFECYCLE.into(), Value::String("START@x,?,LATER@3".into()));
    merge(&mut run, Fail, EventTime::from_milliseconds(10));
    assert_eq!(run.state, Some(Failed.into()));
}

#[test]
fn the_lifecycle_is_kept_where_the_times_do_not_say_it() {
    let lifecycle = |events: &Events| after(events).custom_properties.remove(LIFECYCLE);
    assert_eq!(lifecycle(&[(Start, 1), (Complete, 5)]), None);
    assert_eq!(lifecycle(&[(Start, 9), (Fail, 5)]), None);
    // The event whose microseconds the times do not say.
    let run = after_times(&[(Start, 3), (Complete, 4)], half_milliseconds);
    let text = Value::String("START@1.500,COMPLETE@2".into());
    assert_eq!(run.custom_properties.get(LIFECYCLE), Some(&text));
    let text = "START@1,FAIL@5,START@7";
    assert_eq!(
        lifecycle(&[(Start, 7), (Fail, 5), (Start, 1)]),
        Some(Value::String(text.into()))
    );
}

/// The state that the contract names, read from the events in their order.
fn expected(events: &Events) -> Option<ExecutionState> {
    let mut sorted = events.to_vec();
    sorted.sort_by_key(|(event_type, time)| (*time, event_type.rank()));
    let (mut outcome, mut before_first, mut has_started) = (None, None, false);
    for (event_type, _) in sorted {
        match event_type.end_state() {
            Some(_) if matches!(outcome, Some(Failed | Canceled)) && !event_type.is_failure() => {}
            Some(end) => outcome = Some(end),
            None if event_type != Start => {}
            None if !has_started => {
                (before_first, outcome, has_started) = (outcome, None, true);
            }
            None if outcome.is_some() => (before_first, outcome) = (None, None),
            None => {}
        }
    }
    let runs = events.iter().any(|(event_type, _)| *event_type == Running);
    let runs = (runs || has_started).then_some(Runs);
    outcome.or(before_first).or(runs)
}

fn times_of(events: &Events, is_of_kind: fn(RunEventType) -> bool) -> Vec<i64> {
    let of_kind = events.iter().filter(|(of, _)| is_of_kind(*of));
    of_kind.map(|(_, time)| *time).collect()
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
        prop_assert_eq!(run.state, expected(&events).map(NodeState::from));
        let starts = times_of(&events, |of| of == Start);
        let ends = times_of(&events, |of| of.end_state().is_some());
        prop_assert_eq!(milliseconds_of(&run, STARTED_AT), starts.into_iter().min());
        prop_assert_eq!(milliseconds_of(&run, ENDED_AT), ends.into_iter().max());
        for order in orders(&events) {
            prop_assert_eq!(&run, &after(&order));
        }
    }

    /// Two of these times are in each millisecond.
    #[test]
    fn microseconds_decide_as_milliseconds_do(events in events(5, 5)) {
        let run = after_times(&events, half_milliseconds);
        prop_assert_eq!(run.state, after(&events).state);
        for order in orders(&events) {
            prop_assert_eq!(&run, &after_times(&order, half_milliseconds));
        }
    }

    #[test]
    fn more_events_than_are_kept_have_no_order_either(
        (events, shuffled) in shuffled(events(120, 200)),
    ) {
        prop_assert_eq!(after(&events), after(&shuffled));
    }
}
