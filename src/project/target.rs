//! A target: where the lake is.

use std::collections::BTreeMap;

use serde_json::Value;

use super::node::Fields;
use super::schema::{self, all_of, any_of};
use super::vars;
use crate::diag::{Checked, Code, Diagnostic, Sink};
use crate::span::{Span, Spanned};

#[derive(Debug, Clone)]
pub struct Target {
    pub name: String,
    /// A folder relative to the project, or an absolute one.
    pub lake: String,
    /// Variables that hold for this target only.
    pub vars: BTreeMap<String, Value>,
    /// Where it is declared; nothing for the target that exists without a declaration.
    pub span: Option<Span>,
}

/// The target of a project that declares none.
const DEFAULT_NAME: &str = "local";
const DEFAULT_LAKE: &str = "./lake";

impl Target {
    /// The target with the name that was asked for, or the project's own choice.
    pub(super) fn choose(project: &Fields<'_>, asked: Option<&str>, sink: &mut Sink) -> Checked<Target> {
        let declared = declared(project, sink)?;
        let default = project.text("target", sink);
        let wanted = match (asked, &default) {
            (Some(asked), _) => asked,
            (None, Some(default)) => default.value.as_str(),
            (None, None) => match declared.as_slice() {
                [only] => only.name.as_str(),
                _ => DEFAULT_NAME,
            },
        };
        if let Some(target) = declared.iter().find(|target| target.name == wanted) {
            return Ok(target.clone());
        }
        if asked.is_none() && default.is_none() {
            let place = project.entries().iter().find(|(key, _)| key.value == "targets").map(|(key, _)| key.span);
            let diagnostic = Diagnostic::error(Code::InvalidConfig, "the project has several targets and no `target`");
            let help = format!("add `target:`, which can be {}", any_of(names(&declared)));
            return Err(sink.error(diagnostic.at(place.unwrap_or(project.place())).help(help)));
        }
        let mut diagnostic = Diagnostic::error(Code::InvalidConfig, format!("no target is called `{wanted}`"));
        if let (None, Some(default)) = (asked, &default) {
            diagnostic = diagnostic.at(default.span);
        }
        let diagnostic = diagnostic.suggest(wanted, names(&declared));
        Err(sink.error(diagnostic.help(format!("the targets are {}", all_of(names(&declared))))))
    }
}

fn names(targets: &[Target]) -> impl Iterator<Item = &str> {
    targets.iter().map(|target| target.name.as_str())
}

/// All targets, or the one that exists without a declaration.
fn declared(project: &Fields<'_>, sink: &mut Sink) -> Checked<Vec<Target>> {
    let Some(node) = project.get("targets") else {
        let name = DEFAULT_NAME.to_owned();
        return Ok(vec![Target { name, lake: DEFAULT_LAKE.to_owned(), vars: BTreeMap::new(), span: None }]);
    };
    let entries = node.expect_mapping("`targets`", sink)?;
    sink.check_all(entries, |(name, node), sink| {
        let fields = Fields::of(node, &format!("the target `{}`", name.value), sink)?;
        schema::TARGET.check(&fields, sink);
        Ok(Target {
            name: name.value.clone(),
            lake: lake(name, &fields, sink)?,
            vars: vars::read(&fields, sink),
            span: Some(name.span),
        })
    })
}

fn lake(name: &Spanned<String>, fields: &Fields<'_>, sink: &mut Sink) -> Checked<String> {
    let Some(node) = fields.get("lake") else {
        let diagnostic = Diagnostic::error(Code::InvalidConfig, format!("the target `{}` has no `lake`", name.value));
        return Err(sink.error(diagnostic.at(name.span).help("add the folder of its tables, like `lake: ./lake`")));
    };
    let lake = node.expect_text("`lake`", sink)?;
    if lake.value.contains("://") {
        let diagnostic = Diagnostic::error(Code::InvalidConfig, format!("`{}` is not a folder", lake.value));
        return Err(sink.error(diagnostic.at(lake.span).help("a lake can only be a folder for now, like `./lake`")));
    }
    Ok(lake.value)
}

#[cfg(test)]
mod tests {
    use crate::project::LoadRequest;
    use crate::project::testing::{load, load_as, said};

    fn with_target(project: &str, target: &str) -> Result<super::Target, String> {
        let request = LoadRequest { target: Some(target.to_owned()), vars: None };
        load_as(project, &[], &request).map(|loaded| loaded.target)
    }

    #[test]
    fn without_a_declaration_the_lake_is_a_folder_of_the_project() {
        let target = load("name: p", &[]).unwrap().target;
        assert_eq!((target.name.as_str(), target.lake.as_str()), ("local", "./lake"));
    }

    #[test]
    fn the_target_is_asked_for_or_declared_or_the_only_one() {
        let two = "name: p\ntargets: {dev: {lake: a}, prod: {lake: /b}}\ntarget: dev";
        assert_eq!(load(two, &[]).unwrap().target.lake, "a");
        assert_eq!(with_target(two, "prod").unwrap().lake, "/b");
        assert_eq!(load("name: p\ntargets: {dev: {lake: a}}", &[]).unwrap().target.name, "dev");
        insta::assert_snapshot!(with_target(two, "prd").unwrap_err(), @r"
        error[invalid-config]: no target is called `prd`
         = help: did you mean `prod`?
         = help: the targets are `dev` and `prod`
        ");
    }

    #[test]
    fn a_target_that_cannot_be_used_is_an_error() {
        insta::assert_snapshot!(said("name: p\ntargets: {a: {lake: x}, b: {lake: y}}", &[]), @r"
        error[invalid-config]: the project has several targets and no `target`
         --> project.yml:2:1
          |
        2 | targets: {a: {lake: x}, b: {lake: y}}
          | ^^^^^^^
          |
          = help: add `target:`, which can be `a` or `b`
        ");
        insta::assert_snapshot!(said("name: p\ntargets: {a: {lake: 's3://x'}, b: {}}\ntarget: a", &[]), @r"
        error[invalid-config]: `s3://x` is not a folder
         --> project.yml:2:21
          |
        2 | targets: {a: {lake: 's3://x'}, b: {}}
          |                     ^^^^^^^^
          |
          = help: a lake can only be a folder for now, like `./lake`

        error[invalid-config]: the target `b` has no `lake`
         --> project.yml:2:32
          |
        2 | targets: {a: {lake: 's3://x'}, b: {}}
          |                                ^
          |
          = help: add the folder of its tables, like `lake: ./lake`
        ");
    }
}
