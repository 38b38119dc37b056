//! Response bodies that report their end.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::response::Response;
use http::HeaderMap;
use http_body::{Body as _, Frame, SizeHint};

/// The end of a response body.
pub(super) enum BodyEnd<'a> {
    /// With trailers.
    Trailers(&'a HeaderMap),
    /// Without trailers.
    Data,
    /// By an error of the handler.
    Error,
}

/// Follows a response to its end. It is dropped without a report if the response ends earlier, as
/// when the client disconnects.
pub(super) trait Follower: Send + Unpin + 'static {
    fn end(self, end: BodyEnd<'_>);

    /// Whether what there is of the response waits for its reader.
    fn set_unread(&mut self, _: bool) {}
}

/// A guard, such as a permit, lasts as long as the response.
pub(super) struct Guard<T>(pub(super) T);

impl<T: Send + Unpin + 'static> Follower for Guard<T> {
    fn end(self, _: BodyEnd<'_>) {}
}

/// Lets a follower see the end of a response.
pub(super) fn follow(response: Response, follower: impl Follower) -> Response {
    response.map(|body| {
        if body.is_end_stream() {
            follower.end(BodyEnd::Data);
            return body;
        }
        Body::new(Followed {
            body,
            follower: Some(follower),
        })
    })
}

struct Followed<F> {
    body: Body,
    /// None after its report.
    follower: Option<F>,
}

impl<F: Follower> http_body::Body for Followed<F> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if let Some(follower) = &mut self.follower {
            follower.set_unread(frame.is_ready());
        }
        let end = match &frame {
            Poll::Pending => None,
            Poll::Ready(None) => Some(BodyEnd::Data),
            Poll::Ready(Some(Err(_))) => Some(BodyEnd::Error),
            Poll::Ready(Some(Ok(frame))) => match frame.trailers_ref() {
                Some(trailers) => Some(BodyEnd::Trailers(trailers)),
                // A body whose length is known is not polled again.
                None => self.body.is_end_stream().then_some(BodyEnd::Data),
            },
        };
        if let Some(end) = end
            && let Some(follower) = self.follower.take()
        {
            follower.end(end);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
