//! The process that compiles: limits itself, reads a component from standard input and writes its code to standard output.

use std::{
    io::{self, Read, Write},
    process::ExitCode,
    thread,
};

use rustix::process::{Resource, Rlimit, Signal, getpid, getrlimit, kill_process, setrlimit};

use crate::{
    compile_protocol::{Answer, Request},
    engine,
};

/// Compiles for an engine in another process: the `main` of the program of a [`CompilerCommand`](crate::CompilerCommand).
///
/// Call it before any other thread is started. It ends with the process that started it, whose end of standard input stays open
/// until then.
#[must_use]
pub fn compile_child() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // the engine reads it; if it is gone, nobody does
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> io::Result<()> {
    let mut head = [0; Request::BYTES];
    io::stdin().read_exact(&mut head)?;
    let request = Request::decode(&head).ok_or_else(|| io::Error::other("not a request of a taster engine"))?;
    // before the first byte of the component is read
    limit_resources(&request)?;
    let mut component = Vec::new();
    io::stdin().take(request.length).read_to_end(&mut component)?;
    if component.len() as u64 != request.length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    thread::Builder::new().name("taster-parent".to_owned()).spawn(end_with_parent)?;
    let answer = match engine::compile_for_this_machine(&component) {
        Ok(code) => Answer::Code(code.into()),
        Err(error) => Answer::Refused(error.into()),
    };
    let (header, payload) = answer.encode()?;
    let mut out = io::stdout().lock();
    out.write_all(&header)?;
    out.write_all(&payload)?;
    out.flush()
}

/// Sets the limits of this process. They can only become stricter afterwards.
fn limit_resources(request: &Request) -> io::Result<()> {
    // if memory becomes scarce, the kernel should end this process and not the one that waits for it; absent outside of Linux
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    // not the address space: allocators reserve much more of it than they use
    limit(Resource::Data, request.memory)?;
    // if the engine is stopped, it cannot enforce its time limit
    limit(Resource::Cpu, request.cpu_seconds)?;
    // a core dump of what a component made of the compiler would be written where anyone may read it
    limit(Resource::Core, 0)?;
    limit(Resource::Fsize, 0)
}

fn limit(resource: Resource, value: u64) -> io::Result<()> {
    let inherited = getrlimit(resource).maximum;
    let value = Some(inherited.map_or(value, |inherited| value.min(inherited)));
    setrlimit(resource, Rlimit { current: value, maximum: value })
        .map_err(|error| io::Error::other(format!("cannot limit {resource:?} of this process: {error}")))
}

/// Standard input ends when the engine's process ends, in whatever way, or when it no longer wants the code.
fn end_with_parent() {
    let _ = io::stdin().read_exact(&mut [0]);
    // not `exit`, which would run destructors beside the threads that compile
    let _ = kill_process(getpid(), Signal::KILL);
}
