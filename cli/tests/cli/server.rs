//! An HTTP server that answers as a test tells it, or does not.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Path with query.
    pub(crate) target: String,
    pub(crate) body: Vec<u8>,
}

/// What to do with it.
pub(crate) enum Reply {
    /// Answer with a status and a body of JSON.
    Json(u16, String),
    /// Answer with a status and anything.
    Text(u16, Vec<u8>),
    /// A problem document of this name, with `Retry-After: 0`.
    Problem(u16, &'static str),
    /// Close the connection.
    Close,
    /// Say nothing until the client goes away.
    Hang,
    /// Begin an answer, and say no more until the client goes away.
    HangHalfway,
}

/// A running server.
pub(crate) struct Server {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) fn start(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (seen, stopped) = (Arc::clone(&requests), Arc::clone(&stop));
        let answer = Arc::new(answer);
        let thread = std::thread::spawn(move || {
            let mut connections = Vec::new();
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    break;
                }
                let Ok(stream) = stream else { continue };
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                connections.push(std::thread::spawn(move || {
                    serve(stream, &seen, answer.as_ref());
                }));
            }
            for connection in connections {
                connection.join().unwrap();
            }
        });
        Self {
            address,
            requests,
            stop,
            thread: Some(thread),
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All requests so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// Bodies of the POSTs so far.
    pub(crate) fn posted(&self) -> Vec<Vec<u8>> {
        let posts = |request: Request| (request.method == "POST").then_some(request.body);
        self.requests().into_iter().filter_map(posts).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the listener.
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// An address at which nobody listens.
pub(crate) fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

fn serve(mut stream: TcpStream, seen: &Mutex<Vec<Request>>, answer: &dyn Fn(&Request) -> Reply) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let Some(request) = read(&mut reader) else {
        return;
    };
    seen.lock().unwrap().push(request.clone());
    let reply = answer(&request);
    let (status, kind, body) = match reply {
        Reply::Json(status, body) => (status, "application/json", body.into_bytes()),
        Reply::Text(status, body) => (status, "text/html", body),
        Reply::Problem(status, name) => {
            let body = format!(
                r#"{{"type":"urn:jangbu:problem:{name}","title":"t","status":{status},"detail":"says {name}"}}"#
            );
            (status, "application/problem+json", body.into_bytes())
        }
        Reply::Close => return,
        Reply::Hang | Reply::HangHalfway => {
            if matches!(reply, Reply::HangHalfway) {
                let half = b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{";
                let _ = stream.write_all(half);
            }
            // Ends when the client does.
            let _ = reader.read_to_end(&mut Vec::new());
            return;
        }
    };
    let head = format!(
        "HTTP/1.1 {status} x\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\
         retry-after: 0\r\nconnection: close\r\n\r\n",
        body.len()
    );
    // The client may have gone away.
    let _ = stream
        .write_all(head.as_bytes())
        .and_then(|()| stream.write_all(&body));
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let header = header.trim().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request {
        method,
        target,
        body,
    })
}
