//! `pedigree.registry.v1.RegistryService`.

use tonic::{Request, Response, Status};

use crate::api::call::{Call, Calls};
use crate::error::{Error, Result};
use crate::graph::AsOf;
use crate::graph::registered::names::version_number_property;
use crate::graph::registered::{
    AliasMove as Move, AliasTarget, ModelVersion as Version, MoveAlias, NewVersion,
    RegisteredModel as Model, VersionOfArtifact as OfArtifact, VersionSource,
};
use crate::model::{
    Door, FieldCondition, FieldOrder, FieldTest, OffsetPage, RegistryField, TextOp, TrackingQuery,
};
use crate::proto::pedigree::registry::v1::registry_service_server::RegistryService;
use crate::proto::pedigree::registry::v1::{
    AliasHistoryRequest, AliasHistoryResponse, AliasMove, CreateVersionRequest,
    CreateVersionResponse, GetAliasRequest, GetAliasResponse, ListModelsRequest,
    ListModelsResponse, ListVersionsRequest, ListVersionsResponse, ModelVersion, MovesOfAlias,
    RegisteredModel, RollbackRequest, RollbackResponse, SetAliasRequest, SetAliasResponse,
    VersionOfArtifact, VersionsOfRequest, VersionsOfResponse,
};

/// The entries of a page whose length is not said, and the most of one.
const DEFAULT_ENTRIES: i64 = 100;
const MAX_ENTRIES: i64 = 1000;

/// The handler of the service.
#[derive(Clone, Debug)]
pub struct RegistryHandler {
    calls: Calls,
}

impl RegistryHandler {
    #[must_use]
    pub const fn new(calls: Calls) -> Self {
        Self { calls }
    }

    async fn call<T>(&self, request: Request<T>) -> Result<(Call, T)> {
        let call = self.calls.call(Door::Pedigree, request.extensions());
        Ok((call.await?, request.into_inner()))
    }
}

/// The page that a request asks for, with one more entry: there is another page if that is found.
fn page(size: i32, token: &str) -> Result<OffsetPage> {
    let offset = match token {
        "" => 0,
        text => text
            .parse::<i64>()
            .ok()
            .filter(|offset| *offset >= 0)
            .ok_or_else(|| Error::invalid("the page token is none of a response"))?,
    };
    Ok(OffsetPage {
        limit: entries("page_size", size)? + 1,
        offset,
    })
}

/// How many entries a request asks for in a field.
fn entries(field: &str, asked: i32) -> Result<i64> {
    match i64::from(asked) {
        0 => Ok(DEFAULT_ENTRIES),
        asked @ 1..=MAX_ENTRIES => Ok(asked),
        _ => Err(Error::invalid(format!(
            "{field} is not between 0 and {MAX_ENTRIES}"
        ))),
    }
}

/// Takes the entry of the next page away, and returns the token of that page, if there is one.
fn next_token<T>(page: OffsetPage, found: &mut Vec<T>) -> String {
    let limit = page.limit - 1;
    let length = usize::try_from(limit).unwrap_or(usize::MAX);
    if found.len() <= length {
        return String::new();
    }
    found.truncate(length);
    (page.offset + limit).to_string()
}

const fn ordered(field: RegistryField, is_descending: bool) -> FieldOrder<RegistryField> {
    FieldOrder {
        field,
        is_descending,
    }
}

/// Versions with the artifacts that they are.
async fn with_artifacts(call: &Call, versions: Vec<Version>) -> Result<Vec<ModelVersion>> {
    let mut artifacts = call.graph.registry().artifacts(&versions).await?;
    let version = |version: Version| {
        let ids = artifacts.remove(&version.id).unwrap_or_default();
        wire_version(version, ids)
    };
    Ok(versions.into_iter().map(version).collect())
}

fn wire_version(version: Version, artifact_ids: Vec<i64>) -> ModelVersion {
    ModelVersion {
        id: version.id,
        model: version.model,
        version: version.version,
        description: version.description,
        author: version.author,
        source: version.source,
        run_id: version.run,
        create_time: version.create_time,
        update_time: version.update_time,
        tags: version.tags.into_iter().collect(),
        aliases: version.aliases,
        artifact_ids,
    }
}

impl From<Model> for RegisteredModel {
    fn from(model: Model) -> Self {
        Self {
            id: model.id,
            name: model.name,
            description: model.description.unwrap_or_default(),
            owner: model.owner,
            create_time: model.create_time,
            update_time: model.update_time,
            tags: model.tags.into_iter().collect(),
            aliases: model.aliases.into_iter().collect(),
        }
    }
}

impl From<Move> for AliasMove {
    fn from(moved: Move) -> Self {
        Self {
            from_version: moved.before,
            to_version: moved.after,
            time: moved.time,
            principal: moved.principal,
        }
    }
}

impl From<OfArtifact> for VersionOfArtifact {
    fn from(found: OfArtifact) -> Self {
        let aliases = found.aliases.into_iter().map(|(alias, moves)| {
            let moves = moves.into_iter().map(Into::into).collect();
            MovesOfAlias { alias, moves }
        });
        Self {
            version: Some(found.version.into()),
            model: Some(found.model.into()),
            aliases: aliases.collect(),
        }
    }
}

#[tonic::async_trait]
impl RegistryService for RegistryHandler {
    async fn list_models(
        &self,
        request: Request<ListModelsRequest>,
    ) -> Result<Response<ListModelsResponse>, Status> {
        let (call, asked) = self.call(request).await?;
        let page = page(asked.page_size, &asked.page_token)?;
        let query = TrackingQuery {
            conditions: Vec::new(),
            order: vec![ordered(RegistryField::Name, false)],
            page,
        };
        let mut found = call.graph.registry().models(&query).await?;
        let next_page_token = next_token(page, &mut found);
        let models = found.into_iter().map(|found| found.model.into());
        Ok(Response::new(ListModelsResponse {
            models: models.collect(),
            next_page_token,
        }))
    }

    async fn list_versions(
        &self,
        request: Request<ListVersionsRequest>,
    ) -> Result<Response<ListVersionsResponse>, Status> {
        let (call, asked) = self.call(request).await?;
        let page = page(asked.page_size, &asked.page_token)?;
        let model = call.graph.registry().model(&asked.model).await?.model;
        let number = RegistryField::Int(version_number_property());
        let query = TrackingQuery {
            conditions: vec![FieldCondition {
                field: RegistryField::ParentName,
                test: FieldTest::Text(TextOp::Equal, model.name),
            }],
            order: vec![
                ordered(number, true),
                ordered(RegistryField::CreateTime, true),
            ],
            page,
        };
        let mut found = call.graph.registry().versions(&query).await?;
        let next_page_token = next_token(page, &mut found);
        Ok(Response::new(ListVersionsResponse {
            versions: with_artifacts(&call, found).await?,
            next_page_token,
        }))
    }

    async fn create_version(
        &self,
        request: Request<CreateVersionRequest>,
    ) -> Result<Response<CreateVersionResponse>, Status> {
        let (call, asked) = self.call(request).await?;
        let new = NewVersion {
            model: asked.model,
            given_source: String::new(),
            source: VersionSource::Artifact(asked.artifact_id),
            run: String::new(),
            run_link: String::new(),
            description: asked.description,
            tags: asked.tags.into_iter().collect(),
            creates_model: true,
            number: None,
        };
        let version = call.graph.write(&call.caller, new).await?;
        Ok(Response::new(CreateVersionResponse {
            version: Some(wire_version(version, vec![asked.artifact_id])),
        }))
    }

    async fn set_alias(
        &self,
        request: Request<SetAliasRequest>,
    ) -> Result<Response<SetAliasResponse>, Status> {
        let (call, asked) = self.call(request).await?;
        let moved = MoveAlias {
            model: asked.model,
            alias: asked.alias,
            to: match asked.version {
                version if version.is_empty() => AliasTarget::Nothing,
                version => AliasTarget::Version(version),
            },
            expected: asked.expected_version,
        };
        let moved = call.graph.write(&call.caller, moved).await?;
        Ok(Response::new(SetAliasResponse {
            r#move: moved.map(Into::into),
        }))
    }

    async fn rollback(
        &self,
        request: Request<RollbackRequest>,
    ) -> Result<Response<RollbackResponse>, Status> {
        let (call, asked) = self.call(request).await?;
        let moved = MoveAlias {
            model: asked.model,
            alias: asked.alias,
            to: AliasTarget::Previous,
            expected: asked.expected_version,
        };
        let moved = call.graph.write(&call.caller, moved).await?;
        Ok(Response::new(RollbackResponse {
            r#move: moved.map(Into::into),
        }))
    }

    async fn get_alias(
        &self,
        request: Request<GetAliasRequest>,
    ) -> Result<Response<GetAliasResponse>, Status> {
        let (call, asked) = self.call(request).await?;
        let (model, alias) = (&asked.model, &asked.alias);
        let found = call.graph.registry().aliased(model, alias).await?;
        let missing = || Error::NotFound(format!("the alias {alias} of {model} names no version"));
        let found = found.ok_or_else(missing)?;
        Ok(Response::new(GetAliasResponse {
            version: Some(wire_version(found.version, found.artifacts)),
            r#move: found.last_move.map(Into::into),
        }))
    }

    async fn alias_history(
        &self,
        request: Request<AliasHistoryRequest>,
    ) -> Result<Response<AliasHistoryResponse>, Status> {
        let (call, asked) = self.call(request).await?;
        let limit = entries("max_moves", asked.max_moves)?;
        let registry = call.graph.registry();
        let moves = registry.alias_history(&asked.model, &asked.alias, limit);
        let moves = moves.await?.into_iter().map(Into::into);
        Ok(Response::new(AliasHistoryResponse {
            moves: moves.collect(),
        }))
    }

    async fn versions_of(
        &self,
        request: Request<VersionsOfRequest>,
    ) -> Result<Response<VersionsOfResponse>, Status> {
        let (call, asked) = self.call(request).await?;
        let registry = call.graph.registry();
        let as_of = asked.as_of.map(AsOf::at);
        let found = registry.versions_of(asked.artifact_id, as_of).await?;
        let versions = found.versions.into_iter().map(Into::into);
        Ok(Response::new(VersionsOfResponse {
            versions: versions.collect(),
            present_context_ids: found.present_ids,
        }))
    }
}
