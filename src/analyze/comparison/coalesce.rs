//! `coalesce` over a text literal: the engine's refuses a date beside a text before the literal has got its type.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

/// The engine's function, which takes any types for as long as its literals are not typed.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Coalesce {
    inner: Arc<ScalarUDF>,
}

/// The function that stands under the name in SQL.
pub(in crate::analyze) fn coalesce() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(Coalesce { inner: datafusion::functions::core::coalesce() }))
}

impl ScalarUDFImpl for Coalesce {
    fn name(&self) -> &str {
        "coalesce"
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        internal_err!("the type of `coalesce` follows from its fields")
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.inner.return_field_from_args(args)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        // Unlike types are refused by the rule that types literals, which knows what is a literal and says what is wrong.
        // Until then the type is that of the first argument that cannot be a literal without a type.
        self.inner.coerce_types(types).or_else(|error| {
            let known = types.iter().find(|data_type| !data_type.is_string() && !data_type.is_null());
            known.map(|known| vec![known.clone(); types.len()]).ok_or(error)
        })
    }

    fn simplify(&self, args: Vec<Expr>, context: &SimplifyContext) -> Result<ExprSimplifyResult> {
        self.inner.simplify(args, context)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        self.inner.invoke_with_args(args)
    }

    fn conditional_arguments<'a>(&self, args: &'a [Expr]) -> Option<(Vec<&'a Expr>, Vec<&'a Expr>)> {
        self.inner.conditional_arguments(args)
    }

    fn short_circuits(&self) -> bool {
        self.inner.short_circuits()
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }
}

#[cfg(test)]
mod tests {
    use crate::analyze::Planner;
    use crate::diag::Sink;
    use crate::host::MemoryHost;
    use crate::project::{LoadRequest, load, read};
    use crate::span::SourceFiles;
    use crate::template::render_models;

    /// What is wrong with this expression over a table with a date, a number and a text.
    fn wrong(expression: &str) -> Option<String> {
        let sql = format!("select {expression} as x from (select date '2023-05-01' as day, 1 as n, 'a' as s) as t");
        let host = MemoryHost::with_files([("project.yml", "name: p"), ("models/m.sql", sql.as_str())]);
        let mut texts = SourceFiles::default();
        let mut sink = Sink::default();
        let planned = read(&host, &mut texts, &mut sink).and_then(|files| {
            let project = load(&files, &mut texts, &LoadRequest::default(), &mut sink)?;
            let rendered = render_models(&project, &texts, &host, &mut crate::template::NoCompiler, &mut sink)?;
            let dag = crate::graph::build(&project, &rendered, &mut sink)?;
            let rendered = rendered.whole(&mut sink)?;
            Planner::new(&project, &rendered).models(&dag, &mut sink).whole(&mut sink)
        });
        planned.err().map(|_| sink.take().first().unwrap().message.clone())
    }

    #[test]
    fn a_literal_takes_the_type_of_what_it_stands_beside() {
        for right in ["coalesce(day, '2099-01-01')", "coalesce('2099-01-01', day)", "coalesce(n = 1, 'true')"] {
            assert_eq!(wrong(right), None, "{right}");
        }
        assert_eq!(wrong("extract(year from coalesce('2099-01-01', day))"), None, "its type is known at once");
    }

    #[test]
    fn what_is_wrong_is_said_of_the_literal_or_of_the_types() {
        let said = wrong("coalesce(day, 'unknown')").unwrap();
        assert!(said.starts_with("the text `unknown` is not of the type date"), "{said}");
        let said = wrong("coalesce(day, s)").unwrap();
        assert!(said.ends_with("mixes incompatible types: date and text"), "{said}");
        let said = wrong("coalesce(day, 5)").unwrap();
        assert!(said.ends_with("mixes incompatible types: date and bigint"), "{said}");
    }
}
