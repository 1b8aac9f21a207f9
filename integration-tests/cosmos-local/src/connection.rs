// SPDX-License-Identifier: Apache-2.0

//! Connections that can be cut off at will, and bodies that end too early.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::Sleep;

/// How long the first part of a broken body has to get onto the wire.
const FLUSH_TIME: Duration = Duration::from_millis(20);

/// The end of a connection, in the hands of the requests that run on it.
#[derive(Debug, Clone, Default)]
pub struct Cutter(Arc<Cut>);

#[derive(Debug, Default)]
struct Cut {
    reset: AtomicBool,
    notify: Notify,
}

impl Cutter {
    /// Ends the connection, with a TCP reset if wanted.
    pub fn cut(&self, reset: bool) {
        self.0.reset.store(reset, Ordering::Release);
        self.0.notify.notify_one();
    }

    /// Waits for the end.
    pub async fn wait(&self) {
        self.0.notify.notified().await;
    }
}

/// A TCP connection that ends with a reset when its cutter says so.
#[derive(Debug)]
pub struct Socket {
    stream: TcpStream,
    cutter: Cutter,
}

impl Socket {
    /// Takes over a connection.
    pub fn new(stream: TcpStream, cutter: Cutter) -> Self {
        Self { stream, cutter }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.cutter.0.reset.load(Ordering::Acquire) {
            // Without a reset the client would see an orderly end, which is the other kind of fault.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, data)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, data)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// How much more than it sends an answer announces that announces too much.
const EXCESS: u64 = 16;

/// The body of an answer.
#[derive(Debug)]
pub enum AnswerBody {
    /// All of it.
    Whole(Option<Bytes>),
    /// All of it, but more was announced.
    Long(Option<Bytes>, u64),
    /// The first part of it, then the end of the connection.
    Broken(Broken),
}

/// A body that announces more than it has.
#[derive(Debug)]
pub struct Broken {
    first: Option<Bytes>,
    announced: u64,
    cutter: Cutter,
    reset: bool,
    timer: Option<Pin<Box<Sleep>>>,
}

impl AnswerBody {
    /// Announces the whole body and sends the first half.
    pub fn broken(body: Bytes, cutter: Cutter, reset: bool) -> Self {
        // An answer without a body breaks in the middle of one that it never had.
        let announced = (body.len() as u64).max(2);
        Self::Broken(Broken {
            first: Some(body.slice(..body.len() / 2)),
            announced,
            cutter,
            reset,
            timer: None,
        })
    }

    /// Announces more than there is and ends as if that were all.
    pub fn long(body: Bytes) -> Self {
        let announced = body.len() as u64 + EXCESS;
        Self::Long(Some(body), announced)
    }

    /// How much the answer announces.
    pub fn announced(&self) -> u64 {
        match self {
            Self::Whole(body) => body.as_ref().map_or(0, |body| body.len() as u64),
            Self::Long(_, announced) => *announced,
            Self::Broken(broken) => broken.announced,
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let broken = match self.get_mut() {
            Self::Whole(body) | Self::Long(body, _) => {
                let body = body.take().filter(|body| !body.is_empty());
                return Poll::Ready(body.map(|body| Ok(Frame::data(body))));
            }
            Self::Broken(broken) => broken,
        };
        if let Some(first) = broken.first.take().filter(|first| !first.is_empty()) {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        let timer = broken
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(FLUSH_TIME)));
        if timer.as_mut().poll(context).is_ready() {
            broken.cutter.cut(broken.reset);
        }
        // The connection ends before another part could come.
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(body) => body.as_ref().is_none_or(Bytes::is_empty),
            // What was announced is still to come.
            Self::Long(..) | Self::Broken(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.announced())
    }
}
