//! How a command ends: exit codes and the errors that a person reads.

use std::{fmt, process::ExitCode};

use taster_model::{Coded, Verdict};

/// How a command ended. The numbers are part of the contract with hook Jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// `same`, or done.
    Done = 0,
    /// `different`.
    Different = 1,
    /// Wrong usage.
    Usage = 2,
    /// `unknown`.
    Unknown = 3,
    /// It could not be done: infrastructure, configuration.
    Failed = 4,
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

/// An error on its way to a person: code, chain of causes, place, help.
pub struct Problem {
    code: &'static str,
    message: String,
    causes: Vec<String>,
    excerpt: Option<String>,
    help: Option<String>,
    /// What people have to be told first.
    lead: Option<String>,
    /// What the process ends with.
    pub exit: Exit,
}

impl Problem {
    /// An error that no library has a type for.
    #[must_use]
    pub fn new(code: &'static str, message: impl fmt::Display, help: impl Into<Option<String>>) -> Self {
        Self {
            code,
            message: taster_text::scrub(&message.to_string()),
            causes: Vec::new(),
            excerpt: None,
            help: help.into(),
            lead: None,
            exit: Exit::Failed,
        }
    }

    /// The same, ending with another exit code.
    #[must_use]
    pub fn exiting(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// The same, with what people have to be told first.
    #[must_use]
    pub fn led_by(mut self, lead: Option<String>) -> Self {
        self.lead = lead.or(self.lead);
        self
    }

    /// All of it on one line, for where there is room for no more.
    #[must_use]
    pub fn in_a_line(&self) -> String {
        let lead = self.lead.iter().cloned();
        let error = std::iter::once(format!("error[{}]: {}", self.code, self.message));
        let help = self.help.iter().map(|help| format!("help: {help}"));
        let parts: Vec<String> = lead.chain(error).chain(self.causes.iter().cloned()).chain(help).collect();
        taster_text::plain(&parts.join("; ").split_whitespace().collect::<Vec<_>>().join(" "))
    }

    /// Its stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.code
    }
}

impl<E: Coded + 'static> From<E> for Problem {
    fn from(error: E) -> Self {
        let message = taster_text::scrub(&error.to_string());
        let mut causes = Vec::new();
        let mut source = error.source();
        while let Some(cause) = source {
            let text = taster_text::scrub(&cause.to_string());
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
            help: error.help(),
            lead: None,
            exit: Exit::Failed,
        }
    }
}

impl fmt::Display for Problem {
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

impl fmt::Debug for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
