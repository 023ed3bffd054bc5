//! What travels on a stream: one preamble, then frames.
//!
//! ```text
//!   stream   := preamble frame*
//!   preamble := length:u32be name          name = "<protocol>/agreement" | "<protocol>/bulk"
//!   frame    := length:u32be bytes         length 0 = "still here", never handed up
//! ```
//!
//! A stream runs one way, from the peer that opened it. Public, because it is what a peer's bytes
//! meet first: whoever fuzzes or rebuilds the protocol reads it with this.

use std::{io, time::Duration};

use futures::{AsyncRead, AsyncReadExt};
use tokio::time::timeout;

use super::{Class, Fault};

/// Longest preamble: a protocol name holds a 32-byte chain id in hex, 64
/// characters, and little more.
pub(super) const PREAMBLE_BYTES_MAX: usize = 256;

/// Memory set aside at a time for a frame that is only announced so far: a
/// liar about lengths gets no more than it sends.
const CHUNK_BYTES: usize = 64 * 1024;

/// Why reading from a stream ended.
#[derive(Debug)]
pub enum ReadEnd {
    /// The line broke, or the peer closed it.
    Lost(io::Error),
    /// The peer broke the protocol.
    Fault(Fault),
}

impl From<io::Error> for ReadEnd {
    fn from(error: io::Error) -> Self {
        Self::Lost(error)
    }
}

impl From<Fault> for ReadEnd {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// The four bytes before `length` bytes, or `None` if they do not fit a `u32`.
pub(super) fn header(length: usize) -> Option<[u8; 4]> {
    u32::try_from(length).ok().map(u32::to_be_bytes)
}

/// Reads the preamble, within `stall`, and tells which class of `protocol` it opens.
///
/// # Errors
///
/// [`Fault::UnknownProtocol`] with what the peer said, [`Fault::Stalled`], or
/// the line's error.
pub async fn read_preamble(
    stream: &mut (impl AsyncRead + Unpin),
    protocol: &str,
    stall: Duration,
) -> Result<Class, ReadEnd> {
    let read = async {
        let mut length = [0; 4];
        stream.read_exact(&mut length).await?;
        let said = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if said > PREAMBLE_BYTES_MAX {
            // Most likely a text protocol: its first four characters tell which.
            return Err(unknown(&length));
        }
        let mut name = vec![0; said];
        stream.read_exact(&mut name).await?;
        Class::ALL
            .into_iter()
            .find(|class| name == class.preamble(protocol).as_bytes())
            .ok_or_else(|| unknown(&name))
    };
    timeout(stall, read)
        .await
        .unwrap_or(Err(ReadEnd::Fault(Fault::Stalled)))
}

/// What the peer said, fit for a log: printable ASCII only.
fn unknown(name: &[u8]) -> ReadEnd {
    ReadEnd::Fault(Fault::UnknownProtocol(name.escape_ascii().to_string()))
}

/// How long to wait for a peer's bytes.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For a frame to begin; `None` if none is due.
    pub begin: Option<Duration>,
    /// For each further 64 KiB of a begun frame.
    pub go_on: Duration,
}

/// Reads the next frame of `class`; empty means "still here".
///
/// # Errors
///
/// [`Fault::Oversize`], [`Fault::Stalled`] within a frame, [`Fault::Silent`]
/// before one, or the line's error.
pub async fn read_frame(
    stream: &mut (impl AsyncRead + Unpin),
    class: Class,
    patience: Patience,
) -> Result<Vec<u8>, ReadEnd> {
    let mut length = [0; 4];
    let (first, rest) = length.split_at_mut(1);
    match patience.begin {
        Some(limit) => timeout(limit, stream.read_exact(first))
            .await
            .map_err(|_| Fault::Silent)??,
        None => stream.read_exact(first).await?,
    }
    timeout(patience.go_on, stream.read_exact(rest))
        .await
        .map_err(|_| Fault::Stalled)??;
    let length = u32::from_be_bytes(length);
    let bytes = usize::try_from(length).unwrap_or(usize::MAX);
    if bytes > class.frame_bytes_max() {
        return Err(Fault::Oversize {
            class,
            bytes: length,
        }
        .into());
    }
    let mut frame = Vec::new();
    while frame.len() < bytes {
        let begun = frame.len();
        frame.resize(bytes.min(begun.saturating_add(CHUNK_BYTES)), 0);
        let (_, chunk) = frame.split_at_mut(begun);
        timeout(patience.go_on, stream.read_exact(chunk))
            .await
            .map_err(|_| Fault::Stalled)??;
    }
    Ok(frame)
}

#[cfg(test)]
mod tests {
    use futures::{SinkExt, TryStreamExt, channel::mpsc, io::Cursor};

    use super::*;

    const PATIENCE: Patience = Patience {
        begin: None,
        go_on: Duration::from_millis(20),
    };

    fn framed(payload: &[u8]) -> Vec<u8> {
        let mut bytes = header(payload.len()).unwrap().to_vec();
        bytes.extend_from_slice(payload);
        bytes
    }

    #[tokio::test]
    async fn a_frame_survives_the_wire() {
        let payload = vec![7; 3 * CHUNK_BYTES + 1];
        let mut wire = Cursor::new(framed(&payload));
        assert_eq!(
            read_frame(&mut wire, Class::Agreement, PATIENCE)
                .await
                .unwrap(),
            payload
        );
    }

    #[tokio::test]
    async fn an_announced_frame_over_the_limit_is_refused_unread() {
        let mut wire = Cursor::new(u32::MAX.to_be_bytes());
        let end = read_frame(&mut wire, Class::Bulk, PATIENCE)
            .await
            .unwrap_err();
        assert!(matches!(
            end,
            ReadEnd::Fault(Fault::Oversize {
                class: Class::Bulk,
                bytes: u32::MAX
            })
        ));
    }

    #[tokio::test]
    async fn a_peer_that_stalls_within_a_frame_is_found_out() {
        let (mut theirs, line) = mpsc::channel::<io::Result<Vec<u8>>>(4);
        theirs.send(Ok(vec![0, 0, 0, 9, 1])).await.unwrap();
        let end = read_frame(&mut line.into_async_read(), Class::Agreement, PATIENCE).await;
        assert!(matches!(end, Err(ReadEnd::Fault(Fault::Stalled))));
    }

    #[tokio::test]
    async fn silence_is_a_fault_only_where_a_frame_is_due() {
        let (_theirs, line) = mpsc::channel::<io::Result<Vec<u8>>>(4);
        let mut line = line.into_async_read();
        let waiting = read_frame(&mut line, Class::Bulk, PATIENCE);
        assert!(timeout(3 * PATIENCE.go_on, waiting).await.is_err());
        let due = Patience {
            begin: Some(PATIENCE.go_on),
            ..PATIENCE
        };
        let end = read_frame(&mut line, Class::Agreement, due).await;
        assert!(matches!(end, Err(ReadEnd::Fault(Fault::Silent))));
    }

    #[tokio::test]
    async fn a_preamble_of_another_chain_opens_nothing() {
        let mut wire = Cursor::new(framed(b"/jangbu/1/ff/agreement"));
        let end = read_preamble(&mut wire, "/jangbu/1/00", PATIENCE.go_on)
            .await
            .unwrap_err();
        assert!(matches!(end, ReadEnd::Fault(Fault::UnknownProtocol(name)) if name.contains("ff")));
    }
}
