//! Log lines on standard error, above the progress bars.

use clap::ValueEnum;
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{FilterExt, filter_fn},
    fmt::MakeWriter,
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use crate::output;

/// How log lines are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Text for a terminal.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// `--quiet`: warnings, and no progress.
    Warnings,
    /// The steps of a command.
    Steps,
    /// `-v`.
    Debug,
    /// `-vv`.
    Trace,
}

/// Sets up log lines on standard error. `TASTER_LOG`, a `tracing` filter, overrides `-v` and `--quiet`.
pub fn init(format: LogFormat, verbosity: Verbosity) {
    let level = match verbosity {
        Verbosity::Warnings => "warn",
        Verbosity::Steps => "taster=info,taster_demo=info,taster_flow=info,taster_notify=info,taster_serve=info,warn",
        Verbosity::Debug => "taster=debug,info",
        Verbosity::Trace => "trace",
    };
    taster_flow::progress::set_signs(output::for_terminal);
    if verbosity == Verbosity::Warnings {
        taster_flow::progress::hide_bars();
    }
    let filter = EnvFilter::try_from_env("TASTER_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let layer = tracing_subscriber::fmt::layer().with_writer(LogWriter);
    // a second call (tests in one process) finds the subscriber already set
    let _ = match format {
        LogFormat::Json => {
            let layer = layer.json().flatten_event(true).with_current_span(false).with_span_list(true);
            tracing_subscriber::registry().with(layer.with_filter(filter)).try_init()
        }
        LogFormat::Text => {
            let layer = layer.with_target(false).with_ansi(console::colors_enabled_stderr()).without_time().compact();
            // on a terminal all lines are of one run: its span would repeat the app and the run on each of them
            let shown = filter_fn(move |metadata| verbosity > Verbosity::Steps || metadata.is_event());
            tracing_subscriber::registry().with(layer.with_filter(filter.and(shown))).try_init()
        }
    };
}

/// Writes log lines to standard error; progress bars are hidden for the moment.
#[derive(Clone, Copy)]
struct LogWriter;

impl std::io::Write for LogWriter {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        let plain = std::str::from_utf8(line).map(output::for_terminal);
        let shown = plain.as_ref().map_or(line, |text| text.as_bytes());
        taster_flow::progress::bars().suspend(|| std::io::stderr().lock().write_all(shown))?;
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}

impl<'a> MakeWriter<'a> for LogWriter {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        *self
    }
}
