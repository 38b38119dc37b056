//! `--as-of`: the graph as it was at an earlier time.

use clap::Args;

use crate::utc::time_of_text;

#[derive(Clone, Copy, Debug, Args)]
pub(super) struct AsOfArgs {
    /// The graph as it was at this time, such as 2026-03-01T12:00:00Z; a date is its first moment,
    /// in UTC
    #[arg(long = "as-of", value_name = "TIME", value_parser = time)]
    #[arg(id = "as_of")]
    time: Option<i64>,
}

impl AsOfArgs {
    /// The time, in milliseconds since epoch.
    pub(super) const fn time(self) -> Option<i64> {
        self.time
    }
}

fn time(text: &str) -> Result<i64, String> {
    let rule = "must be a date or a time with its zone, such as 2026-03-01T12:00:00Z";
    time_of_text(text).ok_or_else(|| rule.to_owned())
}

/// What is said of nodes whose states the history does not have; `None` without such nodes.
pub(super) fn present_states_text(count: i64) -> Option<String> {
    let nodes = match count {
        0 => return None,
        1 => "1 node is".to_owned(),
        count => format!("{count} nodes are"),
    };
    Some(format!(
        "{nodes} shown in the state of today: the history does not have the state of then"
    ))
}
