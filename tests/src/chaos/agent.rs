//! A node's neighbour: a thread in its network that hands it envelopes and reads its numbers.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::sync::{Arc, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::watch::{Reading, Seen, Watch};
use crate::cluster::{Answer, Site};

/// How long a node is asked to wait for finality, and how long it is waited for.
const SUBMIT_WAIT_MS: u64 = 10_000;
const SUBMIT_TIMEOUT: Duration = Duration::from_secs(15);
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

/// The thread; ends when dropped, whatever it waits for.
#[derive(Debug)]
pub(super) struct Agent {
    jobs: Option<UnboundedSender<Job>>,
    watch: Arc<Watch>,
    thread: Option<JoinHandle<()>>,
}

impl Agent {
    /// Starts one beside a node; what it tries is told to `tried`.
    pub(super) fn start(site: &Site, tried: Sender<Tried>) -> Self {
        let (jobs, inbox) = unbounded_channel();
        let watch = Arc::new(Watch::default());
        let (api, watched) = (site.api, Arc::clone(&watch));
        let thread = site.inside(move || {
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                runtime.block_on(serve(api, inbox, tried, watched));
            })
        });
        Self {
            jobs: Some(jobs),
            watch,
            thread: Some(thread),
        }
    }

    /// Where it takes envelopes.
    pub(super) fn jobs(&self) -> UnboundedSender<Job> {
        self.jobs.clone().expect("it lives")
    }

    /// The node's process from now on.
    pub(super) fn set_process(&self, process: Option<u32>) {
        self.watch
            .process
            .store(process.unwrap_or(0), Ordering::Relaxed);
    }

    /// What was seen so far.
    pub(super) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.watch.seen.lock().unwrap()
    }

    /// What was read last.
    pub(super) fn last(&self) -> Option<Reading> {
        self.seen().readings.last().copied()
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

/// Hands in what comes, each envelope on a task of its own, until nothing more can come.
async fn serve(
    api: SocketAddr,
    mut inbox: UnboundedReceiver<Job>,
    tried: Sender<Tried>,
    watch: Arc<Watch>,
) {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let numbers = format!("http://{api}/metrics");
    tokio::spawn(Arc::clone(&watch).read_on(http.clone(), numbers));
    let url = format!("http://{api}/v1/envelopes?timeout_ms={SUBMIT_WAIT_MS}");
    while let Some(job) = inbox.recv().await {
        let (http, url, tried) = (http.clone(), url.clone(), tried.clone());
        let watch = Arc::clone(&watch);
        tokio::spawn(async move {
            let request = http.post(url).timeout(SUBMIT_TIMEOUT);
            watch.waiting.fetch_add(1, Ordering::Relaxed);
            let answer = ask(request.body(job.bytes.clone())).await;
            watch.waiting.fetch_sub(1, Ordering::Relaxed);
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

pub(super) async fn ask(request: reqwest::RequestBuilder) -> Result<Answer, String> {
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
