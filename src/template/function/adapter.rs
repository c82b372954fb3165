//! `adapter.dispatch()`, and what cannot be answered because it would look into the lake.

use minijinja::Value;

use super::macro_call::MacroCall;
use super::{Call, CallFailure, TemplateFunction};
use crate::diag::Code;

/// `adapter.dispatch('name')`
pub(super) struct Adapter;

/// A function of other tools that would make a model's text depend on what the lake holds.
pub(super) struct UnavailableFunction(pub &'static str);

impl TemplateFunction for Adapter {
    fn name(&self) -> &'static str {
        "adapter"
    }

    fn method(&self, method: &str, call: &Call<'_>) -> Result<Value, CallFailure> {
        if method != "dispatch" {
            return Err(refusal(&format!("adapter.{method}")));
        }
        let name = call.text(0, "the macro's name")?;
        let library = &call.render.facts().library;
        match library.dispatched(&name) {
            Some(full) => Ok(MacroCall::value(full, call.render)),
            None => Err(CallFailure::new(format!("no macro is called `default__{name}`"))
                .code(Code::UnknownMacro)
                .help(format!("define `datafusion__{name}` or `default__{name}` in a macro file"))),
        }
    }
}

impl TemplateFunction for UnavailableFunction {
    fn name(&self) -> &'static str {
        self.0
    }

    fn call(&self, _call: &Call<'_>) -> Result<Value, CallFailure> {
        Err(refusal(self.0))
    }

    fn method(&self, _method: &str, _call: &Call<'_>) -> Result<Value, CallFailure> {
        Err(refusal(self.0))
    }
}

fn refusal(name: &str) -> CallFailure {
    match name {
        "modules" => CallFailure::new("`modules` is not available: the SQL of a model must not depend on the clock")
            .help("compute it in SQL, or pass a value: `var('run_date')`"),
        _ => CallFailure::new(format!(
            "`{name}` is not available: the SQL of a model must not depend on what the lake holds"
        ))
        .help("list the values with `var()` or in the model, or compute them in SQL with a join"),
    }
}
