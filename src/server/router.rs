//! Everything that the main port serves, on one router: the gRPC services, the HTTP routes, and
//! the layers around them.

use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic_health::pb::health_server::{Health as HealthRpc, HealthServer};
use tonic_reflection::server::Builder as Reflection;
use tonic_web::GrpcWebLayer;
use tower::{ServiceBuilder, ServiceExt};
use tower_http::cors::Cors;
use tower_http::decompression::{DecompressionBody, RequestDecompressionLayer};
use tower_http::request_id::{PropagateRequestIdLayer, SetRequestIdLayer};

use super::budgets::CallerBudgets;
use super::layers::access::AccessControl;
use super::layers::arrival::{self, Arrivals};
use super::layers::classify::{Grpc, Http, Protocol};
use super::layers::cross_site::{self, CrossSitePolicy};
use super::layers::limit::{self, Limit};
use super::layers::{
    activity, authenticate, authorize, budget, content_type, context, cors, deadline, expiry,
    observe, panic, request_id, tenant,
};
use super::memory::RequestMemory;
use crate::api::call::Calls;
use crate::api::grpc::audit::AuditHandler;
use crate::api::grpc::registry::RegistryHandler;
use crate::api::grpc::reproduction::ReproductionHandler;
use crate::api::grpc::{lineage, mlmd};
use crate::api::ui::{self, UiSettings};
use crate::api::{http as http_api, marquez, mlflow, openlineage};
use crate::blobs::BlobStore;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::proto::DESCRIPTORS;
use crate::proto::pedigree::audit::v1::audit_service_server::AuditServiceServer;
use crate::proto::pedigree::lineage::v1::lineage_service_server::LineageServiceServer;
use crate::proto::pedigree::registry::v1::registry_service_server::RegistryServiceServer;
use crate::proto::pedigree::reproduction::v1::reproduction_service_server::ReproductionServiceServer;

/// The router of the main port.
///
/// # Errors
///
/// `Internal` when the descriptors of the services cannot be read; those of [`BlobStore::open`].
pub(super) fn router(
    config: &Config,
    calls: &Calls,
    health: HealthServer<impl HealthRpc>,
    access: AccessControl,
    stop: &CancellationToken,
) -> Result<Cors<Router>> {
    let services = services(config, calls, health, stop)?;
    let serving = &config.serving;
    let guards = Arc::new(Guards {
        cross_site: CrossSitePolicy::new(serving.hosts.clone(), &serving.web_origins)
            .with_tenants(access.security.clone()),
        access,
        arrivals: Arrivals {
            memory: RequestMemory::new(serving.request_memory),
            max_message: serving.max_request,
            body_timeout: serving.body_timeout,
        },
        budgets: CallerBudgets::new(serving.max_requests, serving.max_streams),
        limit: Limit::new(serving.max_requests, serving.max_streams),
    });
    let artifacts = mlflow::ArtifactSettings {
        store: BlobStore::open(&serving.artifact_store)?,
        max_file: serving.max_artifact,
    };
    let over_http = http_api::routes().merge(openlineage::routes(
        calls.clone(),
        serving.keeps_facet_secrets,
    ));
    let over_http = over_http
        .merge(marquez::routes(calls.clone()))
        .merge(mlflow::routes(calls.clone(), artifacts));
    let pages = serving.ui.as_ref().map(|pages| UiSettings {
        prefix: pages.prefix.as_str().into(),
        deadline: pages.deadline,
    });
    let over_http = match &pages {
        Some(pages) => over_http.merge(ui::routes(calls.clone(), pages.clone(), stop.clone())),
        None => over_http,
    };
    let router = with_layers(services, over_http, pages, &guards);
    Ok(ServiceBuilder::new()
        .layer(cors::layer(&serving.web_origins))
        .service(router))
}

/// What the layers around every request check.
#[derive(Debug)]
struct Guards {
    access: AccessControl,
    cross_site: CrossSitePolicy,
    arrivals: Arrivals,
    budgets: CallerBudgets,
    limit: Limit,
}

/// The services and routes with the layers around them. Requests at unknown paths belong to the
/// protocol that their content type names.
fn with_layers(
    services: Routes,
    http_routes: Router,
    pages: Option<UiSettings>,
    guards: &Arc<Guards>,
) -> Router {
    let grpc = layered::<Grpc>(services.into_axum_router(), guards).layer(
        ServiceBuilder::new()
            .layer(from_fn(content_type::check))
            .layer(GrpcWebLayer::new())
            .map_request(|request: http::Request<tonic::body::Body>| request.map(Body::new)),
    );
    // What the layers count and limit are the decompressed bytes.
    let http = layered::<Http>(http_routes, guards).layer(
        ServiceBuilder::new()
            .layer(RequestDecompressionLayer::new().pass_through_unaccepted(true))
            .map_request(|request: http::Request<DecompressionBody<Body>>| request.map(Body::new)),
    );
    let prefix = pages.as_ref().map(|pages| pages.prefix.clone());
    let http = match pages {
        Some(pages) => http.layer(from_fn_with_state(pages, ui::show_problems)),
        None => http,
    };
    let known = grpc.clone().reset_fallback();
    known
        .merge(http.clone().reset_fallback())
        .fallback(move |mut request: Request| {
            if let Some(prefix) = &prefix {
                ui::strip_prefix(prefix, &mut request);
            }
            let router = if content_type::is_grpc(&request) {
                &grpc
            } else {
                &http
            };
            router.clone().oneshot(request)
        })
        .with_state(())
}

/// The layers around every request, from the outermost to the innermost.
fn layered<P: Protocol>(router: Router, guards: &Arc<Guards>) -> Router {
    router.layer(
        ServiceBuilder::new()
            .map_request(request_id::sanitize)
            .layer(SetRequestIdLayer::x_request_id(request_id::NewRequestId))
            .layer(PropagateRequestIdLayer::x_request_id())
            .map_request(context::attach::<P>)
            .layer(from_fn_with_state(guards.clone(), guarded::<P>)),
    )
}

/// A request in some layers. Its type does not tell which: the type of a layer's future names that
/// of the next one twice, so that the compiler would take minutes for all of them.
type Handling<'a> = Pin<Box<dyn Future<Output = Response> + Send + 'a>>;

/// The inner layers, from the last one up. Each is a function of its own, and all are one service:
/// every service between two of them would take a box and a clone of what is further in.
async fn guarded<P: Protocol>(
    State(guards): State<Arc<Guards>>,
    request: Request,
    next: Next,
) -> Response {
    let Guards {
        access,
        cross_site,
        arrivals,
        budgets,
        limit,
    } = &*guards;
    let shape = P::shape(&request);
    let tenants = access.tenants.clone();
    let handle = |request| tenant::handle::<P>(tenants, shape, request, next);
    let settings = access.settings_for(&request);
    let settings = settings.as_deref();
    let limited = |request| limit::enforce::<P, _>(limit, settings, shape, request, handle);
    let received = |request| arrival::receive::<P, _>(arrivals, shape, request, limited);
    let timed =
        |request| -> Handling<'_> { Box::pin(deadline::enforce::<P, _>(request, received)) };
    let within =
        |request| budget::enforce::<P, _>(access, budgets, settings, shape, request, timed);
    let valid = |request| expiry::enforce::<P, _>(access, shape, request, within);
    let allowed = |request| -> Handling<'_> {
        Box::pin(authorize::enforce::<P, _>(access, settings, request, valid))
    };
    let known = |request| authenticate::enforce::<P, _>(access, settings, request, allowed);
    let admitted = |request| cross_site::enforce::<P, _>(cross_site, request, known);
    let caught = |request| -> Handling<'_> { Box::pin(panic::catch::<P, _>(request, admitted)) };
    let observed = |request| observe::observe::<P, _>(request, caught);
    activity::mark(shape, request, observed).await
}

fn services(
    config: &Config,
    calls: &Calls,
    health: HealthServer<impl HealthRpc>,
    stop: &CancellationToken,
) -> Result<Routes> {
    let serving = &config.serving;
    let limits = mlmd::Limits {
        request_bytes: serving.max_request,
        response_bytes: serving.max_response,
        list_buffer_bytes: serving.list_buffer,
        slow_reader_timeout: serving.slow_reader_timeout,
    };
    let lineage = lineage::Service::new(
        calls.clone(),
        config.batches,
        serving.slow_reader_timeout,
        stop.clone(),
    );
    let unreadable = |error: tonic_reflection::server::Error| Error::Internal {
        context: "the descriptors cannot be read".into(),
        source: Some(error.into()),
    };
    let mut services = Routes::builder();
    services
        .add_service(mlmd::service(calls.clone(), limits))
        .add_service(
            LineageServiceServer::new(lineage)
                .max_decoding_message_size(serving.max_request)
                .max_encoding_message_size(serving.max_response),
        )
        .add_service(
            AuditServiceServer::new(AuditHandler::new(calls.clone()))
                .max_decoding_message_size(serving.max_request)
                .max_encoding_message_size(serving.max_response),
        )
        .add_service(
            RegistryServiceServer::new(RegistryHandler::new(calls.clone()))
                .max_decoding_message_size(serving.max_request)
                .max_encoding_message_size(serving.max_response),
        )
        .add_service(
            ReproductionServiceServer::new(ReproductionHandler::new(calls.clone()))
                .max_decoding_message_size(serving.max_request)
                .max_encoding_message_size(serving.max_response),
        )
        .add_service(health)
        .add_service(reflection().build_v1().map_err(unreadable)?)
        .add_service(reflection().build_v1alpha().map_err(unreadable)?);
    Ok(services.routes())
}

fn reflection() -> Reflection<'static> {
    Reflection::configure()
        .register_encoded_file_descriptor_set(DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::net::Ipv4Addr;
    use std::sync::Mutex;

    use axum::http::StatusCode;
    use axum::routing::{any, get};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio_util::sync::CancellationToken;
    use tokio_util::task::TaskTracker;
    use tonic::client::Grpc as GrpcClient;
    use tonic::transport::Channel;
    use tonic::{Code, Status};
    use tonic_prost::ProstCodec;

    use super::*;
    use crate::server::listener;
    use crate::telemetry::Metrics;

    async fn panics() -> StatusCode {
        panic!("on purpose")
    }

    /// Serves two handlers that panic, and returns the port.
    async fn serve_panics() -> u16 {
        let service = Router::new().route("/test.Service/Panic", any(panics));
        let route = Router::new().route("/panic", get(panics));
        let url = "sqlite::memory:";
        let serving = Config::with_url(url).unwrap().serving;
        let guards = Arc::new(Guards {
            access: AccessControl::default(),
            cross_site: CrossSitePolicy::new(serving.hosts, &[]),
            arrivals: Arrivals {
                memory: RequestMemory::new(serving.request_memory),
                max_message: serving.max_request,
                body_timeout: serving.body_timeout,
            },
            budgets: CallerBudgets::new(1, 1),
            limit: Limit::new(1, 1),
        });
        let router = with_layers(service.into(), route, None, &guards);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let limits = serving.connections;
        let stop = CancellationToken::new();
        let serving = async move { listener::serve(listener, None, &limits, router, stop).await };
        TaskTracker::new().spawn(serving);
        port
    }

    async fn call(channel: Channel) -> Status {
        let mut client = GrpcClient::new(channel);
        client.ready().await.unwrap();
        let path = http::uri::PathAndQuery::from_static("/test.Service/Panic");
        let codec = ProstCodec::<(), ()>::default();
        let answer = client.unary(tonic::Request::new(()), path, codec).await;
        answer.unwrap_err()
    }

    async fn get_text(port: u16) -> String {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
            .await
            .unwrap();
        let request = "GET /panic HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: run-7\r\n\
                       Connection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The server goes on after a panic: the limit is one request at once.
    #[tokio::test]
    async fn panics_are_answered_counted_and_logged() {
        let metrics = Metrics::of_process().unwrap();
        let panics = metrics.value("pedigree_panics_total");
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone());
        let _logging = tracing::subscriber::set_default(subscriber.finish());
        let port = serve_panics().await;
        let channel = Channel::from_shared(format!("http://127.0.0.1:{port}"));
        let channel = channel.unwrap().connect().await.unwrap();
        for _ in 0..2 {
            let status = call(channel.clone()).await;
            assert_eq!(status.code(), Code::Internal);
            assert_eq!(status.message(), "internal error: the handler panicked");
            assert!(status.metadata().contains_key("x-request-id"));
            let answer = get_text(port).await;
            assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
            assert!(answer.contains("application/problem+json"), "{answer}");
        }
        // Other tests of the process panic on purpose too.
        assert!(metrics.value("pedigree_panics_total") >= panics + 4);
        let metrics = metrics.render();
        for counted in [
            "pedigree_rpc_requests_total{method=\"unknown\",code=\"INTERNAL\"} 2\n",
            "pedigree_http_requests_total{method=\"GET\",route=\"/panic\",code=\"500\"} 2\n",
        ] {
            assert!(metrics.contains(counted), "no {counted} in {metrics}");
        }
        let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        let line = log.lines().find(|line| line.contains("run-7"));
        assert!(line.unwrap().contains("a handler panicked"), "{log}");
        assert!(line.unwrap().contains("on purpose"), "{log}");
    }
}
