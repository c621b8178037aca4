//! What one sees while waiting: a line that moves on a terminal, plain log lines elsewhere.

use std::{io::IsTerminal, sync::Arc, time::Duration};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tracing_subscriber::{EnvFilter, fmt::MakeWriter};

use crate::cli::LogFormat;

/// Sets up log lines on standard error. `TASTER_LOG` overrides `-v` in the words of `tracing` filters.
pub fn init(format: LogFormat, verbose: u8) {
    let level = match verbose {
        0 => "taster_taster=info,warn",
        1 => "taster_taster=debug,taster_query=debug,taster_engine=debug,taster_store=debug,info",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_env("TASTER_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(Lines);
    // a second call (tests in one process) finds the subscriber set, which is as good
    let _ = match format {
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(false).try_init(),
        LogFormat::Text => {
            builder.with_target(false).with_ansi(console::colors_enabled_stderr()).without_time().compact().try_init()
        }
    };
}

/// All bars of the process; log lines are written above them.
fn bars() -> &'static MultiProgress {
    static BARS: std::sync::OnceLock<MultiProgress> = std::sync::OnceLock::new();
    BARS.get_or_init(MultiProgress::new)
}

/// Writes log lines without tearing a bar apart.
#[derive(Clone, Copy)]
struct Lines;

impl std::io::Write for Lines {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        bars().suspend(|| std::io::stderr().lock().write_all(line))?;
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        *self
    }
}

/// One thing that takes a while.
#[derive(Clone)]
pub struct Task {
    bar: Option<ProgressBar>,
    label: Arc<str>,
}

impl Task {
    /// Begins it and says so.
    #[must_use]
    pub fn begin(label: impl Into<String>) -> Self {
        let label: Arc<str> = label.into().into();
        if !std::io::stderr().is_terminal() {
            return Self { bar: None, label };
        }
        let bar = bars().add(ProgressBar::new_spinner());
        let style = ProgressStyle::with_template("  {spinner} {prefix} {wide_msg}").expect("a constant template");
        bar.set_style(style);
        bar.set_prefix(label.to_string());
        bar.enable_steady_tick(Duration::from_millis(120));
        Self { bar: Some(bar), label }
    }

    /// How far it is, in whatever it counts.
    pub fn at(&self, done: u64, total: Option<u64>) {
        let Some(bar) = &self.bar else { return };
        let done = crate::render::number(done);
        match total {
            Some(total) => bar.set_message(format!("{done} of {}", crate::render::number(total))),
            None => bar.set_message(done),
        }
    }

    /// Ends it with what came of it.
    pub fn end(self, outcome: &str) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        tracing::info!("{}: {outcome}", self.label);
    }
}
