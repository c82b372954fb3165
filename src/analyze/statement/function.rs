//! Calls of functions, and windows.

use sqlparser::ast::{
    DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause, FunctionArgumentList,
    FunctionArguments, NullTreatment, OrderByExpr, Spanned, Value, WindowFrame, WindowSpec, WindowType,
};
use sqlparser::tokenizer::Span;

use super::StatementWalk;

/// Window functions for which `ignore nulls` changes the result.
const IGNORES_NULLS: [&str; 5] = ["lead", "lag", "first_value", "last_value", "nth_value"];

/// What stands in a call besides its arguments.
struct CallParts<'a> {
    name: String,
    at: Span,
    distinct: bool,
    ignores_nulls: bool,
    filtered: bool,
    within_group: bool,
    order_by: &'a [OrderByExpr],
    over: bool,
}

impl StatementWalk<'_> {
    pub(super) fn function(&mut self, function: &Function) {
        let Function { name, uses_odbc_syntax: _, parameters, args, filter, null_treatment, over, within_group } =
            function;
        let mut call = CallParts {
            name: name.to_string().to_lowercase(),
            at: name.span(),
            distinct: false,
            ignores_nulls: *null_treatment == Some(NullTreatment::IgnoreNulls),
            filtered: filter.is_some(),
            within_group: !within_group.is_empty(),
            order_by: &[],
            over: over.is_some(),
        };
        match parameters {
            FunctionArguments::None => {}
            FunctionArguments::Subquery(_) | FunctionArguments::List(_) => {
                self.unsupported(call.at, "f(…)(…)", "give all arguments in one pair of parentheses");
            }
        }
        match args {
            FunctionArguments::None => {}
            FunctionArguments::Subquery(_) => {
                let help = "put the subquery into parentheses of its own: `f((select …))`";
                self.unsupported(call.at, "f(select …)", help);
            }
            FunctionArguments::List(list) => self.arguments(list, &mut call),
        }
        match over {
            Some(WindowType::WindowSpec(spec)) => self.window(spec),
            // Looked up in the SELECT list by the planner, and refused elsewhere.
            Some(WindowType::NamedWindow(_)) | None => {}
        }
        within_group.iter().for_each(|key| self.sort_key(key));
        self.call(&call, args);
    }

    fn arguments<'a>(&mut self, list: &'a FunctionArgumentList, call: &mut CallParts<'a>) {
        let FunctionArgumentList { duplicate_treatment, args, clauses } = list;
        call.distinct = *duplicate_treatment == Some(DuplicateTreatment::Distinct);
        for argument in args {
            match argument {
                FunctionArg::Unnamed(argument)
                | FunctionArg::Named { name: _, arg: argument, operator: _ }
                | FunctionArg::ExprNamed { name: _, arg: argument, operator: _ } => match argument {
                    FunctionArgExpr::Expr(_) | FunctionArgExpr::Wildcard => {}
                    FunctionArgExpr::QualifiedWildcard(_) => {
                        self.unsupported(call.at, &format!("{}(t.*)", call.name), "write `count(*)`, or name a column");
                    }
                    FunctionArgExpr::WildcardWithOptions(_) => {
                        self.unsupported(call.at, &format!("{}(* …)", call.name), "write `count(*)`, or name a column");
                    }
                },
            }
        }
        for clause in clauses {
            self.clause(clause, call);
        }
    }

    fn clause<'a>(&mut self, clause: &'a FunctionArgumentClause, call: &mut CallParts<'a>) {
        let at = call.at;
        match clause {
            FunctionArgumentClause::IgnoreOrRespectNulls(treatment) => {
                call.ignores_nulls |= *treatment == NullTreatment::IgnoreNulls;
            }
            FunctionArgumentClause::OrderBy(keys) => {
                call.order_by = keys;
                keys.iter().for_each(|key| self.sort_key(key));
            }
            FunctionArgumentClause::Limit(_) => {
                self.unsupported(at, "limit in a function", "number the rows in a subquery and filter them");
            }
            FunctionArgumentClause::OnOverflow(_) => self.unsupported(at, "on overflow", "leave it out"),
            FunctionArgumentClause::Having(_) => {
                self.unsupported(at, "having max", "write `first_value(a order by b desc)`");
            }
            FunctionArgumentClause::Separator(_) => {
                self.unsupported(at, "separator", "give the separator as an argument: `string_agg(a, ',')`");
            }
            FunctionArgumentClause::JsonNullClause(_) | FunctionArgumentClause::JsonReturningClause(_) => {
                self.unsupported(at, "a clause for JSON", "leave it out");
            }
        }
    }

    /// What the planner leaves out depends on the kind of function.
    fn call(&mut self, call: &CallParts<'_>, args: &FunctionArguments) {
        let functions = self.functions;
        let name = call.name.as_str();
        let unnests = matches!(name, "unnest" | "unnest_outer" | "make_map");
        if unnests || functions.scalar.contains_key(name) || functions.higher_order.contains_key(name) {
            self.of_one_row(call);
            return;
        }
        let aggregate = functions.aggregate.contains_key(name);
        if call.over && !aggregate && functions.window.contains_key(name) {
            if call.distinct {
                self.of_this_function(call, "distinct", "leave it out");
            }
            if call.filtered {
                self.of_this_function(call, "filter", "write a CASE in the argument");
            }
        }
        if call.over && ["percentile_cont", "percentile_disc", "quantile_cont", "median"].contains(&name) {
            self.of_this_function(call, "over", "group the rows in a subquery, and join its result");
        }
        if call.over && call.ignores_nulls && !IGNORES_NULLS.contains(&name) {
            self.of_this_function(call, "ignore nulls", "leave it out, or take the rows without nulls");
        }
        if aggregate {
            self.order_of_an_aggregate(call, args);
        }
    }

    fn of_one_row(&mut self, call: &CallParts<'_>) {
        let clauses = [
            (call.distinct, "distinct"),
            (call.ignores_nulls, "ignore nulls"),
            (call.filtered, "filter"),
            (call.within_group, "within group"),
            (!call.order_by.is_empty(), "order by"),
            (call.over, "over"),
        ];
        for (_, clause) in clauses.into_iter().filter(|(stands, _)| *stands) {
            let message = format!("`{}` takes no `{clause}`: it is not an aggregate", call.name);
            self.refuse(call.at, message, "leave it out, or put an aggregate around the call");
        }
    }

    fn of_this_function(&mut self, call: &CallParts<'_>, clause: &str, help: &str) {
        self.refuse(call.at, format!("`{clause}` is not supported for `{}`", call.name), help);
    }

    fn order_of_an_aggregate(&mut self, call: &CallParts<'_>, args: &FunctionArguments) {
        for key in call.order_by {
            if let Expr::Value(value) = &key.expr
                && matches!(value.value, Value::Number(..))
            {
                let message = "a number in the ORDER BY of an aggregate is not a column's place".to_owned();
                self.refuse(value.span, message, "name the column to order by");
            }
            let ordered = key.expr.to_string();
            if call.distinct && !shown_arguments(args).contains(&ordered) {
                let message = format!("`{}(distinct …)` can be ordered by its arguments only", call.name);
                self.refuse(key.expr.span(), message, "take the distinct rows in a subquery");
            }
        }
    }

    pub(super) fn window(&mut self, window: &WindowSpec) {
        let WindowSpec { window_name, partition_by: _, order_by, window_frame } = window;
        if let Some(name) = window_name {
            let message = format!("a window that begins with `{name}` is not supported");
            self.refuse(name.span, message, "write the whole window out: `over (partition by … order by …)`");
        }
        order_by.iter().for_each(|key| self.sort_key(key));
        match window_frame {
            Some(WindowFrame { units: _, start_bound: _, end_bound: _ }) | None => {}
        }
    }
}

fn shown_arguments(args: &FunctionArguments) -> Vec<String> {
    match args {
        FunctionArguments::List(list) => list.args.iter().map(ToString::to_string).collect(),
        FunctionArguments::None | FunctionArguments::Subquery(_) => Vec::new(),
    }
}
