//! The actions of every method and route.

use std::collections::HashMap;
use std::sync::LazyLock;

use http::Method;

use super::Action::{
    self, AuditRead, LineageWalk, NodeRead, NodeWrite, TypeRead, TypeWrite, Watch,
};

/// What a caller of a method or route must be allowed to do.
#[derive(Clone, Copy, Debug)]
pub struct MethodActions {
    /// `/SERVICE/METHOD` of gRPC, or the path of a route. Behind a method of HTTP and a space: of a
    /// route for this method only, whose segments in braces stand for any, and with a star for any
    /// number of them.
    pub path: &'static str,
    /// All of them are needed.
    pub actions: &'static [Action],
    /// These too, for what changes types: a call, or a message of it. A put of types that are
    /// stored already changes none.
    pub changes: &'static [Action],
}

impl MethodActions {
    /// Whether it may change something.
    #[must_use]
    pub fn is_write(&self) -> bool {
        let mut actions = self.actions.iter().chain(self.changes);
        actions.any(|action| action.is_write())
    }

    /// The row of a request with a method of HTTP at a path. Requests of other paths are refused.
    #[must_use]
    pub fn find(method: &Method, path: &str) -> Option<&'static Self> {
        static BY_PATH: LazyLock<HashMap<&str, &MethodActions>> =
            LazyLock::new(|| METHODS.iter().map(|row| (row.path, row)).collect());
        static OF_METHODS: LazyLock<Vec<MethodRoute>> =
            LazyLock::new(|| METHODS.iter().filter_map(MethodRoute::of).collect());
        let of_web = path.strip_prefix(WEB_PREFIX);
        let of_web = of_web.map(|rest| [API_PREFIX, rest].concat());
        let path = of_web.as_deref().unwrap_or(path);
        // HEAD is GET without the body of the answer.
        let method = if *method == Method::HEAD {
            &Method::GET
        } else {
            method
        };
        let is_asked =
            |route: &&MethodRoute| route.method == method.as_str() && is_route(route.path, path);
        let route = OF_METHODS.iter().find(is_asked);
        route.map(|route| route.row).or(BY_PATH.get(path).copied())
    }
}

/// A route for one method of HTTP.
struct MethodRoute {
    method: &'static str,
    path: &'static str,
    row: &'static MethodActions,
}

impl MethodRoute {
    fn of(row: &'static MethodActions) -> Option<Self> {
        let (method, path) = row.path.split_once(' ')?;
        Some(Self { method, path, row })
    }
}

/// What the paths of `MLflow`'s API begin with for its web interface, which has the same methods.
const WEB_PREFIX: &str = "/ajax-api/";

/// What they begin with for other clients.
const API_PREFIX: &str = "/api/";

/// Whether a path, whose names are encoded, is that of a route.
fn is_route(route: &str, path: &str) -> bool {
    if let Some((begin, _)) = route.split_once("{*") {
        return path
            .strip_prefix(begin)
            .is_some_and(|rest| !rest.is_empty());
    }
    let mut segments = path.split('/');
    let same = route.split('/').all(|expected| {
        let segment = segments.next();
        segment.is_some_and(|it| expected.starts_with('{') && !it.is_empty() || expected == it)
    });
    same && segments.next().is_none()
}

const fn row(path: &'static str, actions: &'static [Action]) -> MethodActions {
    put(path, actions, &[])
}

const fn put(
    path: &'static str,
    actions: &'static [Action],
    changes: &'static [Action],
) -> MethodActions {
    MethodActions {
        path,
        actions,
        changes,
    }
}

/// All methods and routes but health checks, which need no permission.
#[rustfmt::skip]
pub const METHODS: &[MethodActions] = &[
    put("/ml_metadata.MetadataStoreService/PutArtifactType", &[TypeRead], &[TypeWrite]),
    put("/ml_metadata.MetadataStoreService/PutExecutionType", &[TypeRead], &[TypeWrite]),
    put("/ml_metadata.MetadataStoreService/PutContextType", &[TypeRead], &[TypeWrite]),
    put("/ml_metadata.MetadataStoreService/PutTypes", &[TypeRead], &[TypeWrite]),
    row("/ml_metadata.MetadataStoreService/PutArtifacts", &[NodeWrite]),
    row("/ml_metadata.MetadataStoreService/PutExecutions", &[NodeWrite]),
    row("/ml_metadata.MetadataStoreService/PutContexts", &[NodeWrite]),
    row("/ml_metadata.MetadataStoreService/PutEvents", &[NodeWrite]),
    row("/ml_metadata.MetadataStoreService/PutAttributionsAndAssociations", &[NodeWrite]),
    row("/ml_metadata.MetadataStoreService/PutParentContexts", &[NodeWrite]),
    row("/ml_metadata.MetadataStoreService/PutExecution", &[NodeWrite]),
    row("/ml_metadata.MetadataStoreService/PutLineageSubgraph", &[NodeWrite]),
    row("/ml_metadata.MetadataStoreService/GetArtifactType", &[TypeRead]),
    row("/ml_metadata.MetadataStoreService/GetExecutionType", &[TypeRead]),
    row("/ml_metadata.MetadataStoreService/GetContextType", &[TypeRead]),
    row("/ml_metadata.MetadataStoreService/GetArtifactTypesByID", &[TypeRead]),
    row("/ml_metadata.MetadataStoreService/GetExecutionTypesByID", &[TypeRead]),
    row("/ml_metadata.MetadataStoreService/GetContextTypesByID", &[TypeRead]),
    row("/ml_metadata.MetadataStoreService/GetArtifactTypes", &[TypeRead]),
    row("/ml_metadata.MetadataStoreService/GetExecutionTypes", &[TypeRead]),
    row("/ml_metadata.MetadataStoreService/GetContextTypes", &[TypeRead]),
    row("/ml_metadata.MetadataStoreService/GetArtifactTypesByExternalIds", &[TypeRead]),
    row("/ml_metadata.MetadataStoreService/GetExecutionTypesByExternalIds", &[TypeRead]),
    row("/ml_metadata.MetadataStoreService/GetContextTypesByExternalIds", &[TypeRead]),
    row("/ml_metadata.MetadataStoreService/GetArtifacts", &[NodeRead]),
    row("/ml_metadata.MetadataStoreService/GetExecutions", &[NodeRead]),
    row("/ml_metadata.MetadataStoreService/GetContexts", &[NodeRead]),
    row("/ml_metadata.MetadataStoreService/GetArtifactsByID", &[NodeRead]),
    row("/ml_metadata.MetadataStoreService/GetExecutionsByID", &[NodeRead]),
    row("/ml_metadata.MetadataStoreService/GetContextsByID", &[NodeRead]),
    row("/ml_metadata.MetadataStoreService/GetArtifactsByType", &[NodeRead]),
    row("/ml_metadata.MetadataStoreService/GetExecutionsByType", &[NodeRead]),
    row("/ml_metadata.MetadataStoreService/GetContextsByType", &[NodeRead]),
    row("/ml_metadata.MetadataStoreService/GetArtifactByTypeAndName", &[NodeRead]),
    row("/ml_metadata.MetadataStoreService/GetExecutionByTypeAndName", &[NodeRead]),
    row("/ml_metadata.MetadataStoreService/GetContextByTypeAndName", &[NodeRead]),
    row("/ml_metadata.MetadataStoreService/GetArtifactsByExternalIds", &[NodeRead]),
    row("/ml_metadata.MetadataStoreService/GetExecutionsByExternalIds", &[NodeRead]),
    row("/ml_metadata.MetadataStoreService/GetContextsByExternalIds", &[NodeRead]),
    row("/ml_metadata.MetadataStoreService/GetArtifactsByURI", &[NodeRead]),
    row("/ml_metadata.MetadataStoreService/GetEventsByExecutionIDs", &[NodeRead]),
    row("/ml_metadata.MetadataStoreService/GetEventsByArtifactIDs", &[NodeRead]),
    row("/ml_metadata.MetadataStoreService/GetContextsByArtifact", &[NodeRead]),
    row("/ml_metadata.MetadataStoreService/GetContextsByExecution", &[NodeRead]),
    row("/ml_metadata.MetadataStoreService/GetArtifactsByContext", &[NodeRead]),
    row("/ml_metadata.MetadataStoreService/GetExecutionsByContext", &[NodeRead]),
    row("/ml_metadata.MetadataStoreService/GetParentContextsByContext", &[NodeRead]),
    row("/ml_metadata.MetadataStoreService/GetChildrenContextsByContext", &[NodeRead]),
    row("/ml_metadata.MetadataStoreService/GetParentContextsByContexts", &[NodeRead]),
    row("/ml_metadata.MetadataStoreService/GetChildrenContextsByContexts", &[NodeRead]),
    row("/ml_metadata.MetadataStoreService/GetLineageSubgraph", &[LineageWalk]),
    row("/ml_metadata.MetadataStoreService/GetLineageGraph", &[LineageWalk]),
    put("/pedigree.lineage.v1.LineageService/Record", &[NodeWrite, TypeRead], &[TypeWrite]),
    row("/pedigree.lineage.v1.LineageService/Watch", &[Watch]),
    row("/pedigree.lineage.v1.LineageService/Trace", &[LineageWalk]),
    row("/pedigree.lineage.v1.LineageService/TraceColumns", &[LineageWalk]),
    row("/pedigree.lineage.v1.LineageService/GetFacets", &[NodeRead]),
    row("/pedigree.audit.v1.AuditService/List", &[AuditRead]),
    row("/pedigree.registry.v1.RegistryService/ListModels", &[NodeRead]),
    row("/pedigree.registry.v1.RegistryService/ListVersions", &[NodeRead]),
    row("/pedigree.registry.v1.RegistryService/CreateVersion", &[NodeWrite]),
    row("/pedigree.registry.v1.RegistryService/SetAlias", &[NodeWrite]),
    row("/pedigree.registry.v1.RegistryService/Rollback", &[NodeWrite]),
    row("/pedigree.registry.v1.RegistryService/GetAlias", &[NodeRead]),
    row("/pedigree.registry.v1.RegistryService/AliasHistory", &[NodeRead]),
    row("/pedigree.registry.v1.RegistryService/VersionsOf", &[NodeRead]),
    row("/pedigree.reproduction.v1.ReproductionService/Plan", &[LineageWalk]),
    row("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", &[TypeRead]),
    row("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", &[TypeRead]),
    row("/api/pedigree/v1/version", &[TypeRead]),
    put("/api/v1/lineage", &[NodeWrite, TypeRead], &[TypeWrite]),
    put("/api/v1/lineage/batch", &[NodeWrite, TypeRead], &[TypeWrite]),
    row("GET /api/v1/namespaces", &[NodeRead]),
    row("GET /api/v1/namespaces/{namespace}", &[NodeRead]),
    row("GET /api/v1/namespaces/{namespace}/jobs", &[NodeRead]),
    row("GET /api/v1/namespaces/{namespace}/jobs/{job}", &[NodeRead]),
    row("GET /api/v1/namespaces/{namespace}/jobs/{job}/runs", &[NodeRead]),
    row("GET /api/v1/namespaces/{namespace}/datasets", &[NodeRead]),
    row("GET /api/v1/namespaces/{namespace}/datasets/{dataset}", &[NodeRead]),
    row("GET /api/v1/namespaces/{namespace}/datasets/{dataset}/versions", &[NodeRead]),
    row("GET /api/v1/namespaces/{namespace}/datasets/{dataset}/versions/{version}", &[NodeRead]),
    row("GET /api/v1/jobs", &[NodeRead]),
    row("GET /api/v1/jobs/runs/{run}", &[NodeRead]),
    row("GET /api/v1/jobs/runs/{run}/facets", &[NodeRead]),
    row("GET /api/v1/lineage", &[LineageWalk]),
    row("GET /api/v1/column-lineage", &[LineageWalk]),
    row("GET /api/v1/events/lineage", &[NodeRead]),
    row("GET /api/v1/search", &[NodeRead]),
    row("GET /api/v1/tags", &[NodeRead]),
    row("GET /", &[NodeRead, TypeRead]),
    row("GET /search", &[NodeRead]),
    row("GET /artifacts", &[NodeRead]),
    row("GET /artifacts/{artifact}", &[NodeRead, LineageWalk]),
    row("GET /executions", &[NodeRead]),
    row("GET /executions/{execution}", &[NodeRead, LineageWalk]),
    row("GET /contexts", &[NodeRead]),
    row("GET /contexts/{context}", &[NodeRead]),
    row("GET /types", &[TypeRead]),
    row("GET /types/{kind}/{name}", &[TypeRead]),
    row("GET /lineage/{kind}/{node}", &[NodeRead, LineageWalk]),
    row("GET /compare", &[NodeRead]),
    row("GET /experiments", &[NodeRead]),
    row("GET /experiments/{experiment}", &[NodeRead]),
    row("GET /experiments/{experiment}/runs/{run}", &[NodeRead]),
    row("GET /models", &[NodeRead]),
    row("GET /models/{model}", &[NodeRead]),
    row("GET /models/{model}/versions/{version}", &[NodeRead, LineageWalk]),
    row("GET /lineage/{kind}/{node}/panel", &[NodeRead, LineageWalk]),
    row("GET /activity", &[Watch]),
    row("GET /activity/stream", &[Watch]),
    row("GET /about", &[TypeRead]),
    row("GET /assets/{folder}/{asset}", &[TypeRead]),
    row("/health", &[TypeRead]),
    row("/version", &[TypeRead]),
    row("/api/2.0/mlflow/experiments/create", &[NodeWrite]),
    row("/api/2.0/mlflow/experiments/update", &[NodeWrite]),
    row("/api/2.0/mlflow/experiments/delete", &[NodeWrite]),
    row("/api/2.0/mlflow/experiments/restore", &[NodeWrite]),
    row("/api/2.0/mlflow/experiments/set-experiment-tag", &[NodeWrite]),
    row("/api/2.0/mlflow/experiments/delete-experiment-tag", &[NodeWrite]),
    row("/api/2.0/mlflow/runs/create", &[NodeWrite]),
    row("/api/2.0/mlflow/runs/update", &[NodeWrite]),
    row("/api/2.0/mlflow/runs/delete", &[NodeWrite]),
    row("/api/2.0/mlflow/runs/restore", &[NodeWrite]),
    row("/api/2.0/mlflow/runs/log-metric", &[NodeWrite]),
    row("/api/2.0/mlflow/runs/log-parameter", &[NodeWrite]),
    row("/api/2.0/mlflow/runs/set-tag", &[NodeWrite]),
    row("/api/2.0/mlflow/runs/delete-tag", &[NodeWrite]),
    row("/api/2.0/mlflow/runs/log-batch", &[NodeWrite]),
    row("/api/2.0/mlflow/runs/log-inputs", &[NodeWrite]),
    row("/api/2.0/mlflow/runs/outputs", &[NodeWrite]),
    row("/api/2.0/mlflow/logged-models", &[NodeWrite]),
    row("PATCH /api/2.0/mlflow/logged-models/{model}", &[NodeWrite]),
    row("DELETE /api/2.0/mlflow/logged-models/{model}", &[NodeWrite]),
    row("POST /api/2.0/mlflow/logged-models/{model}/params", &[NodeWrite]),
    row("PATCH /api/2.0/mlflow/logged-models/{model}/tags", &[NodeWrite]),
    row("DELETE /api/2.0/mlflow/logged-models/{model}/tags/{tag}", &[NodeWrite]),
    row("GET /api/2.0/mlflow/logged-models/{model}", &[NodeRead]),
    row("/api/2.0/mlflow/logged-models/search", &[NodeRead]),
    row("/api/2.0/mlflow/registered-models/create", &[NodeWrite]),
    row("/api/2.0/mlflow/registered-models/update", &[NodeWrite]),
    row("/api/2.0/mlflow/registered-models/rename", &[NodeWrite]),
    row("/api/2.0/mlflow/registered-models/delete", &[NodeWrite]),
    row("/api/2.0/mlflow/registered-models/set-tag", &[NodeWrite]),
    row("/api/2.0/mlflow/registered-models/delete-tag", &[NodeWrite]),
    row("/api/2.0/mlflow/registered-models/alias", &[NodeWrite]),
    row("GET /api/2.0/mlflow/registered-models/alias", &[NodeRead]),
    row("/api/2.0/mlflow/registered-models/get", &[NodeRead]),
    row("/api/2.0/mlflow/registered-models/search", &[NodeRead]),
    row("/api/2.0/mlflow/registered-models/get-latest-versions", &[NodeRead]),
    row("/api/2.0/mlflow/model-versions/create", &[NodeWrite]),
    row("/api/2.0/mlflow/model-versions/update", &[NodeWrite]),
    row("/api/2.0/mlflow/model-versions/delete", &[NodeWrite]),
    row("/api/2.0/mlflow/model-versions/set-tag", &[NodeWrite]),
    row("/api/2.0/mlflow/model-versions/delete-tag", &[NodeWrite]),
    row("/api/2.0/mlflow/model-versions/transition-stage", &[NodeWrite]),
    row("/api/2.0/mlflow/model-versions/get", &[NodeRead]),
    row("/api/2.0/mlflow/model-versions/search", &[NodeRead]),
    row("/api/2.0/mlflow/model-versions/get-download-uri", &[NodeRead]),
    row("/api/2.0/mlflow/experiments/get", &[NodeRead]),
    row("/api/2.0/mlflow/experiments/get-by-name", &[NodeRead]),
    row("/api/2.0/mlflow/experiments/search", &[NodeRead]),
    row("/api/2.0/mlflow/runs/get", &[NodeRead]),
    row("/api/2.0/mlflow/runs/search", &[NodeRead]),
    row("/api/2.0/mlflow/metrics/get-history", &[NodeRead]),
    row("/api/2.0/mlflow/metrics/get-history-bulk", &[NodeRead]),
    row("/api/2.0/mlflow/metrics/get-history-bulk-interval", &[NodeRead]),
    row("/api/2.0/mlflow/experiments/search-datasets", &[NodeRead]),
    row("/api/2.0/mlflow/runs/log-model", &[NodeWrite]),
    row("/api/3.0/mlflow/server-info", &[TypeRead]),
    row("/api/2.0/mlflow/artifacts/list", &[NodeRead]),
    row("GET /api/2.0/mlflow/logged-models/{model}/artifacts/directories", &[NodeRead]),
    row("/api/2.0/mlflow-artifacts/artifacts", &[NodeRead]),
    row("GET /api/2.0/mlflow-artifacts/artifacts/{*path}", &[NodeRead]),
    row("PUT /api/2.0/mlflow-artifacts/artifacts/{*path}", &[NodeWrite]),
    row("DELETE /api/2.0/mlflow-artifacts/artifacts/{*path}", &[NodeWrite]),
    row("POST /api/2.0/mlflow-artifacts/mpu/{*rest}", &[NodeWrite]),
    row("GET /api/2.0/mlflow-artifacts/presigned/{*rest}", &[NodeRead]),
    row("GET /api/2.0/mlflow/logged-models/{model}/artifacts/files", &[NodeRead]),
    row("/get-artifact", &[NodeRead]),
    row("/model-versions/get-artifact", &[NodeRead]),
];
