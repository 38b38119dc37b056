//! The test file of the released library, against a server at each node of a cluster.

use tempfile::TempDir;
use tokio::task::block_in_place;

use super::cluster::Cluster;
use crate::binary::{Process, Server, pedigree};
use crate::contention::COUNTS;
use crate::python::{python, sized};

with_servers!(the_test_file_of_the_wheel_passes_at_each_node);

async fn the_test_file_of_the_wheel_passes_at_each_node() {
    for place in 0..sized(1, 3) {
        let cluster = Cluster::open().await;
        let dir = TempDir::new().unwrap();
        let arguments = ["--grpc-port", "0", "--database-url", &cluster.urls[place]];
        let server = Server::wait(Process::start(pedigree(dir.path(), &arguments)));
        let port = server.port.to_string();
        block_in_place(|| python("upstream_tests.py", &["--patched", "--port", &port]));
        server.stop();
        let counts = cluster.query_everywhere(COUNTS).await;
        assert!(
            counts.iter().all(|of_node| *of_node == counts[0]),
            "{counts:?}"
        );
    }
}
