//! The listeners, what stands around every request in one visible list, and the way up and down.

mod admin;
mod connection;
mod deadline;
mod health;
mod lifecycle;
mod requests;
mod tls;
mod web;

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic_health::pb::health_server::{Health as HealthRpc, HealthServer};
use tonic_web::GrpcWebLayer;
use tower::layer::util::{Identity, Stack};
use tower_http::cors::CorsLayer;

use crate::api::grpc::{lineage, mlmd};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::graph::{Clock, Graphs};
use crate::proto::DESCRIPTORS;
use crate::proto::pedigree::lineage::v1::lineage_service_server::LineageServiceServer;
use crate::telemetry::Metrics;
use health::Health;
pub use lifecycle::{open, prepare};
use requests::RequestsLayer;
use tls::Tls;

/// Flow-control window of a stream and of a connection, in bytes: large requests come in without a pause each 64 KiB.
const WINDOW: u32 = 1 << 20;

/// How many calls a client may cancel before they are looked at. Beyond it the whole connection is closed, which the default of
/// 20 does to clients that only give up on a burst of calls.
const CANCELLED_CALLS: usize = 1024;

/// Services whose health is that of the database; `""` is the server as a whole.
const SERVICES: [&str; 3] = [
    "",
    "ml_metadata.MetadataStoreService",
    "pedigree.lineage.v1.LineageService",
];

/// Where the server is reached.
#[derive(Debug)]
pub struct Listeners {
    /// gRPC and gRPC-Web.
    pub grpc: TcpListener,
    /// Probes and metrics over HTTP.
    pub admin: Option<TcpListener>,
}

impl Listeners {
    /// Listens where a configuration says.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` when a port cannot be had.
    pub async fn bind(config: &Config) -> Result<Self> {
        let listeners = Self {
            grpc: bind(config.listen).await?,
            admin: match config.serving.admin {
                Some(address) => Some(bind(address).await?),
                None => None,
            },
        };
        let address = listeners.grpc.local_addr().unwrap_or(config.listen);
        let admin = listeners
            .admin
            .as_ref()
            .and_then(|admin| admin.local_addr().ok());
        let admin = admin.map(tracing::field::display);
        tracing::info!(%address, admin, "listening");
        Ok(listeners)
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|error| Error::invalid(format!("cannot listen on {address}: {error}")))
}

/// Serves until `stop` is cancelled. The ports are served at once; requests are answered with `Unavailable` until the database
/// is ready. The clock dates what is written. In the end no connection is accepted any more, and requests under way have the
/// configured grace to end.
///
/// # Errors
///
/// `Internal` when a listener fails; `InvalidArgument` for certificates that cannot be used; those of opening the database
/// that waiting does not mend.
pub async fn run(
    config: &Config,
    listeners: Listeners,
    clock: Clock,
    stop: CancellationToken,
) -> Result<()> {
    let metrics = Metrics::of_process()?;
    let tls = config
        .serving
        .tls
        .clone()
        .map(Tls::new)
        .transpose()?
        .map(Arc::new);
    let (reporter, health_service) = tonic_health::server::health_reporter();
    let health = Health::new(reporter, &SERVICES).await;
    let graphs = Graphs::default();

    // Probes are answered to the very end.
    let ended = CancellationToken::new();
    let _ended = ended.clone().drop_guard();
    if let Some(listener) = listeners.admin {
        tokio::spawn(admin::serve(
            listener,
            health.clone(),
            metrics,
            ended.clone(),
        ));
    }
    if let Some(tls) = tls.clone() {
        let ended = ended.clone();
        tokio::spawn(async move { tls.follow(&ended).await });
    }

    let failed = CancellationToken::new();
    let stopped = async {
        tokio::select! {
            () = stop.cancelled() => health.set_serving(false).await,
            () = failed.cancelled() => {}
        }
    };
    let routes = routes(config, &graphs, health_service, &stop)?;
    let incoming = connection::incoming(listeners.grpc, tls, config.serving.connections.max_idle);
    let serving = layered(config)
        .add_routes(routes)
        .serve_with_incoming_shutdown(incoming, stopped);
    let out_of_grace = async {
        stop.cancelled().await;
        tokio::time::sleep(config.grace).await;
    };
    let serving = async {
        tokio::select! {
            ended = serving => ended.map_err(|error| Error::Internal {
                context: "the listener failed".into(),
                source: Some(error.into()),
            }),
            () = out_of_grace => {
                tracing::warn!(grace_seconds = config.grace.as_secs(), "requests were cut off");
                Ok(())
            }
        }
    };
    let keeping = async {
        let kept = lifecycle::keep(config, &graphs, &health, clock, &stop).await;
        if kept.is_err() {
            failed.cancel();
        }
        kept
    };
    let (served, database) = tokio::join!(serving, keeping);
    if let Some(database) = database? {
        lifecycle::close(database).await;
    }
    served
}

/// The services of the main port.
fn routes(
    config: &Config,
    graphs: &Graphs,
    health: HealthServer<impl HealthRpc>,
    stop: &CancellationToken,
) -> Result<Routes> {
    let unreadable = |error: tonic_reflection::server::Error| Error::Internal {
        context: "the descriptors cannot be read".into(),
        source: Some(error.into()),
    };
    let serving = &config.serving;
    let limits = mlmd::Limits {
        request_bytes: serving.max_request,
        response_bytes: serving.max_response,
        list_buffer_bytes: serving.list_buffer,
        slow_reader_timeout: serving.slow_reader_timeout,
    };
    let mut routes = Routes::builder();
    routes
        .add_service(mlmd::service(graphs.clone(), limits))
        .add_service(
            LineageServiceServer::new(lineage(config, graphs, stop))
                .max_decoding_message_size(serving.max_request)
                .max_encoding_message_size(serving.max_response),
        )
        .add_service(health)
        .add_service(reflection().build_v1().map_err(unreadable)?)
        .add_service(reflection().build_v1alpha().map_err(unreadable)?);
    Ok(routes.routes())
}

fn lineage(config: &Config, graphs: &Graphs, stop: &CancellationToken) -> lineage::Service {
    let patience = config.serving.slow_reader_timeout;
    lineage::Service::new(graphs.clone(), config.batches, patience, stop.clone())
}

/// The server with what stands around every request, from the outside in.
fn layered(config: &Config) -> Server<Layers> {
    let serving = &config.serving;
    let connections = &serving.connections;
    let mut server = Server::builder()
        .accept_http1(true)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .http2_max_pending_accept_reset_streams(Some(CANCELLED_CALLS))
        .http2_max_header_list_size(connections.max_metadata)
        .http2_keepalive_interval(Some(connections.keepalive))
        .http2_keepalive_timeout(Some(connections.keepalive_timeout));
    if let Some(age) = connections.max_age {
        server = server.max_connection_age(age);
    }
    server
        .layer(web::cors(&serving.web_origins))
        .layer(GrpcWebLayer::new())
        .layer(RequestsLayer::new(serving.max_requests))
}

/// The layers of [`layered`], the innermost first.
type Layers = Stack<RequestsLayer, Stack<GrpcWebLayer, Stack<CorsLayer, Identity>>>;

fn reflection() -> tonic_reflection::server::Builder<'static> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
}
