//! Progress of long steps: a bar on a terminal, and a log line at the end.

use std::{io::IsTerminal, sync::Arc, time::Duration};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// All progress bars of the process. Log lines are written above them.
#[must_use]
pub fn bars() -> &'static MultiProgress {
    static BARS: std::sync::OnceLock<MultiProgress> = std::sync::OnceLock::new();
    BARS.get_or_init(MultiProgress::new)
}

/// Shows no bars from now on.
pub fn hide_bars() {
    bars().set_draw_target(ProgressDrawTarget::hidden());
}

fn spinner(template: &'static str) -> ProgressBar {
    let bar = bars().add(ProgressBar::new_spinner());
    bar.set_style(ProgressStyle::with_template(template).expect("a constant template"));
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

/// Says what is being done, until it is dropped: a spinner on a terminal, else one log line at the beginning.
pub(crate) struct Notice(Option<ProgressBar>);

impl Notice {
    pub(crate) fn show(text: String) -> Self {
        if !std::io::stderr().is_terminal() {
            tracing::info!("{text}");
            return Self(None);
        }
        let bar = spinner("  {spinner} {wide_msg}");
        bar.set_message(text);
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
        bar.set_prefix(label.to_string());
        Self { bar: Some(bar), label }
    }

    /// Shows how many items are done.
    pub fn set_progress(&self, done: u64, total: Option<u64>) {
        let Some(bar) = &self.bar else { return };
        let done = taster_text::grouped(done);
        match total {
            Some(total) => bar.set_message(format!("{done} of {}", taster_text::grouped(total))),
            None => bar.set_message(done),
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
