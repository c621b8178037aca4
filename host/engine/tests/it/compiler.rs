//! Processes that do not compile as they should: each end is an error that says what happened, and nothing of them is left.
//!
//! They are shell scripts. The real one is tested with the binary, in `host/taster/tests/it/compiling.rs`.

use std::{path::Path, time::Duration};

use insta::assert_snapshot;
use taster_engine::{Compiler, CompilerCommand, Engine, EngineError, EngineOptions, Limits, LoadPhase, Probe};
use taster_testkit::{WAIT_TIMEOUT, wait_until};
use tokio::sync::watch;

use crate::{
    cache::precompile_into,
    component::Guest,
    fixtures::{SETTING, describe_error},
};

/// Long enough for a shell on a busy machine.
const PATIENT: Duration = Duration::from_mins(1);

fn engine(script: &str) -> Engine {
    let command = CompilerCommand::new("/bin/sh", ["-c", script]);
    Engine::new(EngineOptions::new(Compiler::Child(command))).unwrap()
}

async fn load(engine: &Engine, compile_time: Duration) -> Result<Probe, EngineError> {
    let limits = Limits { compile_time, ..Limits::default() };
    engine.load(&Guest::default().build(), &limits, SETTING).await
}

async fn failed(script: &str) -> String {
    describe_error(&load(&engine(script), PATIENT).await.unwrap_err())
}

#[tokio::test]
async fn a_compiler_that_fails() {
    assert_snapshot!(failed("head -c 32 > /dev/null; echo 'it is Sunday' >&2; exit 3").await, @"
    T0316: the compiler process ended early, with exit status: 3: it is Sunday
    help: this is a bug of Taster or a problem of this machine: please report it
    ");
}

#[tokio::test]
async fn a_compiler_that_ends_before_it_has_read_the_component() {
    assert_snapshot!(failed("exit 0").await, @"
    T0316: the compiler process sent 0 bytes, which is no answer
    help: this is a bug of Taster or a problem of this machine: please report it
    ");
}

#[tokio::test]
async fn a_compiler_that_dies_of_a_signal() {
    assert_snapshot!(failed("kill -s SEGV $$").await, @"
    T0316: the compiler process ended early, with signal: 11 (SIGSEGV)
    help: this is a bug of Taster or a problem of this machine: please report it
    ");
    // the kernel does this when memory becomes scarce
    assert_snapshot!(failed("kill -s KILL $$").await, @"
    T0316: the compiler process ended early, with signal: 9 (SIGKILL)
    help: if the machine or the container ran out of memory, give it more, or lower probes[orders].limits.compileMemory
    ");
    // the kernel does this when the limit of processor time is reached
    assert_snapshot!(failed("kill -s XCPU $$").await, @"
    T0314: compiling the component takes more than 1m (setting probes[orders].limits.compileTime)
    help: if you trust the component, raise probes[orders].limits.compileTime; else make it smaller
    ");
}

#[tokio::test]
async fn a_truncated_answer() {
    assert_snapshot!(failed(r"head -c 32 > /dev/null; printf 'C\100\0\0\0\0\0\0\0code'").await, @"
    T0316: the compiler process sent 4 of 64 bytes of its answer
    help: this is a bug of Taster or a problem of this machine: please report it
    ");
}

#[tokio::test]
async fn an_answer_of_a_process_that_failed_is_not_used() {
    let text = failed(r"head -c 32 > /dev/null; printf 'C\4\0\0\0\0\0\0\0code'; exit 1").await;
    assert!(text.starts_with("T0316: the compiler process ended early, with exit status: 1"), "{text}");
}

#[tokio::test]
async fn an_answer_that_is_no_code_of_this_version() {
    let text = failed(r"head -c 32 > /dev/null; printf 'C\4\0\0\0\0\0\0\0code'").await;
    assert!(text.starts_with("T0311: cannot compile the component: "), "{text}");
}

#[tokio::test]
async fn an_answer_larger_than_the_memory_of_the_process() {
    let limits = Limits { compile_memory: 1 << 20, ..Limits::default() };
    let loaded =
        engine("head -c 32 > /dev/null; cat /dev/zero").load(&Guest::default().build(), &limits, SETTING).await;
    assert_snapshot!(describe_error(&loaded.unwrap_err()), @"
    T0315: compiling the component takes more than 1 MiB of memory (setting probes[orders].limits.compileMemory)
    help: if you trust the component, raise probes[orders].limits.compileMemory; else make it smaller
    ");
}

#[tokio::test]
async fn a_compiler_that_cannot_be_started() {
    let command = CompilerCommand::new("/missing/taster", ["compile-component"]);
    let engine = Engine::new(EngineOptions::new(Compiler::Child(command))).unwrap();
    assert_snapshot!(describe_error(&load(&engine, PATIENT).await.unwrap_err()), @"
    T0316: the compiler process /missing/taster cannot be started: No such file or directory (os error 2)
    help: allow this process to start others
    ");
}

/// A script that starts another process, writes both numbers to `file`, and never ends.
fn endless(file: &Path) -> String {
    let file = file.display();
    format!("/bin/sleep 1000 & echo $$ $! > '{file}.part'; /bin/mv '{file}.part' '{file}'; wait")
}

fn numbers(file: &Path) -> Vec<u32> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.split_whitespace().map(|number| number.parse().unwrap()).collect()
}

/// Whether a process still runs: one that nobody has waited for yet has ended, too.
fn runs(process: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{process}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or_default().trim_start().starts_with(['Z', 'X']))
}

#[tokio::test]
async fn a_compiler_that_does_not_end_is_killed_with_all_that_it_started() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("numbers");
    let engine = engine(&endless(&file));
    // if the shell does not come as far as to write its number, it gets more time
    let mut compile_time = Duration::from_millis(500);
    let error = loop {
        let error = load(&engine, compile_time).await.unwrap_err();
        if file.exists() {
            break error;
        }
        compile_time *= 2;
    };
    let error = describe_error(&error);
    assert!(error.starts_with("T0314: compiling the component takes more than "), "{error}");
    let started = numbers(&file);
    assert_eq!(started.len(), 2);
    wait_until("both processes are gone", WAIT_TIMEOUT, async || !started.iter().any(|one| runs(*one))).await;
}

#[tokio::test]
async fn a_compiler_whose_caller_gives_up_is_killed_with_all_that_it_started() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("numbers");
    let engine = engine(&endless(&file));
    tokio::select! {
        _ = load(&engine, Duration::from_hours(1)) => panic!("it never ends"),
        () = wait_until("the process runs", WAIT_TIMEOUT, async || file.exists()) => {}
    }
    let started = numbers(&file);
    assert_eq!(started.len(), 2);
    wait_until("both processes are gone", WAIT_TIMEOUT, async || !started.iter().any(|one| runs(*one))).await;
}

#[tokio::test]
async fn loading_says_when_it_compiles() {
    let engine = engine("/bin/sleep 1000");
    let phase = watch::Sender::new(LoadPhase::default());
    let mut observed = phase.subscribe();
    let bytes = Guest::default().build();
    let limits = Limits { compile_time: Duration::from_hours(1), ..Limits::default() };
    tokio::select! {
        _ = engine.load_observed(&bytes, &limits, SETTING, &phase) => panic!("it never ends"),
        reached = tokio::time::timeout(WAIT_TIMEOUT, observed.wait_for(|phase| *phase == LoadPhase::Compiling)) => {
            assert!(matches!(reached, Ok(Ok(_))));
        }
    }
    let in_process = Engine::new(EngineOptions::new(Compiler::InProcess)).unwrap();
    in_process.load_observed(&bytes, &Limits::default(), SETTING, &phase).await.unwrap();
    assert_eq!(*phase.borrow(), LoadPhase::Describing);
}

#[tokio::test]
async fn precompiled_code_needs_no_process() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = Guest::default().build();
    precompile_into(dir.path(), &bytes);
    let compiler = Compiler::Child(CompilerCommand::new("/bin/sh", ["-c", "exit 1"]));
    let options = EngineOptions { precompiled: Some(dir.path().to_owned()), ..EngineOptions::new(compiler) };
    assert!(load(&Engine::new(options).unwrap(), PATIENT).await.unwrap().from_cache());
}
