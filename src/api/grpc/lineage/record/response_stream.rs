//! The responses of a stream, with heartbeats between them.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, Interval, interval_at};
use tokio_stream::Stream;

use crate::proto::pedigree::lineage::v1::RecordResponse;

/// What the task of a stream sends to its [`ResponseStream`].
pub(super) enum Outgoing {
    Response(RecordResponse),
    /// From now on, a silence of this length gets a heartbeat.
    Heartbeat(Duration),
}

pub(super) struct ResponseStream {
    receiver: Receiver<Outgoing>,
    /// Ticks after each silence; `None` while the client has not asked for heartbeats.
    silence: Option<Interval>,
}

impl ResponseStream {
    pub(super) const fn new(receiver: Receiver<Outgoing>) -> Self {
        Self {
            receiver,
            silence: None,
        }
    }
}

impl Stream for ResponseStream {
    type Item = RecordResponse;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        while let Poll::Ready(next) = self.receiver.poll_recv(context) {
            match next {
                Some(Outgoing::Heartbeat(period)) => {
                    self.silence = Some(interval_at(Instant::now() + period, period));
                }
                Some(Outgoing::Response(response)) => {
                    if let Some(silence) = &mut self.silence {
                        silence.reset();
                    }
                    return Poll::Ready(Some(response));
                }
                None => return Poll::Ready(None),
            }
        }
        let Some(silence) = &mut self.silence else {
            return Poll::Pending;
        };
        let heartbeat = || Some(RecordResponse::default());
        silence.poll_tick(context).map(|_| heartbeat())
    }
}
