//! [`Compiler`]: where components are compiled, and the engine's side of compiling in a child process.
//!
//! A component of few megabytes can keep the compiler busy for minutes, and make it use gigabytes. So it runs in a process of
//! its own, which has limits, gets no environment and no open files, and can be killed.

use std::{
    ffi::OsString,
    io,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    thread,
};

use bytes::Bytes;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::{Child, Command},
    time::timeout,
};

use crate::{
    compile_limits::CompileLimits,
    compile_protocol::{Answer, CompileRefusal, Request},
    error::EngineError,
};

/// Threads that compile, at most: each needs memory for the function that it compiles, and for its stack.
const MAX_THREADS: usize = 8;
/// Bytes of the child's standard error that are kept.
const MAX_STDERR: u64 = 4 << 10;

/// Where an engine compiles components.
#[derive(Debug, Clone)]
pub enum Compiler {
    /// In this process, where `compile_time` and `compile_memory` cannot be enforced: for tests, and for components that are
    /// trusted.
    InProcess,
    /// In a child process of the engine's process.
    Child(CompilerCommand),
}

/// The command that compiles. Its `main` is [`compile_child`](crate::compile_child), and it must be built from the same sources
/// as the engine: wasmtime refuses code of another version or for other settings.
///
/// The engine trusts what it sends: it is native code, which runs without checks.
#[derive(Debug, Clone)]
pub struct CompilerCommand {
    program: PathBuf,
    args: Vec<OsString>,
}

impl CompilerCommand {
    /// A program with its arguments.
    pub fn new(program: impl Into<PathBuf>, args: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        Self { program: program.into(), args: args.into_iter().map(Into::into).collect() }
    }

    /// The running program itself, with these arguments.
    #[must_use]
    pub fn this_program(args: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        // the same program even when another one was installed under its name meanwhile
        let linux = Path::new("/proc/self/exe");
        if linux.exists() {
            return Self::new(linux, args);
        }
        // a container without /proc may have everything precompiled: only compiling fails there
        Self::new(std::env::current_exe().unwrap_or_else(|_| linux.to_owned()), args)
    }

    fn spawn(&self, threads: usize) -> io::Result<CompilerProcess> {
        Command::new(&self.program)
            .args(&self.args)
            // the environment of this process may hold passwords
            .env_clear()
            .env("RAYON_NUM_THREADS", threads.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map(CompilerProcess)
    }
}

/// Native code that a child process of this engine sent over a pipe that only the two of them had, and that is complete.
pub(crate) struct ChildCode(Bytes);

impl ChildCode {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Compiles a component in a child process, within the limits.
pub(crate) async fn compile_in_child(
    command: &CompilerCommand,
    component: &[u8],
    limits: &CompileLimits,
) -> Result<ChildCode, EngineError> {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS);
    let request = Request {
        memory: limits.memory,
        // never reached before the wall time, unless this process is stopped
        cpu_seconds: limits.time.as_secs().saturating_add(2).saturating_mul(threads as u64),
        length: component.len() as u64,
    };
    let mut process = command.spawn(threads).map_err(|error| EngineError::CompilerProcess {
        why: format!("{} cannot be started: {error}", command.program.display()),
        help: "allow this process to start others".to_owned(),
    })?;
    match timeout(limits.time, process.exchange(&request, component)).await {
        Ok(Ok(ended)) => ended.into_code(limits),
        Ok(Err(error)) => Err(failed(format!("cannot be read: {error}"))),
        Err(_) => {
            process.kill();
            let _ = process.0.wait().await;
            Err(limits.too_slow())
        }
    }
}

fn failed(why: String) -> EngineError {
    let help = "this is a bug of Taster or a problem of this machine: please report it".to_owned();
    EngineError::CompilerProcess { why, help }
}

/// A child process. It is killed with its process group when it is dropped before its end, as when the engine's caller gives up.
struct CompilerProcess(Child);

impl CompilerProcess {
    /// Sends the request, and waits for the answer and the end of the process.
    async fn exchange(&mut self, request: &Request, component: &[u8]) -> io::Result<ChildOutput> {
        let (Some(mut stdin), Some(stdout), Some(stderr)) =
            (self.0.stdin.take(), self.0.stdout.take(), self.0.stderr.take())
        else {
            return Err(io::Error::other("it has no pipes"));
        };
        let send = async {
            // a process that ends before it has read everything has an exit status that says more
            let _ = stdin.write_all(&request.encode()).await;
            let _ = stdin.write_all(component).await;
            let _ = stdin.flush().await;
        };
        // one byte more than the process can have, so that more than that shows
        let answer = read_at_most(stdout, request.memory.saturating_add(1));
        let ((), answer, stderr) = tokio::join!(send, answer, read_text(stderr));
        let status = self.0.wait().await?;
        // not earlier: the process ends itself when its standard input ends
        drop(stdin);
        Ok(ChildOutput { status, answer: answer?.into(), stderr })
    }

    /// Kills the process group, unless the process has ended and its number may belong to another one.
    fn kill(&self) {
        let running = self.0.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(group) = running {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for CompilerProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

async fn read_at_most(from: impl AsyncRead + Unpin, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(limit).read_to_end(&mut bytes).await?;
    Ok(bytes)
}

/// Reads to the end, so that the process is never blocked, and keeps the beginning, where the cause is.
async fn read_text(mut from: impl AsyncRead + Unpin) -> String {
    let mut kept = Vec::new();
    let _ = (&mut from).take(MAX_STDERR).read_to_end(&mut kept).await;
    let _ = tokio::io::copy(&mut from, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&kept).trim().to_owned()
}

/// How a child process ended.
struct ChildOutput {
    status: ExitStatus,
    answer: Bytes,
    stderr: String,
}

impl ChildOutput {
    fn into_code(self, limits: &CompileLimits) -> Result<ChildCode, EngineError> {
        if self.answer.len() as u64 > limits.memory {
            return Err(limits.too_large());
        }
        if !self.status.success() {
            return Err(match self.status.signal().and_then(Signal::from_named_raw) {
                Some(Signal::XCPU) => limits.too_slow(),
                _ if ran_out_of_memory(&self.stderr) => limits.too_large(),
                signal => self.ended_early(signal, limits),
            });
        }
        match Answer::decode(self.answer).map_err(failed)? {
            Answer::Code(code) => Ok(ChildCode(code)),
            Answer::Refused(CompileRefusal::Setup(why) | CompileRefusal::Compile(why)) if ran_out_of_memory(&why) => {
                Err(limits.too_large())
            }
            Answer::Refused(refusal) => Err(refusal.into()),
        }
    }

    fn ended_early(&self, signal: Option<Signal>, limits: &CompileLimits) -> EngineError {
        let cause = self.stderr.lines().map(str::trim).find(|line| !line.is_empty());
        let cause = cause.map(|line| format!(": {}", taster_text::truncate_chars(line, 400))).unwrap_or_default();
        let why = format!("ended early, with {}{cause}", self.status);
        if signal != Some(Signal::KILL) {
            return failed(why);
        }
        let help = format!(
            "if the machine or the container ran out of memory, give it more, or lower {}",
            limits.lower_memory
        );
        EngineError::CompilerProcess { why, help }
    }
}

/// Whether a text tells that memory could not be allocated. Rust's allocator aborts the process with such a text; the system
/// calls that map memory and start threads return such errors.
fn ran_out_of_memory(text: &str) -> bool {
    [
        "memory allocation of ",
        "Cannot allocate memory",
        "out of memory",
        "(os error 12)",
        "code: 12,",
        "(os error 11)",
        "code: 11,",
    ]
    .iter()
    .any(|sign| text.contains(sign))
}
