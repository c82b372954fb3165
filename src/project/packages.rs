//! Packages: where they lie. They are found vendored in the project; nothing is fetched.

use std::collections::BTreeSet;

use super::files::project_node;
use super::node::{Node, YamlFields};
use super::yaml;
use crate::diag::{Checked, Code, Diagnostic, Sink};
use crate::host::Host;
use crate::span::{SourceFiles, Span};

/// The file that makes a folder a package.
pub(super) const PROJECT_FILE: &str = "dbt_project.yml";

/// The package of the macros that karat has in dbt's place.
pub const DBT_PACKAGE: &str = "dbt";

/// Where dbt lists the packages of a project.
const LISTS: [&str; 2] = ["packages.yml", "dependencies.yml"];

/// Where dbt puts them, and where they are put by hand.
const FOLDERS: [&str; 2] = ["dbt_packages", "packages"];

/// A package that a project lists.
#[derive(Debug, Clone)]
pub struct ListedPackage {
    pub name: String,
    pub span: Span,
    /// Where it lies. `None` if it is not in the project.
    pub folder: Option<String>,
    /// Whether it lies outside of the project, where nothing is read.
    is_outside: bool,
}

/// The folders of all packages, in order. One that is listed and is not there is a warning: what needs it will be an error.
pub(super) fn folders(host: &dyn Host, project: &Node, files: &mut SourceFiles, sink: &mut Sink) -> Vec<String> {
    let mut found = vendored(host, project, sink);
    let listed = listed(host, &found, files, sink);
    for package in &listed {
        match &package.folder {
            Some(folder) => {
                found.insert(folder.clone());
            }
            None => sink.warn(missing(package)),
        }
    }
    found.into_iter().collect()
}

/// The packages that a project lists, and where they lie.
///
/// # Errors
///
/// Returns an error if the project file cannot be read.
pub fn listed_packages(host: &dyn Host, files: &mut SourceFiles, sink: &mut Sink) -> Checked<Vec<ListedPackage>> {
    let project = project_node(host, files, sink)?;
    let found = vendored(host, &project, sink);
    let packages = listed(host, &found, files, sink);
    sink.unless_errors(packages)
}

/// The folders in which packages lie by custom.
fn vendored(host: &dyn Host, project: &Node, sink: &mut Sink) -> BTreeSet<String> {
    let fields = YamlFields::of(project, "the project file", &mut Sink::default());
    let install = fields.ok().and_then(|fields| fields.text("packages-install-path", sink));
    let roots = FOLDERS.iter().map(|folder| (*folder).to_owned()).chain(install.map(|path| path.value));
    let mut found = BTreeSet::new();
    for root in roots {
        let root = root.trim_start_matches("./").trim_end_matches('/').to_owned();
        // A package may have projects in it, which are its own affair.
        let folders = host.folders_in(&root).unwrap_or_default();
        found.extend(folders.into_iter().filter(|folder| host.exists(&format!("{folder}/{PROJECT_FILE}"))));
    }
    found
}

/// The packages of both lists.
fn listed(host: &dyn Host, found: &BTreeSet<String>, files: &mut SourceFiles, sink: &mut Sink) -> Vec<ListedPackage> {
    let mut all = Vec::new();
    for path in LISTS.into_iter().filter(|path| host.exists(path)) {
        let Ok(text) = host.read(path) else { continue };
        let file = files.add(path, text);
        let Ok(node) = yaml::parse(files.text(file), file, sink) else { continue };
        if node.is_null() {
            continue;
        }
        let Ok(fields) = YamlFields::of(&node, "a list of packages", sink) else { continue };
        for item in fields.list("packages", sink) {
            let Ok(package) = YamlFields::of(item, "a package", sink) else { continue };
            all.extend(one_listed(&package, host, found, sink));
        }
    }
    all
}

fn one_listed(
    package: &YamlFields<'_>,
    host: &dyn Host,
    found: &BTreeSet<String>,
    sink: &mut Sink,
) -> Option<ListedPackage> {
    if let Some(local) = package.text("local", sink) {
        let folder = local.value.trim_start_matches("./").trim_end_matches('/').to_owned();
        let is_outside = folder.starts_with('/') || folder.split('/').any(|part| part == "..");
        let is_here = !is_outside && host.exists(&format!("{folder}/{PROJECT_FILE}"));
        let name = folder.rsplit('/').next().unwrap_or(&folder).to_owned();
        let folder = if is_here { Some(folder) } else { folder_of(&name, found) };
        let name = if is_outside { local.value } else { name };
        return Some(ListedPackage { name, span: local.span, folder, is_outside });
    }
    let named = ["package", "git", "tarball"].into_iter().find_map(|key| package.text(key, sink))?;
    let path = named.value.trim_end_matches('/').trim_end_matches(".git").trim_end_matches(".tar.gz");
    let name = path.rsplit('/').next().unwrap_or(path).to_owned();
    let folder = folder_of(&name, found);
    Some(ListedPackage { name, span: named.span, folder, is_outside: false })
}

/// The folder of a package by its name. A repository may be called `dbt-utils` and its folder `dbt_utils`.
fn folder_of(name: &str, found: &BTreeSet<String>) -> Option<String> {
    let plain = |text: &str| text.replace('-', "_").to_lowercase();
    let name = plain(name);
    let is_its = |folder: &&String| {
        let last = plain(folder.rsplit('/').next().unwrap_or(folder));
        !last.is_empty() && (last == name || last.ends_with(&name) || name.ends_with(&last))
    };
    // A name of dots alone ends nothing.
    if name.trim_matches('.').is_empty() {
        return None;
    }
    found.iter().find(is_its).cloned()
}

/// What to say of a package that is in none of the folders.
fn missing(package: &ListedPackage) -> Diagnostic {
    let ListedPackage { name, span, is_outside, .. } = package;
    if *is_outside {
        let message = format!("the package `{name}` lies outside of the project, where nothing is read");
        let help = "put a copy of it into `dbt_packages/`, under its name";
        return Diagnostic::warning(Code::UnknownMacro, message).at(*span).help(help);
    }
    let message = format!("the package `{name}` is not here");
    let diagnostic = Diagnostic::warning(Code::UnknownMacro, message).at(*span);
    diagnostic.help(format!("put its files into `dbt_packages/{name}`: karat fetches nothing; `karat deps` checks"))
}
