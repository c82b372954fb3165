//! A call of a function: its arguments, and the place where it stands.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use minijinja::Value;

use crate::diag::{Code, Diagnostic, nearest};
use crate::span::Span;
use crate::template::call_place::ReadPlace;
use crate::template::introspection::{Answer, Question, Refusal};
use crate::template::render::{Need, Render};

/// Why a call cannot be answered. It ends the render of its template.
#[derive(Debug, Clone)]
pub(in crate::template) struct CallFailure {
    pub code: Code,
    pub message: String,
    pub help: Option<String>,
}

impl CallFailure {
    pub fn new(message: impl Into<String>) -> CallFailure {
        CallFailure { code: Code::TemplateError, message: message.into(), help: None }
    }

    pub fn code(self, code: Code) -> CallFailure {
        CallFailure { code, ..self }
    }

    pub fn help(self, help: impl Into<String>) -> CallFailure {
        CallFailure { help: Some(help.into()), ..self }
    }

    /// Adds "did you mean" if a known name is near.
    pub fn suggest<'a>(self, typed: &str, known: impl IntoIterator<Item = &'a str>) -> CallFailure {
        match nearest(typed, known) {
            Some(near) => self.help(format!("did you mean `{near}`?")),
            None => self,
        }
    }
}

impl fmt::Display for CallFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for CallFailure {}

/// One call.
pub(in crate::template) struct Call<'a> {
    pub render: &'a Arc<Render>,
    pub name: &'static str,
    pub positional: &'a [Value],
    pub named: Vec<(String, Value)>,
    /// Where the call stands, if it was written as a plain call.
    pub site: Option<Span>,
    /// The same with its arguments.
    place: Option<ReadPlace<'a>>,
}

impl<'a> Call<'a> {
    /// `template` is the name of the template that calls.
    pub fn new(render: &'a Arc<Render>, name: &'static str, template: &str, arguments: &'a [Value]) -> Call<'a> {
        let (positional, named) = match arguments.split_last() {
            Some((last, before)) if last.is_kwargs() => (before, pairs(last)),
            Some(_) | None => (arguments, Vec::new()),
        };
        let (place, positional) = without_place(positional);
        let site = place.as_ref().and_then(|place| site_in(render, template, place));
        Call { render, name, positional, named, site, place }
    }

    /// An argument by its position or its name.
    pub fn argument(&self, position: usize, name: &str) -> Option<&Value> {
        self.positional.get(position).or_else(|| {
            let (_, value) = self.named.iter().find(|(known, _)| known == name)?;
            Some(value)
        })
    }

    /// A text that must be given.
    pub fn text(&self, position: usize, name: &str) -> Result<String, CallFailure> {
        match self.argument(position, name) {
            None => Err(CallFailure::new(format!("`{}()` needs {name}", self.name))),
            Some(value) => value.as_str().map(str::to_owned).ok_or_else(|| {
                CallFailure::new(format!("{name} of `{}()` must be a text, not {}", self.name, value.kind()))
            }),
        }
    }

    /// A value that must be given.
    pub fn value(&self, position: usize, name: &str) -> Result<&Value, CallFailure> {
        self.argument(position, name).ok_or_else(|| CallFailure::new(format!("`{}()` needs {name}", self.name)))
    }

    /// Refuses arguments that the function does not have.
    pub fn takes(&self, positions: usize, names: &[&str]) -> Result<(), CallFailure> {
        if self.positional.len() > positions {
            return Err(CallFailure::new(format!("`{}()` takes at most {positions} arguments", self.name)));
        }
        match self.named.iter().find(|(name, _)| !names.contains(&name.as_str())) {
            Some((name, _)) => Err(CallFailure::new(format!("`{}()` has no argument `{name}`", self.name))
                .suggest(name, names.iter().copied())),
            None => Ok(()),
        }
    }

    /// The compiler's answer. Without one the render ends, and is tried again once there is one.
    ///
    /// # Errors
    ///
    /// Returns a failure if the compiler refuses to answer.
    pub fn ask(&self, question: Question) -> Result<Option<Answer>, CallFailure> {
        match self.render.facts().answers.get(&question) {
            Some(Answer::Refused(Refusal { message, help })) => {
                let failure = CallFailure::new(format!("`{}`: {message}", self.name));
                Err(CallFailure { help: help.clone(), ..failure })
            }
            Some(answer) => Ok(Some(answer.clone())),
            None => {
                self.render.record().need = Some(Need::Answer(question));
                Ok(None)
            }
        }
    }

    /// Where the value of a named argument stands, or of an entry of the only dict; else where the call stands.
    pub fn site_of_value(&self, name: &str) -> Option<Span> {
        self.site_within(|place| Some(place.named(name)?.value))
    }

    /// The same for the name of the argument.
    pub fn site_of_key(&self, name: &str) -> Option<Span> {
        self.site_within(|place| Some(place.named(name)?.key))
    }

    /// The same for an argument that is given by its position.
    pub fn site_of_position(&self, position: usize) -> Option<Span> {
        self.site_within(|place| Some(place.arguments().nth(position)?.value))
    }

    fn site_within(&self, part: impl FnOnce(&ReadPlace<'_>) -> Option<Range<usize>>) -> Option<Span> {
        let site = self.site?;
        let range = self.place.as_ref().and_then(part);
        Some(range.map_or(site, |range| Span::new(site.file, range)))
    }

    /// A fault that does not stop the render, at the place of the call.
    pub fn report(&self, failure: CallFailure) {
        self.report_at(self.site, failure);
    }

    /// The same at the place of one of its arguments.
    pub fn report_at(&self, site: Option<Span>, failure: CallFailure) {
        let CallFailure { code, message, help } = failure;
        let mut diagnostic = self.render.placed(Diagnostic::error(code, message), site);
        diagnostic.helps.extend(help);
        self.render.record().diagnostics.push(diagnostic);
    }
}

/// Takes the place out of the arguments, if one was written in.
pub(super) fn without_place(given: &[Value]) -> (Option<ReadPlace<'_>>, &[Value]) {
    match given.split_first() {
        Some((first, rest)) => match first.as_str().and_then(ReadPlace::read) {
            Some(place) => (Some(place), rest),
            None => (None, given),
        },
        None => (None, given),
    }
}

/// Where a call of this template stands. Returns `None` if the template is in no file of the project.
pub(super) fn site_in(render: &Render, template: &str, place: &ReadPlace<'_>) -> Option<Span> {
    Some(Span::new(render.file_of(template)?, place.whole.clone()))
}

fn pairs(arguments: &Value) -> Vec<(String, Value)> {
    let found = arguments.as_object().and_then(|object| object.try_iter_pairs());
    found.into_iter().flatten().filter_map(|(name, value)| Some((name.as_str()?.to_owned(), value))).collect()
}
