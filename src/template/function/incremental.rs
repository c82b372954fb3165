//! `is_incremental()` and `should_full_refresh()`.

use minijinja::Value;

use super::{Call, CallFailure, TemplateFunction};

/// `is_incremental()`: true in the text for a run over a range.
pub(super) struct IsIncremental;

/// `should_full_refresh()`: always false, because a full refresh runs the same text.
pub(super) struct ShouldFullRefresh;

impl TemplateFunction for IsIncremental {
    fn name(&self) -> &'static str {
        "is_incremental"
    }

    fn call(&self, call: &Call<'_>) -> Result<Value, CallFailure> {
        call.takes(0, &[])?;
        call.render.record().asked_incremental = true;
        Ok(Value::from(call.render.is_sliced()))
    }
}

impl TemplateFunction for ShouldFullRefresh {
    fn name(&self) -> &'static str {
        "should_full_refresh"
    }

    fn call(&self, call: &Call<'_>) -> Result<Value, CallFailure> {
        call.takes(0, &[])?;
        Ok(Value::from(false))
    }
}
