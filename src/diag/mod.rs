//! What karat says when something is wrong: diagnostics, and the sink that collects them.

mod code;
mod json;
mod render;
mod suggest;

pub use code::Code;
pub use json::to_json;
pub use render::{Style, render};
pub use suggest::nearest;
pub(crate) use suggest::{all_of, any_of};

use crate::span::{SourceFiles, Span, TracedSpan};

/// What stands beside the call of the macro that a place lies in.
pub(crate) const CALLED_HERE: &str = "called here";

/// What stands beside the place where a macro uses what it was given.
pub(crate) const USED_HERE: &str = "used here";

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Error,
    Warning,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// What is wrong.
    Primary,
    /// What it collides with, or what led to it.
    Context,
}

/// A place in a file and what is to be said about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    pub span: Span,
    pub text: String,
    pub role: Role,
}

/// One fact that is wrong: a code, one short sentence, places, and the next thing to type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    pub code: Code,
    pub severity: Severity,
    pub message: String,
    pub labels: Vec<Label>,
    pub helps: Vec<String>,
    pub notes: Vec<String>,
    /// What is certainly meant, in the place of what stands at the first label.
    pub replacement: Option<Box<TextReplacement>>,
}

/// An edit that changes nothing of what the author means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextReplacement {
    /// What must stand there, in upper or lower case: elsewhere the edit is not made.
    pub from: String,
    pub to: String,
}

impl Diagnostic {
    pub fn error(code: Code, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            code,
            severity: Severity::Error,
            message: message.into(),
            labels: Vec::new(),
            helps: Vec::new(),
            notes: Vec::new(),
            replacement: None,
        }
    }

    pub fn warning(code: Code, message: impl Into<String>) -> Diagnostic {
        Diagnostic { severity: Severity::Warning, ..Diagnostic::error(code, message) }
    }

    /// The place that is wrong. The first call gives the primary place; later ones add context.
    pub fn at(self, span: Span) -> Diagnostic {
        self.labelled(span, "")
    }

    /// Like [`Diagnostic::at`], with the call if the place lies in a macro.
    pub fn traced(self, place: TracedSpan) -> Diagnostic {
        let diagnostic = self.at(place.span);
        match (place.called_at, place.used_at) {
            // Others may call the macro too: what is certainly meant here is not certain for them.
            (Some(call), _) => Diagnostic { replacement: None, ..diagnostic.labelled(call, CALLED_HERE) },
            (None, Some(used)) => diagnostic.labelled(used, USED_HERE),
            (None, None) => diagnostic,
        }
    }

    /// Like [`Diagnostic::at`], with a word beside the place.
    pub fn labelled(mut self, span: Span, text: impl Into<String>) -> Diagnostic {
        let role = if self.labels.is_empty() { Role::Primary } else { Role::Context };
        self.labels.push(Label { span, text: text.into(), role });
        self
    }

    /// The next thing to type.
    pub fn help(mut self, text: impl Into<String>) -> Diagnostic {
        self.helps.push(text.into());
        self
    }

    /// What `karat migrate --write` puts in the place of `from`.
    pub fn replacing(self, from: impl Into<String>, to: impl Into<String>) -> Diagnostic {
        Diagnostic { replacement: Some(Box::new(TextReplacement { from: from.into(), to: to.into() })), ..self }
    }

    /// A fact that helps to understand.
    pub fn note(mut self, text: impl Into<String>) -> Diagnostic {
        self.notes.push(text.into());
        self
    }

    /// `help: did you mean …?` if one of `known` is near to `typed`, else what exists if that is short.
    pub fn suggest<'a>(self, typed: &str, known: impl IntoIterator<Item = &'a str>) -> Diagnostic {
        match nearest(typed, known) {
            Some(near) => self.help(format!("did you mean `{near}`?")),
            None => self,
        }
    }

    fn order(&self) -> (Option<Span>, Code, &str) {
        (self.labels.first().map(|label| label.span), self.code, &self.message)
    }
}

/// The proof that an error was said. Only [`Sink::error`] makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reported(());

/// What a stage returns: its value, or the proof that it has said why not.
pub type Checked<T> = Result<T, Reported>;

/// What a stage made of a project that may have faults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partial<T> {
    /// Everything that is well.
    pub well: T,
    /// The proof that the stage has said what is wrong with the rest. `None` if there is no rest.
    pub failed: Option<Reported>,
}

impl<T> Partial<T> {
    /// The value, unless something is missing in it.
    ///
    /// # Errors
    ///
    /// Returns the proof that the stage has said what is wrong.
    pub fn whole(self) -> Checked<T> {
        self.failed.map_or(Ok(self.well), Err)
    }
}

/// Collects diagnostics, so that one wrong thing does not hide the next.
#[derive(Debug, Default)]
pub struct Sink {
    diagnostics: Vec<Diagnostic>,
}

impl Sink {
    pub fn error(&mut self, diagnostic: Diagnostic) -> Reported {
        self.diagnostics.push(Diagnostic { severity: Severity::Error, ..diagnostic });
        Reported(())
    }

    pub fn warn(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(Diagnostic { severity: Severity::Warning, ..diagnostic });
    }

    /// Adds a diagnostic that was made, and not said, before.
    pub fn add(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Adds the diagnostics of something that failed.
    pub fn error_all(&mut self, faults: Vec<Diagnostic>) -> Reported {
        self.diagnostics.extend(faults);
        Reported(())
    }

    /// Whether nothing was said.
    pub fn is_empty(&self) -> bool {
        self.diagnostics.is_empty()
    }

    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// `value`, unless an error was said: the end of a stage whose parts report and go on.
    pub fn unless_errors<T>(&self, value: T) -> Checked<T> {
        if self.has_errors() { Err(Reported(())) } else { Ok(value) }
    }

    /// Takes everything said so far, sorted by place, without doubles: parallel stages print the same text every time.
    pub fn take(&mut self) -> Vec<Diagnostic> {
        let mut taken = std::mem::take(&mut self.diagnostics);
        taken.sort_by(|left, right| left.order().cmp(&right.order()));
        taken.dedup();
        taken
    }

    /// Adds what another sink has collected.
    pub fn append(&mut self, mut other: Sink) {
        self.diagnostics.append(&mut other.diagnostics);
    }

    /// Applies `each` to all items, and fails at the end if any failed.
    pub fn check_all<T, R>(
        &mut self,
        items: impl IntoIterator<Item = T>,
        each: impl FnMut(T, &mut Sink) -> Checked<R>,
    ) -> Checked<Vec<R>> {
        self.check_each(items, each).whole()
    }

    /// Applies `each` to all items, and keeps what is well.
    pub fn check_each<T, R>(
        &mut self,
        items: impl IntoIterator<Item = T>,
        mut each: impl FnMut(T, &mut Sink) -> Checked<R>,
    ) -> Partial<Vec<R>> {
        let mut well = Vec::new();
        let mut failed = None;
        for item in items {
            match each(item, self) {
                Ok(value) => well.push(value),
                Err(reported) => failed = Some(reported),
            }
        }
        Partial { well, failed }
    }
}

/// All diagnostics as text for people, a blank line between them.
pub fn render_all(diagnostics: &[Diagnostic], files: &SourceFiles, style: Style) -> String {
    diagnostics.iter().map(|diagnostic| render(diagnostic, files, style)).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bad_item_does_not_hide_the_next() {
        let mut sink = Sink::default();
        let checked = sink.check_all(["good", "bad", "worse"], |item, sink| match item {
            "good" => Ok(item),
            wrong => Err(sink.error(Diagnostic::error(Code::InvalidConfig, wrong))),
        });
        assert!(checked.is_err());
        let messages: Vec<_> = sink.take().into_iter().map(|diagnostic| diagnostic.message).collect();
        assert_eq!(messages, ["bad", "worse"]);
    }
}
