//! Tables of a FROM, and how they are joined.

use sqlparser::ast::{
    FunctionArg, Join, JoinConstraint, JoinOperator, Spanned, TableAlias, TableAliasColumnDef, TableFactor,
    TableFunctionArgs, TableWithJoins,
};

use super::Walk;

impl Walk<'_> {
    pub(super) fn relation(&mut self, relation: &TableFactor) {
        let at = relation.span();
        match relation {
            TableFactor::Table { .. } => self.table(relation),
            TableFactor::Derived { lateral: _, subquery: _, alias, sample } => {
                self.alias(alias.as_ref());
                if sample.is_some() {
                    self.sample(at);
                }
            }
            TableFactor::Function { lateral: _, name: _, args: _, with_ordinality, alias } => {
                self.alias(alias.as_ref());
                if *with_ordinality {
                    self.ordinality(at);
                }
            }
            TableFactor::UNNEST { alias, array_exprs: _, with_offset, with_offset_alias: _, with_ordinality } => {
                self.alias(alias.as_ref());
                if *with_ordinality {
                    self.ordinality(at);
                }
                if *with_offset {
                    self.unsupported(at, "with offset", "unnest `generate_series(1, array_length(a))` and take `a[i]`");
                }
            }
            TableFactor::NestedJoin { table_with_joins, alias } => {
                self.alias(alias.as_ref());
                let TableWithJoins { relation: _, joins } = table_with_joins.as_ref();
                joins.iter().for_each(|join| self.join(join));
            }
            TableFactor::TableFunction { expr: _, alias: _ } => {
                self.unsupported(at, "table(…)", "write `unnest(…)`");
            }
            TableFactor::Pivot { .. } => {
                self.unsupported(at, "pivot", "write `sum(x) filter (where k = 'a') as a` for each column");
            }
            TableFactor::Unpivot { .. } => {
                self.unsupported(at, "unpivot", "write one SELECT for each column, with `union all` between them");
            }
            TableFactor::JsonTable { .. } | TableFactor::OpenJsonTable { .. } | TableFactor::XmlTable { .. } => {
                self.unsupported(at, "a table of a document", "read the values as columns of a source");
            }
            TableFactor::MatchRecognize { .. } => {
                self.unsupported(at, "match_recognize", "write window functions: `lag(…) over (…)`");
            }
            TableFactor::SemanticView { .. } => {
                self.unsupported(at, "semantic_view", "name the model with `{{ ref('…') }}`");
            }
        }
    }

    fn table(&mut self, relation: &TableFactor) {
        let TableFactor::Table {
            name,
            alias,
            args,
            with_hints,
            version,
            with_ordinality,
            partitions,
            json_path,
            sample,
            index_hints,
        } = relation
        else {
            return;
        };
        let at = name.span();
        self.alias(alias.as_ref());
        if let Some(TableFunctionArgs { args, settings }) = args {
            if settings.is_some() {
                self.unsupported(at, "settings", "leave it out: they are another engine's settings");
            }
            let named = |argument: &&FunctionArg| !matches!(argument, FunctionArg::Unnamed(_));
            if let Some(argument) = args.iter().find(named) {
                self.unsupported(argument.span(), "name => value", "give the arguments in order");
            }
        }
        if !with_hints.is_empty() {
            self.unsupported(at, "with (hint)", "leave the hint out");
        }
        if version.is_some() {
            self.unsupported(at, "a table as of a time", "read the table as it is: a model always does");
        }
        if *with_ordinality {
            self.ordinality(at);
        }
        if !partitions.is_empty() {
            self.unsupported(at, "partition (…)", "write a condition on the column in `where`");
        }
        if json_path.is_some() {
            self.unsupported(at, "a path into a table", "unnest the column: `cross join unnest(t.c)`");
        }
        if sample.is_some() {
            self.sample(at);
        }
        if !index_hints.is_empty() {
            self.unsupported(at, "use index", "leave the hint out");
        }
    }

    fn sample(&mut self, at: sqlparser::tokenizer::Span) {
        self.unsupported(at, "tablesample", "write a condition that is the same in each run, as `where id % 100 = 0`");
    }

    fn ordinality(&mut self, at: sqlparser::tokenizer::Span) {
        self.unsupported(at, "with ordinality", "unnest `generate_series(1, array_length(a))` and take `a[i]`");
    }

    pub(super) fn alias(&mut self, alias: Option<&TableAlias>) {
        let Some(TableAlias { explicit: _, name: _, columns, at }) = alias else {
            return;
        };
        for TableAliasColumnDef { name, data_type } in columns {
            if data_type.is_some() {
                self.unsupported(name.span, "a type in a list of columns", "write `cast(… as …)` in the SELECT list");
            }
        }
        if let Some(at) = at {
            self.unsupported(at.span, "at", "unnest `generate_series(1, array_length(a))` and take `a[i]`");
        }
    }

    pub(super) fn join(&mut self, join: &Join) {
        let Join { relation, global, join_operator } = join;
        let at = relation.span();
        if *global {
            self.unsupported(at, "global join", "leave `global` out");
        }
        match join_operator {
            JoinOperator::Join(constraint)
            | JoinOperator::Inner(constraint)
            | JoinOperator::Left(constraint)
            | JoinOperator::LeftOuter(constraint)
            | JoinOperator::Right(constraint)
            | JoinOperator::RightOuter(constraint)
            | JoinOperator::FullOuter(constraint)
            | JoinOperator::LeftSemi(constraint)
            | JoinOperator::RightSemi(constraint)
            | JoinOperator::LeftAnti(constraint)
            | JoinOperator::RightAnti(constraint) => match constraint {
                JoinConstraint::On(_) | JoinConstraint::Using(_) | JoinConstraint::Natural => {}
                JoinConstraint::None => {
                    let message = "a join needs a condition".to_owned();
                    self.refuse(at, message, "write `on …` or `using (…)`, or `cross join` for all pairs");
                }
            },
            JoinOperator::CrossJoin(JoinConstraint::None) => {}
            JoinOperator::CrossJoin(_) => self.unsupported(at, "cross join … on", "write `join … on`"),
            JoinOperator::Semi(_) => self.unsupported(at, "semi join", "write `where exists (select …)`"),
            JoinOperator::Anti(_) => self.unsupported(at, "anti join", "write `where not exists (select …)`"),
            JoinOperator::CrossApply => self.unsupported(at, "cross apply", "write `cross join lateral`"),
            JoinOperator::OuterApply => self.unsupported(at, "outer apply", "write `left join lateral … on true`"),
            JoinOperator::AsOf { match_condition: _, constraint: _ } => {
                let help = "join on the newest row: `row_number() over (partition by … order by … desc)`";
                self.unsupported(at, "asof join", help);
            }
            JoinOperator::StraightJoin(_) => self.unsupported(at, "straight_join", "write `join`"),
            JoinOperator::ArrayJoin | JoinOperator::LeftArrayJoin | JoinOperator::InnerArrayJoin => {
                self.unsupported(at, "array join", "write `cross join unnest(…)`");
            }
        }
    }
}
