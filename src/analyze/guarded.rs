//! A function of the engine with a guard around its calls; all else of it is the engine's.

use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::Result;
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

/// Looks at what a function is called with, or at what comes of it.
pub(super) trait Guard: Debug + Eq + Hash + Send + Sync + 'static {
    /// Calls the function, or says why its result may not be used.
    fn invoke(&self, inner: &ScalarUDF, args: ScalarFunctionArgs) -> Result<ColumnarValue>;
}

#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct GuardedFunction<G> {
    pub inner: Arc<ScalarUDF>,
    pub guard: G,
}

impl<G: Guard> GuardedFunction<G> {
    pub fn function(inner: &Arc<ScalarUDF>, guard: G) -> Arc<ScalarUDF> {
        Arc::new(ScalarUDF::from(GuardedFunction { inner: Arc::clone(inner), guard }))
    }
}

impl<G: Guard> ScalarUDFImpl for GuardedFunction<G> {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.inner.return_field_from_args(args)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(types)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        self.guard.invoke(&self.inner, args)
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        self.inner.output_ordering(inputs)
    }
}
