//! What came from somewhere is not sent back there: two servers that send everything to each other
//! come to rest.

use super::{ALL_DOORS, TargetsFile, entry, has_lineage, lines, pipeline, tell_run, wait_for};
use crate::openlineage::lineage;
use crate::sql::query;
use crate::support::Backend;
use crate::support::prelude::*;

on_every_database! {
    servers_that_send_to_each_other_come_to_rest,
    what_came_as_events_is_not_sent_unless_asked,
}

/// The newest change, and how far the target is, both as texts.
const PROGRESS: &str = "SELECT TRIM(CAST((SELECT MAX(position) FROM PedigreeChange) AS CHAR(20))) \
     FROM PedigreeTarget \
     UNION ALL SELECT history_cursor FROM PedigreeTarget";

/// The position of the newest change, if the target has got everything until then.
async fn settled(store: &Store) -> Option<String> {
    let progress = query(store.url(), PROGRESS).await;
    let [newest, cursor] = progress.as_slice() else {
        return None;
    };
    let newest = newest.trim();
    let (position, _) = cursor.split_once('@')?;
    (position == newest).then(|| newest.to_owned())
}

async fn servers_that_send_to_each_other_come_to_rest(backend: Backend) {
    let second_file = TargetsFile::new(&[]);
    // Their ports are known only when they serve, so the second one is served twice.
    let first_file = TargetsFile::new(&[]);
    let reserved = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = reserved.local_addr().unwrap().port();
    drop(reserved);
    second_file.write(&[entry("first", port, ALL_DOORS)]);
    let second = second_file.serve(backend).await;
    first_file.write(&[entry("second", second.port(), ALL_DOORS)]);
    let path = Some(first_file.path());
    let first = Store::open_with(backend, |config| {
        config.openlineage_targets = path;
        config.listen.set_port(port);
    })
    .await;
    tell_run(&first, "told", 1).await;
    tell_run(&second, "elsewhere", 10).await;
    pipeline(&first).await;
    wait_for("both to have all runs", async || {
        let [one, other] = [lineage::lines(&second).await, told(&first).await];
        let jobs = ["team/told", "team/elsewhere", "churn.train"];
        let has = |lines: &[String], job: &str| lines.iter().any(|line| line.contains(job));
        let is_there = jobs.iter().all(|job| has(&one, job)) && has(&other, "elsewhere");
        is_there.then_some(())
    })
    .await;
    // Nothing is under way when each has sent all, and the other has written nothing meanwhile.
    wait_for("rest", async || {
        let before = [settled(&first).await?, settled(&second).await?];
        let after = [settled(&first).await?, settled(&second).await?];
        (before == after).then_some(())
    })
    .await;
    let executions = first
        .ask(pb::GetExecutionsRequest::default())
        .await
        .executions;
    assert_eq!(executions.len(), 5, "{executions:#?}");
}

/// The external ids of the runs that events told.
async fn told(store: &Store) -> Vec<String> {
    let executions = store
        .ask(pb::GetExecutionsRequest::default())
        .await
        .executions;
    let ids = executions
        .iter()
        .map(|run| run.external_id().to_owned() + run.name());
    ids.collect()
}

async fn what_came_as_events_is_not_sent_unless_asked(backend: Backend) {
    let second = Store::open(backend).await;
    let file = TargetsFile::new(&[entry("second", second.port(), "")]);
    let first = file.serve(backend).await;
    tell_run(&first, "told", 1).await;
    let train = first.put_type::<Execution>("Train", &[]).await;
    first.put(Execution::new(train, "own")).await;
    // The last one is there, so the others were left out.
    has_lineage(&second, &lines(&["run\tpedigree/Train\tNONE\t1"])).await;
}
