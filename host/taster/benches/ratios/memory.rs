//! How much memory the host takes while it scans, and that it does not grow with the collection.

use std::fs;

use crate::{
    Outcome, data,
    facts::field,
    scans::{Contestant, Stage},
    table::{Goal, Table},
};

/// Runs every scan of ours over a small collection, then over the large one.
pub(crate) async fn measure(stage: &Stage, table: &mut Table) -> Outcome<()> {
    let ours = [Contestant::Hash, Contestant::Guest, Contestant::Shape, Contestant::Census];
    let mut peaks = Vec::new();
    for collection in [data::SMALL, data::LARGE] {
        forget_peak()?;
        for contestant in ours {
            stage.scan(contestant, collection).await.map_err(|error| format!("{}: {error}", contestant.name()))?;
        }
        peaks.push(peak_mib()?);
    }
    table.line("peak memory of the host, a tenth of the documents", peaks[0], "MiB", Goal::None);
    table.line("peak memory of the host, all documents", peaks[1], "MiB", Goal::AtMost(128.0));
    Ok(())
}

/// From here on the kernel counts the peak anew (`man proc_pid_clear_refs`).
pub(crate) fn forget_peak() -> Outcome<()> {
    fs::write("/proc/self/clear_refs", "5").map_err(|error| format!("/proc/self/clear_refs: {error}").into())
}

/// In MiB.
pub(crate) fn peak_mib() -> Outcome<f64> {
    let text = field("/proc/self/status", "VmHWM").ok_or("/proc/self/status has no VmHWM")?;
    let kib: f64 = text.trim_end_matches(" kB").parse()?;
    Ok(kib / 1024.0)
}
