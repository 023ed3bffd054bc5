//! A TCP proxy between a node and one of its peers, which can be made slow.

use std::collections::BTreeMap;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::cluster::Namespace;

/// Most bytes passed on at once; with a slow pace, this many wait for one delay.
const CHUNK_BYTES: usize = 16 * 1024;
/// Longest a connection onwards may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How fast a link is, in both directions; changes at any time.
#[derive(Debug, Default)]
pub(super) struct Pace {
    delay_us: AtomicU64,
    /// 0 if without bound.
    bytes_per_second: AtomicU64,
}

impl Pace {
    /// From now on, each chunk takes so long and so long for each of its bytes.
    pub(super) fn set(&self, delay: Duration, bytes_per_second: u64) {
        let delay = u64::try_from(delay.as_micros()).unwrap();
        self.delay_us.store(delay, Ordering::Relaxed);
        self.bytes_per_second
            .store(bytes_per_second, Ordering::Relaxed);
    }

    fn wait(&self, bytes: usize) {
        let mut wait = Duration::from_micros(self.delay_us.load(Ordering::Relaxed));
        let rate = self.bytes_per_second.load(Ordering::Relaxed);
        let bytes = u64::try_from(bytes).unwrap();
        wait += Duration::from_micros((bytes * 1_000_000).checked_div(rate).unwrap_or(0));
        if !wait.is_zero() {
            std::thread::sleep(wait);
        }
    }
}

type Pair = (TcpStream, TcpStream);

/// What its threads share.
#[derive(Debug)]
struct Shared {
    onwards: SocketAddr,
    pace: Arc<Pace>,
    stop: AtomicBool,
    open: Mutex<BTreeMap<u64, Pair>>,
}

/// Listens in a node's namespace and passes on to a peer; ends when dropped.
#[derive(Debug)]
pub(super) struct Proxy {
    namespace: Arc<Namespace>,
    listens: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Starts one.
    pub(super) fn start(
        namespace: &Arc<Namespace>,
        listens: SocketAddr,
        onwards: SocketAddr,
        pace: &Arc<Pace>,
    ) -> Self {
        let shared = Arc::new(Shared {
            onwards,
            pace: Arc::clone(pace),
            stop: AtomicBool::new(false),
            open: Mutex::new(BTreeMap::new()),
        });
        let its = Arc::clone(&shared);
        let thread = namespace.inside(move || {
            let listener = TcpListener::bind(listens).unwrap();
            std::thread::spawn(move || its.accept_all(&listener))
        });
        Self {
            namespace: Arc::clone(namespace),
            listens,
            shared,
            thread: Some(thread),
        }
    }
}

impl Shared {
    fn accept_all(self: &Arc<Self>, listener: &TcpListener) {
        for number in 0.. {
            let Ok((near, _)) = listener.accept() else {
                break;
            };
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            let shared = Arc::clone(self);
            std::thread::spawn(move || shared.connect(number, near));
        }
    }

    fn connect(self: Arc<Self>, number: u64, near: TcpStream) {
        // Whoever dialled sees the end of its connection if there is no way onwards.
        let Ok(far) = TcpStream::connect_timeout(&self.onwards, CONNECT_TIMEOUT) else {
            return;
        };
        let paired = || -> std::io::Result<Pair> {
            near.set_nodelay(true)?;
            far.set_nodelay(true)?;
            Ok((near.try_clone()?, far.try_clone()?))
        };
        let Ok(pair) = paired() else { return };
        self.open.lock().unwrap().insert(number, pair);
        if self.stop.load(Ordering::Relaxed) {
            return;
        }
        std::thread::scope(|scope| {
            scope.spawn(|| self.pump(&near, &far));
            self.pump(&far, &near);
        });
        self.open.lock().unwrap().remove(&number);
    }

    /// Passes on until either end closes, then closes both.
    fn pump(&self, mut from: &TcpStream, mut to: &TcpStream) {
        use std::io::{Read as _, Write as _};
        let mut buffer = vec![0; CHUNK_BYTES];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            self.pace.wait(count);
            if to.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        close(from);
        close(to);
    }
}

fn close(stream: &TcpStream) {
    // An error says that it is closed already.
    let _closed = stream.shutdown(Shutdown::Both);
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        let woken = self.namespace.inside(|| TcpStream::connect(self.listens));
        for (near, far) in self.shared.open.lock().unwrap().values() {
            close(near);
            close(far);
        }
        if let (Ok(_), Some(thread)) = (woken, self.thread.take()) {
            let _ended = thread.join();
        }
    }
}
