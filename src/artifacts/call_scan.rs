//! Which macros a template calls: words before a parenthesis inside of tags and expressions that are names of macros.

use std::collections::{BTreeMap, BTreeSet};

use crate::project::DBT_PACKAGE;

/// All macros, by name and package.
#[derive(Debug, Default)]
pub(super) struct KnownMacros<'a> {
    packages_by_name: BTreeMap<&'a str, BTreeSet<&'a str>>,
    project: &'a str,
}

impl<'a> KnownMacros<'a> {
    /// The names of these macros, each with its package.
    pub fn new(project: &'a str, all: impl Iterator<Item = MacroPlace<'a>>) -> Self {
        let mut packages_by_name: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for MacroPlace { package, name } in all {
            packages_by_name.entry(name).or_default().insert(package);
        }
        Self { packages_by_name, project }
    }

    /// The ids of the macros that a template of a package calls, in the order of their first call.
    pub fn called_in(&self, text: &str, package: &str) -> Vec<String> {
        let mut ids = Vec::new();
        for call in calls(text) {
            let Some(packages) = self.packages_by_name.get(call.name) else { continue };
            let of = match call.namespace {
                Some(namespace) => packages.get(namespace),
                None => [package, self.project, DBT_PACKAGE].iter().find_map(|package| packages.get(package)),
            };
            // A function of SQL or of templates that is called like a macro of another package is none of these.
            let Some(of) = of else { continue };
            let id = format!("macro.{of}.{}", call.name);
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        ids
    }

    /// The id of the macro of a test, by its kind and the package that names it.
    pub fn of_test(&self, kind: &str, namespace: Option<&str>, package: &str) -> Option<String> {
        let name = format!("test_{kind}");
        let packages = self.packages_by_name.get(name.as_str());
        let wanted = [namespace.unwrap_or(package), self.project, DBT_PACKAGE];
        let found = packages.and_then(|packages| wanted.iter().find_map(|package| packages.get(package)));
        found.map(|package| format!("macro.{package}.{name}"))
    }
}

/// A macro's package and name.
#[derive(Debug, Clone, Copy)]
pub(super) struct MacroPlace<'a> {
    pub package: &'a str,
    pub name: &'a str,
}

/// `name(` or `namespace.name(`
struct WrittenCall<'a> {
    namespace: Option<&'a str>,
    name: &'a str,
}

fn calls(text: &str) -> Vec<WrittenCall<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("{{").into_iter().chain(rest.find("{%")).min() {
        let end = if rest.get(start..).is_some_and(|tag| tag.starts_with("{{")) { "}}" } else { "%}" };
        let inside = rest.get(start + 2..).unwrap_or_default();
        let (inside, after) = inside.split_once(end).unwrap_or((inside, ""));
        calls_inside(inside, &mut found);
        rest = after;
    }
    found
}

fn calls_inside<'a>(inside: &'a str, found: &mut Vec<WrittenCall<'a>>) {
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '.';
    for (place, _) in inside.match_indices('(') {
        let before = inside.get(..place).unwrap_or_default().trim_end();
        let start =
            before.rfind(|letter| !is_word(letter)).map_or(0, |last| last + before.get(last..).map_or(1, first_length));
        let word = before.get(start..).unwrap_or_default();
        match word.split_once('.') {
            None if !word.is_empty() => found.push(WrittenCall { namespace: None, name: word }),
            Some((namespace, name)) => found.push(WrittenCall { namespace: Some(namespace), name }),
            None => {}
        }
    }
}

fn first_length(text: &str) -> usize {
    text.chars().next().map_or(1, char::len_utf8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_found_in_tags_only() {
        let place = |package, name| MacroPlace { package, name };
        let all = [place("shop", "cents"), place("dbt", "type_int"), place("tools", "star"), place("dbt", "count")];
        let names = KnownMacros::new("shop", all.into_iter());
        let text = "select count(*), {{ cents ('a') }}, {{ tools.star(ref('b')) }} {% if dbt.type_int() %}";
        assert_eq!(names.called_in(text, "shop"), ["macro.shop.cents", "macro.tools.star", "macro.dbt.type_int"]);
        assert_eq!(names.of_test("count", None, "shop"), None);
    }
}
