/// The column that orders a list. Ties are broken by id, in the same direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OrderBy {
    #[default]
    Id,
    CreateTime,
    UpdateTime,
}

/// The end of a page: the next page begins behind it. Times are in milliseconds since epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PagePosition {
    /// By id: the id of the last node.
    Id(i64),
    /// By create time: the time and the id of the last node.
    CreateTime { time: i64, id: i64 },
    /// By update time: the time of the last node and the ids listed so far with that time. A node
    /// whose time moves on comes again.
    UpdateTime { time: i64, listed_ids: Vec<i64> },
}

/// A part of a list, by the number of nodes before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetPage {
    pub limit: i64,
    pub offset: i64,
}
