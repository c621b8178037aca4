//! Progress of long steps: a bar on a terminal, and a log line at the end.

use std::{
    borrow::Cow,
    io::IsTerminal,
    sync::{Arc, OnceLock},
    time::Duration,
};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// All progress bars of the process. Log lines are written above them.
#[must_use]
pub fn bars() -> &'static MultiProgress {
    static BARS: OnceLock<MultiProgress> = OnceLock::new();
    BARS.get_or_init(MultiProgress::new)
}

/// Shows no bars from now on.
pub fn hide_bars() {
    bars().set_draw_target(ProgressDrawTarget::hidden());
}

/// Gives a text with the signs that the terminal has.
type Signs = fn(&str) -> Cow<'_, str>;

static SIGNS: OnceLock<Signs> = OnceLock::new();

/// Writes what bars show through `signs`, and turns spinners with the signs that it leaves. Only the first call counts.
pub fn set_signs(signs: Signs) {
    let _ = SIGNS.set(signs);
}

fn shown(text: &str) -> String {
    SIGNS.get().map_or_else(|| text.to_owned(), |signs| signs(text).into_owned())
}

fn spinner(template: &'static str) -> ProgressBar {
    let bar = bars().add(ProgressBar::new_spinner());
    bar.set_style(style(template));
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

fn style(template: &'static str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).expect("a constant template");
    // the spinner that a terminal without the signs of a sentence has no braille for
    if shown("…") == "…" { style } else { style.tick_chars("|/-\\ ") }
}

/// Says what is being done, until it is dropped: a spinner on a terminal, else one log line at the beginning.
pub(crate) struct Notice(Option<ProgressBar>);

impl Notice {
    pub(crate) fn show(text: &str) -> Self {
        if !std::io::stderr().is_terminal() {
            tracing::info!("{text}");
            return Self(None);
        }
        let bar = spinner("  {spinner} {wide_msg}");
        bar.set_message(shown(text));
        Self(Some(bar))
    }
}

impl Drop for Notice {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

/// A step that takes a while.
#[derive(Clone)]
pub struct Task {
    bar: Option<ProgressBar>,
    label: Arc<str>,
}

impl Task {
    /// Starts the step, with a bar on a terminal.
    #[must_use]
    pub fn start(label: impl Into<String>) -> Self {
        let label: Arc<str> = label.into().into();
        if !std::io::stderr().is_terminal() {
            return Self { bar: None, label };
        }
        let bar = spinner("  {spinner} {prefix} {wide_msg}");
        bar.set_prefix(shown(&label));
        Self { bar: Some(bar), label }
    }

    /// Shows how many items are done.
    pub fn set_progress(&self, done: u64, total: Option<u64>) {
        let Some(bar) = &self.bar else { return };
        let done = taster_text::grouped(done);
        match total {
            Some(total) => bar.set_message(shown(&format!("{done} of {}", taster_text::grouped(total)))),
            None => bar.set_message(shown(&done)),
        }
    }

    /// Ends the step and logs its outcome.
    pub fn finish(self, outcome: &str) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        tracing::info!("{}: {outcome}", self.label);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_have_the_signs_of_the_terminal() {
        let has_braille = |style: &ProgressStyle| !style.get_tick_str(0).is_ascii();
        assert!(has_braille(&style("{spinner}")));
        set_signs(|text| Cow::Owned(text.replace('…', "...")));
        assert_eq!(shown("compiling …"), "compiling ...");
        let plain = style("{spinner}");
        assert!((0..5).all(|tick| plain.get_tick_str(tick).is_ascii()));
    }
}
