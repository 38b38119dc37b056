//! The ticks of axes: few round numbers, times or durations.

use crate::utc::utc_text;

/// What the numbers of an axis are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TickSort {
    Number,
    /// Powers of ten; the numbers of the axis are logarithms to the base of ten.
    Power,
    /// Milliseconds since epoch.
    Time,
    /// Milliseconds.
    Duration,
}

/// A tick: where it is, and its text.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    pub at: f64,
    pub text: String,
}

/// Steps of times and durations, in milliseconds.
const TIME_STEPS: [f64; 20] = [
    1.0,
    10.0,
    100.0,
    1e3,
    5e3,
    15e3,
    30e3,
    60e3,
    300e3,
    900e3,
    1800e3,
    3600e3,
    10_800e3,
    21_600e3,
    43_200e3,
    86_400e3,
    172_800e3,
    604_800e3,
    2_592_000e3,
    31_536_000e3,
];

/// The most ticks of an axis.
const MAX_TICKS: f64 = 6.0;

/// Ticks between two finite numbers, the first of which is the smaller one.
#[must_use]
pub fn ticks(first: f64, last: f64, sort: TickSort) -> Vec<Tick> {
    let span = last - first;
    let step = match sort {
        TickSort::Number => round_step(span / MAX_TICKS),
        TickSort::Power => round_step(span / MAX_TICKS).max(1.0),
        TickSort::Time | TickSort::Duration => {
            let fits = |step: &&f64| span / **step <= MAX_TICKS;
            let known = TIME_STEPS.iter().find(fits).copied();
            known.unwrap_or_else(|| round_step(span / MAX_TICKS))
        }
    };
    let begin = (first / step).ceil();
    let mut ticks = Vec::new();
    for place in 0..=8 {
        let at = (begin + f64::from(place)) * step;
        if !at.is_finite() || at > last {
            break;
        }
        // A negative zero is a zero.
        let at = at + 0.0;
        ticks.push(Tick {
            at,
            text: text_of(at, step, sort),
        });
    }
    ticks
}

/// The smallest of 1, 2 and 5 times a power of ten that is not below a number.
fn round_step(least: f64) -> f64 {
    if !least.is_finite() || least <= f64::MIN_POSITIVE {
        return 1.0;
    }
    let power = 10_f64.powf(least.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|digit| digit * power);
    steps
        .into_iter()
        .find(|step| *step >= least)
        .unwrap_or(10.0 * power)
}

fn text_of(at: f64, step: f64, sort: TickSort) -> String {
    match sort {
        TickSort::Number => number_text(at, step),
        TickSort::Power => format!("1e{at}"),
        TickSort::Time => time_text(at, step),
        TickSort::Duration => duration_text(at, step),
    }
}

/// A number with as many digits as its axis needs.
fn number_text(at: f64, step: f64) -> String {
    let largest = at.abs().max(step);
    if largest >= 1e6 || step < 1e-6 {
        return format!("{at:e}");
    }
    let mut digits = 0;
    let mut rest = step;
    while digits < 8 && (rest - rest.round()).abs() > 1e-6 * rest {
        rest *= 10.0;
        digits += 1;
    }
    format!("{at:.digits$}")
}

fn time_text(at: f64, step: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a time beyond all clocks is the last one"
    )]
    let text = utc_text(at as i64);
    let part = if step >= 86_400e3 {
        text.get(..10)
    } else if step >= 60e3 {
        text.get(5..16)
    } else {
        text.get(11..19)
    };
    part.unwrap_or(&text).replace('T', " ")
}

fn duration_text(at: f64, step: f64) -> String {
    for (unit, word) in [(86_400e3, "d"), (3600e3, "h"), (60e3, "min"), (1e3, "s")] {
        if step >= unit {
            return format!("{} {word}", number_text(at / unit, step / unit));
        }
    }
    format!("{} ms", number_text(at, step))
}

#[cfg(test)]
mod tick_tests {
    use super::*;

    fn texts(first: f64, last: f64, sort: TickSort) -> Vec<String> {
        let found = ticks(first, last, sort).into_iter();
        found.map(|tick| tick.text).collect()
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(
            texts(0.0, 1.0, TickSort::Number),
            ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]
        );
        assert_eq!(texts(3.0, 48.0, TickSort::Number), ["10", "20", "30", "40"]);
        assert_eq!(
            texts(-0.02, 0.02, TickSort::Number),
            ["-0.02", "-0.01", "0.00", "0.01", "0.02"]
        );
        assert_eq!(
            texts(-3.2, 0.4, TickSort::Power),
            ["1e-3", "1e-2", "1e-1", "1e0"]
        );
        assert_eq!(
            texts(0.0, 300e3, TickSort::Duration),
            ["0 min", "1 min", "2 min", "3 min", "4 min", "5 min"]
        );
        assert_eq!(
            texts(1_764_108_838_123.0, 1_764_108_850_000.0, TickSort::Time),
            ["22:14:00", "22:14:05", "22:14:10"]
        );
    }

    #[test]
    fn any_axis_has_few_ticks() {
        for (first, last) in [
            (0.0, f64::MAX),
            (f64::MIN, f64::MAX),
            (1.0, 1.0 + f64::EPSILON),
            (-1e300, 1e-300),
            (5.0, 5.0),
        ] {
            for sort in [
                TickSort::Number,
                TickSort::Power,
                TickSort::Time,
                TickSort::Duration,
            ] {
                let found = ticks(first, last, sort);
                assert!(found.len() <= 9, "{first} {last} {sort:?}");
                assert!(found.iter().all(|tick| tick.at.is_finite()));
            }
        }
    }
}
