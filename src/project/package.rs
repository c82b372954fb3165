//! A package as its own project file and that of the project describe it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::files::ProjectFiles;
use super::folders::ConfigFolder;
use super::node::{Node, YamlFields};
use super::{DBT_PACKAGE, MacroSource, dbt_version, vars};
use crate::diag::{Checked, Code, Diagnostic, Sink};
use crate::name::SchemaName;
use crate::span::{SourceFiles, Spanned};

/// The macros that karat has in the place of dbt's own.
const DBT_MACROS: &str = include_str!("dbt_macros.sql");
const DBT_MACROS_PATH: &str = "dbt_macros.sql";

/// A package with what its project file says.
pub(super) struct Package<'a> {
    pub(super) name: SchemaName,
    pub(super) files: &'a ProjectFiles,
    pub(super) models: ConfigFolder,
    pub(super) seeds: ConfigFolder,
    pub(super) snapshots: ConfigFolder,
    pub(super) tests: ConfigFolder,
    pub(super) version: Option<String>,
    vars: BTreeMap<String, Value>,
}

/// Reads the project files of the packages. Two packages of one name, or one of the project's, are an error.
pub(super) fn packages_of<'a>(files: &'a ProjectFiles, project: &Spanned<String>, sink: &mut Sink) -> Vec<Package<'a>> {
    let mut packages: Vec<Package<'a>> = Vec::new();
    let mut names = BTreeMap::from([(project.value.clone(), project.span)]);
    for files in &files.packages {
        let Ok(fields) = YamlFields::of(&files.project, "the project file", sink) else { continue };
        let Ok((name, schema)) = project_name(&fields, sink) else { continue };
        if let Some(first) = names.insert(name.value.clone(), name.span) {
            let message = format!("two packages are called `{}`", name.value);
            let diagnostic = Diagnostic::error(Code::DuplicateName, message).labelled(name.span, "the second one");
            sink.error(diagnostic.labelled(first, "the first one").help("remove one of them"));
            continue;
        }
        let models = ConfigFolder::read("models", &fields, &name.value, sink);
        let seeds = ConfigFolder::read("seeds", &fields, &name.value, sink);
        let snapshots = ConfigFolder::read("snapshots", &fields, &name.value, sink);
        let tests = ConfigFolder::of_tests(&fields, &name.value, sink);
        let vars = vars::read_project(&fields, &name.value, sink);
        let version = version_of(&fields, sink);
        dbt_version::check(&format!("the package `{}`", name.value), &fields, sink);
        packages.push(Package { name: schema, files, models, seeds, snapshots, tests, version, vars });
    }
    packages
}

/// The version that a project file says.
pub(super) fn version_of(fields: &YamlFields<'_>, sink: &mut Sink) -> Option<String> {
    fields.read("version", Node::expect_any_text, sink).map(|version| version.value)
}

/// `dispatch:`, by the name space whose macros are searched.
pub(super) fn search_orders(fields: &YamlFields<'_>, sink: &mut Sink) -> BTreeMap<String, Vec<String>> {
    let mut orders = BTreeMap::new();
    for node in fields.list("dispatch", sink) {
        let Ok(order) = YamlFields::of(node, "an item of `dispatch`", sink) else { continue };
        let namespace = order.text("macro_namespace", sink);
        let search = order.read("search_order", Node::expect_texts, sink);
        if let (Some(namespace), Some(search)) = (namespace, search) {
            orders.insert(namespace.value, search.into_iter().map(|package| package.value).collect());
        }
    }
    orders
}

/// The variables that the templates of each package see: its own, those of the project over them.
pub(super) fn package_vars(
    packages: &[Package<'_>],
    fields: &YamlFields<'_>,
    of_project: &BTreeMap<String, Value>,
    finished: &dyn Fn(BTreeMap<String, Value>) -> BTreeMap<String, Value>,
) -> BTreeMap<String, BTreeMap<String, Value>> {
    let mut all = BTreeMap::new();
    for package in packages {
        let mut its = package.vars.clone();
        its.extend(of_project.iter().map(|(name, value)| (name.clone(), value.clone())));
        its.extend(vars::of_namespace(fields, package.name.as_str()));
        all.insert(package.name.as_str().to_owned(), finished(its));
    }
    all
}

/// All macro files: the project's, those of its packages, and those that stand in dbt's place.
pub(super) fn macro_files(
    project: &str,
    files: &ProjectFiles,
    packages: &[Package<'_>],
    sources: &mut SourceFiles,
) -> Vec<MacroSource> {
    let source = |package: &str, file| MacroSource { package: package.to_owned(), file };
    let mut all: Vec<MacroSource> = files.macros().iter().map(|found| source(project, found.file)).collect();
    for package in packages {
        all.extend(package.files.macros().iter().map(|found| source(package.name.as_str(), found.file)));
    }
    all.push(source(DBT_PACKAGE, sources.add(DBT_MACROS_PATH, DBT_MACROS)));
    all
}

/// The project's name, which is also the schema of models that lie in no folder.
pub(super) fn project_name(fields: &YamlFields<'_>, sink: &mut Sink) -> Checked<(Spanned<String>, SchemaName)> {
    let name = fields.name("the project", sink)?;
    match SchemaName::parse(&name.value) {
        Ok(schema) => Ok((name, schema)),
        Err(wrong) => {
            let message = format!("`{}` is not a name for a project: {wrong}", name.value);
            Err(sink.error(Diagnostic::error(Code::InvalidName, message).at(name.span)))
        }
    }
}
