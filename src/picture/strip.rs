//! A strip of the executions of a lineage over time: a column for each day, or for each week, month
//! or several years where days would be too many.

use std::fmt::Write;

use time::{Date, Month, OffsetDateTime};

use super::glyph::push_escaped;
use super::{FigureKind, Mark, TracedNode};

/// The most columns of a strip.
pub const MAX_COLUMNS: i64 = 36;

/// The sizes of a column and of its bar, in pixels. A column has the least width of a target of a
/// pointer (WCAG 2.2, 2.5.8).
const COLUMN_WIDTH: usize = 24;
const BAR_WIDTH: usize = 16;
const BAR_HEIGHT: usize = 24;
const SHORTEST_BAR_HEIGHT: usize = 3;

const DAY_MILLISECONDS: i64 = 86_400_000;

/// 1970-01-01 was a Thursday; weeks begin on Mondays.
const DAYS_BEFORE_EPOCH_WEEK: i64 = 3;

/// The executions of a period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StripColumn {
    /// Such as `2026-11-29`, `week of 2026-11-23`, `2026-11` or `2020 to 2023`.
    pub label: String,
    /// The last millisecond of the period, since epoch.
    pub end: i64,
    pub executions: usize,
    /// Those of them that failed.
    pub failed: usize,
}

impl StripColumn {
    /// What it shows, in words.
    #[must_use]
    pub fn words(&self) -> String {
        let executions = match self.executions {
            1 => "1 execution".to_owned(),
            count => format!("{count} executions"),
        };
        match self.failed {
            0 => format!("{}: {executions}", self.label),
            failed => format!("{}: {executions}, {failed} failed", self.label),
        }
    }
}

/// How long the periods of a strip are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StripUnit {
    Day,
    Week,
    Month,
    Years(i64),
}

impl StripUnit {
    /// The shortest one by which a strip between two days is short enough.
    fn of(first: i64, last: i64) -> Self {
        let years = Self::Years(1);
        let years = years.place(last) - years.place(first);
        let short = [Self::Day, Self::Week, Self::Month].into_iter();
        let mut short = short.filter(|it| it.place(last) - it.place(first) < MAX_COLUMNS);
        short
            .next()
            .unwrap_or(Self::Years(years / (MAX_COLUMNS - 1) + 1))
    }

    /// The number of the period that a day is in, of days since epoch.
    fn place(self, day: i64) -> i64 {
        match self {
            Self::Day => day,
            Self::Week => (day + DAYS_BEFORE_EPOCH_WEEK).div_euclid(7),
            Self::Month => {
                let date = date_of(day);
                i64::from(date.year()) * 12 + i64::from(u8::from(date.month())) - 1
            }
            Self::Years(count) => i64::from(date_of(day).year()).div_euclid(count),
        }
    }

    /// The first day of a period.
    fn begin(self, place: i64) -> i64 {
        match self {
            Self::Day => place,
            Self::Week => place * 7 - DAYS_BEFORE_EPOCH_WEEK,
            Self::Month => first_day(place.div_euclid(12), place.rem_euclid(12)),
            Self::Years(count) => first_day(place * count, 0),
        }
    }

    fn label(self, place: i64) -> String {
        let date = date_of(self.begin(place));
        let (year, month, day) = (date.year(), u8::from(date.month()), date.day());
        match self {
            Self::Day => format!("{year:04}-{month:02}-{day:02}"),
            Self::Week => format!("week of {year:04}-{month:02}-{day:02}"),
            Self::Month => format!("{year:04}-{month:02}"),
            Self::Years(1) => format!("{year:04}"),
            Self::Years(count) => format!("{year:04} to {:04}", i64::from(year) + count - 1),
        }
    }
}

fn date_of(day: i64) -> Date {
    let time = OffsetDateTime::from_unix_timestamp(day.saturating_mul(DAY_MILLISECONDS / 1000));
    time.map_or(Date::MAX, OffsetDateTime::date)
}

/// The first day of a month, whose number is from 0 on.
fn first_day(year: i64, month: i64) -> i64 {
    let month = u8::try_from(month + 1).ok();
    let month = month.and_then(|month| Month::try_from(month).ok());
    let date = i32::try_from(year).ok().zip(month);
    let date = date.and_then(|(year, month)| Date::from_calendar_date(year, month, 1).ok());
    let date = date.unwrap_or(Date::MAX).midnight().assume_utc();
    date.unix_timestamp() / (DAY_MILLISECONDS / 1000)
}

/// The columns of the executions among nodes, the oldest first; none without executions. A node
/// counts when it was created.
#[must_use]
pub fn columns(nodes: &[TracedNode]) -> Vec<StripColumn> {
    let executions = nodes
        .iter()
        .filter(|it| it.key.kind == FigureKind::Execution);
    let days = executions.map(|node| (node.time.max(0) / DAY_MILLISECONDS, node.mark));
    let days: Vec<(i64, Option<Mark>)> = days.collect();
    let ends = days.iter().map(|(day, _)| *day);
    let Some((first, last)) = ends.clone().min().zip(ends.max()) else {
        return Vec::new();
    };
    let unit = StripUnit::of(first, last);
    let begin = unit.place(first);
    let column = |place| StripColumn {
        label: unit.label(place),
        end: unit.begin(place + 1) * DAY_MILLISECONDS - 1,
        executions: 0,
        failed: 0,
    };
    let mut columns: Vec<StripColumn> = (begin..=unit.place(last)).map(column).collect();
    for (day, mark) in days {
        let place = usize::try_from(unit.place(day) - begin).ok();
        if let Some(column) = place.and_then(|place| columns.get_mut(place)) {
            column.executions += 1;
            column.failed += usize::from(mark == Some(Mark::Failed));
        }
    }
    columns
}

/// An element `svg` of columns, each a link to what it names, but for those without executions. The
/// column of the time that is shown stands out.
#[must_use]
pub fn element(
    columns: &[StripColumn],
    shown: Option<i64>,
    link: impl Fn(&StripColumn) -> String,
) -> String {
    let most = columns
        .iter()
        .map(|it| it.executions)
        .max()
        .unwrap_or(0)
        .max(1);
    let width = columns.len() * COLUMN_WIDTH;
    let mut out = String::new();
    push!(
        out,
        "<svg class=\"strip\" width=\"{width}\" height=\"{BAR_HEIGHT}\" \
         viewBox=\"0 0 {width} {BAR_HEIGHT}\">"
    );
    let mut before = i64::MIN;
    for (column, place) in columns.iter().zip(0..) {
        let is_shown = shown.is_some_and(|time| before < time && time <= column.end);
        before = column.end;
        if column.executions == 0 && !is_shown {
            continue;
        }
        let left = place * COLUMN_WIDTH;
        let words = column.words();
        out.push_str("<a href=\"");
        push_escaped(&mut out, &link(column));
        push!(out, "\" aria-label=\"{words}\"");
        if is_shown {
            out.push_str(" aria-current=\"true\"");
        }
        push!(
            out,
            "><title>{words}</title><rect class=\"day\" x=\"{left}\" y=\"0\" \
             width=\"{COLUMN_WIDTH}\" height=\"{BAR_HEIGHT}\"/>"
        );
        let bar = |out: &mut String, class: &str, count: usize| {
            if count > 0 {
                let height = (count * BAR_HEIGHT / most).max(SHORTEST_BAR_HEIGHT);
                let (x, y) = (left + (COLUMN_WIDTH - BAR_WIDTH) / 2, BAR_HEIGHT - height);
                push!(
                    out,
                    "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{BAR_WIDTH}\" \
                     height=\"{height}\"/>"
                );
            }
        };
        bar(&mut out, "all", column.executions);
        bar(&mut out, "failed", column.failed);
        out.push_str("</a>");
    }
    out.push_str("</svg>");
    out
}

#[cfg(test)]
mod strip_tests {
    use super::*;
    use crate::picture::FigureKey;

    fn execution(day: i64, mark: Option<Mark>) -> TracedNode {
        TracedNode {
            key: FigureKey::execution(1),
            label: String::new(),
            type_name: String::new(),
            mark,
            hop: 0,
            time: day * DAY_MILLISECONDS + 5,
        }
    }

    fn labels(days: &[i64]) -> Vec<String> {
        let nodes: Vec<TracedNode> = days.iter().map(|day| execution(*day, None)).collect();
        columns(&nodes).into_iter().map(|it| it.label).collect()
    }

    #[test]
    fn periods_are_as_short_as_the_strip_allows() {
        assert_eq!(labels(&[]), Vec::<String>::new());
        assert_eq!(labels(&[0]), ["1970-01-01"]);
        let days = labels(&[20_000, 20_035]);
        assert_eq!(
            (days.len(), &*days[0], &*days[35]),
            (36, "2024-10-04", "2024-11-08")
        );
        let weeks = labels(&[20_000, 20_036]);
        assert_eq!((weeks.len(), &*weeks[0]), (6, "week of 2024-09-30"));
        let months = labels(&[20_000, 20_400]);
        assert_eq!(
            (months.len(), &*months[0], &*months[13]),
            (14, "2024-10", "2025-11")
        );
        let years = labels(&[0, 20_000]);
        assert_eq!(
            (years.len(), &*years[0], &*years[27]),
            (28, "1970 to 1971", "2024 to 2025")
        );
        let far = labels(&[0, i64::MAX / DAY_MILLISECONDS / 2]);
        assert!(far.len() <= 36, "{far:?}");
    }

    #[test]
    fn a_column_ends_before_the_next_and_counts_failures() {
        let nodes = [
            execution(1, Some(Mark::Failed)),
            execution(1, None),
            execution(3, None),
        ];
        let found = columns(&nodes);
        let ends: Vec<i64> = found.iter().map(|it| it.end).collect();
        assert_eq!(ends, [2, 3, 4].map(|day| day * DAY_MILLISECONDS - 1));
        let words: Vec<String> = found.iter().map(StripColumn::words).collect();
        let expected = [
            "1970-01-02: 2 executions, 1 failed",
            "1970-01-03: 0 executions",
            "1970-01-04: 1 execution",
        ];
        assert_eq!(words, expected);
        let drawn = element(&found, Some(ends[2]), |it| format!("?at={}&x", it.end));
        assert_eq!(drawn.matches("<a ").count(), 2, "{drawn}");
        assert_eq!(drawn.matches("class=\"failed\"").count(), 1, "{drawn}");
        assert_eq!(drawn.matches("aria-current").count(), 1, "{drawn}");
        assert!(drawn.contains("&amp;x"), "{drawn}");
    }
}
