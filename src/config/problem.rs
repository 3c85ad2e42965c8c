//! The problems of a configuration, shown as a compiler shows them: position, line, caret, remedy.
//!
//! A problem never shows a secret: see [`super::excerpt`] for the quoted line; messages pass through the program's
//! one redaction.

use super::excerpt::{self, Excerpt};
use super::tree::Span;
use crate::system::order;
use crate::system::secret;
use std::fmt;
use std::path::{Path, PathBuf};

/// Whether a problem stops the configuration from being used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Severity {
    Error,
    Warning,
}

/// One thing wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) severity: Severity,
    /// The configuration file; `None` when the environment is at fault.
    pub(crate) file: Option<PathBuf>,
    /// Line and column in characters, both from 1.
    pub(crate) position: Option<(usize, usize)>,
    /// The line, without secrets.
    pub(crate) excerpt: Option<Excerpt>,
    pub(crate) message: String,
    pub(crate) remedy: Option<String>,
}

impl Problem {
    /// For `config check --json`.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "severity": match self.severity { Severity::Error => "error", Severity::Warning => "warning" },
            "file": self.file.as_ref().map(|file| file.display().to_string()),
            "line": self.position.map(|position| position.0),
            "column": self.position.map(|position| position.1),
            "message": self.message,
            "remedy": self.remedy,
        })
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}:", file.display())?;
            if let Some((line, column)) = self.position {
                write!(f, "{line}:{column}:")?;
            }
            f.write_str(" ")?;
        }
        if self.severity == Severity::Warning {
            f.write_str("warning: ")?;
        }
        f.write_str(&self.message)?;
        if let (Some(excerpt), Some((line, _))) = (&self.excerpt, self.position) {
            let number = line.to_string();
            write!(f, "\n  {number} | {}", excerpt.text)?;
            let (gutter, offset, carets) = (number.len(), excerpt.offset, "^".repeat(excerpt.length));
            write!(f, "\n  {:gutter$} | {:offset$}{carets}", "", "")?;
        }
        if let Some(remedy) = &self.remedy {
            write!(f, "\n  {remedy}")?;
        }
        Ok(())
    }
}

/// A mistake in one value, before its position is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mistake {
    pub(crate) message: String,
    pub(crate) remedy: Option<String>,
}

impl Mistake {
    /// On one line, for an answer to a question or an argument.
    pub(crate) fn sentence(self) -> String {
        match self.remedy {
            Some(remedy) => format!("{}; {remedy}", self.message),
            None => self.message,
        }
    }

    /// A mistake without a remedy yet.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), remedy: None }
    }

    /// With what the reader can do about it.
    pub(crate) fn remedy(self, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }

    /// With a remedy where there is one.
    pub(crate) fn maybe(self, remedy: Option<String>) -> Self {
        Self { remedy, ..self }
    }

    /// With a word about what it concerns before it.
    pub(crate) fn about(self, what: &str) -> Self {
        Self { message: format!("{what}: {}", self.message), ..self }
    }
}

/// Collects the problems of one file.
#[derive(Debug)]
pub(crate) struct Problems<'a> {
    file: Option<&'a Path>,
    text: &'a str,
    /// In the order they were found.
    pub(crate) found: Vec<Problem>,
}

impl<'a> Problems<'a> {
    /// For a file's text; without a file for the environment alone.
    pub(crate) fn new(file: Option<&'a Path>, text: &'a str) -> Self {
        Self { file, text, found: Vec::new() }
    }

    /// A problem at a position of the file, or with the file or environment as a whole.
    pub(crate) fn error(&mut self, span: Option<Span>, mistake: Mistake) {
        self.add(Severity::Error, span, mistake);
    }

    /// The same for what works, but hardly as meant.
    pub(crate) fn warning(&mut self, span: Option<Span>, mistake: Mistake) {
        self.add(Severity::Warning, span, mistake);
    }

    /// Whether anything found forbids using the configuration.
    pub(crate) fn has_errors(&self) -> bool {
        self.found.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// The line of a position, from 1.
    pub(crate) fn line(&self, span: Span) -> usize {
        excerpt::line_column(self.text, span.start).0
    }

    /// The problems in the file's order, those without a position last.
    pub(crate) fn into_problems(mut self) -> Vec<Problem> {
        order::by_key(&mut self.found, |problem| problem.position.unwrap_or((usize::MAX, 0)));
        self.found
    }

    fn add(&mut self, severity: Severity, span: Option<Span>, mistake: Mistake) {
        self.found.push(Problem {
            severity,
            file: self.file.map(Path::to_owned),
            position: span.map(|span| excerpt::line_column(self.text, span.start)),
            excerpt: span.map(|span| excerpt::excerpt(self.text, span)),
            message: secret::redact(&mistake.message),
            remedy: mistake.remedy.map(|remedy| secret::redact(&remedy)),
        });
    }
}
