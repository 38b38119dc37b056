//! Pages of the web interface.

use super::{Turn, Workload, store};

/// The workloads, from the page that reads least on.
pub fn all() -> Vec<Workload> {
    vec![
        Workload::page("page home", |_| "/".to_owned()),
        Workload::page("page list", |_| "/artifacts?type=Five".to_owned()),
        Workload::page("page list of failed", |_| {
            "/executions?filter=last_known_state%20%3D%20FAILED".to_owned()
        }),
        Workload::page("page artifact", |turn| {
            format!("/artifacts/{}", turn.artifact())
        }),
        Workload::page("page execution", |turn| {
            format!("/executions/{}", turn.execution())
        }),
        Workload::page("page lineage", lineage),
        Workload::page("page lineage of 5,000", |_| {
            format!("/lineage/executions/{}?group=nothing", store::FAN)
        })
        .slow(),
    ]
}

/// The lineage of an artifact of the random graph.
pub fn lineage(turn: Turn) -> String {
    let id = turn.pick(101, store::LAST_RANDOM_ID - 100);
    format!("/lineage/artifacts/{id}")
}
