//! The height of each stop: at the mean of its neighbours, as far as its row lets it.

use super::NODE_GAP;
use super::rows::LayerRows;

/// How often all rows are placed.
const PASSES_COUNT: usize = 12;

/// From this pass on, neighbours on both sides count.
const FIRST_TWO_SIDED_PASS: usize = 8;

/// How much a bend holds its place, against nodes by the number of their edges.
const BEND_WEIGHT: f64 = 4.0;

/// The space between two bends, in pixels.
const BEND_GAP: f64 = 6.0;

/// The nearest ascending numbers to wishes with weights (isotonic regression, by pooling adjacent
/// violators).
pub(super) fn isotonic(wishes: &[(f64, f64)]) -> Vec<f64> {
    // The mean, the weight and the size of each pool.
    let mut pools: Vec<(f64, f64, usize)> = Vec::with_capacity(wishes.len());
    for &(wish, weight) in wishes {
        pools.push((wish, weight, 1));
        while let [.., lower, upper] = pools.as_slice() {
            if lower.0 <= upper.0 {
                break;
            }
            let weight = lower.1 + upper.1;
            let mean = (lower.0 * lower.1 + upper.0 * upper.1) / weight;
            let pool = (mean, weight, lower.2 + upper.2);
            pools.pop();
            pools.pop();
            pools.push(pool);
        }
    }
    let numbers = pools.into_iter();
    numbers
        .flat_map(|(mean, _, size)| std::iter::repeat_n(mean, size))
        .collect()
}

/// The middle of each stop, in pixels from the top.
pub(super) fn vertical(rows: &LayerRows) -> Vec<f64> {
    let mut heights = vec![0.0; rows.stops.len()];
    for row in &rows.rows {
        let offsets = offsets(rows, row);
        let middle = offsets.last().copied().unwrap_or_default() / 2.0;
        for (stop, offset) in row.iter().zip(offsets) {
            heights[*stop] = offset - middle;
        }
    }
    let depth = rows.rows.len();
    for pass in 0..PASSES_COUNT {
        let goes_right = pass.is_multiple_of(2);
        for step in 0..depth {
            let layer = if goes_right { step } else { depth - 1 - step };
            settle(rows, layer, pass, &mut heights);
        }
    }
    let edge = |stop: usize| heights[stop] - rows.stops[stop].height / 2.0;
    let top = (0..rows.stops.len())
        .map(edge)
        .reduce(f64::min)
        .unwrap_or_default();
    heights.iter().map(|height| height - top).collect()
}

/// Moves the stops of a row to the means of their neighbours.
fn settle(rows: &LayerRows, layer: usize, pass: usize, heights: &mut [f64]) {
    let row = &rows.rows[layer];
    let offsets = offsets(rows, row);
    let goes_right = pass.is_multiple_of(2);
    let is_two_sided = pass >= FIRST_TWO_SIDED_PASS;
    let wishes = row.iter().zip(&offsets).map(|(stop, offset)| {
        let (before, after) = (&rows.before[*stop], &rows.after[*stop]);
        let before = before.iter().filter(|_| goes_right || is_two_sided);
        let after = after.iter().filter(|_| !goes_right || is_two_sided);
        let (mut sum, mut count) = (0.0, 0.0);
        for other in before.chain(after) {
            sum += heights[*other];
            count += 1.0;
        }
        let wish = if count > 0.0 {
            sum / count
        } else {
            heights[*stop]
        };
        let links = rows.before[*stop].len() + rows.after[*stop].len();
        let weight = if rows.stops[*stop].is_bend {
            BEND_WEIGHT
        } else {
            f64::from(u32::try_from(links).unwrap_or(u32::MAX)) + 1.0
        };
        (wish - offset, weight)
    });
    let wishes: Vec<(f64, f64)> = wishes.collect();
    for ((stop, offset), height) in row.iter().zip(offsets).zip(isotonic(&wishes)) {
        heights[*stop] = height + offset;
    }
}

/// The least distance of each stop of a row from the first one.
fn offsets(rows: &LayerRows, row: &[usize]) -> Vec<f64> {
    let mut offset = 0.0;
    let mut offsets = Vec::with_capacity(row.len());
    for (place, stop) in row.iter().enumerate() {
        if place > 0 {
            let (upper, lower) = (rows.stops[row[place - 1]], rows.stops[*stop]);
            let are_bends = upper.is_bend && lower.is_bend;
            let gap = if are_bends { BEND_GAP } else { NODE_GAP };
            offset += f64::midpoint(upper.height, lower.height) + gap;
        }
        offsets.push(offset);
    }
    offsets
}

#[cfg(test)]
mod isotonic_tests {
    use super::isotonic;

    #[test]
    fn violators_are_pooled() {
        let wish = |number: f64| (number, 1.0);
        let wishes = [1.0, 5.0, 3.0, 1.0, 9.0].map(wish);
        assert_eq!(isotonic(&wishes), [1.0, 3.0, 3.0, 3.0, 9.0]);
        assert_eq!(isotonic(&[(4.0, 3.0), (0.0, 1.0)]), [3.0, 3.0]);
        assert_eq!(isotonic(&[]), [] as [f64; 0]);
    }
}
