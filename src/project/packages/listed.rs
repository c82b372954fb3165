//! A package as a list names it: `packages.yml` or `dependencies.yml`.

use std::collections::BTreeSet;

use super::lock::PackageLock;
use super::origin::{PackageOrigin, last_part};
use super::{PACKAGE_FILE, YamlScope};
use crate::diag::{Code, Diagnostic, Sink};
use crate::host::Host;
use crate::project::hidden::secret_parts;
use crate::project::node::{Node, YamlFields};
use crate::project::yaml;
use crate::span::{SourceFiles, Span, Spanned};

/// Where dbt lists the packages of a project.
pub const LISTS: [&str; 2] = ["packages.yml", "dependencies.yml"];

/// A package that a project lists.
#[derive(Debug, Clone)]
pub struct ListedPackage {
    /// What the list calls it. Its own project file may say another name.
    pub name: String,
    pub origin: PackageOrigin,
    pub span: Span,
}

/// The lists of one project, or of the package in a folder of it.
pub(super) struct PackageLists<'a> {
    pub host: &'a dyn Host,
    /// Empty for the project itself.
    pub folder: &'a str,
    /// What renders templates in the lists. `None` leaves them as they are.
    pub scope: Option<&'a YamlScope>,
}

impl PackageLists<'_> {
    /// The packages of both lists.
    pub fn read(&self, files: &mut SourceFiles, sink: &mut Sink) -> Vec<ListedPackage> {
        let mut all = Vec::new();
        for name in LISTS {
            let path = if self.folder.is_empty() { name.to_owned() } else { format!("{}/{name}", self.folder) };
            if !self.host.exists(&path) {
                continue;
            }
            let text = match self.host.read(&path) {
                Ok(text) => text,
                Err(error) => {
                    let message = format!("`{path}` cannot be read: {error}");
                    sink.error(Diagnostic::error(Code::UnreadableFile, message));
                    continue;
                }
            };
            let file = files.add_hiding(path, text.clone(), secret_parts);
            let Ok(mut node) = yaml::parse(files.text(file), file, sink) else { continue };
            if node.is_null() {
                continue;
            }
            if let Some(scope) = self.scope {
                scope.render(&mut node, sink);
            }
            let Ok(fields) = YamlFields::of(&node, "a list of packages", sink) else { continue };
            if let Some(projects) = fields.get("projects") {
                let message = "`projects` are not read: models of another project are found in its own lake only";
                let help = "declare its tables as sources of this project";
                sink.warn(Diagnostic::warning(Code::UnknownKey, message).at(projects.place()).help(help));
            }
            for item in fields.list("packages", sink) {
                let Ok(package) = YamlFields::of(item, "a package", sink) else { continue };
                all.extend(one_listed(&package, sink));
            }
        }
        all
    }
}

/// A number or a text: `revision: 1.0`.
fn any_text(fields: &YamlFields<'_>, key: &str, sink: &mut Sink) -> Option<String> {
    fields.read(key, Node::expect_any_text, sink).map(|text| text.value)
}

fn one_listed(package: &YamlFields<'_>, sink: &mut Sink) -> Option<ListedPackage> {
    let revision = any_text(package, "revision", sink);
    if let Some(Spanned { value, span }) = package.text("local", sink) {
        let path = value.trim_start_matches("./").trim_end_matches('/').to_owned();
        let name = last_part(&path);
        return Some(ListedPackage { name, origin: PackageOrigin::Local { path }, span });
    }
    if let Some(Spanned { value, span }) = package.text("git", sink) {
        let subdirectory = any_text(package, "subdirectory", sink);
        let subdirectory = subdirectory.map(|path| path.trim_matches('/').to_owned()).filter(|path| !path.is_empty());
        let name = subdirectory.as_deref().map_or_else(|| last_part(&value), last_part);
        let origin = PackageOrigin::Git { url: value.trim().to_owned(), revision, subdirectory };
        return Some(ListedPackage { name, origin, span });
    }
    if let Some(Spanned { value, span }) = package.text("package", sink) {
        let version =
            package.get("version").and_then(|node| match node.expect_texts("`version`", &mut Sink::default()) {
                Ok(texts) => Some(texts.into_iter().map(|text| text.value).collect::<Vec<_>>().join(",")),
                Err(_) => any_text(package, "version", sink),
            });
        return Some(ListedPackage {
            name: last_part(&value),
            origin: PackageOrigin::Hub { package: value, version },
            span,
        });
    }
    if let Some(Spanned { value, span }) = package.text("tarball", sink) {
        let name = any_text(package, "name", sink).unwrap_or_else(|| last_part(&value));
        return Some(ListedPackage { name, origin: PackageOrigin::Tarball { url: value }, span });
    }
    if let Some(Spanned { value, span }) = package.text("private", sink) {
        let provider = any_text(package, "provider", sink);
        let name = last_part(&value);
        return Some(ListedPackage {
            name,
            origin: PackageOrigin::Private { repository: value, provider, revision },
            span,
        });
    }
    let message = "this entry names no package";
    let help = "write `git:` with `revision:`, `local:`, or `package:` with `version:`";
    sink.error(Diagnostic::error(Code::InvalidYaml, message).at(package.place()).help(help));
    None
}

impl ListedPackage {
    /// Whether it is a folder outside of the project, where nothing is read.
    pub fn is_outside(&self) -> bool {
        match &self.origin {
            PackageOrigin::Local { path } => path.starts_with('/') || path.split('/').any(|part| part == ".."),
            PackageOrigin::Git { .. }
            | PackageOrigin::Hub { .. }
            | PackageOrigin::Tarball { .. }
            | PackageOrigin::Private { .. } => false,
        }
    }

    /// Where it lies. Returns `None` if it is not in the project.
    pub fn folder(&self, host: &dyn Host, found: &BTreeSet<String>, lock: Option<&PackageLock>) -> Option<String> {
        if let PackageOrigin::Local { path } = &self.origin
            && !self.is_outside()
            && host.exists(&format!("{path}/{PACKAGE_FILE}"))
        {
            return Some(path.clone());
        }
        let locked = lock.and_then(|lock| lock.entry(&self.origin));
        let of_lock = locked.and_then(|locked| folder_called(found, |last| last == locked.name));
        of_lock.or_else(|| self.folder_by_name(found))
    }

    /// The folder of this name. A repository may be called `dbt-utils` and its folder `dbt_utils`, or `salesforce` and
    /// `dbt_salesforce`.
    fn folder_by_name(&self, found: &BTreeSet<String>) -> Option<String> {
        // A name of dots alone is none.
        if self.name.trim_matches('.').is_empty() {
            return None;
        }
        let name = plain(&self.name);
        folder_called(found, |last| plain(last) == name)
            .or_else(|| folder_called(found, |last| without_prefix(&plain(last)) == without_prefix(&name)))
    }

    /// How people call it: as the list does.
    pub fn shown(&self) -> &str {
        match &self.origin {
            PackageOrigin::Local { path } if self.is_outside() => path,
            _ => &self.name,
        }
    }

    /// What to say of a package that is in none of the folders.
    pub(super) fn missing(&self) -> Diagnostic {
        let name = self.shown();
        if self.is_outside() {
            let message = format!("the package `{name}` lies outside of the project, where nothing is read");
            let help = "put a copy of it into `dbt_packages/`, under its name";
            return Diagnostic::warning(Code::UnknownMacro, message).at(self.span).help(help);
        }
        let message = format!("the package `{name}` is not here");
        let diagnostic = Diagnostic::warning(Code::UnknownMacro, message).at(self.span);
        diagnostic.help(match &self.origin {
            PackageOrigin::Git { .. } => "`karat deps` fetches it".to_owned(),
            _ => format!("put its files into `dbt_packages/{name}`; `karat deps` says where they are"),
        })
    }
}

fn folder_called(found: &BTreeSet<String>, is_its: impl Fn(&str) -> bool) -> Option<String> {
    found.iter().find(|folder| is_its(folder.rsplit('/').next().unwrap_or(folder))).cloned()
}

fn plain(text: &str) -> String {
    text.replace('-', "_").to_lowercase()
}

fn without_prefix(name: &str) -> &str {
    name.strip_prefix("dbt_").unwrap_or(name)
}
