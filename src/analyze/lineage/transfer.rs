//! The transfer function of a plan node: by which expressions over its inputs its columns are made.
//!
//! It says so in both directions. Backwards, an expression over the rows of a node becomes one over the rows of an input
//! ([`Inflow::replace`]): this is how windows follow the event time down to the scans. Forwards, what is known of the
//! columns of the inputs becomes what is known of the node's: this is how column lineage is computed.

use std::borrow::Cow;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, JoinType};
use datafusion::logical_expr::logical_plan::{Aggregate, Distinct, Join, Unnest};
use datafusion::logical_expr::utils::grouping_set_to_exprlist;
use datafusion::logical_expr::{Expr, LogicalPlan};

/// What one input of a node gives to its columns.
#[derive(Debug)]
pub(crate) struct Inflow<'p> {
    pub plan: &'p LogicalPlan,
    /// The schema of the node.
    schema: &'p DFSchema,
    columns: Columns<'p>,
}

/// The columns of a node, seen from one input.
#[derive(Debug)]
enum Columns<'p> {
    /// Those of the input, as they are.
    Same,
    Made(Vec<Derivation<'p>>),
}

/// How a column comes from an input.
#[derive(Debug, Clone)]
pub(crate) enum Derivation<'p> {
    /// It is the value of this expression. Where that holds an aggregate or a window function, of several rows.
    By(Cow<'p, Expr>),
    /// It is a part of the value of this expression: an element of a list, a field of a struct.
    PartOf(Expr),
    /// It does not come from this input.
    Elsewhere,
}

/// Returns what each input of a node gives, in the order of `LogicalPlan::inputs`. Returns `None` for leaves, recursive
/// queries, and what is not understood.
pub(crate) fn transfer(node: &LogicalPlan) -> Option<Vec<Inflow<'_>>> {
    let schema: &DFSchema = node.schema();
    let inflow = |plan, columns| vec![Inflow { plan, schema, columns }];
    Some(match node {
        LogicalPlan::Filter(filter) => inflow(&filter.input, Columns::Same),
        LogicalPlan::Sort(sort) => inflow(&sort.input, Columns::Same),
        LogicalPlan::Limit(limit) => inflow(&limit.input, Columns::Same),
        LogicalPlan::Repartition(repartition) => inflow(&repartition.input, Columns::Same),
        LogicalPlan::Subquery(query) => inflow(&query.subquery, Columns::Same),
        LogicalPlan::Distinct(Distinct::All(input)) => inflow(input, Columns::Same),
        LogicalPlan::Distinct(Distinct::On(distinct)) => inflow(&distinct.input, made_by(&distinct.select_expr)),
        LogicalPlan::Projection(projection) => inflow(&projection.input, made_by(&projection.expr)),
        // An alias gives other names: columns correspond by their places.
        LogicalPlan::SubqueryAlias(alias) => inflow(&alias.input, places_of(&alias.input)),
        LogicalPlan::Aggregate(aggregate) => vec![Inflow::of_groups(aggregate)],
        LogicalPlan::Window(window) => {
            let below = columns_of(&window.input).map(|column| Derivation::By(Cow::Owned(column)));
            let computed = window.window_expr.iter().map(|expression| Derivation::By(Cow::Borrowed(expression)));
            inflow(&window.input, Columns::Made(below.chain(computed).collect()))
        }
        LogicalPlan::Union(union) => {
            let inputs = union.inputs.iter();
            inputs.map(|input| Inflow { plan: input, schema, columns: places_of(input) }).collect()
        }
        LogicalPlan::Join(join) => sides(join),
        LogicalPlan::Unnest(unnest) => vec![Inflow::of_unnest(unnest)],
        LogicalPlan::RecursiveQuery(_)
        | LogicalPlan::TableScan(_)
        | LogicalPlan::EmptyRelation(_)
        | LogicalPlan::Values(_)
        | LogicalPlan::Statement(_)
        | LogicalPlan::Explain(_)
        | LogicalPlan::Analyze(_)
        | LogicalPlan::Extension(_)
        | LogicalPlan::Dml(_)
        | LogicalPlan::Ddl(_)
        | LogicalPlan::Copy(_)
        | LogicalPlan::DescribeTable(_) => return None,
    })
}

/// The columns of a plan as expressions.
pub(super) fn columns_of(plan: &LogicalPlan) -> impl Iterator<Item = Expr> {
    plan.schema().columns().into_iter().map(Expr::Column)
}

fn made_by(expressions: &[Expr]) -> Columns<'_> {
    Columns::Made(expressions.iter().map(|expression| Derivation::By(Cow::Borrowed(expression))).collect())
}

fn places_of(input: &LogicalPlan) -> Columns<'static> {
    Columns::Made(columns_of(input).map(|column| Derivation::By(Cow::Owned(column))).collect())
}

/// What is grouped by, then what is computed of each group.
fn groups(aggregate: &Aggregate) -> Columns<'_> {
    let computed = aggregate.aggr_expr.iter().map(|expression| Derivation::By(Cow::Borrowed(expression)));
    if !matches!(aggregate.group_expr.as_slice(), [Expr::GroupingSet(_)]) {
        let groups = aggregate.group_expr.iter().map(|expression| Derivation::By(Cow::Borrowed(expression)));
        return Columns::Made(groups.chain(computed).collect());
    }
    // Several sets of groups are one column for each expression of any set, and one that numbers the sets.
    let groups = grouping_set_to_exprlist(&aggregate.group_expr).unwrap_or_default();
    let groups = groups.into_iter().map(|expression| Derivation::By(Cow::Borrowed(expression)));
    Columns::Made(groups.chain([Derivation::Elsewhere]).chain(computed).collect())
}

/// The columns of a join are those of its left side, then those of its right side; of a semi-join or an anti-join only
/// those of the side that is kept. A mark, which says whether a row has a match, is a column of neither.
fn sides(join: &Join) -> Vec<Inflow<'_>> {
    // A semi-join only chooses rows of one side; the columns of the other end here.
    let keeps_left = !matches!(join.join_type, JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark);
    let keeps_right = !matches!(join.join_type, JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark);
    let kept = |plan: &LogicalPlan, is_kept: bool| {
        let columns = columns_of(plan).map(|column| Derivation::By(Cow::Owned(column)));
        columns.filter(|_| is_kept).collect::<Vec<_>>()
    };
    let left = kept(&join.left, keeps_left);
    let right = kept(&join.right, keeps_right);
    let before = vec![Derivation::Elsewhere; left.len()];
    vec![
        Inflow { plan: &join.left, schema: &join.schema, columns: Columns::Made(left) },
        Inflow {
            plan: &join.right,
            schema: &join.schema,
            columns: Columns::Made(before.into_iter().chain(right).collect()),
        },
    ]
}

fn unnested(unnest: &Unnest) -> Columns<'static> {
    let below: Vec<Expr> = columns_of(&unnest.input).collect();
    let is_unnested = |place: usize| {
        unnest.struct_type_columns.contains(&place) || unnest.list_type_columns.iter().any(|(list, _)| *list == place)
    };
    let made = unnest.dependency_indices.iter().map(|place| match below.get(*place) {
        Some(column) if is_unnested(*place) => Derivation::PartOf(column.clone()),
        Some(column) => Derivation::By(Cow::Owned(column.clone())),
        None => Derivation::Elsewhere,
    });
    Columns::Made(made.collect())
}

impl<'p> Inflow<'p> {
    pub fn of_groups(aggregate: &'p Aggregate) -> Inflow<'p> {
        Inflow { plan: &aggregate.input, schema: &aggregate.schema, columns: groups(aggregate) }
    }

    pub fn of_unnest(unnest: &'p Unnest) -> Inflow<'p> {
        Inflow { plan: &unnest.input, schema: &unnest.schema, columns: unnested(unnest) }
    }

    /// Returns how a column of the node comes from the input.
    pub fn made_of(&self, column: &Column) -> Derivation<'p> {
        self.schema.maybe_index_of_column(column).map_or(Derivation::Elsewhere, |place| self.made(place))
    }

    /// Returns how the column at this place of the node comes from the input.
    pub fn made(&self, place: usize) -> Derivation<'p> {
        match &self.columns {
            Columns::Made(columns) => columns.get(place).cloned().unwrap_or(Derivation::Elsewhere),
            Columns::Same => match columns_of(self.plan).nth(place) {
                Some(column) => Derivation::By(Cow::Owned(column)),
                None => Derivation::Elsewhere,
            },
        }
    }

    /// Puts other expressions where the node's columns are made.
    pub fn rewritten(mut self, rewrite: impl Fn(&Expr) -> Option<Expr>) -> Inflow<'p> {
        if let Columns::Made(columns) = &mut self.columns {
            for made in columns {
                if let Derivation::By(expression) = made
                    && let Some(other) = rewrite(expression)
                {
                    *expression = Cow::Owned(other);
                }
            }
        }
        self
    }

    /// Returns the expression over the input's rows that has the value of `on` over the node's rows: every column is
    /// replaced by what makes it. Returns `None` if a column of it does not come from this input as a whole, if nothing
    /// of it comes from columns, or if it would have another value each time.
    pub fn replace(&self, on: &Expr) -> Option<Expr> {
        let Columns::Made(columns) = &self.columns else { return Some(on.clone()) };
        let mut known = true;
        let replaced = on.clone().transform_up(|expression| {
            let Expr::Column(column) = &expression else { return Ok(Transformed::no(expression)) };
            let place = self.schema.maybe_index_of_column(column);
            match place.and_then(|place| columns.get(place)) {
                // What has been put in is not looked at again: its columns are those of the input.
                Some(Derivation::By(made)) => {
                    Ok(Transformed::new(made.as_ref().clone().unalias(), true, TreeNodeRecursion::Jump))
                }
                Some(Derivation::PartOf(_) | Derivation::Elsewhere) | None => {
                    known = false;
                    Ok(Transformed::no(expression))
                }
            }
        });
        let replaced = replaced.ok()?.data;
        // A volatile expression has no value that could be followed, and a constant comes from no input.
        let is_sure = known && !replaced.is_volatile() && !replaced.column_refs().is_empty();
        is_sure.then_some(replaced)
    }
}

/// How the rows of a node come from other rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowOrigin {
    /// From a table.
    Table,
    /// Each from one row of the input and from nothing else.
    EachAlone,
    /// From several rows, or from none: by this, in the words of SQL.
    Together(&'static str),
    /// From no table.
    Nowhere,
    Unknown,
}

impl RowOrigin {
    pub fn of(node: &LogicalPlan) -> RowOrigin {
        match node {
            LogicalPlan::Projection(_) | LogicalPlan::Filter(_) | LogicalPlan::SubqueryAlias(_) => RowOrigin::EachAlone,
            LogicalPlan::TableScan(_) => RowOrigin::Table,
            LogicalPlan::Aggregate(aggregate) if aggregate.group_expr.is_empty() => {
                RowOrigin::Together("an aggregate over all rows")
            }
            LogicalPlan::Aggregate(_) => RowOrigin::Together("GROUP BY"),
            LogicalPlan::Window(_) => RowOrigin::Together("a window function"),
            LogicalPlan::Join(_) => RowOrigin::Together("a join"),
            LogicalPlan::Sort(_) => RowOrigin::Together("ORDER BY"),
            LogicalPlan::Limit(_) => RowOrigin::Together("LIMIT"),
            LogicalPlan::Distinct(Distinct::All(_)) => RowOrigin::Together("DISTINCT"),
            LogicalPlan::Distinct(Distinct::On(_)) => RowOrigin::Together("DISTINCT ON"),
            LogicalPlan::Union(_) => RowOrigin::Together("UNION"),
            LogicalPlan::Unnest(_) => RowOrigin::Together("unnest"),
            LogicalPlan::Subquery(_) => RowOrigin::Together("a subquery"),
            LogicalPlan::RecursiveQuery(_) => RowOrigin::Together("a recursive query"),
            LogicalPlan::EmptyRelation(_) | LogicalPlan::Values(_) => RowOrigin::Nowhere,
            LogicalPlan::Repartition(_)
            | LogicalPlan::Statement(_)
            | LogicalPlan::Explain(_)
            | LogicalPlan::Analyze(_)
            | LogicalPlan::Extension(_)
            | LogicalPlan::Dml(_)
            | LogicalPlan::Ddl(_)
            | LogicalPlan::Copy(_)
            | LogicalPlan::DescribeTable(_) => RowOrigin::Unknown,
        }
    }
}
