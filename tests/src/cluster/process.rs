//! One `jangbu-node` process: configured, started, signalled, killed.

use std::fs::{self, File, OpenOptions};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::{Client, Consortium, Site, wait_until};
use crate::binary::binary;

/// Lines of a node's log that a failed test prints.
const LOG_TAIL_LINES: usize = 60;

/// A member's node, running or not.
#[derive(Debug)]
pub struct NodeProcess {
    /// The member's name.
    pub name: String,
    /// Its configuration file.
    pub config: PathBuf,
    /// Its data directory.
    pub data: PathBuf,
    /// Where it serves its API.
    pub api: SocketAddr,
    site: Site,
    log: PathBuf,
    child: Option<Child>,
}

impl NodeProcess {
    /// Writes the configuration of a member's node, in the member's own directory.
    #[must_use]
    pub fn configure(consortium: &Consortium, name: &str, site: &Site) -> Self {
        let home = consortium.home(name);
        let node = Self {
            name: name.to_owned(),
            config: home.join("node.toml"),
            data: home.join("data"),
            api: site.api,
            site: site.clone(),
            log: home.join("node.log"),
            child: None,
        };
        let mut text = format!(
            "data_dir = \"data\"\n\
             genesis = \"../genesis.json\"\n\
             keystore = \"keys\"\n\
             passphrase_file = \"passphrase\"\n\
             member = \"{name}\"\n\
             [api]\n\
             listen = \"{}\"\n\
             [peers]\n\
             listen = \"{}\"\n\
             [log]\n\
             level = \"info,arc_malachitebft_core_consensus=warn,jangbu_replica=debug\"\n",
            site.api, site.peers,
        );
        if !site.detours.is_empty() {
            text += "[peers.addresses]\n";
            for (member, address) in &site.detours {
                text += &format!("{member} = [\"{address}\"]\n");
            }
        }
        fs::write(&node.config, text).unwrap();
        node
    }

    /// Starts the process, unless it runs; founds its database the first time.
    pub fn start(&mut self) {
        if self.child.is_some() {
            return;
        }
        if !self.data.join("ledger").exists() {
            self.found();
        }
        self.start_as_it_is(&[]);
    }

    /// Says by `jangbu-node init` that this node never voted before.
    pub fn found(&self) {
        let init = Command::new(binary("jangbu-node"))
            .args(["init", "--config"])
            .arg(&self.config)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&init.stderr);
        assert!(init.status.success(), "{}: {said}", self.name);
    }

    /// Starts the process over what there is of a database, with these arguments more.
    pub fn start_as_it_is(&mut self, arguments: &[&str]) {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)
            .unwrap();
        self.child = Some(self.spawn(log, arguments));
    }

    /// `jangbu-node run` with this configuration.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = Command::new(binary("jangbu-node"));
        command
            .args(["run", "--config"])
            .arg(&self.config)
            .env_remove("JANGBU_PASSPHRASE")
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        command
    }

    fn spawn(&self, log: File, arguments: &[&str]) -> Child {
        let mut command = self.command();
        command.args(arguments).stderr(log);
        if self.site.namespace.is_some() {
            // A terminal's Ctrl-C is for the test, which ends its nodes itself.
            command.process_group(0);
        }
        self.site.inside(|| command.spawn().unwrap())
    }

    /// Runs the node to its end, which must come by itself: its exit code and what it wrote.
    #[must_use]
    pub fn run_to_end(&self) -> (Option<i32>, String) {
        let path = self.log.with_extension("end");
        let mut child = self.spawn(File::create(&path).unwrap(), &[]);
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            wait_until(&format!("{} ends by itself", self.name), || {
                child
                    .try_wait()
                    .unwrap()
                    .ok_or_else(|| "it runs".to_owned())
            })
        }));
        let text = fs::read_to_string(&path).unwrap();
        match ended {
            Ok(status) => (status.code(), text),
            Err(failure) => {
                child.kill().unwrap();
                child.wait().unwrap();
                eprintln!("{text}");
                std::panic::resume_unwind(failure)
            }
        }
    }

    /// Waits until the node says that it is ready. It must not end meanwhile.
    pub fn wait_until_ready(&mut self) {
        let client = self.client();
        wait_until(&format!("{} is ready", self.name), || {
            if let Some(status) = self.ended() {
                panic!("{} ended ({status}):\n{}", self.name, self.log_tail());
            }
            let answer = client.try_get("/readyz")?;
            match answer.status {
                200 => Ok(()),
                _ => Err(answer.to_string()),
            }
        });
    }

    /// A client of this node.
    #[must_use]
    pub fn client(&self) -> Client {
        self.site.inside(|| Client::new(self.api))
    }

    /// How the process ended, if it did by itself.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.as_mut()?.try_wait().unwrap()
    }

    /// Waits until the process has ended by itself.
    pub fn wait_until_ended(&mut self) -> ExitStatus {
        let name = self.name.clone();
        let status = wait_until(&format!("{name} ends"), || {
            self.ended().ok_or_else(|| "it runs".to_owned())
        });
        self.child = None;
        status
    }

    /// `kill -9`, and waits for the end.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Tells the node to stop and waits until it has; it must end well.
    pub fn terminate(&mut self) {
        self.signal(Signal::TERM);
        let status = self.wait_until_ended();
        assert!(
            status.success(),
            "{} ended with {status}:\n{}",
            self.name,
            self.log_tail()
        );
    }

    /// Stops the process's clock until [`NodeProcess::resume`].
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets a paused process go on.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// The process's id, if it runs.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().expect("the node runs");
        kill_process(Pid::from_child(child), signal).unwrap();
    }

    /// Everything the node logged in this test.
    #[must_use]
    pub fn log_text(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The last lines of its log.
    #[must_use]
    pub fn log_tail(&self) -> String {
        let text = self.log_text();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n")
    }
}

impl Drop for NodeProcess {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("---- end of {}'s log ----\n{}", self.name, self.log_tail());
        }
    }
}
