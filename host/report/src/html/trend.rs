//! Charts of metrics over the runs of a page.

use std::collections::HashMap;

use taster_model::{FindingOutcome, ReasonCode, SideSummary, VerdictDocument};
use taster_text::{duration, escape_hidden, grouped, truncate_chars};

use super::{amount::Amount, badge::Badge, text::Text};
use crate::{
    finding_text::{subject, tally, value},
    images,
};

/// How many metrics a page draws at most.
pub(super) const MAX_TRENDS: usize = 6;
/// How many metrics a page draws if the user chose none.
const DEFAULT_TRENDS: usize = 4;
/// How many metrics a user can choose from, and how many are kept of one verdict.
const MAX_CHOICES: usize = 200;
/// Longer names are cut to this many characters.
const MAX_NAME_CHARS: usize = 120;
/// The area of the chart, in the units of the drawing. It leaves a margin for the dots.
const LEFT: f64 = 4.0;
const RIGHT: f64 = 316.0;
const TOP: f64 = 6.0;
const BOTTOM: f64 = 74.0;

/// The numbers of a verdict. They need little memory even if the verdict is large.
#[derive(Debug, Default)]
pub struct Numbers {
    /// `1 different, 12 same`.
    pub(super) tally: String,
    /// What changed, and how long it took to see it: `Deployment web v4.2 → v4.3`, `34 missing`, `took 12 s`.
    pub(super) glance: Vec<String>,
    metrics: Vec<Measured>,
}

/// The probe that documents by collection are shown under: they are what all probes together found.
const DOCUMENTS: &str = "documents";
/// How many changed images a line of the list has.
const MAX_IMAGES: usize = 3;

#[derive(Debug)]
struct Measured {
    metric: Metric,
    number: f64,
    shown: String,
    /// Whether the finding is not `same`.
    differs: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Metric {
    probe: String,
    subject: String,
}

impl Metric {
    /// Its name in the address of a page.
    fn key(&self) -> String {
        format!("{}/{}", self.probe, self.subject)
    }
}

impl Numbers {
    /// The documents of each collection, then the numeric metrics of a verdict.
    #[must_use]
    pub fn of(document: &VerdictDocument) -> Self {
        let metrics = document.findings.iter().filter_map(|finding| {
            finding.metric.as_ref()?;
            let metric = Metric {
                probe: truncate_chars(finding.probe.as_deref()?, MAX_NAME_CHARS),
                subject: truncate_chars(&subject(finding), MAX_NAME_CHARS),
            };
            let number = Amount::of(finding.after.as_ref()?)?.as_f64();
            number.is_finite().then(|| Measured {
                metric,
                number,
                shown: value(finding.after.as_ref()),
                differs: finding.outcome != FindingOutcome::Same,
            })
        });
        let documents = document.evidence.iter().filter_map(|evidence| {
            let documents = evidence.documents?;
            let metric = Metric {
                probe: DOCUMENTS.to_owned(),
                subject: truncate_chars(&escape_hidden(&evidence.collection), MAX_NAME_CHARS),
            };
            #[expect(clippy::cast_precision_loss, reason = "a point of a drawing")]
            let number = documents as f64;
            Some(Measured { metric, number, shown: grouped(documents), differs: evidence.before != Some(documents) })
        });
        let metrics = documents.chain(metrics).take(MAX_CHOICES).collect();
        Self { tally: tally(document), glance: glance(document), metrics }
    }

    fn get(&self, metric: &Metric) -> Option<&Measured> {
        self.metrics.iter().find(|measured| measured.metric == *metric)
    }
}

/// One metric over the runs.
pub(super) struct Trend {
    pub(super) probe: Text,
    pub(super) subject: Text,
    /// The latest value.
    pub(super) latest: Text,
    /// `2 966 to 3 000 in 12 runs`.
    pub(super) range: Text,
    /// The trend in one sentence, for screen readers.
    pub(super) description: Text,
    /// The points of each line. A line ends at a run whose verdict does not have the metric.
    pub(super) lines: Vec<String>,
    pub(super) dots: Vec<Dot>,
    /// The value in each run, in the order of the page.
    pub(super) values: Vec<Option<Text>>,
}

pub(super) struct Dot {
    pub(super) tone: &'static str,
    pub(super) x: String,
    pub(super) y: String,
    pub(super) r: &'static str,
}

/// A metric that can be chosen.
pub(super) struct Choice {
    pub(super) key: Text,
    pub(super) probe: Text,
    pub(super) subject: Text,
    pub(super) chosen: bool,
}

/// The trends of these runs, which are sorted newest first, and the metrics to choose from. If the user chose no metric,
/// the documents of the collections are drawn, then other metrics; of both those first that changed most often.
pub(super) fn trends_and_choices(runs: &[(Badge, Option<&Numbers>)], chosen: &[String]) -> (Vec<Trend>, Vec<Choice>) {
    let mut found: HashMap<&Metric, usize> = HashMap::new();
    // each metric and how often it differed, in the order of the newest verdict that has it
    let mut metrics: Vec<(&Metric, u32)> = Vec::new();
    for measured in runs.iter().filter_map(|(_, numbers)| *numbers).flat_map(|numbers| &numbers.metrics) {
        let index = *found.entry(&measured.metric).or_insert_with(|| {
            metrics.push((&measured.metric, 0));
            metrics.len() - 1
        });
        metrics[index].1 += u32::from(measured.differs);
    }
    let mut most_changed: Vec<&(&Metric, u32)> = metrics.iter().collect();
    most_changed.sort_by_key(|(metric, differed)| (metric.probe != DOCUMENTS, std::cmp::Reverse(*differed)));
    let drawn: Vec<&Metric> = if chosen.is_empty() {
        most_changed.iter().take(DEFAULT_TRENDS).map(|(metric, _)| *metric).collect()
    } else {
        let is_chosen = |metric: &&Metric| chosen.contains(&metric.key());
        metrics.iter().map(|(metric, _)| *metric).filter(is_chosen).take(MAX_TRENDS).collect()
    };
    let choice = |(metric, _): &(&Metric, u32)| Choice {
        key: Text::of(&metric.key()),
        probe: Text::of(&metric.probe),
        subject: Text::of(&metric.subject),
        chosen: drawn.contains(metric),
    };
    let choices = metrics.iter().take(MAX_CHOICES).map(choice).collect();
    (drawn.iter().filter_map(|metric| trend(runs, metric)).collect(), choices)
}

/// `0123abcd → 4567ef01`: the commits of both sides, if they are known and differ.
fn revisions(document: &VerdictDocument) -> Option<String> {
    let revision =
        |side: &SideSummary| side.revision.as_deref().map(|commit| commit.chars().take(8).collect::<String>());
    let (before, after) = (revision(document.before.as_ref()?)?, revision(&document.after)?);
    (before != after).then(|| escape_hidden(&format!("{before} → {after}")))
}

/// See [`Numbers::glance`].
fn glance(document: &VerdictDocument) -> Vec<String> {
    let mut glance: Vec<String> = revisions(document).into_iter().collect();
    glance.extend(images::changed(document).take(MAX_IMAGES));
    // a declared change that did not happen lists the documents without it, in which nothing changed
    let findings = document.findings.iter().filter(|finding| finding.code != ReasonCode::ChangeMissing);
    let sets = findings.filter_map(|finding| finding.documents.as_ref());
    let (missing, changed, extra) = sets.fold((0, 0, 0), |(missing, changed, extra), documents| {
        (missing + documents.missing.count, changed + documents.changed.count, extra + documents.extra.count)
    });
    for (count, what) in [(missing, "missing"), (changed, "changed"), (extra, "extra")] {
        if count > 0 {
            glance.push(format!("{} {what}", grouped(count)));
        }
    }
    let took = document.after.finished.duration_since(document.after.started).unsigned_abs();
    glance.push(format!("took {}", duration(took)));
    glance
}

fn trend(runs: &[(Badge, Option<&Numbers>)], metric: &Metric) -> Option<Trend> {
    let values: Vec<Option<&Measured>> =
        runs.iter().map(|(_, numbers)| numbers.and_then(|numbers| numbers.get(metric))).collect();
    let measured: Vec<&Measured> = values.iter().copied().flatten().collect();
    let (latest, oldest) = (measured.first()?, measured.last()?);
    let by_number = |one: &&&Measured, other: &&&Measured| one.number.total_cmp(&other.number);
    let (lowest, highest) = (measured.iter().min_by(by_number)?, measured.iter().max_by(by_number)?);
    let horizontal = |index: usize| horizontal(runs.len() - 1 - index, runs.len());
    let vertical = |number: f64| vertical(number, lowest.number, highest.number);
    let mut lines: Vec<Vec<String>> = vec![Vec::new()];
    let mut dots = Vec::new();
    for (index, value) in values.iter().enumerate().rev() {
        let Some(value) = value else {
            // a run without a verdict does not end the line; a verdict without the metric does
            if runs[index].1.is_some() {
                lines.push(Vec::new());
            }
            continue;
        };
        let (x, y) = (format!("{:.1}", horizontal(index)), format!("{:.1}", vertical(value.number)));
        lines.last_mut()?.push(format!("{x},{y}"));
        let r = if value.differs { "4" } else { "2" };
        dots.push(Dot { tone: if value.differs { runs[index].0.tone } else { "" }, x, y, r });
    }
    let run_count = taster_text::counted(measured.len() as u64, "run");
    let range = if lowest.shown == highest.shown {
        format!("the same in {run_count}")
    } else {
        format!("{} to {} in {run_count}", lowest.shown, highest.shown)
    };
    Some(Trend {
        description: Text::of(&format!(
            "{}: from {} in the oldest run to {} in the newest, {range}",
            metric.subject, oldest.shown, latest.shown
        )),
        probe: Text::of(&metric.probe),
        subject: Text::of(&metric.subject),
        latest: Text::of(&latest.shown),
        range: Text::of(&range),
        lines: lines.into_iter().filter(|line| line.len() > 1).map(|line| line.join(" ")).collect(),
        dots,
        values: values.into_iter().map(|value| value.map(|value| Text::of(&value.shown))).collect(),
    })
}

#[expect(clippy::cast_precision_loss, reason = "a page has fewer runs than a double has digits")]
fn horizontal(position: usize, runs: usize) -> f64 {
    if runs < 2 { f64::midpoint(LEFT, RIGHT) } else { LEFT + (RIGHT - LEFT) * position as f64 / (runs - 1) as f64 }
}

fn vertical(number: f64, lowest: f64, highest: f64) -> f64 {
    // halve before subtracting: the difference of the greatest and the smallest double overflows
    let height = highest / 2.0 - lowest / 2.0;
    if height <= 0.0 {
        f64::midpoint(TOP, BOTTOM)
    } else {
        BOTTOM - (BOTTOM - TOP) * ((number / 2.0 - lowest / 2.0) / height)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{lossy, upgraded};

    fn same(subject: &str, number: f64) -> Measured {
        let metric = Metric { probe: "orders".to_owned(), subject: subject.to_owned() };
        Measured { metric, number, shown: number.to_string(), differs: false }
    }

    fn changed(subject: &str, number: f64) -> Measured {
        Measured { differs: true, ..same(subject, number) }
    }

    fn numbers<const N: usize>(metrics: [Measured; N]) -> Numbers {
        Numbers { metrics: Vec::from(metrics), ..Numbers::default() }
    }

    fn drawn(runs: &[Option<Numbers>], chosen: &[&str]) -> Vec<Trend> {
        let runs: Vec<_> = runs.iter().map(|numbers| (Badge::PENDING, numbers.as_ref())).collect();
        let chosen: Vec<String> = chosen.iter().map(|key| (*key).to_owned()).collect();
        trends_and_choices(&runs, &chosen).0
    }

    #[test]
    fn the_newest_run_is_on_the_right_and_the_greatest_value_on_top() {
        let runs = [10.0, 30.0, 20.0].map(|n| Some(numbers([same("n", n)])));
        let [trend] = &drawn(&runs, &[])[..] else { panic!() };
        assert_eq!(trend.lines, ["4.0,40.0 160.0,6.0 316.0,74.0"]);
        assert_eq!(trend.description.as_str(), "n: from 20 in the oldest run to 10 in the newest, 10 to 30 in 3 runs");
    }

    #[test]
    fn a_verdict_without_the_metric_ends_the_line_and_a_run_without_a_verdict_does_not() {
        let n = || Some(numbers([same("n", 1.0)]));
        let none = || Some(numbers([same("other", 1.0)]));
        let [trend, _] = &drawn(&[n(), n(), none(), n(), None, n()], &[])[..] else { panic!() };
        assert_eq!(trend.lines, ["4.0,40.0 128.8,40.0", "253.6,40.0 316.0,40.0"]);
        assert_eq!((trend.dots.len(), trend.range.as_str()), (4, "the same in 4 runs"));
    }

    #[test]
    fn changed_metrics_are_drawn_unless_the_user_chose_others() {
        let metrics = [same("a", 1.0), same("b", 1.0), same("c", 1.0), same("d", 1.0), changed("e", 1.0)];
        let runs = [Some(numbers(metrics))];
        let names =
            |chosen: &[&str]| drawn(&runs, chosen).iter().map(|trend| trend.subject.to_string()).collect::<Vec<_>>();
        assert_eq!(names(&[]), ["e", "a", "b", "c"]);
        assert_eq!(names(&["orders/c", "orders/nothing"]), ["c"]);
        assert!(names(&["nothing"]).is_empty());
    }

    #[test]
    fn documents_by_collection_are_drawn_first() {
        let documents = |subject: &str, differs| {
            let metric = Metric { probe: DOCUMENTS.to_owned(), subject: subject.to_owned() };
            Measured { metric, number: 1.0, shown: "1".to_owned(), differs }
        };
        let runs = [Some(numbers([documents("menu", false), documents("orders", true), changed("e", 1.0)]))];
        let names = drawn(&runs, &[]).iter().map(|trend| trend.subject.to_string()).collect::<Vec<_>>();
        assert_eq!(names, ["orders", "menu", "e"]);
    }

    #[test]
    fn the_list_says_at_a_glance_what_changed() {
        assert_eq!(Numbers::of(&lossy()).glance, ["34 missing", "2 changed", "took 1.0 s"]);
        let mut upgraded = upgraded();
        assert_eq!(Numbers::of(&upgraded).glance, ["Deployment pxbbq-web web v4.2 → v4.3", "took 1.0 s"]);
        upgraded.after.revision = Some("b".repeat(40));
        if let Some(before) = &mut upgraded.before {
            before.revision = Some("a".repeat(40));
        }
        assert_eq!(Numbers::of(&upgraded).glance[0], "aaaaaaaa → bbbbbbbb");
        // the same commit on both sides is no change
        upgraded.after.revision.clone_from(&upgraded.before.as_ref().expect("a side").revision);
        assert_eq!(Numbers::of(&upgraded).glance[0], "Deployment pxbbq-web web v4.2 → v4.3");
    }

    #[test]
    fn the_greatest_doubles_are_drawn() {
        let runs = [f64::MAX, -f64::MAX, 0.0].map(|n| Some(numbers([same("n", n)])));
        assert_eq!(drawn(&runs, &[])[0].lines, ["4.0,40.0 160.0,74.0 316.0,6.0"]);
    }
}
