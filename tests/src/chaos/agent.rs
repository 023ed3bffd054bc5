//! A node's neighbour: a thread in its network that hands it envelopes and reads its numbers.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::cluster::{Answer, Site};

/// How long a node is asked to wait for finality, and how long it is waited for.
const SUBMIT_WAIT_MS: u64 = 10_000;
const SUBMIT_TIMEOUT: Duration = Duration::from_secs(15);
/// How often a node's numbers are read, and how long that may take.
const READ_INTERVAL: Duration = Duration::from_millis(500);
const READ_TIMEOUT: Duration = Duration::from_secs(3);

/// An envelope to hand in.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) number: u64,
    pub(super) bytes: Vec<u8>,
}

/// What became of handing it in.
#[derive(Debug)]
pub(super) struct Tried {
    pub(super) number: u64,
    pub(super) bytes: Vec<u8>,
    pub(super) at: Instant,
    pub(super) answer: Result<Answer, String>,
}

/// A node's numbers at one moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    pub(super) at: Instant,
    pub(super) height: u64,
    pub(super) final_height: u64,
    pub(super) memory_bytes: u64,
    /// Open descriptors of the process.
    pub(super) descriptors: usize,
}

/// The readings of one node, oldest first.
pub(super) type Readings = Arc<Mutex<Vec<Reading>>>;

/// The thread; ends when dropped, whatever it waits for.
#[derive(Debug)]
pub(super) struct Agent {
    jobs: Option<UnboundedSender<Job>>,
    readings: Readings,
    process: Arc<AtomicU32>,
    thread: Option<JoinHandle<()>>,
}

impl Agent {
    /// Starts one beside a node; what it tries is told to `tried`.
    pub(super) fn start(site: &Site, tried: Sender<Tried>) -> Self {
        let (jobs, inbox) = unbounded_channel();
        let readings = Readings::default();
        let process = Arc::new(AtomicU32::new(0));
        let watch = Watch {
            url: format!("http://{}/metrics", site.api),
            readings: Arc::clone(&readings),
            process: Arc::clone(&process),
        };
        let api = site.api;
        let thread = site.inside(move || {
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                runtime.block_on(serve(api, inbox, tried, watch));
            })
        });
        Self {
            jobs: Some(jobs),
            readings,
            process,
            thread: Some(thread),
        }
    }

    /// Where it takes envelopes.
    pub(super) fn jobs(&self) -> UnboundedSender<Job> {
        self.jobs.clone().expect("it lives")
    }

    /// The node's process from now on.
    pub(super) fn set_process(&self, process: Option<u32>) {
        self.process.store(process.unwrap_or(0), Ordering::Relaxed);
    }

    /// What was read so far.
    pub(super) fn readings(&self) -> Vec<Reading> {
        self.readings.lock().unwrap().clone()
    }

    /// What was read last.
    pub(super) fn last(&self) -> Option<Reading> {
        self.readings.lock().unwrap().last().copied()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            if ended.is_err() {
                eprintln!("an agent failed");
            }
        }
    }
}

struct Watch {
    url: String,
    readings: Readings,
    process: Arc<AtomicU32>,
}

/// Hands in what comes, each envelope on a task of its own, until nothing more can come.
async fn serve(
    api: SocketAddr,
    mut inbox: UnboundedReceiver<Job>,
    tried: Sender<Tried>,
    watch: Watch,
) {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    tokio::spawn(watch.read_on(http.clone()));
    let url = format!("http://{api}/v1/envelopes?timeout_ms={SUBMIT_WAIT_MS}");
    while let Some(job) = inbox.recv().await {
        let (http, url, tried) = (http.clone(), url.clone(), tried.clone());
        tokio::spawn(async move {
            let request = http.post(url).timeout(SUBMIT_TIMEOUT);
            let answer = ask(request.body(job.bytes.clone())).await;
            // Nobody listens any more once the load has all it needs.
            let _heard = tried.send(Tried {
                number: job.number,
                bytes: job.bytes,
                at: Instant::now(),
                answer,
            });
        });
    }
}

async fn ask(request: reqwest::RequestBuilder) -> Result<Answer, String> {
    let said = |error: reqwest::Error| {
        let kind = match &error {
            error if error.is_connect() => "no connection",
            error if error.is_timeout() => "no answer in time",
            _ => "the connection broke",
        };
        kind.to_owned()
    };
    let response = request.send().await.map_err(said)?;
    let status = response.status().as_u16();
    let content_type = response.headers().get("content-type");
    let content_type = content_type.map_or_else(String::new, |value| {
        String::from_utf8_lossy(value.as_bytes()).into_owned()
    });
    let has_retry_after = response.headers().contains_key("retry-after");
    let body = response.bytes().await.map_err(said)?.to_vec();
    Ok(Answer {
        status,
        content_type,
        has_retry_after,
        body,
    })
}

impl Watch {
    async fn read_on(self, http: reqwest::Client) {
        loop {
            let answer = ask(http.get(&self.url).timeout(READ_TIMEOUT)).await;
            if let Some(reading) = answer.ok().and_then(|answer| self.reading(&answer)) {
                self.readings.lock().unwrap().push(reading);
            }
            tokio::time::sleep(READ_INTERVAL).await;
        }
    }

    fn reading(&self, answer: &Answer) -> Option<Reading> {
        let text = answer.text();
        let number = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().parse::<u64>().ok()
        };
        let process = self.process.load(Ordering::Relaxed);
        let descriptors = std::fs::read_dir(format!("/proc/{process}/fd")).ok()?;
        Some(Reading {
            at: Instant::now(),
            height: number("jangbu_height ")?,
            final_height: number("jangbu_final_height ")?,
            memory_bytes: number("process_resident_memory_bytes ")?,
            descriptors: descriptors.count(),
        })
    }
}
