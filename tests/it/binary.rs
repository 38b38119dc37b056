//! The program `pedigree` as a process of its own, as a user runs it.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tonic::transport::Channel;

use crate::support::{Client, TestDatabase};

/// How long a condition may take to become true. Far more than it takes.
const PATIENCE: Duration = Duration::from_mins(1);

/// Tells what became of `attempt`, which is made until it gives something.
pub fn wait_for<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = attempt() {
            return found;
        }
        assert!(Instant::now() < end, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// A command line of the program, which sees no environment but its own.
pub fn pedigree(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pedigree"));
    command
        .env_clear()
        .current_dir(dir)
        .args(arguments)
        .stdin(Stdio::null());
    command
}

/// A command line that works on a database, and if it serves, at a free port.
pub fn pedigree_on(database: &TestDatabase, arguments: &[&str]) -> Command {
    let mut command = pedigree(database.dir(), arguments);
    command.env("PEDIGREE_DATABASE_URL", &database.url);
    command.env("PEDIGREE_GRPC_PORT", "0");
    command
}

/// A command line whose process has a limit of the shell's `ulimit`, such as `-v 1048576` (KiB).
pub fn with_ulimit(command: &Command, limit: &str) -> Command {
    let mut limited = Command::new("/bin/sh");
    let script = format!("ulimit {limit} && exec \"$0\" \"$@\"");
    limited.arg("-c").arg(script);
    limited.arg(command.get_program()).args(command.get_args());
    limited
        .env_clear()
        .current_dir(command.get_current_dir().unwrap());
    let variables = command.get_envs();
    limited.envs(variables.filter_map(|(name, value)| Some((name, value?))));
    limited
}

/// A command line whose process has 1 GiB of address space, and what the code of a debug build
/// takes, which that of a release build does not.
pub fn with_memory_limit(command: &Command) -> Command {
    let code_bytes = fs::metadata(env!("CARGO_BIN_EXE_pedigree")).unwrap().len();
    with_ulimit(command, &format!("-v {}", (1 << 20) + (code_bytes >> 10)))
}

/// A running program. Its log is a file, and it is ended when this is dropped.
pub struct Process {
    child: Child,
    log: TempDir,
}

impl Process {
    pub fn start(mut command: Command) -> Self {
        let log = TempDir::new().unwrap();
        let stderr = File::create(log.path().join("stderr")).unwrap();
        let stdout = File::create(log.path().join("stdout")).unwrap();
        let child = command.stdout(stdout).stderr(stderr).spawn().unwrap();
        Self { child, log }
    }

    /// What it has written to standard error.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log.path().join("stderr")).unwrap()
    }

    /// What it has written to standard output.
    pub fn output(&self) -> String {
        fs::read_to_string(self.log.path().join("stdout")).unwrap()
    }

    /// Waits until it has logged this.
    pub fn wait_for_log(&self, text: &str) {
        wait_for(text, || self.log().contains(text).then_some(()));
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// A figure of its memory that Linux has by this name, in bytes.
    pub fn memory(&self, field: &str) -> usize {
        let pid = self.pid().as_raw_nonzero();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(field));
        let kilobytes = line.and_then(|line| line.split_whitespace().nth(1));
        kilobytes.unwrap().parse::<usize>().unwrap() << 10
    }

    /// Waits until it has ended.
    pub fn end(&mut self) -> ExitStatus {
        wait_for("the end of the process", || self.try_end())
    }

    /// How it ended, if it has.
    pub fn try_end(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    fn has_ended(&mut self) -> bool {
        self.try_end().is_some()
    }
}

/// What a process left behind that has ended.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

/// Runs a command line to its end.
pub fn run(command: Command) -> Ended {
    let mut process = Process::start(command);
    Ended {
        status: process.end(),
        stdout: process.output(),
        stderr: process.log(),
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already, and then it has been waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A process that serves on a port of its own.
pub struct Server {
    pub process: Process,
    pub port: u16,
}

impl Server {
    /// Serves a database.
    pub fn on(database: &TestDatabase, more: &[&str]) -> Self {
        Self::wait(Process::start(pedigree_on(database, more)))
    }

    /// Serves a SQLite file of this directory.
    pub fn start(dir: &Path, file: &str, more: &[&str]) -> Self {
        let url = format!("sqlite:{file}");
        let mut arguments = vec!["--grpc-port", "0", "--database-url", &url];
        arguments.extend(more);
        Self::wait(Process::start(pedigree(dir, &arguments)))
    }

    /// Waits until a process serves from its database.
    pub fn wait(process: Process) -> Self {
        let mut server = Self::early(process);
        wait_for("the database", || {
            let log = server.process.log();
            assert!(!server.process.has_ended(), "{log}");
            log.contains("opened the database").then_some(())
        });
        server
    }

    /// Waits until a process listens.
    pub fn early(mut process: Process) -> Self {
        let port = wait_for("the port", || {
            let log = process.log();
            let port = port_in(&log, "listening address=127.0.0.1:");
            let port = port.or_else(|| port_in(&log, "\"address\":\"127.0.0.1:"));
            assert!(port.is_some() || !process.has_ended(), "{}", process.log());
            port
        });
        Self { process, port }
    }

    /// The admin port, which must have been asked for.
    pub fn admin(&self) -> u16 {
        let log = self.process.log();
        port_in(&log, "admin=127.0.0.1:")
            .or_else(|| port_in(&log, "\"admin\":\"127.0.0.1:"))
            .unwrap()
    }

    /// A connection of its own.
    pub async fn connect(&self) -> Channel {
        let channel = Channel::from_shared(format!("http://127.0.0.1:{}", self.port));
        channel.unwrap().connect().await.unwrap()
    }

    /// A client with a connection of its own.
    pub async fn client(&self) -> Client {
        Client::new(self.connect().await)
    }

    /// Asks the server to stop, which must end well.
    pub fn stop(mut self) {
        self.process.signal(Signal::TERM);
        let status = self.process.end();
        assert!(status.success(), "{status}: {}", self.process.log());
    }

    /// Ends the server without warning.
    pub fn kill(mut self) {
        self.process.signal(Signal::KILL);
        self.process.end();
    }
}

/// The port that comes after this in a log.
fn port_in(log: &str, before: &str) -> Option<u16> {
    let (_, rest) = log.split_once(before)?;
    let end = rest.find(|character: char| !character.is_ascii_digit())?;
    rest[..end].parse().ok()
}
