//! Compiling has limits of its own, in a process of its own: time, memory, nothing to leak, nothing left behind.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Instant,
};

use insta::assert_snapshot;
use taster_testkit::{WAIT_TIMEOUT, block_until};
use wasm_encoder::{
    Alias, CanonicalFunctionSection, CodeSection, Component, ComponentAliasSection, ComponentExportKind,
    ComponentExportSection, ComponentTypeSection, ExportKind, ExportSection, Function, FunctionSection,
    InstanceSection, Module, ModuleArg, ModuleSection, TypeSection,
};

use crate::support::{CommandOutput, SHOP, ShopDatabase, Workspace};

/// So many functions take the compiler a minute and 1.7 GB, in a component of three megabytes.
const HOSTILE: u32 = 300_000;
/// A valid component with so many functions, and with exports that have the names of those of a probe.
fn component_of(functions: u32) -> Vec<u8> {
    let (mut types, mut declared, mut exports, mut code) =
        (TypeSection::new(), FunctionSection::new(), ExportSection::new(), CodeSection::new());
    types.ty().function([], []);
    exports.export("f", ExportKind::Func, 0);
    for _ in 0..functions {
        declared.function(0);
        let mut function = Function::new([]);
        function.instructions().i32_const(42).drop().i32_const(7).drop().end();
        code.function(&function);
    }
    let mut module = Module::new();
    module.section(&types).section(&declared).section(&exports).section(&code);

    let (mut instances, mut aliases, mut signatures) =
        (InstanceSection::new(), ComponentAliasSection::new(), ComponentTypeSection::new());
    instances.instantiate(0, std::iter::empty::<(&str, ModuleArg)>());
    aliases.alias(Alias::CoreInstanceExport { instance: 0, kind: ExportKind::Func, name: "f" });
    signatures.function().params(std::iter::empty::<(&str, wasm_encoder::ComponentValType)>()).result(None);
    let (mut lifted, mut exported) = (CanonicalFunctionSection::new(), ComponentExportSection::new());
    lifted.lift(0, 0, []);
    for name in ["describe", "run"] {
        exported.export(name, ComponentExportKind::Func, 0, None);
    }
    let mut component = Component::new();
    component.section(&ModuleSection(&module)).section(&instances).section(&aliases).section(&signatures);
    component.section(&lifted).section(&exported);
    component.finish()
}

/// A workspace whose code cache is empty and its own.
struct Compiling(Workspace);

impl Compiling {
    fn new(workspace: Workspace) -> Self {
        Self(workspace)
    }

    /// With a hostile component, `hostile.wasm`.
    fn hostile() -> Self {
        let compiling = Self::new(Workspace::new(""));
        fs::write(compiling.0.path().join("hostile.wasm"), component_of(HOSTILE)).expect("a file");
        compiling
    }

    fn cache(&self) -> PathBuf {
        self.0.path().join("cache")
    }

    /// What the cache holds, half-written files included.
    fn cached(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.cache()).expect("a folder");
        entries.map(|entry| entry.expect("an entry").path()).collect()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.0.command(arguments);
        command.env("TASTER_CACHE", self.cache());
        command
    }

    fn taster(&self, arguments: &[&str]) -> CommandOutput {
        CommandOutput::read(&self.command(arguments).output().expect("the binary runs"))
    }

    fn spawn(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs")
    }

    /// What a command says that fails and leaves nothing in the cache.
    fn refused(&self, arguments: &[&str]) -> String {
        let ended = self.taster(arguments);
        assert_eq!(ended.code, 4, "{}", ended.all());
        assert_eq!(self.cached(), Vec::<PathBuf>::new());
        let text = format!("{}{}", ended.out, ended.err);
        // it is there or not, where the time limit is near the second after which it comes
        let lines: Vec<&str> = text.lines().filter(|line| !is_notice(line)).collect();
        lines.join("\n").trim().to_owned()
    }
}

/// Whether a line says that a component is being compiled.
fn is_notice(line: &str) -> bool {
    line.trim_start().starts_with("INFO compiling ")
}

#[test]
fn a_component_that_compiles_for_long_is_stopped() {
    let compiling = Compiling::hostile();
    assert_snapshot!(compiling.refused(&["probe", "check", "./hostile.wasm", "--compile-time", "1s"]), @"
    error[T0314]: compiling the component takes more than 1s (setting --compile-time)
      help: if you trust the component, raise --compile-time; else make it smaller
    ");
}

#[test]
fn a_component_that_compiles_with_much_memory_is_stopped() {
    let compiling = Compiling::hostile();
    assert_snapshot!(compiling.refused(&["probe", "inspect", "./hostile.wasm", "--compile-memory", "64MiB"]), @"
    error[T0315]: compiling the component takes more than 64 MiB of memory (setting --compile-memory)
      help: if you trust the component, raise --compile-memory; else make it smaller
    ");
    // whatever the process wants the memory for that it does not get, that is the reason
    for memory in ["1B", "8MiB", "24MiB"] {
        let text = compiling.refused(&["probe", "check", "./hostile.wasm", "--compile-memory", memory]);
        assert!(text.starts_with("error[T0315]"), "{memory}: {text}");
    }
}

#[test]
fn a_large_component_that_compiles_for_long_is_one_line() {
    let compiling = Compiling::hostile();
    let notices = |arguments: &[&str]| {
        let ended = compiling.taster(&[&["probe", "check"], arguments].concat());
        ended.err.lines().filter(|line| is_notice(line)).map(|line| line.trim().to_owned()).collect::<Vec<_>>()
    };
    let slow = ["./hostile.wasm", "--compile-time", "4s"];
    let shown = notices(&slow);
    assert!(
        shown.len() == 1 && shown[0].starts_with("INFO compiling hostile (") && shown[0].contains(" MiB)"),
        "{shown:?}"
    );
    assert_eq!(notices(&[&slow[..], &["--quiet"]].concat()), Vec::<String>::new());
    // however busy the machine is
    assert_eq!(notices(&["group-report"]), Vec::<String>::new());
}

#[test]
fn the_limits_of_the_configuration_hold_and_are_named() {
    let compiling = Compiling::hostile();
    let check = |limits: &str| {
        compiling.0.configure(&format!(
            "app: shop\nmongodb: {{uri: \"mongodb://localhost/shop\"}}\nprobes:\n  - {{name: sums, component: ./hostile.wasm, limits: {{{limits}}}}}\n"
        ));
        compiling.refused(&["config", "check"])
    };
    assert_snapshot!(check("compileTime: 1500ms"), @"
    ✓ taster.yaml is a configuration of app shop
    ✗ probe sums: T0314: compiling the component ./hostile.wasm takes too long (asked: more than 1500ms; allowed: 1500ms; setting: probes[sums].limits.compileTime)
    ");
    assert_snapshot!(check("compileMemory: 64MiB"), @"
    ✓ taster.yaml is a configuration of app shop
    ✗ probe sums: T0315: compiling the component ./hostile.wasm takes too much memory (asked: more than 64 MiB; allowed: 64 MiB; setting: probes[sums].limits.compileMemory)
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capture_goes_on_without_a_probe_that_cannot_be_compiled() {
    let shop = ShopDatabase::standalone(300).await;
    let compiling = Compiling::new(shop.workspace());
    fs::write(compiling.0.path().join("hostile.wasm"), component_of(HOSTILE)).expect("a file");
    compiling.0.configure(&format!(
        "{SHOP}probes:
  - {{name: guest, component: ./hostile.wasm, collections: [orders], severity: warn, limits: {{compileTime: 1s}}}}
  - {{name: counts, component: document-count}}
"
    ));
    let pre = compiling.taster(&["pre", "--format", "json"]);
    assert_eq!(pre.code, 0, "{}", pre.all());
    let probes = &pre.json()["probes"];
    let failure = &probes[0]["outcome"]["failed"];
    assert_eq!(failure["code"], "T0314", "{failure}");
    assert_eq!(failure["refusal"], "deadline", "{failure}");
    assert_eq!(failure["setting"], "probes[guest].limits.compileTime", "{failure}");
    assert!(probes[1]["outcome"]["metrics"].is_array(), "the other probe still runs: {}", probes[1]);
    // of a probe that decides it is known before anything is read
    let text = fs::read_to_string(compiling.0.path().join("taster.yaml")).expect("a configuration");
    compiling.0.configure(&text.replace("severity: warn", "severity: fail"));
    let pre = compiling.taster(&["pre", "--run", "next"]);
    assert!(pre.code == 4 && pre.err.contains("T0637") && pre.err.contains("T0314"), "{}", pre.all());
}

#[test]
fn a_component_is_compiled_once() {
    let compiling = Compiling::new(Workspace::new(""));
    // the largest of the standard probes, within the default limits
    let check = |more: &[&str]| compiling.taster(&[&["probe", "check", "group-report"], more].concat());
    // no process can be started and compile in so short a time
    let none = ["--compile-time", "1ms"];
    let stopped = check(&none);
    assert!(stopped.code == 4 && stopped.err.contains("T0314"), "{}", stopped.all());
    let compiled = check(&[]);
    assert_eq!(compiled.code, 0, "{}", compiled.all());
    assert_eq!(compiling.cached().len(), 1);
    let cached = check(&none);
    assert_eq!((cached.code, cached.out), (0, compiled.out), "{}", cached.err);
}

#[test]
fn a_cache_that_cannot_be_written_is_one_warning() {
    let compiling = Compiling::new(Workspace::new(""));
    compiling.0.configure(
        "app: shop\nmongodb: {uri: \"mongodb://localhost/shop\"}\nprobes:\n  - {name: counts, component: document-count}\n  - {name: indexes, component: index-inventory}\n",
    );
    let check = |cache: &Path| {
        let mut command = compiling.0.command(&["config", "check"]);
        let ended = CommandOutput::read(&command.env("TASTER_CACHE", cache).output().expect("the binary runs"));
        assert_eq!(ended.code, 0, "{}", ended.all());
        ended
    };
    // a home that is a file
    let file = compiling.0.path().join("taster.yaml");
    let missing = check(&file.join("code"));
    assert_eq!(missing.err.matches("no code cache").count(), 1, "{}", missing.all());

    // nobody can replace a folder by a file, root included
    check(&compiling.cache());
    let cached = compiling.cached();
    assert_eq!(cached.len(), 2, "{cached:?}");
    for file in cached {
        fs::remove_file(&file).expect("a file");
        fs::create_dir(&file).expect("a folder");
    }
    let unwritable = check(&compiling.cache());
    assert_eq!(unwritable.err.matches("cannot write to the code cache").count(), 1, "{}", unwritable.all());
}

#[test]
fn two_processes_compile_the_same_component_at_once() {
    let compiling = Compiling::new(Workspace::new(""));
    let both = [0, 1].map(|_| compiling.spawn(&["probe", "check", "index-inventory"]));
    for child in both {
        let ended = CommandOutput::read(&child.wait_with_output().expect("a status"));
        assert_eq!(ended.code, 0, "{}", ended.all());
    }
    assert_eq!(compiling.cached().len(), 1, "{:?}", compiling.cached());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deadline_of_a_run_does_not_count_compiling() {
    let shop = ShopDatabase::standalone(10).await;
    let compiling = Compiling::new(shop.workspace());
    let begun = Instant::now();
    let checked = compiling.taster(&["probe", "check", "document-count"]);
    assert_eq!(checked.code, 0, "{}", checked.all());
    let compiling_takes = begun.elapsed();

    fs::remove_dir_all(compiling.cache()).expect("a folder");
    let deadline = format!("{}ms", compiling_takes.as_millis() / 2);
    let begun = Instant::now();
    let arguments =
        ["probe", "run", "document-count", "--collection", "orders", "--deadline", &deadline, "--format", "json"];
    let run = compiling.taster(&arguments);
    assert_eq!(run.code, 0, "with {deadline}, after {:?}: {}", begun.elapsed(), run.all());
    let wall = run.json()["usage"]["wall_ms"].as_u64().expect("a number");
    println!("compiling took {compiling_takes:?}; the run took {wall} ms of {deadline}, {:?} in all", begun.elapsed());
}

/// The processes that were started by `parent` to compile.
fn compilers_of(parent: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").expect("processes").filter_map(Result::ok);
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let compiles = |process: &u32| {
        let command = fs::read_to_string(format!("/proc/{process}/cmdline")).unwrap_or_default();
        command.split('\0').any(|argument| argument == "compile-component")
            && status(*process).is_some_and(|(_, its_parent)| its_parent == parent)
    };
    numbers.filter(compiles).collect()
}

/// The state of a process, and its parent.
fn status(process: u32) -> Option<(char, u32)> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let mut fields = stat.rsplit(')').next()?.split_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

#[test]
fn the_compiling_process_has_limits_and_no_secrets_and_ends_with_its_parent() {
    let compiling = Compiling::hostile();
    let mut command = compiling.command(&["probe", "check", "./hostile.wasm", "--compile-memory", "3GiB"]);
    let mut parent = command.env("MONGODB_URI", "mongodb://it:hunter2@localhost/").spawn().expect("the binary runs");
    let mut found = Vec::new();
    block_until("the process that compiles", WAIT_TIMEOUT, || {
        found = compilers_of(parent.id());
        !found.is_empty()
    });
    let [compiler] = found[..] else { panic!("one process: {found:?}") };
    let read = |name: &str| fs::read_to_string(Path::new("/proc").join(compiler.to_string()).join(name));
    let environment = read("environ").expect("an environment");
    assert!(environment.starts_with("RAYON_NUM_THREADS=") && environment.matches('=').count() == 1, "{environment}");
    block_until("its limits", WAIT_TIMEOUT, || {
        let limits = read("limits").expect("limits");
        let soft_and_hard = |name: &str| {
            let line = limits.lines().find_map(|line| line.strip_prefix(name)).expect("a limit");
            line.split_whitespace().take(2).map(str::to_owned).collect::<Vec<_>>()
        };
        let bytes = (3_u64 << 30).to_string();
        soft_and_hard("Max data size") == [bytes.clone(), bytes]
            && ["Max core file size", "Max file size"].iter().all(|name| soft_and_hard(name) == ["0", "0"])
            && soft_and_hard("Max cpu time")[0] != "unlimited"
    });

    parent.kill().expect("a signal");
    parent.wait().expect("a status");
    block_until("the end of the process that compiles", WAIT_TIMEOUT, || {
        status(compiler).is_none_or(|(state, _)| matches!(state, 'Z' | 'X'))
    });
    assert_eq!(compiling.cached(), Vec::<PathBuf>::new());
}
