//! The listener, what stands around every request, and the way down.

use std::time::Duration;

use backon::{ConstantBuilder, Retryable};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

use crate::api::mlmd;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::proto::ml_metadata::metadata_store_service_server::MetadataStoreServiceServer;
use crate::storage::{Database, migrate};

/// Flow-control window of a stream and of a connection, in bytes: large requests come in without a pause each 64 KiB.
const WINDOW: u32 = 1 << 20;

/// The time between two looks at a schema that is not complete.
const RETRY: Duration = Duration::from_millis(500);

/// How long the database may take to close.
const CLOSING: Duration = Duration::from_secs(3);

/// How many calls a client may cancel before they are looked at. Beyond it the whole connection is closed, which the default of
/// 20 does to clients that only give up on a burst of calls.
const CANCELLED_CALLS: usize = 1024;

/// Opens the database of a configuration and makes its schema ready.
///
/// # Errors
///
/// `Unavailable` when it cannot be opened; those of [`migrate::prepare`].
pub async fn open(config: &Config) -> Result<Database> {
    let database = Database::connect(&config.database).await?;
    (|| migrate::prepare(&database, &config.migration))
        .retry(
            ConstantBuilder::default()
                .with_delay(RETRY)
                .with_max_times(config.database.retries),
        )
        .when(|error| matches!(error, Error::Contention(_)))
        .await?;
    Graph::new(database.clone()).put_simple_types().await?;
    Ok(database)
}

/// Serves the database on a listener until `stop` is cancelled. Then no connection is accepted any more, and requests under
/// way have the configured grace to end.
///
/// # Errors
///
/// `Internal` when the listener fails.
pub async fn run(
    config: &Config,
    database: Database,
    listener: TcpListener,
    stop: CancellationToken,
) -> Result<()> {
    let service = mlmd::Service::new(Graph::new(database.clone()));
    let service = MetadataStoreServiceServer::new(service)
        .max_decoding_message_size(config.max_request)
        .max_encoding_message_size(usize::MAX);
    let serving = Server::builder()
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .http2_max_pending_accept_reset_streams(Some(CANCELLED_CALLS))
        .http2_keepalive_interval(Some(Duration::from_mins(1)))
        .add_service(service)
        .serve_with_incoming_shutdown(
            TcpIncoming::from(listener).with_nodelay(Some(true)),
            stop.clone().cancelled_owned(),
        );
    let out_of_grace = async {
        stop.cancelled().await;
        tokio::time::sleep(config.grace).await;
    };
    let served = tokio::select! {
        served = serving => served.map_err(|error| Error::Internal {
            context: "the listener failed".into(),
            source: Some(error.into()),
        }),
        () = out_of_grace => {
            tracing::warn!(grace_seconds = config.grace.as_secs(), "requests were cut off");
            Ok(())
        }
    };
    // A transaction of a request that was cut off may still run.
    if tokio::time::timeout(CLOSING, database.close())
        .await
        .is_err()
    {
        tracing::warn!("the database was left while in use");
    }
    served
}
