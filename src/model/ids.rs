//! Sets of ids.

/// The ids in ascending order, each once: the form in which statements are asked for rows.
#[must_use]
pub fn distinct_ids(ids: impl IntoIterator<Item = i64>) -> Vec<i64> {
    let mut ids: Vec<i64> = ids.into_iter().collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

#[cfg(test)]
mod tests {
    use super::distinct_ids;

    #[test]
    fn ids_are_sorted_and_unique() {
        assert_eq!(distinct_ids([3, 1, 3, -2, 1]), [-2, 1, 3]);
        assert_eq!(distinct_ids(None), [0_i64; 0]);
    }
}
