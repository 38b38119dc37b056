//! `LineageService.GetFacets`.

use serde::Deserialize;

use super::{LineageRpc, Service};
use crate::api::call::Call;
use crate::api::grpc::sink::{ResponseSink, Responses};
use crate::error::{Error, Result};
use crate::graph::NodeFacet;
use crate::model::Kind;
use crate::proto::pedigree::lineage::v1::get_facets_request::Node;
use crate::proto::pedigree::lineage::v1::{
    GetFacetsRequest, GetFacetsResponse, NodeFacet as WireFacet,
};

/// The most bytes of text of a response. Clients take messages of 4 MiB.
const MAX_TEXT_BYTES: usize = 1 << 20;

/// The most bytes of text that are read at once, if these are those of several facets.
const MAX_READ_BYTES: usize = 4 << 20;

impl LineageRpc for GetFacetsRequest {
    type Response = Responses<GetFacetsResponse>;

    async fn run(self, call: &Call, service: &Service) -> Result<Self::Response> {
        let (kind, id) = match self.node {
            Some(Node::ArtifactId(id)) => (Kind::Artifact, id),
            Some(Node::ExecutionId(id)) => (Kind::Execution, id),
            Some(Node::ContextId(id)) => (Kind::Context, id),
            None => return Err(Error::invalid("no node: give the id of one")),
        };
        let facets = call.graph.facets().of_node(kind, id, &self.keys).await?;
        let graph = call.graph.clone();
        let work = move |mut sink: ResponseSink<GetFacetsResponse>| async move {
            for group in groups(&facets) {
                let kept = group.iter().filter(|facet| facet.bytes.is_some());
                let digests: Vec<&str> = kept.filter_map(|it| it.digest.as_deref()).collect();
                let texts = graph.facets().texts(&digests).await?;
                for facet in group {
                    let text = facet.digest.as_ref().and_then(|it| texts.get(it));
                    send(&mut sink, facet, text.map_or("", String::as_str)).await?;
                }
            }
            Ok(())
        };
        Ok(Responses::from_task(
            &call.tasks,
            service.slow_reader_timeout,
            work,
        ))
    }
}

/// Facets whose texts are read together.
fn groups(facets: &[NodeFacet]) -> impl Iterator<Item = &[NodeFacet]> {
    let mut rest = facets;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = |facet: &&NodeFacet| {
            bytes += facet.bytes.unwrap_or_default();
            bytes <= MAX_READ_BYTES
        };
        let count = rest.iter().take_while(fits).count();
        let (group, others) = rest.split_at(count.max(1).min(rest.len()));
        rest = others;
        (!group.is_empty()).then_some(group)
    })
}

async fn send(
    sink: &mut ResponseSink<GetFacetsResponse>,
    facet: &NodeFacet,
    text: &str,
) -> Result<()> {
    let origin = serde_json::from_str::<FacetOrigin>(text).unwrap_or_default();
    let mut facet = Some(WireFacet {
        key: facet.key.clone(),
        time_microseconds: facet.microseconds,
        digest: facet.digest.clone().unwrap_or_default(),
        bytes: facet.bytes.and_then(|bytes| bytes.try_into().ok()),
        producer: origin.producer.unwrap_or_default(),
        schema_url: origin.schema_url.unwrap_or_default(),
    });
    let mut rest = text;
    while facet.is_some() || !rest.is_empty() {
        let (part, others) = rest.split_at(rest.floor_char_boundary(MAX_TEXT_BYTES));
        rest = others;
        let response = GetFacetsResponse {
            facet: facet.take(),
            text: part.to_owned(),
        };
        sink.send(response).await?;
    }
    Ok(())
}

/// Who made a facet, by which schema.
#[derive(Default, Deserialize)]
struct FacetOrigin {
    #[serde(rename = "_producer", default)]
    producer: Option<String>,
    #[serde(rename = "_schemaURL", default)]
    schema_url: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facets_are_read_in_groups_that_fit() {
        let facet = |bytes| NodeFacet {
            key: String::new(),
            microseconds: 0,
            digest: None,
            bytes,
        };
        let sizes = [
            None,
            Some(MAX_READ_BYTES),
            Some(9),
            Some(MAX_READ_BYTES + 1),
            Some(1),
        ];
        let facets = sizes.map(facet);
        let lengths: Vec<usize> = groups(&facets).map(<[NodeFacet]>::len).collect();
        assert_eq!(lengths, [2, 1, 1, 1]);
        assert_eq!(groups(&[]).count(), 0);
    }
}
