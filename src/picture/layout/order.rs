//! The order in each layer: sweeps by the means and medians of the neighbours, and switches of
//! neighbouring stops; the best order that came up is kept.

use super::place::isotonic;
use super::rows::LayerRows;

/// How often all layers are ordered.
const SWEEPS_COUNT: usize = 24;

/// Fewer sweeps order what is too large to be looked at: this many stops are visited, at most, but
/// in as many sweeps as try each way to sort a layer.
const MAX_STOP_VISITS: usize = 2_000_000;
const MIN_SWEEPS_COUNT: usize = 6;

/// How often all neighbours are tried in one turn of switches.
const SWITCH_ROUNDS_COUNT: usize = 4;

/// Orders the rows, and returns how many crossings are left.
pub(super) fn arrange(rows: &mut LayerRows) -> usize {
    let mut best = crossings(rows);
    let mut kept = rows.rows.clone();
    let affordable = MAX_STOP_VISITS / rows.stops.len().max(1);
    for sweep in 0..affordable.clamp(MIN_SWEEPS_COUNT, SWEEPS_COUNT) {
        if best == 0 {
            break;
        }
        sort_layers(rows, sweep);
        if sweep % 2 == 1 {
            switch_neighbours(rows);
        }
        let found = crossings(rows);
        if found < best {
            best = found;
            kept.clone_from(&rows.rows);
        }
    }
    rows.rows = kept;
    rows.number_all();
    best
}

/// How many edges cross between all neighbouring layers.
fn crossings(rows: &LayerRows) -> usize {
    let mut count = 0;
    for row in rows.rows.iter().skip(1) {
        let mut ends = Vec::new();
        for stop in row {
            let first = ends.len();
            ends.extend(rows.before[*stop].iter().map(|other| rows.order[*other]));
            ends[first..].sort_unstable();
        }
        count += inversions(&ends);
    }
    count
}

/// How many pairs are in descending order, counted with a binary indexed tree.
fn inversions(numbers: &[usize]) -> usize {
    let size = numbers.iter().max().map_or(0, |most| most + 1);
    let mut tree = vec![0_usize; size + 1];
    let mut count = 0;
    for (seen, number) in numbers.iter().enumerate() {
        let mut not_greater = 0;
        let mut place = number + 1;
        while place > 0 {
            not_greater += tree[place];
            place &= place - 1;
        }
        count += seen - not_greater;
        let mut place = number + 1;
        while place <= size {
            tree[place] += 1;
            place += place & place.wrapping_neg();
        }
    }
    count
}

/// Sorts each layer by where its neighbours are: to the right in even sweeps, to the left in odd
/// ones.
fn sort_layers(rows: &mut LayerRows, sweep: usize) {
    let depth = rows.rows.len();
    let goes_right = sweep.is_multiple_of(2);
    let uses_median = sweep % 4 > 1;
    let uses_both = sweep % 6 > 3;
    let mut wishes = Vec::new();
    let mut places = Vec::new();
    for step in 1..depth {
        let layer = if goes_right { step } else { depth - 1 - step };
        wishes.clear();
        for stop in &rows.rows[layer] {
            let (near, far) = if goes_right {
                (&rows.before[*stop], &rows.after[*stop])
            } else {
                (&rows.after[*stop], &rows.before[*stop])
            };
            places.clear();
            places.extend(near.iter().map(|it| rows.order[*it]));
            if uses_both {
                places.extend(far.iter().map(|it| rows.order[*it]));
            }
            wishes.push(if places.is_empty() {
                as_float(rows.order[*stop])
            } else if uses_median {
                median(&mut places)
            } else {
                mean(&places)
            });
        }
        sort_row(rows, layer, &wishes);
    }
}

/// Sorts a row by the wishes of its stops. Those with a seed keep their order: their wishes are
/// first moved to the nearest ones that ascend.
fn sort_row(rows: &mut LayerRows, layer: usize, wishes: &[f64]) {
    let row = &rows.rows[layer];
    let mut seeded: Vec<usize> = (0..row.len())
        .filter(|place| rows.stops[row[*place]].seed.is_some())
        .collect();
    seeded.sort_by_key(|place| rows.stops[row[*place]].seed);
    let targets: Vec<(f64, f64)> = seeded.iter().map(|place| (wishes[*place], 1.0)).collect();
    let mut wishes = wishes.to_vec();
    for (place, wish) in seeded.into_iter().zip(isotonic(&targets)) {
        wishes[place] = wish;
    }
    let mut places: Vec<usize> = (0..row.len()).collect();
    places.sort_by(|one, other| {
        let seeds = (rows.stops[row[*one]].seed, rows.stops[row[*other]].seed);
        let by_seed = match seeds {
            (Some(one), Some(other)) => one.cmp(&other),
            _ => one.cmp(other),
        };
        wishes[*one].total_cmp(&wishes[*other]).then(by_seed)
    });
    let sorted: Vec<usize> = places.into_iter().map(|place| row[place]).collect();
    rows.rows[layer] = sorted;
    restore_seeds(rows, layer);
    rows.number(layer);
}

/// Puts the stops with a seed into their order, in the places that they have: stops between equal
/// wishes could have moved them.
fn restore_seeds(rows: &mut LayerRows, layer: usize) {
    let stops = &rows.stops;
    let row = &mut rows.rows[layer];
    let places: Vec<usize> = (0..row.len())
        .filter(|place| stops[row[*place]].seed.is_some())
        .collect();
    let mut seeded: Vec<usize> = places.iter().map(|place| row[*place]).collect();
    seeded.sort_by_key(|stop| stops[*stop].seed);
    for (place, stop) in places.into_iter().zip(seeded) {
        row[place] = stop;
    }
}

/// Changes the places of neighbours where that takes crossings away.
fn switch_neighbours(rows: &mut LayerRows) {
    for _ in 0..SWITCH_ROUNDS_COUNT {
        let mut is_better = false;
        for layer in 0..rows.rows.len() {
            for place in 1..rows.rows[layer].len() {
                let (upper, lower) = (rows.rows[layer][place - 1], rows.rows[layer][place]);
                let both_seeded =
                    rows.stops[upper].seed.is_some() && rows.stops[lower].seed.is_some();
                if !both_seeded && gain(rows, upper, lower) > 0 {
                    rows.rows[layer].swap(place - 1, place);
                    rows.order[upper] = place;
                    rows.order[lower] = place - 1;
                    is_better = true;
                }
            }
        }
        if !is_better {
            return;
        }
    }
}

/// How many crossings fewer there are when two neighbours change places.
fn gain(rows: &LayerRows, upper: usize, lower: usize) -> isize {
    let mut gain = 0;
    for links in [&rows.before, &rows.after] {
        for one in &links[upper] {
            for other in &links[lower] {
                match rows.order[*one].cmp(&rows.order[*other]) {
                    std::cmp::Ordering::Greater => gain += 1,
                    std::cmp::Ordering::Less => gain -= 1,
                    std::cmp::Ordering::Equal => {}
                }
            }
        }
    }
    gain
}

/// The places of a row are few, so that a double has each.
#[expect(
    clippy::cast_precision_loss,
    reason = "a row has far fewer stops than 2^52"
)]
const fn as_float(number: usize) -> f64 {
    number as f64
}

fn mean(places: &[usize]) -> f64 {
    let sum: usize = places.iter().sum();
    as_float(sum) / as_float(places.len())
}

fn median(places: &mut [usize]) -> f64 {
    places.sort_unstable();
    let middle = places.len() / 2;
    if places.len().is_multiple_of(2) {
        mean(&places[middle - 1..=middle])
    } else {
        as_float(places[middle])
    }
}
