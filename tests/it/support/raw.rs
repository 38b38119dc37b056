//! Calls whose requests are bytes, for what no client library would send.

use std::str::FromStr;

use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::{Request, Status};

use super::Store;
use super::bytes::Bytes;

impl Store {
    /// Calls a method of the service with an encoded request.
    pub async fn send_bytes(&self, method: &str, request: Vec<u8>) -> Result<Vec<u8>, Status> {
        let mut grpc = Grpc::new(self.channel.clone());
        grpc.ready().await.unwrap();
        let path = format!("/ml_metadata.MetadataStoreService/{method}");
        let path = PathAndQuery::from_str(&path).unwrap();
        let answer = grpc.unary(Request::new(request), path, Bytes).await?;
        Ok(answer.into_inner())
    }
}
