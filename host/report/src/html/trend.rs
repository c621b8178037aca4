//! Metrics over the runs of a page, drawn.

use std::collections::HashMap;

use taster_model::{FindingOutcome, VerdictDocument};
use taster_text::truncate_chars;

use super::{amount::Amount, badge::Badge, text::Text};
use crate::finding_text::{subject, tally, value};

/// So many metrics are drawn.
pub(super) const MOST: usize = 6;
/// So many are drawn where nobody chose.
const UNASKED: usize = 4;
/// So many can be chosen from, and are kept of one verdict.
const CHOICES: usize = 200;
/// Longer names are cut.
const LONGEST: usize = 120;
/// The drawing in its own units, without the room that dots take.
const LEFT: f64 = 4.0;
const RIGHT: f64 = 316.0;
const TOP: f64 = 6.0;
const BOTTOM: f64 = 74.0;

/// What a verdict says in numbers: small, whatever the verdict is.
#[derive(Debug, Default)]
pub struct Numbers {
    /// `1 different, 12 same`.
    pub(super) tally: String,
    metrics: Vec<Measured>,
}

#[derive(Debug)]
struct Measured {
    metric: Metric,
    place: f64,
    shown: String,
    /// Whether it is not what it was.
    differs: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Metric {
    probe: String,
    subject: String,
}

impl Metric {
    /// What stands in the address of a page.
    fn key(&self) -> String {
        format!("{}/{}", self.probe, self.subject)
    }
}

impl Numbers {
    /// The metrics of a verdict that are numbers.
    #[must_use]
    pub fn of(document: &VerdictDocument) -> Self {
        let metrics = document.findings.iter().filter_map(|finding| {
            finding.metric.as_ref()?;
            let metric = Metric {
                probe: truncate_chars(finding.probe.as_deref()?, LONGEST),
                subject: truncate_chars(&subject(finding), LONGEST),
            };
            let place = Amount::of(finding.after.as_ref()?)?.place();
            place.is_finite().then(|| Measured {
                metric,
                place,
                shown: value(finding.after.as_ref()),
                differs: finding.outcome != FindingOutcome::Same,
            })
        });
        Self { tally: tally(document), metrics: metrics.take(CHOICES).collect() }
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
    /// The same in a sentence, for screen readers.
    pub(super) description: Text,
    /// Points of lines; a run without the metric parts two.
    pub(super) lines: Vec<String>,
    pub(super) dots: Vec<Dot>,
    /// Of each run, in the order of the page.
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

/// What is drawn of these runs, newest first, and what could be. Where nobody chose, those that changed most often.
pub(super) fn of(runs: &[(Badge, Option<&Numbers>)], chosen: &[String]) -> (Vec<Trend>, Vec<Choice>) {
    let mut found: HashMap<&Metric, usize> = HashMap::new();
    // how often it differed, in the order in which the newest verdict names them
    let mut metrics: Vec<(&Metric, u32)> = Vec::new();
    for measured in runs.iter().filter_map(|(_, numbers)| *numbers).flat_map(|numbers| &numbers.metrics) {
        let place = *found.entry(&measured.metric).or_insert_with(|| {
            metrics.push((&measured.metric, 0));
            metrics.len() - 1
        });
        metrics[place].1 += u32::from(measured.differs);
    }
    let mut telling: Vec<&(&Metric, u32)> = metrics.iter().collect();
    telling.sort_by_key(|(_, differed)| std::cmp::Reverse(*differed));
    let wanted: Vec<&Metric> = if chosen.is_empty() {
        telling.iter().take(UNASKED).map(|(metric, _)| *metric).collect()
    } else {
        let asked = |metric: &&Metric| chosen.contains(&metric.key());
        metrics.iter().map(|(metric, _)| *metric).filter(asked).take(MOST).collect()
    };
    let choice = |(metric, _): &(&Metric, u32)| Choice {
        key: Text::of(&metric.key()),
        probe: Text::of(&metric.probe),
        subject: Text::of(&metric.subject),
        chosen: wanted.contains(metric),
    };
    let choices = metrics.iter().take(CHOICES).map(choice).collect();
    (wanted.iter().filter_map(|metric| trend(runs, metric)).collect(), choices)
}

fn trend(runs: &[(Badge, Option<&Numbers>)], metric: &Metric) -> Option<Trend> {
    let values: Vec<Option<&Measured>> =
        runs.iter().map(|(_, numbers)| numbers.and_then(|numbers| numbers.get(metric))).collect();
    let measured: Vec<&Measured> = values.iter().copied().flatten().collect();
    let (latest, oldest) = (measured.first()?, measured.last()?);
    let by_place = |one: &&&Measured, other: &&&Measured| one.place.total_cmp(&other.place);
    let (lowest, highest) = (measured.iter().min_by(by_place)?, measured.iter().max_by(by_place)?);
    let across = |index: usize| across(runs.len() - 1 - index, runs.len());
    let up = |place: f64| up(place, lowest.place, highest.place);
    let mut lines: Vec<Vec<String>> = vec![Vec::new()];
    let mut dots = Vec::new();
    for (index, value) in values.iter().enumerate().rev() {
        let Some(value) = value else {
            // a run that was not judged is no hole; one without the metric is
            if runs[index].1.is_some() {
                lines.push(Vec::new());
            }
            continue;
        };
        let (x, y) = (format!("{:.1}", across(index)), format!("{:.1}", up(value.place)));
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
fn across(place: usize, of: usize) -> f64 {
    if of < 2 { f64::midpoint(LEFT, RIGHT) } else { LEFT + (RIGHT - LEFT) * place as f64 / (of - 1) as f64 }
}

fn up(place: f64, lowest: f64, highest: f64) -> f64 {
    // halves first: the difference of the greatest doubles has no place among them
    let height = highest / 2.0 - lowest / 2.0;
    if height <= 0.0 {
        f64::midpoint(TOP, BOTTOM)
    } else {
        BOTTOM - (BOTTOM - TOP) * ((place / 2.0 - lowest / 2.0) / height)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(metrics: &[(&str, f64, bool)]) -> Numbers {
        let measured = |(subject, place, differs): &(&str, f64, bool)| Measured {
            metric: Metric { probe: "orders".to_owned(), subject: (*subject).to_owned() },
            place: *place,
            shown: place.to_string(),
            differs: *differs,
        };
        Numbers { tally: String::new(), metrics: metrics.iter().map(measured).collect() }
    }

    fn drawn(runs: &[Option<Numbers>], chosen: &[&str]) -> Vec<Trend> {
        let runs: Vec<_> = runs.iter().map(|numbers| (Badge::PENDING, numbers.as_ref())).collect();
        let chosen: Vec<String> = chosen.iter().map(|key| (*key).to_owned()).collect();
        of(&runs, &chosen).0
    }

    #[test]
    fn the_newest_run_is_on_the_right_and_the_greatest_value_on_top() {
        let runs = [10.0, 30.0, 20.0].map(|n| Some(numbers(&[("n", n, false)])));
        let [trend] = &drawn(&runs, &[])[..] else { panic!() };
        assert_eq!(trend.lines, ["4.0,40.0 160.0,6.0 316.0,74.0"]);
        assert_eq!(trend.description.as_str(), "n: from 20 in the oldest run to 10 in the newest, 10 to 30 in 3 runs");
    }

    #[test]
    fn a_run_without_the_metric_parts_the_line_and_one_without_a_verdict_does_not() {
        let n = || Some(numbers(&[("n", 1.0, false)]));
        let none = || Some(numbers(&[("other", 1.0, false)]));
        let [trend, _] = &drawn(&[n(), n(), none(), n(), None, n()], &[])[..] else { panic!() };
        assert_eq!(trend.lines, ["4.0,40.0 128.8,40.0", "253.6,40.0 316.0,40.0"]);
        assert_eq!((trend.dots.len(), trend.range.as_str()), (4, "the same in 4 runs"));
    }

    #[test]
    fn what_changed_is_drawn_unless_somebody_chose() {
        let runs = [Some(numbers(&[
            ("a", 1.0, false),
            ("b", 1.0, false),
            ("c", 1.0, false),
            ("d", 1.0, false),
            ("e", 1.0, true),
        ]))];
        let names =
            |chosen: &[&str]| drawn(&runs, chosen).iter().map(|trend| trend.subject.to_string()).collect::<Vec<_>>();
        assert_eq!(names(&[]), ["e", "a", "b", "c"]);
        assert_eq!(names(&["orders/c", "orders/nothing"]), ["c"]);
        assert!(names(&["nothing"]).is_empty());
    }

    #[test]
    fn the_greatest_doubles_have_a_place() {
        let runs = [f64::MAX, -f64::MAX, 0.0].map(|n| Some(numbers(&[("n", n, false)])));
        assert_eq!(drawn(&runs, &[])[0].lines, ["4.0,40.0 160.0,74.0 316.0,6.0"]);
    }
}
