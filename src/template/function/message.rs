//! What a template can say: `log()`, `print()` and `exceptions`.

use minijinja::Value;

use super::{Call, CallFailure, TemplateFunction};
use crate::diag::{Code, Diagnostic};
use crate::template::reference_name::without_marks;

/// `log('text', info=true)`
pub(super) struct LogFunction;

/// `print('text')`
pub(super) struct Print;

/// `exceptions.raise_compiler_error('text')` and `exceptions.warn('text')`
pub(super) struct Exceptions;

impl TemplateFunction for LogFunction {
    fn name(&self) -> &'static str {
        "log"
    }

    fn call(&self, call: &Call<'_>) -> Result<Value, CallFailure> {
        call.takes(2, &["info"])?;
        say(call)
    }
}

impl TemplateFunction for Print {
    fn name(&self) -> &'static str {
        "print"
    }

    fn call(&self, call: &Call<'_>) -> Result<Value, CallFailure> {
        call.takes(1, &[])?;
        say(call)
    }
}

fn say(call: &Call<'_>) -> Result<Value, CallFailure> {
    let message = without_marks(call.value(0, "a message")?.to_string());
    call.render.record().messages.push(message);
    Ok(Value::from(""))
}

impl TemplateFunction for Exceptions {
    fn name(&self) -> &'static str {
        "exceptions"
    }

    fn method(&self, method: &str, call: &Call<'_>) -> Result<Value, CallFailure> {
        let message = without_marks(call.value(0, "a message")?.to_string());
        match method {
            "raise_compiler_error" => Err(CallFailure::new(message)),
            "warn" => {
                let warning = call.render.placed(Diagnostic::warning(Code::TemplateError, message), call.site);
                call.render.record().diagnostics.push(warning);
                Ok(Value::from(""))
            }
            _ => Err(CallFailure::new(format!("`exceptions` has no method `{method}`"))
                .suggest(method, ["raise_compiler_error", "warn"])),
        }
    }
}
