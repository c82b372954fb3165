//! `exposure:`, `metric:`, `semantic_model:`, `saved_query:` and `unit_test:`: one kind of node by its name, `weekly` or `shop.weekly`.

use super::{Candidate, Method, MethodRefusal, Pattern};

/// Nodes of one kind, by dbt's word for it.
pub(super) struct OfKind(&'static str);

pub(super) const EXPOSURE: OfKind = OfKind("exposure");
pub(super) const METRIC: OfKind = OfKind("metric");
pub(super) const SEMANTIC_MODEL: OfKind = OfKind("semantic_model");
pub(super) const SAVED_QUERY: OfKind = OfKind("saved_query");
pub(super) const UNIT_TEST: OfKind = OfKind("unit_test");

impl Method for OfKind {
    fn name(&self) -> &'static str {
        self.0
    }

    fn check_value(&self, value: &str) -> Result<(), MethodRefusal> {
        if value.matches('.').count() < 2 {
            return Ok(());
        }
        let help = format!("write `{0}:name` or `{0}:package.name`", self.0);
        Err(MethodRefusal { message: format!("`{value}` names no {}", self.0.replace('_', " ")), help })
    }

    fn matches(&self, pattern: &Pattern, _argument: Option<&str>, node: Candidate<'_>) -> bool {
        if node.kind().word() != self.0 {
            return false;
        }
        match pattern.text().split_once('.') {
            None => pattern.matches(node.name()),
            Some((package, name)) => {
                let is = |part: &str, own: &str| pattern.part(part).is_some_and(|part| part.matches(own));
                is(package, node.package()) && is(name, node.name())
            }
        }
    }

    fn values(&self, node: Candidate<'_>) -> Vec<String> {
        if node.kind().word() == self.0 { vec![node.name().to_owned()] } else { Vec::new() }
    }
}
