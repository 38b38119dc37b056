//! `PUT` of a file: its bytes go to the store as they arrive, and then the file is known.

use std::future::poll_fn;
use std::pin::Pin;

use axum::body::Body;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, StatusCode};
use http_body::Body as _;
use tokio_util::bytes::Bytes;

use super::environment::EnvironmentFile;
use super::{ArtifactPath, BytesRequest};
use crate::api::mlflow::refusal::MlflowRefusal;
use crate::error::{Error, Result};
use crate::graph::PutArtifactFile;
use crate::graph::tracking::LogEnvironmentFile;

/// The most bytes of a refused file that are read on.
const MAX_DISCARDED_BYTES: usize = 64 << 20;

pub(super) async fn upload(
    ArtifactPath(path): ArtifactPath,
    request: BytesRequest,
    headers: HeaderMap,
    mut body: Body,
) -> Result<StatusCode, MlflowRefusal> {
    let BytesRequest {
        call,
        blobs,
        max_file,
    } = request;
    let check = |bytes: u64| {
        if bytes <= max_file {
            return Ok(());
        }
        let text = format!("the file is larger than {max_file} bytes (--max-artifact-bytes)");
        Err(Error::TooLarge(text))
    };
    let announced = headers.get(CONTENT_LENGTH).and_then(|it| it.to_str().ok());
    check(announced.and_then(|it| it.parse().ok()).unwrap_or_default())?;
    let mut environment = EnvironmentFile::at(&path);
    let received = async {
        let mut blob = blobs.begin().await?;
        while let Some(bytes) = next(&mut body).await? {
            check(blob.bytes().saturating_add(bytes.len() as u64))?;
            if let Some(environment) = &mut environment {
                environment.read(&bytes);
            }
            blob.write(bytes).await?;
        }
        blob.finish().await
    };
    let received = received.await;
    if received.is_err() {
        discard(&mut body).await;
    }
    let stored = received?;
    let file = PutArtifactFile {
        path,
        digest: stored.digest.as_str().to_owned(),
        bytes: stored.bytes,
    };
    match environment.and_then(|it| it.fact()) {
        Some(fact) => {
            let file = LogEnvironmentFile { file, fact };
            call.graph.write(&call.caller, file).await?;
        }
        None => call.graph.write(&call.caller, file).await?,
    }
    Ok(StatusCode::OK)
}

/// Reads the rest of a body: many clients read the answer only after they have sent everything.
async fn discard(body: &mut Body) {
    let mut discarded = 0;
    while discarded < MAX_DISCARDED_BYTES
        && let Ok(Some(bytes)) = next(body).await
    {
        discarded += bytes.len();
    }
}

/// The next bytes of a body; `None` at its end.
async fn next(body: &mut Body) -> Result<Option<Bytes>> {
    loop {
        let frame = poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await;
        let frame = frame.transpose().map_err(|error| {
            let refused = error.into_inner().downcast::<Error>();
            refused.map_or_else(|_| Error::invalid("the request was cut off"), |it| *it)
        })?;
        // Trailers of a request mean nothing.
        match frame.map(http_body::Frame::into_data) {
            None => return Ok(None),
            Some(Ok(bytes)) => return Ok(Some(bytes)),
            Some(Err(_)) => {}
        }
    }
}
