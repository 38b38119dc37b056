//! Curves of numbers as SVG, inside of a page whose style sheet has the colours.

use std::fmt::Write;

use super::glyph::push_escaped;
use super::ticks::{Tick, TickSort, ticks};

/// The sizes of a chart, and the space around the curves, in pixels.
const CHART_WIDTH: f64 = 560.0;
const CHART_HEIGHT: f64 = 280.0;
const LEFT_SPACE: f64 = 64.0;
const RIGHT_SPACE: f64 = 16.0;
const TOP_SPACE: f64 = 12.0;
const BOTTOM_SPACE: f64 = 28.0;

/// How many colours curves have. Then they are dashed, in the same colours.
pub const CURVE_COLOURS: usize = 8;

/// How many dashes curves have.
const CURVE_DASHES: usize = 3;

/// Points that are close together: their first and their last place, and their smallest and their
/// greatest value. All are finite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChartPoint {
    pub places: (f64, f64),
    pub values: (f64, f64),
}

/// A curve.
#[derive(Clone, Debug, PartialEq)]
pub struct ChartCurve {
    /// A text of a user.
    pub label: String,
    /// Which colour and which dashes it has.
    pub place: usize,
    /// Ascending by place.
    pub points: Vec<ChartPoint>,
}

/// Curves with common axes.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// A text of a user.
    pub title: String,
    pub curves: Vec<ChartCurve>,
    /// What the places are.
    pub places: TickSort,
    /// Whether values have a logarithmic axis. Those that are not positive are left out.
    pub is_log: bool,
}

/// The classes of a curve: its colour and its dashes.
#[must_use]
pub fn curve_class(place: usize) -> String {
    let dashes = place / CURVE_COLOURS % CURVE_DASHES;
    format!("c{} k{dashes}", place % CURVE_COLOURS)
}

/// The smallest and the greatest of pairs of numbers, apart from each other.
fn extent(pairs: impl Iterator<Item = (f64, f64)>) -> Option<(f64, f64)> {
    let wider = |(least, greatest): (f64, f64), (first, last): (f64, f64)| {
        (least.min(first), greatest.max(last))
    };
    let (least, greatest) = pairs.reduce(wider)?;
    if greatest > least {
        return Some((least, greatest));
    }
    let space = (least.abs() * 0.05).max(0.5);
    Some((least - space, greatest + space))
}

/// An axis: numbers from the first to the last one are at pixels from the first to the last one.
#[derive(Clone, Copy, Debug)]
struct AxisScale {
    numbers: (f64, f64),
    pixels: (f64, f64),
}

impl AxisScale {
    fn at(&self, number: f64) -> f64 {
        let (first, last) = self.numbers;
        let (from, to) = self.pixels;
        // A half of each: the difference of two large numbers may be infinite.
        let share = (number / 2.0 - first / 2.0) / (last / 2.0 - first / 2.0);
        from + share * (to - from)
    }
}

impl Chart {
    /// The curves as they are drawn: with logarithms of values on a logarithmic axis.
    fn drawn(&self) -> Vec<ChartCurve> {
        let mut curves = self.curves.clone();
        if self.is_log {
            for curve in &mut curves {
                curve.points.retain(|point| point.values.1 > 0.0);
                for point in &mut curve.points {
                    let (least, greatest) = point.values;
                    let least = if least > 0.0 { least } else { greatest };
                    point.values = (least.log10(), greatest.log10());
                }
            }
        }
        curves.retain(|curve| !curve.points.is_empty());
        curves
    }

    /// An element `svg`; `None` if there is no value to draw.
    #[must_use]
    pub fn element(&self) -> Option<String> {
        let curves = self.drawn();
        let points = || curves.iter().flat_map(|curve| &curve.points);
        let across = AxisScale {
            numbers: extent(points().map(|point| point.places))?,
            pixels: (LEFT_SPACE, CHART_WIDTH - RIGHT_SPACE),
        };
        let up = AxisScale {
            numbers: extent(points().map(|point| point.values))?,
            pixels: (CHART_HEIGHT - BOTTOM_SPACE, TOP_SPACE),
        };
        let mut out = String::new();
        push!(
            out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart\" role=\"img\" \
             width=\"{CHART_WIDTH}\" height=\"{CHART_HEIGHT}\" \
             viewBox=\"0 0 {CHART_WIDTH} {CHART_HEIGHT}\"><title>"
        );
        push_escaped(&mut out, &self.title);
        out.push_str("</title>");
        self.write_axes(&mut out, across, up);
        for curve in &curves {
            write_curve(&mut out, curve, across, up);
        }
        out.push_str("</svg>");
        Some(out)
    }

    fn write_axes(&self, out: &mut String, across: AxisScale, up: AxisScale) {
        let values = if self.is_log {
            TickSort::Power
        } else {
            TickSort::Number
        };
        let bottom = CHART_HEIGHT - BOTTOM_SPACE;
        for Tick { at, text } in ticks(up.numbers.0, up.numbers.1, values) {
            let y = up.at(at);
            push!(
                out,
                "<path class=\"grid\" d=\"M{LEFT_SPACE} {y:.1}H{}\"/><text class=\"tick up\" \
                 x=\"{}\" y=\"{:.1}\">{text}</text>",
                CHART_WIDTH - RIGHT_SPACE,
                LEFT_SPACE - 8.0,
                y + 4.0
            );
        }
        for Tick { at, text } in ticks(across.numbers.0, across.numbers.1, self.places) {
            let x = across.at(at);
            push!(
                out,
                "<path class=\"grid\" d=\"M{x:.1} {TOP_SPACE}V{bottom}\"/><text class=\"tick\" \
                 x=\"{x:.1}\" y=\"{}\">{text}</text>",
                bottom + 16.0
            );
        }
        push!(
            out,
            "<path class=\"axis\" d=\"M{LEFT_SPACE} {TOP_SPACE}V{bottom}H{}\"/>",
            CHART_WIDTH - RIGHT_SPACE
        );
    }
}

/// A line through all points. Where several are close together, it goes from the end of their
/// values that is nearer to the other one, so that each peak is seen.
fn write_curve(out: &mut String, curve: &ChartCurve, across: AxisScale, up: AxisScale) {
    let class = curve_class(curve.place);
    push!(out, "<g class=\"curve {class}\"><title>");
    push_escaped(out, &curve.label);
    out.push_str("</title>");
    if let [point] = curve.points.as_slice()
        && point.values.0 >= point.values.1
    {
        let (x, y) = (across.at(point.places.0), up.at(point.values.0));
        push!(out, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"/></g>");
        return;
    }
    out.push_str("<path d=\"");
    let mut before: Option<f64> = None;
    for point in &curve.points {
        let (least, greatest) = point.values;
        let (near, far) = match before {
            Some(value) if (value - greatest).abs() < (value - least).abs() => (greatest, least),
            _ => (least, greatest),
        };
        let word = if before.is_none() { 'M' } else { 'L' };
        push!(
            out,
            "{word}{:.1} {:.1}",
            across.at(point.places.0),
            up.at(near)
        );
        if point.places.0 < point.places.1 || near.to_bits() != far.to_bits() {
            push!(out, "L{:.1} {:.1}", across.at(point.places.1), up.at(far));
        }
        before = Some(far);
    }
    out.push_str("\"/></g>");
}

#[cfg(test)]
mod chart_tests {
    use super::*;

    fn chart(values: &[(f64, f64)], is_log: bool) -> Chart {
        let points = values.iter().map(|&(place, value)| ChartPoint {
            places: (place, place),
            values: (value, value),
        });
        Chart {
            title: "loss <b>".to_owned(),
            curves: vec![ChartCurve {
                label: "run & co".to_owned(),
                place: 9,
                points: points.collect(),
            }],
            places: TickSort::Number,
            is_log,
        }
    }

    #[test]
    fn a_curve_goes_through_its_points() {
        let drawn = chart(&[(0.0, 1.0), (5.0, 0.0), (10.0, 1.0)], false);
        let drawn = drawn.element().unwrap();
        assert!(
            drawn.contains("M64.0 12.0L304.0 252.0L544.0 12.0"),
            "{drawn}"
        );
        assert!(drawn.contains("class=\"curve c1 k1\""), "{drawn}");
        assert!(
            drawn.contains("loss &lt;b&gt;") && drawn.contains("run &amp; co"),
            "{drawn}"
        );
    }

    #[test]
    fn peaks_of_points_that_are_close_together_are_seen() {
        let mut peaks = chart(&[(0.0, 1.0), (1.0, 1.0), (2.0, 1.0)], false);
        peaks.curves[0].points[1].values = (0.0, 9.0);
        let drawn = peaks.element().unwrap();
        let y = |value: f64| 252.0 - value / 9.0 * 240.0;
        let at = |x: f64, value: f64| format!("{x:.1} {:.1}", y(value));
        let through = [at(304.0, 0.0), at(304.0, 9.0), at(544.0, 1.0)].join("L");
        assert!(drawn.contains(&through), "{through}: {drawn}");
    }

    #[test]
    fn a_logarithmic_axis_leaves_out_what_is_not_positive() {
        let drawn = chart(&[(0.0, 0.01), (1.0, 0.0), (2.0, -5.0), (3.0, 100.0)], true);
        let drawn = drawn.element().unwrap();
        assert!(drawn.contains("M64.0 252.0L544.0 12.0\""), "{drawn}");
        assert!(
            drawn.contains(">1e-2</text>") && drawn.contains(">1e2</text>"),
            "{drawn}"
        );
        assert_eq!(chart(&[(0.0, -1.0)], true).element(), None);
    }

    #[test]
    fn any_finite_numbers_are_drawn() {
        for values in [
            &[(0.0, 5.0)][..],
            &[(0.0, f64::MIN), (1.0, f64::MAX)],
            &[(-1e18, 0.0), (1e18, f64::MIN_POSITIVE)],
        ] {
            let drawn = chart(values, false).element().unwrap();
            assert!(!drawn.contains("NaN") && !drawn.contains("inf"), "{drawn}");
        }
        assert_eq!(chart(&[], false).element(), None);
    }
}
