//! Packages: where they lie. They are found vendored in the project; nothing is fetched.

use std::collections::BTreeSet;

use super::node::{Node, YamlFields};
use super::yaml;
use crate::diag::{Code, Diagnostic, Sink};
use crate::host::Host;
use crate::span::SourceFiles;

/// The file that makes a folder a package.
pub(super) const PROJECT_FILE: &str = "dbt_project.yml";

/// The package of the macros that karat has in dbt's place.
pub const DBT_PACKAGE: &str = "dbt";

/// Where dbt lists the packages of a project.
const LISTS: [&str; 2] = ["packages.yml", "dependencies.yml"];

/// Where dbt puts them, and where they are put by hand.
const FOLDERS: [&str; 2] = ["dbt_packages", "packages"];

/// The folders of all packages, in order. One that is listed and is not there is a warning: what needs it will be an error.
pub(super) fn folders(host: &dyn Host, project: &Node, files: &mut SourceFiles, sink: &mut Sink) -> Vec<String> {
    let fields = YamlFields::of(project, "the project file", &mut Sink::default());
    let install = fields.ok().and_then(|fields| fields.text("packages-install-path", sink));
    let roots = FOLDERS.iter().map(|folder| (*folder).to_owned()).chain(install.map(|path| path.value));
    let mut found = BTreeSet::new();
    for root in roots {
        let listed = host.files_below(&root).unwrap_or_default();
        let packages = listed.iter().filter_map(|path| path.strip_suffix(PROJECT_FILE)?.strip_suffix('/'));
        // A package may have projects in it, which are its own affair.
        found.extend(packages.filter(|folder| folder.matches('/').count() == 1).map(str::to_owned));
    }
    for list in LISTS.into_iter().filter(|list| host.exists(list)) {
        add_listed(list, host, &mut found, files, sink);
    }
    found.into_iter().collect()
}

/// Adds the local packages that a list names, and warns of those that are nowhere.
fn add_listed(path: &str, host: &dyn Host, found: &mut BTreeSet<String>, files: &mut SourceFiles, sink: &mut Sink) {
    let Ok(text) = host.read(path) else { return };
    let file = files.add(path, text);
    let Ok(node) = yaml::parse(files.text(file), file, sink) else { return };
    if node.is_null() {
        return;
    }
    let Ok(fields) = YamlFields::of(&node, "a list of packages", sink) else { return };
    for item in fields.list("packages", sink) {
        let Ok(package) = YamlFields::of(item, "a package", sink) else { continue };
        if let Some(local) = package.text("local", sink) {
            let folder = local.value.trim_start_matches("./").trim_end_matches('/').to_owned();
            let is_inside = !folder.starts_with('/') && !folder.split('/').any(|part| part == "..");
            if is_inside && host.exists(&format!("{folder}/{PROJECT_FILE}")) {
                found.insert(folder);
                continue;
            }
            let name = folder.rsplit('/').next().unwrap_or(&folder).to_owned();
            missing(&name, local.span, found, sink);
        } else if let Some(named) = package.text("package", sink).or_else(|| package.text("git", sink)) {
            let name = named.value.trim_end_matches('/').trim_end_matches(".git");
            let name = name.rsplit('/').next().unwrap_or(name).to_owned();
            missing(&name, named.span, found, sink);
        }
    }
}

/// Warns of a package that is in none of the folders.
fn missing(name: &str, span: crate::span::Span, found: &BTreeSet<String>, sink: &mut Sink) {
    // A repository may be called `dbt-utils` and its folder `dbt_utils`.
    let plain = |text: &str| text.replace('-', "_").to_lowercase();
    let has = |folder: &String| {
        let last = plain(folder.rsplit('/').next().unwrap_or(folder));
        last == plain(name) || last.ends_with(&plain(name)) || plain(name).ends_with(&last)
    };
    if found.iter().any(has) {
        return;
    }
    let message = format!("the package `{name}` is not here");
    let diagnostic = Diagnostic::warning(Code::UnknownMacro, message).at(span);
    sink.warn(diagnostic.help(format!("put its files into `dbt_packages/{name}`: karat fetches nothing")));
}
