//! The project's macros as values: found when they are called, and able to return any value.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use minijinja::value::{Kwargs, Object, ObjectRepr, from_args};
use minijinja::{Error, ErrorKind, State, Value};

use super::call::{site_in, without_place};
use super::overridden::{OverriddenMacro, overridden};
use super::{Call, CallFailure, TemplateFunction};
use crate::diag::{Code, all_of, nearest};
use crate::span::Span;
use crate::template::definition::{KWARGS, MacroDefinition, VARARGS};
use crate::template::macros::MacroName;
use crate::template::render::{Need, Render};
use crate::template::rewrite::{LOAD, MACRO_PREFIX};

/// The calls of macros that a render is inside of, the outermost first.
pub(in crate::template) type Calls = Vec<MacroFrame>;

/// A macro that is being called.
#[derive(Debug, Clone)]
pub(in crate::template) struct MacroFrame {
    /// Where the call stands.
    pub site: Option<Span>,
    /// Whose names the macro sees.
    pub package: String,
}

/// `return(value)`: leaves the macro with a value that may be more than text.
pub(super) struct Return;

/// Says which macro file is imported next, and takes its macros afterwards.
pub(super) struct Load;

impl TemplateFunction for Return {
    fn name(&self) -> &'static str {
        "return"
    }

    fn call(&self, call: &Call<'_>) -> Result<Value, CallFailure> {
        call.takes(1, &[])?;
        // The failure only unwinds to the call of the macro, which takes the value.
        call.render.record().returned = Some(call.positional.first().cloned().unwrap_or_else(|| Value::from(())));
        Err(CallFailure::new("`return()` works only in a macro of a macro file"))
    }
}

impl TemplateFunction for Load {
    fn name(&self) -> &'static str {
        LOAD
    }

    fn call(&self, call: &Call<'_>) -> Result<Value, CallFailure> {
        let index = call.positional.first().and_then(|index| usize::try_from(index.clone()).ok());
        let Some(file) = index.and_then(|index| call.render.facts().library.files.get(index)) else {
            return Ok(Value::from(""));
        };
        // A macro keeps the meaning of the names in it from when it is defined, so its package is said before the import.
        let Some(module) = call.positional.get(1) else {
            call.render.record().importing = Some(file.package.clone());
            return Ok(Value::from(""));
        };
        call.render.record().importing = None;
        let macros = module.as_object().and_then(|object| object.try_iter_pairs());
        for (name, value) in macros.into_iter().flatten() {
            if let Some(name) = name.as_str().and_then(|name| name.strip_prefix(MACRO_PREFIX)) {
                let name = MacroName { package: file.package.clone(), name: name.to_owned() };
                call.render.record().macros.insert(name, value);
            }
        }
        Ok(Value::from(""))
    }
}

/// A macro by name.
pub(super) struct MacroCall {
    name: MacroName,
    render: Arc<Render>,
}

impl MacroCall {
    pub fn value(name: MacroName, render: &Arc<Render>) -> Value {
        Value::from_object(MacroCall { name, render: Arc::clone(render) })
    }
}

impl MacroCall {
    /// What to say if the file of the macro cannot be parsed. What is wrong with the file is recorded, too.
    fn broken_file(&self) -> Option<CallFailure> {
        let facts = self.render.facts();
        let index = facts.library.file_of(&self.name)?;
        let fault = facts.broken_macros.get(&index)?;
        let file = facts.library.files.get(index)?;
        self.render.record().diagnostics.push(fault.clone());
        let message = format!("the macro `{}` cannot be used", self.name.name);
        let failure = CallFailure::new(message).code(Code::UnknownMacro);
        Some(failure.help(format!("correct `{}`, which defines it and cannot be read", file.path)))
    }
}

impl fmt::Debug for MacroCall {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "<macro {}>", self.name.name)
    }
}

impl Object for MacroCall {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, state: &mut State<'_, '_>, arguments: &[Value]) -> Result<Value, Error> {
        let (place, arguments) = without_place(arguments);
        let site = place.as_ref().and_then(|place| site_in(&self.render, state.name(), place));
        let Some(found) = self.render.record().macros.get(&self.name).cloned() else {
            if let Some(failure) = self.broken_file() {
                return Err(failure.into());
            }
            // Its file was not imported, because the template does not call it by its name.
            self.render.record().need = self.render.facts().library.file_of(&self.name).map(Need::Macros);
            return Err(CallFailure::new(format!("the macro `{}` was not loaded", self.name.name)).into());
        };
        let arguments = match self.render.facts().library.definition(&self.name) {
            Some(definition) => {
                check_arguments(&self.name.name, definition, arguments)?;
                with_the_rest(definition, arguments)?
            }
            None => Cow::Borrowed(arguments),
        };
        self.render.record().calls.push(MacroFrame { site, package: self.name.package.clone() });
        let result = found.call(state, &arguments);
        self.render.record().calls.pop();
        result.or_else(|error| match self.render.record().returned.take() {
            Some(value) => Ok(value),
            None => Err(Error::new(error.kind(), format!("in the macro `{}`", self.name.name)).with_source(error)),
        })
    }
}

/// Refuses arguments for which the macro has no parameter: the engine's own words name neither.
fn check_arguments(name: &str, definition: &MacroDefinition, arguments: &[Value]) -> Result<(), Error> {
    let (positional, named): (&[Value], Kwargs) = from_args(arguments)?;
    let parameters = &definition.parameters;
    let shown = match parameters.as_slice() {
        [] => "it has no parameters".to_owned(),
        [one] => format!("its only parameter is `{one}`"),
        several => format!("its parameters are {}", all_of(several.iter().map(String::as_str))),
    };
    if positional.len() > parameters.len() && !definition.takes_varargs {
        let message = format!("`{name}()` was given {} arguments, and takes {}", positional.len(), parameters.len());
        return Err(CallFailure::new(message).help(shown).into());
    }
    // The macro that a `{% call %}` block is for gets the block as an argument of this name.
    let is_known = |given: &&str| *given == "caller" || parameters.iter().any(|parameter| parameter == given);
    match named.args().find(|given| !definition.takes_kwargs && !is_known(given)) {
        Some(given) => {
            let failure = CallFailure::new(format!("`{name}()` has no parameter `{given}`"));
            let known = parameters.iter().map(String::as_str);
            let failure = match nearest(given, known) {
                Some(near) => failure.help(format!("did you mean `{near}`?")),
                None => failure.help(shown),
            };
            Err(failure.into())
        }
        None => Ok(()),
    }
}

/// The arguments of a call, those for which the macro has no parameter under `varargs` and `kwargs` if it mentions these:
/// the rule of Jinja2. What it does not take stays where it is, and the engine refuses it.
fn with_the_rest<'a>(definition: &MacroDefinition, arguments: &'a [Value]) -> Result<Cow<'a, [Value]>, Error> {
    if !definition.takes_varargs && !definition.takes_kwargs {
        return Ok(Cow::Borrowed(arguments));
    }
    let (positional, keywords): (&[Value], Kwargs) = from_args(arguments)?;
    let mut bound: Vec<Value> = positional.to_vec();
    let mut named: Vec<(String, Value)> = Vec::new();
    let mut rest: BTreeMap<String, Value> = BTreeMap::new();
    for name in keywords.args() {
        let value = keywords.get::<Value>(name)?;
        if definition.takes_kwargs && !definition.parameters.iter().any(|parameter| parameter == name) {
            rest.insert(name.to_owned(), value);
        } else {
            named.push((name.to_owned(), value));
        }
    }
    if definition.takes_varargs {
        let more = bound.split_off(bound.len().min(definition.parameters.len()));
        named.push((VARARGS.to_owned(), Value::from(more)));
    }
    if definition.takes_kwargs {
        named.push((KWARGS.to_owned(), Value::from(rest)));
    }
    bound.push(Value::from(named.into_iter().collect::<Kwargs>()));
    Ok(Cow::Owned(bound))
}

/// A package as a namespace: `package.macro()`.
pub(super) struct Namespace {
    pub package: String,
    pub render: Arc<Render>,
}

impl fmt::Debug for Namespace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "<package {}>", self.package)
    }
}

impl Object for Namespace {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        let facts = self.render.facts();
        if let Some(value) = overridden(&facts.overrides, Some(&self.package), key) {
            return Some(OverriddenMacro::value(value));
        }
        let name = facts.library.of_package(&self.package, key)?;
        Some(MacroCall::value(name, &self.render))
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn call_method(
        self: &Arc<Self>,
        state: &mut State<'_, '_>,
        method: &str,
        arguments: &[Value],
    ) -> Result<Value, Error> {
        match (self.get_value_by_str(method), method, arguments) {
            (Some(found), _, _) => found.call(state, arguments),
            // A package is a dict for templates that do not know whether it has a macro.
            (None, "get", [name]) => Ok(self.get_value(name).unwrap_or_else(|| Value::from(()))),
            (None, "get", [name, default]) => Ok(self.get_value(name).unwrap_or_else(|| default.clone())),
            (None, _, _) => Err(Error::new(ErrorKind::UnknownFunction, format!("{method} is unknown"))),
        }
    }
}
