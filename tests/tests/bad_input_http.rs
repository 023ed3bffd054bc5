//! Clients that do not speak HTTP, or speak it badly, disturb nobody.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use jangbu_tests::cluster::{Client, Cluster, PATIENCE, issue, item, wait_until};

/// Connections that a stalling client opens: more than a node takes requests at a time.
const STALLED: usize = 1500;

/// Sends bytes and reads until the node closes; an empty answer if it closed without one.
fn exchange(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // The node may close before all is sent; what it answered counts.
    let _closed = stream.write_all(bytes);
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
        Err(error) => panic!("the node neither answered nor closed: {error}"),
    }
    String::from_utf8_lossy(&answer).into_owned()
}

fn status(answer: &str) -> Option<u16> {
    answer.split(' ').nth(1)?.parse().ok()
}

#[test]
fn what_is_no_http_is_closed_and_what_is_too_long_is_said_to_be() {
    let cluster = Cluster::start();
    let address = cluster.nodes[0].api;
    for (what, bytes, expected) in [
        ("zeros", vec![0; 4096], Some(400)),
        ("a TLS hello", vec![0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3], Some(400)),
        ("text", b"hello\r\n\r\n".to_vec(), Some(400)),
        ("no version", b"GET /livez\r\n\r\n".to_vec(), Some(400)),
        ("two lengths", b"POST /v1/envelopes HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab".to_vec(), Some(400)),
        ("a length that is no number", b"POST /v1/envelopes HTTP/1.1\r\nhost: a\r\ncontent-length: x\r\n\r\n".to_vec(), Some(400)),
        (
            "a ledger known of that is none",
            b"GET /v1/status HTTP/1.1\r\nhost: a\r\njangbu-known: 12\r\nconnection: close\r\n\r\n".to_vec(),
            Some(400),
        ),
        (
            "a header of a megabyte",
            [b"GET /livez HTTP/1.1\r\nx: ".as_slice(), &vec![b'a'; 1024 * 1024], b"\r\n\r\n"].concat(),
            Some(431),
        ),
        (
            "a thousand headers",
            [b"GET /livez HTTP/1.1\r\n".as_slice(), &b"x: y\r\n".repeat(1000), b"\r\n"].concat(),
            Some(431),
        ),
        (
            "a path of a megabyte",
            [b"GET /".as_slice(), &vec![b'a'; 1024 * 1024], b" HTTP/1.1\r\nhost: a\r\n\r\n"].concat(),
            None,
        ),
        (
            "a chunked body without end",
            [
                b"POST /v1/envelopes HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n".as_slice(),
                &[b"10000\r\n".as_slice(), &vec![0; 0x1_0000], b"\r\n"].concat().repeat(17),
            ]
            .concat(),
            Some(413),
        ),
    ] {
        let answer = exchange(address, &bytes);
        if let Some(expected) = expected {
            assert_eq!(status(&answer), Some(expected), "{what}: {answer:?}");
        } else {
            assert!(matches!(status(&answer), Some(400..=499)), "{what}: {answer:?}");
        }
        assert_eq!(cluster.nodes[0].client().get("/readyz").status, 200, "{what}");
    }
}

#[test]
fn clients_that_stall_are_closed_and_keep_nobody_out() {
    let cluster = Cluster::start();
    let address = cluster.nodes[0].api;
    let mut stalled = Vec::new();
    for number in 0..STALLED {
        let mut stream = TcpStream::connect(address).unwrap();
        let begun: &[u8] = match number % 3 {
            0 => b"",
            1 => b"GET /livez HTTP/1.1\r\nhost: a\r\nx: ",
            _ => b"POST /v1/envelopes HTTP/1.1\r\nhost: a\r\ncontent-length: 500\r\n\r\n\x01",
        };
        stream.write_all(begun).unwrap();
        stalled.push(stream);
    }
    // A good client is served, at the latest when the stalled ones have been closed.
    let client = Client::new(address);
    let envelope = cluster.author("cml1").envelope(vec![issue(item(1))]);
    wait_until("an envelope is final beside stalling clients", || {
        let answer = client.try_submit(&envelope)?;
        match answer.status {
            200 => Ok(()),
            _ => Err(answer.to_string()),
        }
    });
    for mut stream in stalled {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut answer = Vec::new();
        match stream.read_to_end(&mut answer) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
            Err(error) => panic!("a stalled connection stays open: {error}"),
        }
    }
    assert_eq!(client.get("/readyz").status, 200);
}

#[test]
fn a_client_that_trickles_its_request_is_closed() {
    let cluster = Cluster::start();
    let mut stream = TcpStream::connect(cluster.nodes[0].api).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    stream.write_all(b"GET /livez HTTP/1.1\r\nx: ").unwrap();
    // One byte now and then is progress of a kind, and must not last for ever.
    wait_until("the trickling client is closed", || {
        if stream.write_all(b"a").is_err() {
            return Ok(());
        }
        match stream.read(&mut [0; 1024]) {
            Ok(0) => Ok(()),
            Ok(_) => Err("it answers".to_owned()),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                Err("it waits".to_owned())
            }
            Err(_) => Ok(()),
        }
    });
    assert_eq!(cluster.nodes[0].client().get("/readyz").status, 200);
}
