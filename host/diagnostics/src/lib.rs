//! Exit codes of commands, and [`CliError`]: an error with its code, causes and help, as the command line prints it.

use std::{fmt, process::ExitCode};

use taster_model::{Diagnostic, Verdict};

/// The exit code of a command. Hook Jobs rely on these numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// The verdict is `same`, or the command succeeded.
    Done = 0,
    /// The verdict is `different`.
    Different = 1,
    /// The command line is wrong.
    Usage = 2,
    /// The verdict is `unknown`.
    Unknown = 3,
    /// The command failed: infrastructure or configuration.
    Failed = 4,
    /// Ctrl-C (SIGINT) stopped the command, as shells number it.
    Interrupted = 130,
}

impl From<Verdict> for Exit {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Same => Self::Done,
            Verdict::Different => Self::Different,
            Verdict::Unknown => Self::Unknown,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// An error as the command line prints it: code, message, chain of causes, source excerpt, help, and the exit code.
pub struct CliError {
    code: &'static str,
    message: String,
    causes: Vec<String>,
    excerpt: Option<String>,
    help: Option<String>,
    /// A line that is printed before the error, such as `NOT RESTORED mongo 1→0`.
    lead: Option<String>,
    /// The exit code of the process.
    pub exit: Exit,
}

impl CliError {
    /// Creates an error for which no library has a type.
    #[must_use]
    pub fn new(code: &'static str, message: impl fmt::Display, help: impl Into<Option<String>>) -> Self {
        Self {
            code,
            message: taster_text::redact_credentials(&message.to_string()),
            causes: Vec::new(),
            excerpt: None,
            help: help.into(),
            lead: None,
            exit: Exit::Failed,
        }
    }

    /// Sets the exit code.
    #[must_use]
    pub fn with_exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// Sets the line that is printed before the error, if there is one.
    #[must_use]
    pub fn with_lead(mut self, lead: Option<String>) -> Self {
        self.lead = lead.or(self.lead);
        self
    }

    /// The whole error on one line, for termination messages and Events.
    #[must_use]
    pub fn one_line(&self) -> String {
        let lead = self.lead.iter().cloned();
        let error = std::iter::once(format!("error[{}]: {}", self.code, self.message));
        let help = self.help.iter().map(|help| format!("help: {help}"));
        let parts: Vec<String> = lead.chain(error).chain(self.causes.iter().cloned()).chain(help).collect();
        taster_text::one_line(&parts.join("; "))
    }

    /// The stable code, such as `T0602`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.code
    }
}

impl<E: Diagnostic + 'static> From<E> for CliError {
    fn from(error: E) -> Self {
        let message = taster_text::redact_credentials(&error.to_string());
        let mut causes = Vec::new();
        let mut source = error.source();
        while let Some(cause) = source {
            let text = taster_text::redact_credentials(&cause.to_string());
            // many errors repeat their source in their own text
            if !message.contains(&text) && !causes.contains(&text) {
                causes.push(text);
            }
            source = cause.source();
        }
        Self {
            code: error.code(),
            message,
            causes,
            excerpt: error.excerpt(),
            help: error.remedy(),
            lead: None,
            exit: Exit::Failed,
        }
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(lead) = &self.lead {
            writeln!(f, "{lead}")?;
        }
        write!(f, "error[{}]: {}", self.code, self.message)?;
        for cause in &self.causes {
            write!(f, "\n  caused by: {cause}")?;
        }
        if let Some(excerpt) = &self.excerpt {
            for line in excerpt.lines() {
                write!(f, "\n  {line}")?;
            }
        }
        if let Some(help) = &self.help {
            write!(f, "\n  help: {help}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
