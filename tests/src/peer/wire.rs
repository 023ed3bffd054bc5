//! A member's connection of which a test holds each stream.

use std::{future::poll_fn, io, task::Poll};

use futures::AsyncWriteExt;
use jangbu_mesh::{Keypair, Multiaddr};
use libp2p::core::muxing::{StreamMuxerBox, StreamMuxerExt, SubstreamBox};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use super::{PROTOCOL, expect, identity, raw};

/// A member's connection of which we hold each stream.
#[derive(Debug)]
pub struct Wire {
    protocol: String,
    opens: mpsc::Sender<oneshot::Sender<SubstreamBox>>,
    driver: JoinHandle<()>,
}

impl Wire {
    /// Dials with the key numbered `seed`.
    pub async fn connect(seed: u8, address: Multiaddr) -> Self {
        Self::dial(&identity(seed), address, PROTOCOL)
            .await
            .unwrap()
    }

    /// Dials with a key.
    ///
    /// # Errors
    ///
    /// Why the other side let us not in.
    pub async fn dial(identity: &Keypair, address: Multiaddr, protocol: &str) -> io::Result<Self> {
        let mut muxer = raw::tapped_dial(identity, address).await.upgraded?;
        let (opens, mut asked) = mpsc::channel::<oneshot::Sender<SubstreamBox>>(4);
        let driver = tokio::spawn(async move {
            let mut opening: Option<oneshot::Sender<SubstreamBox>> = None;
            // The node's streams are accepted and never read.
            let mut unread = Vec::new();
            loop {
                tokio::select! {
                    ask = asked.recv(), if opening.is_none() => match ask {
                        Some(ask) => opening = Some(ask),
                        None => return,
                    },
                    step = next(&mut muxer, opening.is_some()) => match step {
                        Ok((stream, true)) => drop(opening.take().unwrap().send(stream)),
                        Ok((stream, false)) => unread.push(stream),
                        Err(_) => return,
                    },
                }
            }
        });
        Ok(Self {
            protocol: protocol.to_owned(),
            opens,
            driver,
        })
    }

    /// Opens a stream and says nothing on it.
    pub async fn open_unnamed(&mut self) -> SubstreamBox {
        let (reply, opened) = oneshot::channel();
        self.opens.send(reply).await.unwrap();
        expect("a stream", opened).await.unwrap()
    }

    /// Opens a stream of that name.
    pub async fn open(&mut self, name: &str) -> SubstreamBox {
        let mut stream = self.open_unnamed().await;
        let mut preamble = u32::try_from(name.len()).unwrap().to_be_bytes().to_vec();
        preamble.extend_from_slice(name.as_bytes());
        stream.write_all(&preamble).await.unwrap();
        // The node may close the connection at the sight of this stream.
        let _closed = stream.flush().await;
        stream
    }

    /// Opens a stream of each class, as a correct member does.
    pub async fn open_both(&mut self) -> Vec<SubstreamBox> {
        let names = ["agreement", "bulk"].map(|class| format!("{}/{class}", self.protocol));
        let agreement = self.open(&names[0]).await;
        vec![agreement, self.open(&names[1]).await]
    }

    /// Waits until the node has closed the connection.
    pub async fn closed(self) {
        expect("the connection is closed", self.driver)
            .await
            .unwrap();
    }
}

/// The next stream, and whether it is one that we opened.
async fn next(muxer: &mut StreamMuxerBox, open: bool) -> io::Result<(SubstreamBox, bool)> {
    poll_fn(|cx| {
        while let Poll::Ready(event) = muxer.poll_unpin(cx) {
            event?;
        }
        if open && let Poll::Ready(stream) = muxer.poll_outbound_unpin(cx) {
            return Poll::Ready(stream.map(|stream| (stream, true)));
        }
        muxer
            .poll_inbound_unpin(cx)
            .map_ok(|stream| (stream, false))
    })
    .await
}
