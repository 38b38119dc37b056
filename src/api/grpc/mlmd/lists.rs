//! Methods that list nodes, in pages or as a whole.

use prost::Message;
use tonic::Response;

use super::convert::all;
use super::nodes::NodeMessage;
use super::paging::{list_options, page_token};
use super::unpaged::UnpagedLists;
use crate::api::call::Call;
use crate::error::Result;
use crate::graph::ListScope;
use crate::proto::ml_metadata as pb;

/// A request that lists nodes of one kind.
pub(super) trait ListRpc: Sized + 'static {
    type Node: NodeMessage;
    type Response: Message + Default + 'static;

    /// Where the nodes are looked for, and the options of a page. Without options, the response
    /// has all nodes.
    fn split(self) -> (ListScope, Option<pb::ListOperationOptions>);

    /// The response with all nodes or some of them.
    fn response(nodes: Vec<Self::Node>, next_page_token: Option<String>) -> Self::Response;
}

/// Answers a request for a list.
pub(super) async fn run<R: ListRpc>(
    request: R,
    call: &Call,
    unpaged: &UnpagedLists,
) -> Result<Response<R::Response>> {
    let (scope, options) = request.split();
    let Some(options) = options else {
        return unpaged.answer::<R>(call, &scope).await;
    };
    let parsed = list_options(call, &options);
    let page = call.graph.list(R::Node::KIND, &scope, parsed).await?;
    let Some(page) = page else {
        return Ok(Response::new(R::response(Vec::new(), None)));
    };
    let mut token = page.end.map(|end| page_token(call, &options, end));
    if matches!(scope, ListScope::Type(..)) {
        // By type, the last page has an empty token.
        token.get_or_insert_default();
    }
    Ok(Response::new(R::response(all(page.nodes), token)))
}

impl ListRpc for pb::GetArtifactsRequest {
    type Node = pb::Artifact;
    type Response = pb::GetArtifactsResponse;

    fn split(self) -> (ListScope, Option<pb::ListOperationOptions>) {
        (ListScope::All, self.options)
    }

    fn response(artifacts: Vec<pb::Artifact>, next_page_token: Option<String>) -> Self::Response {
        pb::GetArtifactsResponse {
            artifacts,
            next_page_token,
        }
    }
}

impl ListRpc for pb::GetExecutionsRequest {
    type Node = pb::Execution;
    type Response = pb::GetExecutionsResponse;

    fn split(self) -> (ListScope, Option<pb::ListOperationOptions>) {
        (ListScope::All, self.options)
    }

    fn response(executions: Vec<pb::Execution>, next_page_token: Option<String>) -> Self::Response {
        pb::GetExecutionsResponse {
            executions,
            next_page_token,
        }
    }
}

impl ListRpc for pb::GetContextsRequest {
    type Node = pb::Context;
    type Response = pb::GetContextsResponse;

    fn split(self) -> (ListScope, Option<pb::ListOperationOptions>) {
        (ListScope::All, self.options)
    }

    fn response(contexts: Vec<pb::Context>, next_page_token: Option<String>) -> Self::Response {
        pb::GetContextsResponse {
            contexts,
            next_page_token,
        }
    }
}

impl ListRpc for pb::GetArtifactsByTypeRequest {
    type Node = pb::Artifact;
    type Response = pb::GetArtifactsByTypeResponse;

    fn split(self) -> (ListScope, Option<pb::ListOperationOptions>) {
        let scope = ListScope::Type(self.type_name.unwrap_or_default(), self.type_version);
        (scope, self.options)
    }

    fn response(artifacts: Vec<pb::Artifact>, next_page_token: Option<String>) -> Self::Response {
        pb::GetArtifactsByTypeResponse {
            artifacts,
            next_page_token,
        }
    }
}

impl ListRpc for pb::GetExecutionsByTypeRequest {
    type Node = pb::Execution;
    type Response = pb::GetExecutionsByTypeResponse;

    fn split(self) -> (ListScope, Option<pb::ListOperationOptions>) {
        let scope = ListScope::Type(self.type_name.unwrap_or_default(), self.type_version);
        (scope, self.options)
    }

    fn response(executions: Vec<pb::Execution>, next_page_token: Option<String>) -> Self::Response {
        pb::GetExecutionsByTypeResponse {
            executions,
            next_page_token,
        }
    }
}

impl ListRpc for pb::GetContextsByTypeRequest {
    type Node = pb::Context;
    type Response = pb::GetContextsByTypeResponse;

    fn split(self) -> (ListScope, Option<pb::ListOperationOptions>) {
        let scope = ListScope::Type(self.type_name.unwrap_or_default(), self.type_version);
        (scope, self.options)
    }

    fn response(contexts: Vec<pb::Context>, next_page_token: Option<String>) -> Self::Response {
        pb::GetContextsByTypeResponse {
            contexts,
            next_page_token,
        }
    }
}

impl ListRpc for pb::GetArtifactsByContextRequest {
    type Node = pb::Artifact;
    type Response = pb::GetArtifactsByContextResponse;

    fn split(self) -> (ListScope, Option<pb::ListOperationOptions>) {
        (ListScope::Context(self.context_id()), self.options)
    }

    fn response(artifacts: Vec<pb::Artifact>, next_page_token: Option<String>) -> Self::Response {
        pb::GetArtifactsByContextResponse {
            artifacts,
            next_page_token,
        }
    }
}

impl ListRpc for pb::GetExecutionsByContextRequest {
    type Node = pb::Execution;
    type Response = pb::GetExecutionsByContextResponse;

    fn split(self) -> (ListScope, Option<pb::ListOperationOptions>) {
        (ListScope::Context(self.context_id()), self.options)
    }

    fn response(executions: Vec<pb::Execution>, next_page_token: Option<String>) -> Self::Response {
        pb::GetExecutionsByContextResponse {
            executions,
            next_page_token,
            transaction_options: None,
        }
    }
}
