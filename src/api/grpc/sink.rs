//! Responses that a task of their own makes, no faster than the client reads them and no longer than it is there.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::time::timeout;
use tokio_stream::Stream;
use tokio_util::task::AbortOnDropHandle;
use tonic::Status;

use crate::error::{Error, Result};

/// How many responses wait for a client that reads more slowly than they are made.
const WAITING: usize = 2;

/// Responses, as they come.
pub(super) type Responses<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Where a task puts its responses.
pub(super) struct Outlet<T> {
    sender: Sender<T>,
    patience: Duration,
    /// What comes before anything that is sent later.
    kept: VecDeque<T>,
}

impl<T> Outlet<T> {
    /// Sends what was kept and then a response, each as soon as there is room for it.
    ///
    /// # Errors
    ///
    /// `Exhausted` when the client has not read for too long, `Cancelled` when it is gone.
    pub(super) async fn send(&mut self, response: T) -> Result<()> {
        self.kept.push_back(response);
        while let Some(next) = self.kept.pop_front() {
            match timeout(self.patience, self.sender.send(next)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(Error::Cancelled("the client is gone".into())),
                Err(_) => {
                    return Err(Error::Exhausted(format!(
                        "the client read nothing for {} s, and the server keeps for nobody longer what others need: read faster, \
                         or ask for less at a time",
                        self.patience.as_secs_f64()
                    )));
                }
            }
        }
        Ok(())
    }

    /// Sends a response if there is room for it, and otherwise keeps it in memory for [`Self::send`]: for who cannot wait.
    pub(super) fn keep(&mut self, response: T) {
        self.kept.push_back(response);
        while let Ok(room) = self.sender.try_reserve()
            && let Some(next) = self.kept.pop_front()
        {
            room.send(next);
        }
    }
}

/// The responses of a task, which ends when they are dropped. An error of the task comes after what it had sent before.
pub(super) fn stream<T, Work, Running>(patience: Duration, work: Work) -> Responses<T>
where
    T: Send + 'static,
    Work: FnOnce(Outlet<T>) -> Running,
    Running: Future<Output = Result<()>> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(WAITING);
    let task = tokio::spawn(work(Outlet {
        sender,
        patience,
        kept: VecDeque::new(),
    }));
    Box::pin(Sent {
        receiver,
        task: Some(AbortOnDropHandle::new(task)),
    })
}

struct Sent<T> {
    receiver: Receiver<T>,
    /// Until it was asked how it ended.
    task: Option<AbortOnDropHandle<Result<()>>>,
}

impl<T> Stream for Sent<T> {
    type Item = Result<T, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(response) = ready!(self.receiver.poll_recv(context)) {
            return Poll::Ready(Some(Ok(response)));
        }
        let Some(task) = &mut self.task else {
            return Poll::Ready(None);
        };
        let ended = ready!(Pin::new(task).poll(context));
        self.task = None;
        let ended = ended.unwrap_or_else(|fault| {
            Err(Error::Internal {
                context: "a stream ended in a fault".into(),
                source: Some(fault.into()),
            })
        });
        Poll::Ready(ended.err().map(|error| Err(error.into())))
    }
}

#[cfg(test)]
mod tests {
    use tokio_stream::StreamExt;
    use tonic::Code;

    use super::*;

    #[tokio::test]
    async fn an_error_comes_after_what_was_sent() {
        let mut responses = stream(Duration::from_mins(1), async |mut outlet| {
            for number in 0..5 {
                outlet.keep(number);
            }
            for number in 5..10 {
                outlet.send(number).await?;
            }
            Err(Error::NotFound("no more".into()))
        });
        for number in 0..10 {
            assert_eq!(responses.next().await.unwrap().unwrap(), number);
        }
        let status = responses.next().await.unwrap().unwrap_err();
        assert_eq!(status.code(), Code::NotFound);
        assert!(responses.next().await.is_none());
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_is_told_why_it_gets_no_more() {
        let (giving_up, gave_up) = tokio::sync::oneshot::channel();
        let mut responses = stream(Duration::ZERO, async move |mut outlet| {
            loop {
                if let Err(error) = outlet.send(()).await {
                    let _ = giving_up.send(());
                    return Err(error);
                }
            }
        });
        gave_up.await.unwrap();
        for _ in 0..WAITING {
            responses.next().await.unwrap().unwrap();
        }
        let refused = responses.next().await.unwrap().unwrap_err();
        assert_eq!(refused.code(), Code::ResourceExhausted);
        assert!(responses.next().await.is_none());
    }

    #[tokio::test]
    async fn a_client_that_goes_away_ends_the_task() {
        let (alive, mut ended) = mpsc::channel::<()>(1);
        let responses = stream(Duration::from_mins(1), async move |outlet: Outlet<()>| {
            let _alive = alive;
            outlet.sender.closed().await;
            std::future::pending().await
        });
        drop(responses);
        assert!(ended.recv().await.is_none());
    }
}
