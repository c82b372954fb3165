//! Computes column lineage: one pass over a plan, forwards from the scans to the root.
//!
//! It is a dataflow analysis in the usual sense. A fact is a set of origins; the facts of a node's columns are made from
//! those of its inputs by the node's transfer function, and where several inputs flow together, sets are united. A node is
//! looked at once, so the cost grows with the plan and not with the number of ways through it. Only a recursive query is
//! looked at until nothing is added, which ends because there are finitely many origins.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchemaRef, Result};
use datafusion::logical_expr::expr::{AggregateFunction, Case, WindowFunction};
use datafusion::logical_expr::logical_plan::{Distinct, Join, RecursiveQuery, Values};
use datafusion::logical_expr::{Expr, LogicalPlan, TableScan};

use super::column_lineage::{ColumnLineage, ColumnUse, Origin, OutputColumn};
use super::transfer::{Derivation, Inflow, transfer};
use crate::analyze::{TypedModel, input_table};

type Origins = BTreeSet<Origin>;

/// Returns what the columns of a model are made of, by its text for the whole table and by the one for slices.
///
/// # Errors
///
/// As [`TypedModel::plan`].
pub(crate) fn column_lineage(model: &TypedModel) -> Result<ColumnLineage> {
    // A batch is computed by its own text: what either of them reads belongs to the table.
    let mut all = RelationLineage::default();
    for plan in model.all_plans()? {
        all.unite(Pass::default().of_plan(plan));
    }
    let names = model.plan()?.schema().fields().iter().map(|field| field.name().clone());
    let columns = names.zip(all.columns).map(|(name, origins)| OutputColumn { name, origins });
    Ok(ColumnLineage { columns: columns.collect(), rows: all.rows })
}

/// What is known of the rows that a node gives.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct RelationLineage {
    columns: Vec<Origins>,
    rows: Origins,
}

impl RelationLineage {
    /// Adds what is known of other rows that stand among these, column by column.
    fn unite(&mut self, other: RelationLineage) {
        let columns = self.columns.len().max(other.columns.len());
        self.columns.resize_with(columns, Origins::new);
        for (column, more) in self.columns.iter_mut().zip(other.columns) {
            column.extend(more);
        }
        self.rows.extend(other.rows);
    }
}

/// The columns that an expression may name.
#[derive(Debug, Clone, Default)]
struct Visible {
    relations: Vec<(DFSchemaRef, Vec<Origins>)>,
}

impl Visible {
    fn find(&self, column: &Column) -> Option<&Origins> {
        self.relations.iter().find_map(|(schema, columns)| columns.get(schema.maybe_index_of_column(column)?))
    }
}

#[derive(Debug, Default)]
struct Pass {
    /// The rows that correlated sub-queries look out to, the innermost last.
    outer: Vec<Visible>,
    /// What is known so far of recursive queries, under the names by which they read themselves.
    recursive: BTreeMap<String, Vec<Origins>>,
}

impl Pass {
    fn of_plan(&mut self, plan: &LogicalPlan) -> RelationLineage {
        match plan {
            LogicalPlan::TableScan(scan) => self.of_scan(scan),
            LogicalPlan::RecursiveQuery(query) => self.of_recursive_query(query),
            LogicalPlan::Values(values) => self.of_values(values),
            LogicalPlan::EmptyRelation(relation) => {
                let columns = vec![Origins::new(); relation.schema.fields().len()];
                RelationLineage { columns, rows: Origins::new() }
            }
            plan => match transfer(plan) {
                Some(inflows) => self.of_node(plan, &inflows),
                None => self.of_unknown(plan),
            },
        }
    }

    fn of_scan(&mut self, scan: &TableScan) -> RelationLineage {
        let Some(table) = input_table(scan.source.as_ref()) else {
            // A recursive query reads what it has made so far.
            let columns = self.recursive.get(scan.table_name.table()).cloned();
            return RelationLineage { columns: columns.unwrap_or_default(), rows: Origins::new() };
        };
        let origin = |column: &str, used_as: ColumnUse| Origin {
            table: table.name.table.clone(),
            column: column.to_owned(),
            used_as,
        };
        let fields = scan.projected_schema.fields().iter();
        let filters = scan.filters.iter().flat_map(Expr::column_refs);
        RelationLineage {
            columns: fields.map(|field| Origins::from([origin(field.name(), ColumnUse::Identity)])).collect(),
            rows: filters.map(|column| origin(&column.name, ColumnUse::Filter)).collect(),
        }
    }

    fn of_values(&mut self, values: &Values) -> RelationLineage {
        let mut columns = vec![Origins::new(); values.schema.fields().len()];
        for row in &values.values {
            for (column, value) in columns.iter_mut().zip(row) {
                column.extend(self.of_expression(value, &Visible::default()));
            }
        }
        RelationLineage { columns, rows: Origins::new() }
    }

    /// The least fixed point: the rows of the first term, and those that the second makes of what there is.
    fn of_recursive_query(&mut self, query: &RecursiveQuery) -> RelationLineage {
        let mut found = self.of_plan(&query.static_term);
        let shadowed = self.recursive.get(&query.name).cloned();
        loop {
            self.recursive.insert(query.name.clone(), found.columns.clone());
            let mut more = found.clone();
            more.unite(self.of_plan(&query.recursive_term));
            if more == found {
                break;
            }
            found = more;
        }
        match shadowed {
            Some(columns) => self.recursive.insert(query.name.clone(), columns),
            None => self.recursive.remove(&query.name),
        };
        if query.is_distinct {
            let all = found.columns.iter().flatten().cloned();
            found.rows.extend(used_within(all.collect(), ColumnUse::GroupBy));
        }
        found
    }

    /// Every column may be made of every column of the inputs.
    fn of_unknown(&mut self, plan: &LogicalPlan) -> RelationLineage {
        let mut rows = Origins::new();
        let mut all = Origins::new();
        for input in plan.inputs() {
            let found = self.of_plan(input);
            rows.extend(found.rows);
            all.extend(used_within(found.columns.into_iter().flatten().collect(), ColumnUse::Transformation));
        }
        RelationLineage { columns: vec![all; plan.schema().fields().len()], rows }
    }

    fn of_node(&mut self, plan: &LogicalPlan, inflows: &[Inflow<'_>]) -> RelationLineage {
        let mut visible = Visible::default();
        let mut rows = Origins::new();
        for inflow in inflows {
            // The right side of a lateral join looks out to the rows of the left one.
            self.outer.push(visible.clone());
            let found = self.of_plan(inflow.plan);
            self.outer.pop();
            rows.extend(found.rows);
            visible.relations.push((inflow.plan.schema().clone(), found.columns));
        }
        let mut columns = vec![Origins::new(); plan.schema().fields().len()];
        for (number, inflow) in inflows.iter().enumerate() {
            // Columns of a union have one name in several inputs: each is looked up in its own.
            let own = Visible { relations: visible.relations.get(number).cloned().into_iter().collect() };
            for (place, column) in columns.iter_mut().enumerate() {
                match inflow.made(place) {
                    Derivation::By(made) => column.extend(self.of_expression(&made, &own)),
                    Derivation::PartOf(made) => {
                        column.extend(used_within(self.of_expression(&made, &own), ColumnUse::Transformation));
                    }
                    Derivation::Elsewhere => {}
                }
            }
        }
        rows.extend(self.deciding_rows(plan, &visible));
        RelationLineage { columns, rows }
    }

    /// What of a node decides which rows it gives.
    fn deciding_rows(&mut self, plan: &LogicalPlan, visible: &Visible) -> Origins {
        match plan {
            LogicalPlan::Filter(filter) => self.used([&filter.predicate], ColumnUse::Filter, visible),
            LogicalPlan::Sort(sort) => self.used(sort.expr.iter().map(|sort| &sort.expr), ColumnUse::Sort, visible),
            LogicalPlan::Aggregate(aggregate) => self.used(&aggregate.group_expr, ColumnUse::GroupBy, visible),
            LogicalPlan::Join(Join { on, filter, .. }) => {
                let keys = on.iter().flat_map(|(left, right)| [left, right]);
                self.used(keys.chain(filter), ColumnUse::Join, visible)
            }
            LogicalPlan::Distinct(Distinct::All(_)) => {
                let all = visible.relations.iter().flat_map(|(_, columns)| columns).flatten().cloned();
                used_within(all.collect(), ColumnUse::GroupBy)
            }
            LogicalPlan::Distinct(Distinct::On(distinct)) => {
                let mut found = self.used(&distinct.on_expr, ColumnUse::GroupBy, visible);
                let order = distinct.sort_expr.iter().flatten().map(|sort| &sort.expr);
                found.extend(self.used(order, ColumnUse::Sort, visible));
                found
            }
            // A row with an empty list becomes no row.
            LogicalPlan::Unnest(unnest) => {
                let lists = unnest.exec_columns.iter().filter_map(|column| visible.find(column));
                used_within(lists.flatten().cloned().collect(), ColumnUse::Filter)
            }
            _ => Origins::new(),
        }
    }

    fn used<'e>(
        &mut self,
        expressions: impl IntoIterator<Item = &'e Expr>,
        outer: ColumnUse,
        visible: &Visible,
    ) -> Origins {
        let mut found = Origins::new();
        for expression in expressions {
            found.extend(used_within(self.of_expression(expression, visible), outer));
        }
        found
    }

    fn of_expression(&mut self, expression: &Expr, visible: &Visible) -> Origins {
        match expression {
            Expr::Alias(alias) => self.of_expression(&alias.expr, visible),
            Expr::Column(column) => visible.find(column).cloned().unwrap_or_default(),
            Expr::OuterReferenceColumn(_, column) => {
                let found = self.outer.iter().rev().find_map(|visible| visible.find(column));
                found.cloned().unwrap_or_default()
            }
            Expr::Case(case) => self.of_case(case, visible),
            Expr::AggregateFunction(AggregateFunction { params, .. }) => {
                let mut found = self.used(&params.args, ColumnUse::Aggregation, visible);
                found.extend(self.used(params.filter.as_deref(), ColumnUse::Conditional, visible));
                found.extend(self.used(params.order_by.iter().map(|sort| &sort.expr), ColumnUse::Sort, visible));
                found
            }
            Expr::WindowFunction(function) => self.of_window_function(function, visible),
            // Its value is that of its only column, if it has a row: what decides that is a part of the value.
            Expr::ScalarSubquery(query) => {
                let found = self.of_sub_query(&query.subquery, visible);
                found.columns.into_iter().flatten().chain(found.rows).collect()
            }
            // Only whether there are rows is asked.
            Expr::Exists(exists) => self.of_sub_query(&exists.subquery.subquery, visible).rows,
            Expr::InSubquery(inside) => self.of_compared(&inside.expr, &inside.subquery.subquery, visible),
            Expr::SetComparison(compared) => self.of_compared(&compared.expr, &compared.subquery.subquery, visible),
            other => {
                // Operators, casts and functions: the value is computed from all of their parts.
                let mut parts = Vec::new();
                let visited = other.apply_children(|part| {
                    parts.push(part);
                    Ok(TreeNodeRecursion::Continue)
                });
                visited.expect("looking at an expression cannot fail");
                self.used(parts, ColumnUse::Transformation, visible)
            }
        }
    }

    fn of_case(&mut self, case: &Case, visible: &Visible) -> Origins {
        let conditions = case.when_then_expr.iter().map(|(when, _)| when);
        let conditions = case.expr.iter().chain(conditions).map(AsRef::as_ref);
        let mut found = self.used(conditions, ColumnUse::Conditional, visible);
        let values = case.when_then_expr.iter().map(|(_, then)| then);
        let values = values.chain(&case.else_expr).map(AsRef::as_ref);
        found.extend(self.used(values, ColumnUse::Transformation, visible));
        found
    }

    fn of_window_function(&mut self, function: &WindowFunction, visible: &Visible) -> Origins {
        let params = &function.params;
        let mut found = self.used(&params.args, ColumnUse::Aggregation, visible);
        let order = params.order_by.iter().map(|sort| &sort.expr);
        found.extend(self.used(params.partition_by.iter().chain(order), ColumnUse::Window, visible));
        found.extend(self.used(params.filter.as_deref(), ColumnUse::Conditional, visible));
        found
    }

    /// `value in (select …)`, `value > all (select …)`.
    fn of_compared(&mut self, value: &Expr, query: &LogicalPlan, visible: &Visible) -> Origins {
        let mut found = self.used([value], ColumnUse::Transformation, visible);
        let query = self.of_sub_query(query, visible);
        found.extend(used_within(query.columns.into_iter().flatten().collect(), ColumnUse::Transformation));
        found.extend(query.rows);
        found
    }

    /// A sub-query may be correlated: it sees the rows around it.
    fn of_sub_query(&mut self, query: &LogicalPlan, visible: &Visible) -> RelationLineage {
        self.outer.push(visible.clone());
        let found = self.of_plan(query);
        self.outer.pop();
        found
    }
}

/// What these are used for if they are used for a part that has this role.
fn used_within(origins: Origins, outer: ColumnUse) -> Origins {
    origins.into_iter().map(|origin| Origin { used_as: origin.used_as.within(outer), ..origin }).collect()
}
