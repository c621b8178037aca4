//! The run that a process works for: that of `--run`, of the hook Job's name, of its pod's name, the app's unfinished run, or
//! a new one, in this order.

use taster_model::{CurrentState, RunId};

/// The names that may contain the run of a hook: that of its Job, and that of its pod, which Kubernetes sets as `HOSTNAME`.
pub(crate) fn hook_names() -> Vec<String> {
    ["TASTER_JOB", "HOSTNAME"].into_iter().filter_map(|name| std::env::var(name).ok()).collect()
}

/// Adds the run to the current `run` span, which began before the run was known.
pub(crate) fn record_in_span(run: &RunId) {
    tracing::Span::current().record("run", tracing::field::display(run));
}

/// The run that is named by `--run` or by the hook Job that this process runs in.
///
/// A hook Job that Argo CD names by `generateName` is called `…-presync-<unix>`, its pod `…-presync-<unix>-<five>`; the
/// number is the same for all hooks of one operation, retries included. The pod's name is cut where it is too long, so the
/// Job's comes first.
pub(crate) fn from_flag_or_hook(given: Option<&RunId>, hooks: &[String]) -> Option<RunId> {
    given.cloned().or_else(|| hooks.iter().find_map(|name| from_hook_name(name)))
}

/// The run that this process works for.
#[must_use]
pub(crate) fn resolve(named: Option<&RunId>, current: Option<&CurrentState>) -> RunId {
    named.cloned().or_else(|| unfinished(current)).unwrap_or_else(RunId::generate)
}

/// The run of a `post`. If none is named, it is the app's last run, even if that has a verdict: a repeated `post` judges the
/// same run again, and a new run would have nothing to compare with.
pub(crate) fn for_post(named: Option<&RunId>, current: Option<&CurrentState>) -> RunId {
    let last = current.and_then(|current| current.last.as_ref()).map(|last| &last.run);
    resolve(named.or(last), current)
}

fn unfinished(current: Option<&CurrentState>) -> Option<RunId> {
    let last = current?.last.as_ref()?;
    last.verdict.is_none().then(|| last.run.clone())
}

fn from_hook_name(pod: &str) -> Option<RunId> {
    let mut words = pod.rsplit('-').peekable();
    // the pod's own five characters; a Job's name comes without them
    if words.peek().is_some_and(|word| !is_unix(word)) {
        words.next();
    }
    let unix = words.next().filter(|word| is_unix(word))?;
    let hook = words.next()?;
    matches!(hook, "presync" | "postsync" | "syncfail").then(|| unix.parse().ok())?
}

fn is_unix(word: &str) -> bool {
    (10..=11).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use taster_model::{LastRun, Verdict, schema};

    use super::*;

    #[test]
    fn the_hook_jobs_of_one_operation_agree_on_a_run() {
        let cases = [
            ("taste-abc1234-presync-1764000000-x7k2p", Some("1764000000")),
            ("taste-abc1234-postsync-1764000000-9zzzz", Some("1764000000")),
            ("taste-abc1234-syncfail-1764000000", Some("1764000000")),
            ("taste-presync-x7k2p", None),
            ("pxbbq-web-5d8f9c7b6-x7k2p", None),
            ("", None),
        ];
        for (pod, run) in cases {
            assert_eq!(from_hook_name(pod).as_ref().map(RunId::as_str), run, "{pod}");
        }
    }

    #[test]
    fn an_unfinished_run_goes_on_and_a_finished_one_does_not() {
        let current = |verdict| CurrentState {
            known: Vec::new(),
            schema: schema::CURRENT.to_owned(),
            app: "pxbbq".parse().unwrap(),
            baseline: None,
            claims: Vec::new(),
            last: Some(LastRun { run: "first".parse().unwrap(), verdict }),
            nothing_yet: None,
        };
        assert_eq!(resolve(None, Some(&current(None))).as_str(), "first");
        assert_ne!(resolve(None, Some(&current(Some(Verdict::Same)))).as_str(), "first");
        assert_eq!(for_post(None, Some(&current(Some(Verdict::Same)))).as_str(), "first");
        let given = "mine".parse().unwrap();
        let hooks = ["a-presync-1764000000".to_owned(), "a-presync-1764000001-x7k2p".to_owned()];
        assert_eq!(from_flag_or_hook(Some(&given), &hooks).unwrap().as_str(), "mine");
        assert_eq!(from_flag_or_hook(None, &hooks).unwrap().as_str(), "1764000000", "the Job's name before the pod's");
        assert_eq!(from_flag_or_hook(None, &["laptop".to_owned()]), None);
    }
}
