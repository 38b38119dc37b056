//! Everything a store holds, as text.

use pedigree::proto::ml_metadata as pb;

use super::Store;

impl Store {
    /// All that clients can read, to compare before and after.
    pub async fn dump(&self) -> String {
        let artifacts = self.ask(pb::GetArtifactsRequest::default()).await.artifacts;
        let executions = self
            .ask(pb::GetExecutionsRequest::default())
            .await
            .executions;
        let contexts = self.ask(pb::GetContextsRequest::default()).await.contexts;
        let events = pb::GetEventsByArtifactIDsRequest {
            artifact_ids: artifacts.iter().filter_map(|node| node.id).collect(),
            ..Default::default()
        };
        let more_events = pb::GetEventsByExecutionIDsRequest {
            execution_ids: executions.iter().filter_map(|node| node.id).collect(),
            ..Default::default()
        };
        let mut text = format!(
            "{:#?}{:#?}{:#?}{:#?}{:#?}",
            self.ask(pb::GetArtifactTypesRequest::default()).await,
            self.ask(pb::GetExecutionTypesRequest::default()).await,
            self.ask(pb::GetContextTypesRequest::default()).await,
            self.ask(events).await,
            self.ask(more_events).await,
        );
        for context in &contexts {
            text += &self.dump_members(context.id).await;
        }
        text + &format!("{artifacts:#?}{executions:#?}{contexts:#?}")
    }

    /// What is in a context and above it.
    async fn dump_members(&self, context_id: Option<i64>) -> String {
        let artifacts = pb::GetArtifactsByContextRequest {
            context_id,
            ..Default::default()
        };
        let executions = pb::GetExecutionsByContextRequest {
            context_id,
            ..Default::default()
        };
        let parents = pb::GetParentContextsByContextRequest {
            context_id,
            ..Default::default()
        };
        format!(
            "{context_id:?}{:?}{:?}{:?}",
            self.ask(artifacts).await,
            self.ask(executions).await,
            self.ask(parents).await,
        )
    }
}
