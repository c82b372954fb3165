//! How often a statement reads something once the queries of its `with` are written out, as the planner does: queries that use each
//! other twice double it with each.

use std::convert::Infallible;
use std::ops::ControlFlow;

use sqlparser::ast::{ObjectName, Query, Statement, Visit as _, Visitor};
use sqlparser::tokenizer::Span;

use super::Refusal;

/// The most uses of tables and queries that are planned.
const MOST_USES: u64 = 4_096;

/// Why a statement is not planned that is too large when it is written out; None if it is not.
pub(in crate::analyze) fn too_many_uses(statement: &Statement) -> Option<Refusal> {
    let mut uses = Uses::default();
    let ControlFlow::Continue(()) = statement.visit(&mut uses);
    let refusal = || Refusal {
        message: format!("once expanded, the query reads tables and named queries more than {MOST_USES} times"),
        help: "turn the queries of `with` that are used several times into models".to_owned(),
        span: Span::empty(),
    };
    (uses.all > MOST_USES).then(refusal)
}

#[derive(Default)]
struct Uses {
    /// The uses in everything that was left.
    all: u64,
    /// The queries that the visitor is in, the innermost last.
    open: Vec<Open>,
    /// The named queries that can be used here, with the uses that each stands for; the innermost last.
    named: Vec<(String, u64)>,
}

struct Open {
    uses: u64,
    /// How many named queries could be used outside of it.
    outside: usize,
    /// The named queries that it begins with.
    names: Vec<(*const Query, String)>,
}

impl Visitor for Uses {
    type Break = Infallible;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Infallible> {
        let named = query.with.iter().flat_map(|with| &with.cte_tables);
        let names = named.map(|cte| (&*cte.query as *const Query, key(&cte.alias.name.value))).collect();
        self.open.push(Open { uses: 0, outside: self.named.len(), names });
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<Infallible> {
        let name = match relation.0.as_slice() {
            [one] => one.as_ident().map(|name| key(&name.value)),
            _ => None,
        };
        let named = name.and_then(|name| self.named.iter().rev().find(|(known, _)| *known == name));
        let uses = named.map_or(1, |(_, uses)| uses.saturating_add(1));
        if let Some(open) = self.open.last_mut() {
            open.uses = open.uses.saturating_add(uses);
        }
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &Query) -> ControlFlow<Infallible> {
        let Some(closed) = self.open.pop() else { return ControlFlow::Continue(()) };
        self.named.truncate(closed.outside);
        let place: *const Query = query;
        match self.open.last_mut() {
            None => self.all = closed.uses,
            Some(outer) => match outer.names.iter().find(|(known, _)| *known == place) {
                Some((_, name)) => self.named.push((name.clone(), closed.uses)),
                None => outer.uses = outer.uses.saturating_add(closed.uses),
            },
        }
        ControlFlow::Continue(())
    }
}

/// A name as others may write it.
fn key(name: &str) -> String {
    name.to_lowercase()
}

#[cfg(test)]
mod tests {
    use sqlparser::dialect::GenericDialect;
    use sqlparser::parser::Parser;

    use super::*;

    fn uses(sql: &str) -> u64 {
        let statement = Parser::parse_sql(&GenericDialect {}, sql).unwrap().remove(0);
        let mut uses = Uses::default();
        let ControlFlow::Continue(()) = statement.visit(&mut uses);
        uses.all
    }

    #[test]
    fn what_a_named_query_reads_counts_as_often_as_it_is_used() {
        assert_eq!(uses("select 1"), 0);
        assert_eq!(uses("select * from a join b on a.x = b.x where exists (select 1 from c)"), 3);
        assert_eq!(uses("with c as (select * from a, b) select 1"), 0);
        assert_eq!(uses("with c as (select * from a, b) select * from c as x, c as y"), 6);
        assert_eq!(uses("with c as (select 1 from a), d as (select 1 from c, C) select * from d, c"), 5 + 2);
        assert_eq!(uses("with c as (with d as (select 1 from a) select 1 from d, d) select * from c, d"), 5 + 1);
    }

    #[test]
    fn queries_that_double_each_other_are_counted_and_not_written_out() {
        let doubled = |level: u32| format!("c{level} as (select 1 from c{} as a, c{} as b)", level - 1, level - 1);
        let all: Vec<String> = (1..100).map(doubled).collect();
        let sql = format!("with c0 as (select 1 from t), {} select * from c99", all.join(", "));
        assert_eq!(uses(&sql), u64::MAX);
        let statement = Parser::parse_sql(&GenericDialect {}, &sql).unwrap().remove(0);
        assert!(too_many_uses(&statement).is_some());
    }
}
