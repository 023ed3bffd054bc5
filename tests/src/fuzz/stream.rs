//! What travels on a stream of the mesh: the preamble, then frames.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::AsyncRead;
use jangbu_mesh::frame::{Patience, ReadEnd, read_frame, read_preamble};
use jangbu_mesh::{Class, Fault};
use tokio::runtime::{Builder, Runtime};

use super::meter::{Allowance, frugal};
use super::{Seed, Seen, refused};
use crate::peer::PROTOCOL;

/// Frames as they are; beside them the 64 KiB that are set aside for an announced one.
const STREAM: Allowance = Allowance {
    per_byte: 8,
    base: 96 * 1024,
};

/// Nothing is ever awaited here: the stream yields what there is, and ends.
const PATIENCE: Patience = Patience {
    begin: None,
    go_on: Duration::from_secs(3_600),
};

thread_local! {
    static RUNTIME: RefCell<Runtime> =
        RefCell::new(Builder::new_current_thread().enable_time().build().unwrap());
}

/// How a stream ended.
#[derive(Debug, PartialEq, Eq)]
enum Ended {
    /// The line did.
    Line,
    /// The peer is to blame.
    Fault(Fault),
}

/// What was read of a stream.
#[derive(Debug, PartialEq, Eq)]
struct Heard {
    class: Option<Class>,
    frames: Vec<Vec<u8>>,
    ended: Ended,
}

/// Yields an input in pieces of so many bytes at the most.
struct Trickle<'a> {
    rest: &'a [u8],
    piece: usize,
}

impl AsyncRead for Trickle<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let count = self.piece.min(buffer.len()).min(self.rest.len());
        let (now, rest) = self.rest.split_at(count);
        buffer[..count].copy_from_slice(now);
        self.rest = rest;
        Poll::Ready(Ok(count))
    }
}

/// Reads a stream as a link does.
async fn hear(bytes: &[u8], piece: usize) -> Heard {
    let mut stream = Trickle { rest: bytes, piece };
    let mut heard = Heard {
        class: None,
        frames: Vec::new(),
        ended: Ended::Line,
    };
    let end = match read_preamble(&mut stream, PROTOCOL, PATIENCE.go_on).await {
        Ok(class) => {
            heard.class = Some(class);
            loop {
                match read_frame(&mut stream, class, PATIENCE).await {
                    Ok(frame) => heard.frames.push(frame),
                    Err(end) => break end,
                }
            }
        }
        Err(end) => end,
    };
    if let ReadEnd::Fault(fault) = end {
        heard.ended = Ended::Fault(fault);
    }
    heard
}

/// What is to be heard: `docs` of the format, said once more.
fn expected(bytes: &[u8]) -> Heard {
    let mut heard = Heard {
        class: None,
        frames: Vec::new(),
        ended: Ended::Line,
    };
    let unknown =
        |name: &[u8]| Ended::Fault(Fault::UnknownProtocol(name.escape_ascii().to_string()));
    let Some((length, rest)) = bytes.split_first_chunk::<4>() else {
        return heard;
    };
    let said = u32::from_be_bytes(*length) as usize;
    if said > 256 {
        heard.ended = unknown(length);
        return heard;
    }
    let Some((name, mut rest)) = rest.split_at_checked(said) else {
        return heard;
    };
    let (class, max) = match name {
        b"/jangbu/1/00/agreement" => (Class::Agreement, 1 << 20),
        b"/jangbu/1/00/bulk" => (Class::Bulk, 9 << 20),
        _ => {
            heard.ended = unknown(name);
            return heard;
        }
    };
    heard.class = Some(class);
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let announced = u32::from_be_bytes(*length);
        if announced > max {
            heard.ended = Ended::Fault(Fault::Oversize {
                class,
                bytes: announced,
            });
            break;
        }
        let Some((frame, after)) = after.split_at_checked(announced as usize) else {
            break;
        };
        heard.frames.push(frame.to_vec());
        rest = after;
    }
    heard
}

/// However a stream's bytes trickle in, the same frames are handed up, and the same fault is found.
pub(super) fn body(bytes: &[u8]) -> Seen {
    let expected = expected(bytes);
    for piece in [1, 7, 4_096, usize::MAX] {
        let heard = RUNTIME.with_borrow(|runtime| {
            frugal(bytes.len(), STREAM, || runtime.block_on(hear(bytes, piece)))
        });
        assert_eq!(heard, expected, "in pieces of {piece}");
    }
    if let Ended::Fault(fault) = &expected.ended {
        refused(fault);
    }
    match expected.class {
        Some(_) => Seen::Read,
        None => Seen::Refused,
    }
}

fn framed(parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend_from_slice(&u32::try_from(part.len()).unwrap().to_be_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}

pub(super) fn seeds() -> Vec<Seed> {
    let agreement = format!("{PROTOCOL}/agreement");
    let bulk = format!("{PROTOCOL}/bulk");
    let with = |name: &str, tail: &[u8]| [framed(&[name.as_bytes()]), tail.to_vec()].concat();
    let vote = [7_u8; 120];
    let read = |name: &str, bytes: Vec<u8>| Seed::new(name, bytes, Seen::Read);
    let no = |name: &str, bytes: Vec<u8>| Seed::new(name, bytes, Seen::Refused);
    vec![
        read(
            "agreement",
            with(&agreement, &framed(&[&vote, &[], b"x", &vote])),
        ),
        read("bulk", with(&bulk, &framed(&[&[1; 2_000], &[], &[]]))),
        read("silent", with(&bulk, &[])),
        read("signs-of-life", with(&agreement, &[0; 64])),
        read("stalled-in-a-length", with(&agreement, &[0, 0])),
        read("stalled-in-a-frame", with(&agreement, &[0, 0, 1, 0, 5])),
        read("announces-a-mebibyte", with(&agreement, &[0, 16, 0, 0, 5])),
        read("announces-too-much", with(&agreement, &[0, 16, 0, 1, 5])),
        read("announces-all", with(&bulk, &[255; 4])),
        no("another-chain", framed(&[b"/jangbu/1/ffff/agreement"])),
        no("another-class", framed(&[b"/jangbu/1/00/gossip"])),
        no("http", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec()),
        no(
            "multistream",
            b"\x13/multistream/1.0.0\n\x07/noise\n".to_vec(),
        ),
        no("no-name", framed(&[b""])),
        no("longest-name", framed(&[&[0xff; 256]])),
        no(
            "cut-in-the-name",
            framed(&[b"/jangbu/1/00/bulk"])[..9].to_vec(),
        ),
        no("nothing", Vec::new()),
    ]
}
