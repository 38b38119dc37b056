//! The database is away for a while, takes no more connections, or only reads.

use std::time::Duration;

use sqlx::{AnyConnection, Connection};
use tonic::Status;

use super::cluster::Cluster;
use crate::crash::{Types, check_rows, execution, put_types};
use crate::python::sized;
use crate::sql::connect;
use crate::support::prelude::*;
use crate::support::{Backend, Client};

on_every_server!(a_server_heals);

/// One server goes through all of it, without a restart.
async fn a_server_heals(backend: Backend) {
    let cluster = Cluster::start(backend).await;
    let server = cluster.serve(&["--database-acquire-timeout", "2"]);
    let client = server.client().await;
    let types = put_types(client.clone()).await;
    write(&client, types, "at first").await.unwrap();

    is_away(&cluster, &client, types).await;
    if sized(false, true) {
        says_nothing(&cluster, &client, types).await;
    }
    takes_no_more_connections(&cluster, &client, types).await;
    only_reads(&cluster, &client, types).await;

    check_rows(&cluster.store_url()).await;
    assert_eq!(read(&client).await.unwrap(), 6);
    Cluster::stop(server);
}

async fn write(client: &Client, types: Types, name: &str) -> Result<(), Status> {
    execution(types, name).ask(client.clone()).await.map(|_| ())
}

/// How many executions there are.
async fn read(client: &Client) -> Result<usize, Status> {
    let page = Execution::list(None).ask(client.clone()).await?;
    Ok(page.nodes.len())
}

#[track_caller]
fn assert_refused<T>(answer: Result<T, Status>, code: Code, text: &str) {
    let status = answer.err().unwrap();
    assert_eq!((status.code(), status.message()), (code, text));
}

const AWAY: &str = "the database is not available";

async fn is_away(cluster: &Cluster, client: &Client, types: Types) {
    cluster.halt();
    let calls = (0..40).map(|number| {
        let client = client.clone();
        tokio::spawn(async move {
            if number % 2 == 0 {
                write(&client, types, "while away").await
            } else {
                read(&client).await.map(|_| ())
            }
        })
    });
    for call in calls.collect::<Vec<_>>() {
        assert_refused(call.await.unwrap(), Code::Unavailable, AWAY);
    }
    cluster.start_again();
    assert_eq!(read(client).await.unwrap(), 1);
    write(client, types, "after it was away").await.unwrap();
}

async fn says_nothing(cluster: &Cluster, client: &Client, types: Types) {
    cluster.freeze();
    let written = write(client, types, "while it says nothing").await;
    assert_refused(written, Code::Unavailable, AWAY);
    assert_refused(read(client).await, Code::Unavailable, AWAY);
    cluster.thaw();
    assert_eq!(read(client).await.unwrap(), 2);
}

async fn takes_no_more_connections(cluster: &Cluster, client: &Client, types: Types) {
    // How many are left for ordinary users beside the administrator: PostgreSQL keeps three back.
    let ordinary = if cluster.backend == Backend::Postgres {
        cluster
            .run_sql("ALTER SYSTEM SET max_connections = 12")
            .await;
        cluster.halt();
        cluster.start_again();
        8
    } else {
        cluster.run_sql("SET GLOBAL max_connections = 10").await;
        9
    };
    write(client, types, "before all are taken").await.unwrap();
    // There would be no room for the administrator later.
    let mut administrator = connect(&cluster.url()).await;
    let url = cluster.guest_url();
    let mut taken = Vec::new();
    while taken.len() < ordinary {
        match AnyConnection::connect(&url).await {
            Ok(connection) => taken.push(connection),
            // What the server still has, or has again.
            Err(_) => drop(
                sqlx::raw_sql(cluster.closing())
                    .execute(&mut administrator)
                    .await
                    .unwrap(),
            ),
        }
    }
    let text = "the database accepts no more connections now";
    let written = write(client, types, "while all are taken").await;
    assert_refused(written, Code::ResourceExhausted, text);
    assert_refused(read(client).await, Code::ResourceExhausted, text);
    taken.push(administrator);
    for connection in taken {
        connection.close().await.unwrap();
    }
    until_written(client, types, "after all were taken").await;
}

/// Servers learn a bit later that a connection was closed.
async fn until_written(client: &Client, types: Types, name: &str) {
    while let Err(status) = write(client, types, name).await {
        assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn only_reads(cluster: &Cluster, client: &Client, types: Types) {
    let [start, end] = match cluster.backend {
        Backend::Postgres => [
            "ALTER ROLE store SET default_transaction_read_only = on",
            "ALTER ROLE store RESET default_transaction_read_only",
        ],
        _ => ["SET GLOBAL read_only = 1", "SET GLOBAL read_only = 0"],
    };
    write(client, types, "before it only reads").await.unwrap();
    cluster.run_sql(start).await;
    if cluster.backend == Backend::Postgres {
        // The setting is for new sessions.
        cluster.close_sessions().await;
    }
    let written = write(client, types, "while it only reads").await;
    let text = "the database is read-only";
    assert_refused(written, Code::FailedPrecondition, text);
    assert_eq!(read(client).await.unwrap(), 5);
    cluster.run_sql(end).await;
    // A session of PostgreSQL that began meanwhile only reads still. The write that it refuses
    // closes all of them.
    if let Err(status) = write(client, types, "after it only read").await {
        assert_eq!(cluster.backend, Backend::Postgres);
        assert_refused(Err::<(), _>(status), Code::FailedPrecondition, text);
        write(client, types, "after it only read").await.unwrap();
    }
}
