//! Levels, and how much of what is wanted is there.

/// How far a step, or all that an artifact takes, can be made again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReproductionLevel {
    /// It has inputs and outputs.
    #[default]
    Traced,
    /// All digests and the commit are known.
    Pinned,
    /// The command, its parameters and its environment are known.
    Runnable,
    /// Sources, blobs and the commit are there now.
    Present,
    /// A rerun gave the same digests, or what its check accepts.
    Reproduced,
}

impl ReproductionLevel {
    /// From 0 to 4.
    #[must_use]
    pub const fn number(self) -> i32 {
        match self {
            Self::Traced => 0,
            Self::Pinned => 1,
            Self::Runnable => 2,
            Self::Present => 3,
            Self::Reproduced => 4,
        }
    }
}

/// The weights of the facts of a step, in halves: a weak digest is half a digest.
pub(super) const COMMAND_WEIGHT: u64 = 6;
pub(super) const CODE_WEIGHT: u64 = 6;
pub(super) const ENVIRONMENT_WEIGHT: u64 = 6;
pub(super) const PARAMETERS_WEIGHT: u64 = 2;
pub(super) const SOURCE_WEIGHT: u64 = 6;
pub(super) const DIGEST_WEIGHT: u64 = 2;

/// The weight of facts that are there, and of those that are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Score {
    there: u64,
    wanted: u64,
}

impl Score {
    pub(super) const fn add(&mut self, weight: u64, is_there: bool) {
        self.add_part(if is_there { weight } else { 0 }, weight);
    }

    pub(super) const fn add_part(&mut self, there: u64, wanted: u64) {
        self.there += there;
        self.wanted += wanted;
    }

    /// In percent, rounded down: 100 if nothing is missing.
    #[must_use]
    pub const fn percent(self) -> u64 {
        match (self.there * 100).checked_div(self.wanted) {
            Some(percent) => percent,
            None => 100,
        }
    }
}
