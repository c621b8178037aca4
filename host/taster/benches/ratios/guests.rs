//! The guest probes, and what it costs to start one and to answer its calls.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use taster_engine::{Compiler, Engine, EngineOptions, Limits, Probe, RunInput, RunReport};
use taster_query::Database;

use crate::{
    Outcome, data, median,
    scans::Stage,
    table::{Goal, Table},
};

/// Calls of the host in one run.
const CALLS: u32 = 1_000_000;
/// Instances made to see what one costs.
const INSTANCES: usize = 2000;

/// The compiled probes that the benchmarks run.
pub(crate) struct GuestProbes {
    pub(crate) scan: Probe,
    pub(crate) shape: Probe,
    load: Duration,
    /// Compiled code lives as long as we do.
    _cache: tempfile::TempDir,
}

impl GuestProbes {
    /// Compiles them, and loads them again from the cache as every run but the first does.
    pub(crate) async fn load() -> Outcome<Self> {
        let cache = tempfile::tempdir()?;
        let folder = Some(cache.path().to_owned());
        let options = EngineOptions { compiler: Compiler::InProcess, cache: folder, precompiled: None };
        let engine = || Engine::new(options.clone());
        let bytes = (component("scan")?, component("schema-shape")?);
        let limits = Limits::default();
        let compiling = engine()?;
        compiling.load(&bytes.0, &limits, "limits").await?;
        compiling.load(&bytes.1, &limits, "limits").await?;

        let engine = engine()?;
        let begun = Instant::now();
        let scan = engine.load(&bytes.0, &limits, "limits").await?;
        let load = begun.elapsed();
        let shape = engine.load(&bytes.1, &limits, "limits").await?;
        if !(scan.from_cache() && shape.from_cache()) {
            return Err("compiled code was not found in the cache".into());
        }
        Ok(Self { scan, shape, load, _cache: cache })
    }

    /// Starting a guest, and a call that does nothing.
    pub(crate) async fn measure(&self, stage: &Stage, table: &mut Table) -> Outcome<()> {
        let limits = Limits::default();
        let mut times = Vec::with_capacity(INSTANCES);
        for _ in 0..INSTANCES {
            let begun = Instant::now();
            self.scan.instantiate(&limits, "limits").await?;
            times.push(begun.elapsed());
        }
        let instance = median(&mut times).as_secs_f64() * 1e3;
        table.line("instantiate a Rust guest from cached code", instance, "ms", Goal::AtMost(0.2));
        table.line("load it from the cache, described", self.load.as_secs_f64() * 1e3, "ms", Goal::None);

        let mut times = Vec::new();
        for _ in 0..=stage.size.rounds {
            let begun = Instant::now();
            let report = run(&self.scan, stage.database(&[]), format!(r#"{{"calls": {CALLS}}}"#)).await?;
            times.push(begun.elapsed());
            if report.usage.host_calls < u64::from(CALLS) {
                return Err(format!("only {} calls reached the host", report.usage.host_calls).into());
            }
        }
        let call = median(&mut times[1..]).as_secs_f64() * 1e6 / f64::from(CALLS);
        table.line("one host call that does nothing", call, "µs", Goal::AtMost(0.3));

        // how much room is left until guests, not the server, are what a scan waits for
        for (what, probe) in [("hashing", &self.scan), ("schema-shape", &self.shape)] {
            let report = run(probe, stage.database(&[data::LARGE]), "null".to_owned()).await?;
            let computing = Duration::from_millis(report.usage.guest_ms).as_secs_f64();
            let documents = Duration::from_nanos(stage.size.documents).as_secs_f64();
            table.line(&format!("{what}: computing in the guest, a document"), computing / documents, "ns", Goal::None);
        }
        Ok(())
    }
}

/// Runs a guest; a failure of it is ours.
pub(crate) async fn run(probe: &Probe, database: Database, config: String) -> Outcome<RunReport> {
    let input = RunInput {
        probe: probe.manifest().name.clone(),
        database,
        config,
        limits: Limits::default(),
        setting: "limits".to_owned(),
        clock: Timestamp::UNIX_EPOCH,
        seed: [7; 32],
        progress: None,
    };
    let report = probe.run(input).await;
    match &report.outcome {
        Ok(_) => Ok(report),
        Err(failure) => Err(failure.to_string().into()),
    }
}

/// The build script leaves every probe in `target/probes`.
fn component(name: &str) -> Outcome<Vec<u8>> {
    let this = std::env::current_exe()?;
    let target = this.ancestors().filter(|folder| folder.join("CACHEDIR.TAG").exists()).last();
    let path: PathBuf = target.unwrap_or(Path::new("target")).join("probes").join(format!("{name}.wasm"));
    std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()).into())
}
