//! Streamed responses: backpressure from the client, a bound on slow readers, and cancellation.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::sync::mpsc::{self, Sender};
use tokio::task::JoinError;
use tokio::time::timeout;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use tonic::Status;
use tracing::{Instrument, Span};

use super::status;
use crate::error::{Error, Result};

/// Capacity of the channel between a task and its client, in responses.
const CHANNEL_RESPONSES: usize = 2;

/// The responses of a streaming method, in the span of the request. Logs the error that ends it.
pub struct Responses<T> {
    stream: Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>,
    span: Span,
}

impl<T> Responses<T> {
    pub(super) fn new(stream: impl Stream<Item = Result<T, Status>> + Send + 'static) -> Self {
        Self {
            stream: Box::pin(stream),
            span: Span::current(),
        }
    }

    /// The responses that a task sends to its sink. Dropping them aborts the task; an error of the
    /// task comes after everything that it sent before.
    pub(super) fn from_task<Work, Running>(
        tasks: &TaskTracker,
        slow_reader_timeout: Duration,
        work: Work,
    ) -> Self
    where
        T: Send + 'static,
        Work: FnOnce(ResponseSink<T>) -> Running,
        Running: Future<Output = Result<()>> + Send + 'static,
    {
        let (sender, receiver) = mpsc::channel(CHANNEL_RESPONSES);
        let work = work(ResponseSink {
            sender,
            slow_reader_timeout,
            buffered: VecDeque::new(),
        });
        let task = async move { work.await.map_err(Status::from) };
        let task = tasks.spawn(task.in_current_span());
        Self::with_task(ReceiverStream::new(receiver), AbortOnDropHandle::new(task))
    }

    /// Responses that a task sends through a channel. The task ends by itself when the channel is
    /// closed. Its error or panic comes after everything that it has sent.
    pub(super) fn with_task(
        responses: impl Stream<Item = T> + Send + Unpin + 'static,
        task: impl Future<Output = TaskEnd> + Send + 'static,
    ) -> Self
    where
        T: Send + 'static,
    {
        Self::new(TaskResponses {
            responses,
            task: Some(Box::pin(task)),
        })
    }
}

impl<T> Stream for Responses<T> {
    type Item = Result<T, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = self.stream.as_mut().poll_next(context);
        if let Poll::Ready(Some(Err(status))) = &next {
            self.span.in_scope(|| status::log(status));
        }
        next
    }
}

/// The sending half of a streamed response.
pub(super) struct ResponseSink<T> {
    sender: Sender<T>,
    slow_reader_timeout: Duration,
    /// Responses to send before any other.
    buffered: VecDeque<T>,
}

impl<T> ResponseSink<T> {
    /// Sends the buffered responses and this one, each as soon as the channel has room.
    ///
    /// # Errors
    ///
    /// `Exhausted` when the client reads nothing for the slow reader timeout, `Internal` when the
    /// client has disconnected and this task is about to be aborted.
    pub(super) async fn send(&mut self, response: T) -> Result<()> {
        self.buffered.push_back(response);
        while let Some(next) = self.buffered.pop_front() {
            match timeout(self.slow_reader_timeout, self.sender.send(next)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(Error::internal("the client disconnected")),
                Err(_) => {
                    return Err(Error::Exhausted(format!(
                        "the client read nothing for {} s while its response held a database \
                         connection: read faster, or ask for less at a time",
                        self.slow_reader_timeout.as_secs_f64()
                    )));
                }
            }
        }
        Ok(())
    }

    /// Sends a response if the channel has room, else buffers it for [`Self::send`]. Never waits.
    pub(super) fn try_send_or_buffer(&mut self, response: T) {
        self.buffered.push_back(response);
        while let Ok(permit) = self.sender.try_reserve()
            && let Some(next) = self.buffered.pop_front()
        {
            permit.send(next);
        }
    }
}

struct TaskResponses<S> {
    responses: S,
    /// None once its result was taken.
    task: Option<Pin<Box<dyn Future<Output = TaskEnd> + Send>>>,
}

/// How the task of a stream ends.
type TaskEnd = Result<Result<(), Status>, JoinError>;

impl<S: Stream + Unpin> Stream for TaskResponses<S> {
    type Item = Result<S::Item, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(response) = ready!(Pin::new(&mut self.responses).poll_next(context)) {
            return Poll::Ready(Some(Ok(response)));
        }
        let Some(task) = &mut self.task else {
            return Poll::Ready(None);
        };
        let ended = ready!(task.as_mut().poll(context));
        self.task = None;
        let ended = ended.unwrap_or_else(|failure| {
            Err(Status::from(Error::Internal {
                context: "the task of a stream failed".into(),
                source: Some(failure.into()),
            }))
        });
        Poll::Ready(ended.err().map(Err))
    }
}

#[cfg(test)]
mod tests {
    use tokio_stream::StreamExt;
    use tonic::Code;

    use super::*;
    use crate::telemetry::Metrics;

    #[tokio::test]
    async fn an_error_comes_after_the_responses() {
        let mut responses = Responses::from_task(
            &TaskTracker::new(),
            Duration::from_mins(1),
            async |mut sink| {
                for number in 0..5 {
                    sink.try_send_or_buffer(number);
                }
                for number in 5..10 {
                    sink.send(number).await?;
                }
                Err(Error::NotFound("no more".into()))
            },
        );
        for number in 0..10 {
            assert_eq!(responses.next().await.unwrap().unwrap(), number);
        }
        let status = responses.next().await.unwrap().unwrap_err();
        assert_eq!(status.code(), Code::NotFound);
        assert!(responses.next().await.is_none());
    }

    /// A task that sends by itself, as those of `Record` and `Watch`.
    #[tokio::test]
    async fn a_panic_is_an_error_after_the_responses_and_is_counted() {
        let metrics = Metrics::of_process().unwrap();
        let before = metrics.value("pedigree_panics_total");
        let (sender, receiver) = mpsc::channel(1);
        let task = TaskTracker::new().spawn(async move {
            sender.send(1).await.unwrap();
            panic!("on purpose")
        });
        let mut responses = Responses::with_task(ReceiverStream::new(receiver), task);
        assert_eq!(responses.next().await.unwrap().unwrap(), 1);
        let status = responses.next().await.unwrap().unwrap_err();
        assert_eq!(status.code(), Code::Internal);
        assert!(responses.next().await.is_none());
        assert!(metrics.value("pedigree_panics_total") > before);
    }

    #[tokio::test]
    async fn a_slow_reader_gets_an_error() {
        let (giving_up, gave_up) = tokio::sync::oneshot::channel();
        let mut responses = Responses::from_task(
            &TaskTracker::new(),
            Duration::ZERO,
            async move |mut sink| {
                loop {
                    if let Err(error) = sink.send(()).await {
                        let _ = giving_up.send(());
                        return Err(error);
                    }
                }
            },
        );
        gave_up.await.unwrap();
        for _ in 0..CHANNEL_RESPONSES {
            responses.next().await.unwrap().unwrap();
        }
        let refused = responses.next().await.unwrap().unwrap_err();
        assert_eq!(refused.code(), Code::ResourceExhausted);
        assert!(responses.next().await.is_none());
    }

    #[tokio::test]
    async fn a_disconnected_client_aborts_the_task() {
        let (alive, mut ended) = mpsc::channel::<()>(1);
        let responses = Responses::from_task(
            &TaskTracker::new(),
            Duration::from_mins(1),
            async move |sink: ResponseSink<()>| {
                let _alive = alive;
                sink.sender.closed().await;
                std::future::pending().await
            },
        );
        drop(responses);
        assert!(ended.recv().await.is_none());
    }
}
