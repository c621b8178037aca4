//! How much of its limits each probe used.

use std::{collections::HashSet, time::Duration};

use taster_model::{ProbeSummary, SideSummary, UsageLimits, VerdictDocument};
use taster_text::{duration, grouped, size};

use super::text::Text;

/// A probe that used more than this many percent of a limit is close to the limit.
const CLOSE_PERCENT: f64 = 80.0;

/// The usage of all probes.
pub(super) struct UsageTable {
    pub(super) sides: Vec<Side>,
    /// The usage that is closest to its limit: `memory of shape, 12 %`.
    pub(super) closest: Option<String>,
    /// Whether any usage is close to its limit.
    pub(super) close: bool,
}

pub(super) struct Side {
    pub(super) name: &'static str,
    pub(super) probes: Vec<Probe>,
}

pub(super) struct Probe {
    pub(super) name: Text,
    pub(super) component: Text,
    /// The first digits of the component's digest.
    pub(super) digest: Text,
    pub(super) metrics: Option<String>,
    pub(super) failure: Option<Text>,
    pub(super) meters: Vec<Meter>,
}

pub(super) struct Meter {
    pub(super) used: String,
    pub(super) allowed: Option<Allowed>,
}

pub(super) struct Allowed {
    pub(super) limit: String,
    /// `12 %`.
    pub(super) percent: String,
    /// From 0 to 100.
    pub(super) value: String,
    pub(super) close: bool,
}

/// The limits, in the order of the table's columns.
pub(super) const LIMIT_NAMES: [&str; 6] = ["Wall time", "Server time", "Documents", "Bytes", "Memory", "Log"];

/// Which limits the wall time of a probe is compared with.
#[derive(Clone, Copy)]
enum WallLimit {
    Probe,
    /// A census has a time limit of its own, but its time is part of the probe's wall time.
    ProbeAndCensus,
}

/// The usage of each probe in both captures.
pub(super) fn usage_table(document: &VerdictDocument) -> UsageTable {
    let with_census: HashSet<&str> = document
        .findings
        .iter()
        .filter(|finding| finding.documents.is_some())
        .filter_map(|finding| finding.probe.as_deref())
        .collect();
    let wall_limit = |name: &str| if with_census.contains(name) { WallLimit::ProbeAndCensus } else { WallLimit::Probe };
    let mut closest: Option<(f64, String)> = None;
    let mut side = |name: &'static str, side: &SideSummary| {
        let probes = side.probes.iter().map(|summary| {
            let (probe, shares) = probe(summary, wall_limit(&summary.name));
            for (what, share) in shares {
                if closest.as_ref().is_none_or(|(highest, _)| share > *highest) {
                    closest = Some((share, format!("{} of {}, {}", what.to_lowercase(), probe.name, percent(share))));
                }
            }
            probe
        });
        Side { name, probes: probes.collect() }
    };
    let mut sides = vec![side("After", &document.after)];
    sides.extend(document.before.as_ref().map(|before| side("Before", before)));
    sides.retain(|side| !side.probes.is_empty());
    let close = closest.as_ref().is_some_and(|(share, _)| *share > CLOSE_PERCENT);
    UsageTable { sides, closest: closest.map(|(_, text)| text), close }
}

/// A probe, and how many percent of each limit it used.
fn probe(summary: &ProbeSummary, wall_limit: WallLimit) -> (Probe, Vec<(&'static str, f64)>) {
    let limits = summary.limits.as_ref();
    let mut shares = Vec::new();
    let mut meter =
        |what: &'static str, used: u64, limit: &dyn Fn(&UsageLimits) -> u64, show: &dyn Fn(u64) -> String| {
            let allowed = limits.map(limit).map(|limit| {
                // a limit of zero that was not used is 0 %
                let share = if used == 0 { 0.0 } else { 100.0 * ratio(used, limit) };
                shares.push((what, share));
                Allowed {
                    limit: show(limit),
                    percent: percent(share),
                    value: format!("{:.1}", share.min(100.0)),
                    close: share > CLOSE_PERCENT,
                }
            });
            Meter { used: show(used), allowed }
        };
    let time = |ms: u64| duration(Duration::from_millis(ms));
    let usage = &summary.usage;
    let wall = |limits: &UsageLimits| match wall_limit {
        WallLimit::Probe => limits.wall_ms,
        WallLimit::ProbeAndCensus => limits.wall_ms.saturating_add(limits.census_ms),
    };
    let [walls, servers, documents, sizes, memories, logs] = LIMIT_NAMES;
    let meters = vec![
        meter(walls, usage.wall_ms, &wall, &time),
        meter(servers, usage.server_ms, &|limits| limits.server_ms, &time),
        meter(documents, usage.documents, &|limits| limits.documents, &grouped),
        meter(sizes, usage.bytes, &|limits| limits.bytes, &size),
        meter(memories, usage.memory_peak, &|limits| limits.memory_peak, &size),
        // dropped log lines count too: the probe wrote them
        meter(logs, usage.log_bytes.saturating_add(usage.log_dropped), &|limits| limits.log_bytes, &size),
    ];
    let probe = Probe {
        name: Text::cut(&summary.name, 80),
        component: Text::cut(&format!("{} {}", summary.component, summary.version), 120),
        digest: Text::cut(summary.sha256.get(..12).unwrap_or(&summary.sha256), 12),
        metrics: summary.metrics.map(grouped),
        failure: summary.failure.as_deref().map(Text::of),
        meters,
    };
    (probe, shares)
}

#[expect(clippy::cast_precision_loss, reason = "a share is shown to a tenth of a percent")]
fn ratio(used: u64, limit: u64) -> f64 {
    used as f64 / limit.max(1) as f64
}

fn percent(share: f64) -> String {
    match share {
        0.0 => "0 %".to_owned(),
        share if share < 0.1 => "under 0.1 %".to_owned(),
        share if share < 10.0 => format!("{share:.1} %"),
        share => format!("{share:.0} %"),
    }
}
