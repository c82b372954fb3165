//! Packages: which ones a project lists, and where they lie. They are found vendored in the project; compiling fetches nothing.

mod contents;
mod listed;
mod lock;
mod origin;

use std::collections::{BTreeMap, BTreeSet};

pub use contents::{ContentsChange, PackageContents};
use listed::PackageLists;
pub use listed::{LISTS, ListedPackage};
pub use lock::{LOCK_FILE, LockedFor, LockedPackage, PackageLock};
pub use origin::PackageOrigin;
pub use origin::same_package;

use super::files::project_node;
use super::node::{Node, YamlFields};
use super::vars;
use super::yaml;
use super::yaml_template::{YamlScope, variables_in};
use crate::diag::{Checked, Sink};
use crate::host::Host;
use crate::span::SourceFiles;

/// The file that makes a folder a package.
pub const PACKAGE_FILE: &str = "dbt_project.yml";

/// The package of the macros that karat has in dbt's place.
pub const DBT_PACKAGE: &str = "dbt";

/// Where dbt puts packages.
const INSTALL_FOLDER: &str = "dbt_packages";

/// Where they are put by hand.
const VENDOR_FOLDER: &str = "packages";

/// The packages of a project, as far as its files say something of them.
#[derive(Debug, Clone)]
pub struct ProjectPackages {
    pub listed: Vec<ListedPackage>,
    /// The folders in which packages lie.
    pub folders: BTreeSet<String>,
    /// Where fetched packages go: `packages-install-path`.
    pub install_folder: String,
    /// What `package-lock.yml` says. `None` if there is no such file.
    pub lock: Option<PackageLock>,
}

/// The folders of all packages, in order. One that is listed and is not there is a warning: what needs it will be an error.
pub(super) fn folders(host: &dyn Host, project: &Node, files: &mut SourceFiles, sink: &mut Sink) -> Vec<String> {
    let mut found = vendored(host, &install_folder(project, sink));
    // What is wrong with the lock concerns `karat deps` alone.
    let lock = PackageLock::read(host, &mut SourceFiles::default(), &mut Sink::default()).ok().flatten();
    // Variables that are typed are not known yet; a name or a path hardly ever depends on them.
    let lists = PackageLists { host, folder: "", scope: None };
    for package in lists.read(files, sink) {
        match package.folder(host, &found, lock.as_ref()) {
            Some(folder) => {
                found.insert(folder);
            }
            None => sink.warn(package.missing()),
        }
    }
    found.into_iter().collect()
}

/// The packages that a project lists, what is locked, and what lies in it. `typed` is the text of `--vars`.
///
/// # Errors
///
/// Returns an error if the project file, a list of packages or the lock file cannot be read.
pub fn project_packages(
    host: &dyn Host,
    typed: Option<&str>,
    files: &mut SourceFiles,
    sink: &mut Sink,
) -> Checked<ProjectPackages> {
    let project = project_node(host, files, sink)?;
    let install_folder = install_folder(&project, sink);
    let folders = vendored(host, &install_folder);
    let scope = scope(host, typed, files);
    let listed = PackageLists { host, folder: "", scope: Some(&scope) }.read(files, sink);
    let lock = PackageLock::read(host, files, sink)?;
    sink.unless_errors(ProjectPackages { listed, folders, install_folder, lock })
}

/// The packages that the package in a folder lists for itself.
///
/// # Errors
///
/// Returns an error if one of its lists is malformed.
pub fn packages_of_package(
    host: &dyn Host,
    folder: &str,
    files: &mut SourceFiles,
    sink: &mut Sink,
) -> Checked<Vec<ListedPackage>> {
    let scope = scope(host, None, files);
    let listed = PackageLists { host, folder, scope: Some(&scope) }.read(files, sink);
    sink.unless_errors(listed)
}

/// The name in the project file of the package in a folder. Returns `None` if there is no readable one.
pub fn package_name(host: &dyn Host, folder: &str) -> Option<String> {
    let text = host.read(&format!("{folder}/{PACKAGE_FILE}")).ok()?;
    let mut files = SourceFiles::default();
    let file = files.add(PACKAGE_FILE, text);
    let node = yaml::parse(files.text(file), file, &mut Sink::default()).ok()?;
    let fields = YamlFields::of(&node, "the project file", &mut Sink::default()).ok()?;
    fields.text("name", &mut Sink::default()).map(|name| name.value)
}

/// What templates in lists of packages know: `--vars` and the environment, and nothing of the project, as in dbt.
fn scope(host: &dyn Host, typed: Option<&str>, files: &mut SourceFiles) -> YamlScope {
    let texts = LISTS.iter().filter_map(|path| host.read(path).ok());
    let mut variables = BTreeMap::new();
    for text in texts {
        let names = variables_in(&text).map(str::to_owned);
        variables.extend(names.filter_map(|name| Some((name.clone(), host.variable(&name)?))));
    }
    let vars = vars::read_typed(typed, files, &mut Sink::default()).unwrap_or_default();
    YamlScope::new(&vars, &variables, &BTreeSet::new(), &[])
}

/// Where packages are put.
fn install_folder(project: &Node, sink: &mut Sink) -> String {
    let fields = YamlFields::of(project, "the project file", &mut Sink::default());
    let named = fields.ok().and_then(|fields| fields.text("packages-install-path", sink));
    let folder = named.map_or_else(|| INSTALL_FOLDER.to_owned(), |path| path.value);
    folder.trim_start_matches("./").trim_end_matches('/').to_owned()
}

/// The folders in which packages lie by custom.
fn vendored(host: &dyn Host, install_folder: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for root in [INSTALL_FOLDER, VENDOR_FOLDER, install_folder] {
        // A package may have projects in it, which are its own affair.
        let folders = host.folders_in(root).unwrap_or_default();
        found.extend(folders.into_iter().filter(|folder| host.exists(&format!("{folder}/{PACKAGE_FILE}"))));
    }
    found
}
