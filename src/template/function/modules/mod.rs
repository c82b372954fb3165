//! `modules`: what templates may use of Python's libraries. The clock shows the run's time, and nothing else of the world is here.

mod dates;
mod iteration;
mod patterns;

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Kwargs, Object, ObjectRepr, from_args};
use minijinja::{Error, State, Value};

use super::CallFailure;
use crate::template::render::Render;

/// A library, or a class of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LibraryPart {
    Modules,
    DateTime,
    DateTimeClass,
    DateClass,
    TimeClass,
    DeltaClass,
    TimeZoneClass,
    Pytz,
    Patterns,
    Iteration,
}

impl LibraryPart {
    fn name(self) -> &'static str {
        match self {
            LibraryPart::Modules => "modules",
            LibraryPart::DateTime => "modules.datetime",
            LibraryPart::DateTimeClass => "modules.datetime.datetime",
            LibraryPart::DateClass => "modules.datetime.date",
            LibraryPart::TimeClass => "modules.datetime.time",
            LibraryPart::DeltaClass => "modules.datetime.timedelta",
            LibraryPart::TimeZoneClass => "modules.datetime.timezone",
            LibraryPart::Pytz => "modules.pytz",
            LibraryPart::Patterns => "modules.re",
            LibraryPart::Iteration => "modules.itertools",
        }
    }

    fn inner(self, name: &str) -> Option<LibraryPart> {
        Some(match (self, name) {
            (LibraryPart::Modules, "datetime") => LibraryPart::DateTime,
            (LibraryPart::Modules, "pytz") => LibraryPart::Pytz,
            (LibraryPart::Modules, "re") => LibraryPart::Patterns,
            (LibraryPart::Modules, "itertools") => LibraryPart::Iteration,
            (LibraryPart::DateTime, "datetime") => LibraryPart::DateTimeClass,
            (LibraryPart::DateTime, "date") => LibraryPart::DateClass,
            (LibraryPart::DateTime, "time") => LibraryPart::TimeClass,
            (LibraryPart::DateTime, "timedelta") => LibraryPart::DeltaClass,
            (LibraryPart::DateTime, "timezone") => LibraryPart::TimeZoneClass,
            _ => return None,
        })
    }
}

/// A library or class as a value.
struct Module {
    part: LibraryPart,
    render: Arc<Render>,
}

/// The arguments of a call of a function of a library.
struct LibraryArguments<'a> {
    positional: &'a [Value],
    named: Kwargs,
    /// What was called, for messages.
    name: String,
}

impl LibraryArguments<'_> {
    /// An argument by its place or its name, if it is given and not none.
    fn argument(&self, place: usize, name: &str) -> Option<Value> {
        let named = || self.named.get::<Option<Value>>(name).ok().flatten();
        let found = self.positional.get(place).cloned().or_else(named);
        found.filter(|value| !value.is_none() && !value.is_undefined())
    }

    fn text(&self, place: usize, name: &str) -> Result<String, CallFailure> {
        let found = self.argument(place, name);
        let text = found.as_ref().and_then(Value::as_str).map(str::to_owned);
        text.ok_or_else(|| CallFailure::new(format!("`{}()` needs a text for `{name}`", self.name)))
    }

    fn number(&self, place: usize, name: &str) -> Result<Option<i64>, CallFailure> {
        let Some(found) = self.argument(place, name) else {
            return Ok(None);
        };
        let number = i64::try_from(found);
        number.map(Some).map_err(|_| CallFailure::new(format!("`{}()` needs a whole number for `{name}`", self.name)))
    }

    fn unknown(&self) -> CallFailure {
        unavailable(&self.name)
    }
}

fn unavailable(name: &str) -> CallFailure {
    CallFailure::new(format!("`{name}` is not available"))
        .help("templates have a part of Python's datetime, re, itertools and pytz: karat's reference lists it")
}

/// `modules`
pub(super) fn value(render: &Arc<Render>) -> Value {
    module(LibraryPart::Modules, render)
}

fn module(part: LibraryPart, render: &Arc<Render>) -> Value {
    Value::from_object(Module { part, render: Arc::clone(render) })
}

impl Module {
    fn call_named(&self, method: Option<&str>, state: &State<'_, '_>, arguments: &[Value]) -> Result<Value, Error> {
        let (positional, named): (&[Value], Kwargs) = from_args(arguments)?;
        let name =
            method.map_or_else(|| self.part.name().to_owned(), |method| format!("{}.{method}", self.part.name()));
        let call = LibraryArguments { positional, named, name };
        match self.part {
            LibraryPart::Modules | LibraryPart::DateTime => Err(call.unknown().into()),
            LibraryPart::Patterns => patterns::call(method, state, &call),
            LibraryPart::Iteration => iteration::call(method, state, &call),
            LibraryPart::DateTimeClass
            | LibraryPart::DateClass
            | LibraryPart::TimeClass
            | LibraryPart::DeltaClass
            | LibraryPart::TimeZoneClass
            | LibraryPart::Pytz => match method {
                Some("now" | "utcnow" | "today") => dates::now(self.part, &call, &self.render).map_err(Error::from),
                method => dates::call(self.part, method, &call).map_err(Error::from),
            },
        }
    }
}

impl fmt::Debug for Module {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "<{}>", self.part.name())
    }
}

impl Object for Module {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = key.as_str()?;
        match self.part.inner(name) {
            Some(inner) => Some(module(inner, &self.render)),
            None if self.part == LibraryPart::Modules => {
                Some(Value::from(Error::from(unavailable(&format!("modules.{name}")))))
            }
            None => dates::constant(self.part, name)
                .or_else(|| patterns::constant(self.part == LibraryPart::Patterns, name)),
        }
    }

    fn call(self: &Arc<Self>, state: &mut State<'_, '_>, arguments: &[Value]) -> Result<Value, Error> {
        self.call_named(None, state, arguments)
    }

    fn call_method(
        self: &Arc<Self>,
        state: &mut State<'_, '_>,
        method: &str,
        arguments: &[Value],
    ) -> Result<Value, Error> {
        match self.part.inner(method) {
            Some(inner) => module(inner, &self.render).call(state, arguments),
            None => self.call_named(Some(method), state, arguments),
        }
    }
}
