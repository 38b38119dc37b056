//! Database servers as their administrators set them up: what is promised holds there too, or the
//! start or the call is refused with the reason.

mod budget;
mod hostile;
mod pooler;
mod refusals;

use pb::PutArtifactsRequest;
use pedigree::proto::pedigree::lineage::v1::record_request::Change;

use crate::binary::Server;
use crate::crash::{Acknowledged, check, put_execution, put_types};
use crate::streams::{Recording, code_of, message};
use crate::support::prelude::*;

/// How often a write is read again, so that several connections of the pools are used.
const READS_AFTER_WRITES: usize = 6;

/// Puts, gets, lists, filters and records. `round` sets its nodes apart from those of other rounds.
async fn core_cases(server: &Server, round: &str) {
    let client = server.client().await;
    let types = put_types(client.clone()).await;
    let mut acknowledged = Acknowledged::new();
    put_execution(&client, types, round, &mut acknowledged)
        .await
        .unwrap();
    check(&client, &acknowledged).await;

    let declared = [
        ("count", PropertyType::Int),
        ("share", PropertyType::Double),
        ("note", PropertyType::String),
    ];
    let put_type = Artifact::put_type("Measured", &declared);
    let type_id = put_type.ask(client.clone()).await.unwrap();
    let mut ids = Vec::new();
    for number in 0..READS_AFTER_WRITES {
        let artifact = Artifact::new(type_id, &format!("{round} é{number}"))
            .with("count", int(1 << 40))
            .with("share", double(0.1 + 0.2))
            .with("note", text(r#"a 'quoted' "text" with \ and 上海"#))
            .with_custom("NULL", text(""));
        let put = Artifact::put(vec![artifact.clone()]);
        let put = put.ask(client.clone()).await.unwrap();
        let stored = Artifact::by_ids(&put).ask(client.clone()).await.unwrap();
        assert_eq!(stored.len(), 1, "{round}: {number} was not seen");
        assert_eq!(stored[0].properties, artifact.properties, "{round}");
        assert_eq!(stored[0].custom_properties, artifact.custom_properties);
        ids.extend(put);
    }
    let filter = format!(
        "name LIKE '{round} %' AND properties.count.int_value / 2 > 1000 \
         AND properties.share.double_value < 0.31 AND external_id IS NULL"
    );
    let found = Artifact::list(Some(matching(&filter)));
    assert_eq!(sorted(found.ask(client.clone()).await.unwrap().ids()), ids);
    let page = Artifact::list(Some(pages_of(4))).ask(client.clone()).await;
    assert_eq!(page.unwrap().nodes.len(), 4);
    let all = Artifact::list(None).ask(client.clone()).await.unwrap();
    assert!(all.nodes.len() >= READS_AFTER_WRITES + 2, "{round}");
    record(server, type_id, round).await;
}

fn sorted(mut ids: Vec<i64>) -> Vec<i64> {
    ids.sort_unstable();
    ids
}

async fn record(server: &Server, type_id: i64, round: &str) {
    let mut recording = Recording::start(server.connect().await).await;
    let recorded = |number: usize| {
        let name = format!("{round} recorded {number}");
        let put = PutArtifactsRequest {
            artifacts: vec![Artifact::new(type_id, &name)],
            ..PutArtifactsRequest::default()
        };
        message(&name, Change::PutArtifacts(put))
    };
    let messages: Vec<_> = (0..3).map(recorded).collect();
    for again in [false, true] {
        for response in recording.say(messages.clone()).await {
            assert_eq!(code_of(&response), Code::Ok, "{round}: {response:?}");
            assert_eq!(response.repeated, again, "{round}: {response:?}");
        }
    }
}
