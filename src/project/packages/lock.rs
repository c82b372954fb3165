//! `package-lock.yml`: what exactly was fetched for each package, and a hash of its files.
//!
//! The file is dbt's: a list of packages with their names, in which a git revision is a commit. dbt refuses keys that it
//! does not know, so karat's own facts (what the list asked for, and the hashes) stand in comments behind the list, one fact
//! a line, which dbt passes over.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::json;

use super::contents::PackageContents;
use super::origin::{PackageOrigin, same_package};
use crate::diag::{Checked, Code, Diagnostic, Sink};
use crate::host::{Host, is_commit};
use crate::project::node::{Node, YamlFields};
use crate::project::yaml;
use crate::span::SourceFiles;

/// dbt's name for it.
pub const LOCK_FILE: &str = "package-lock.yml";

const HEADER: &str = "# Written by `karat deps`. Keep it under version control.\n";
/// A line of karat's for a package: its name, the hash of its files if they are known, and the revision that the list asked
/// for. What stands behind the word is an array in JSON: names may hold anything, and a line must stay one.
const PACKAGE_LINE: &str = "# package ";
/// A line of karat's for a file: the package's name, the file's hash and its path.
const FILE_LINE: &str = "# file ";

/// What the list asked for when a package was locked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LockedFor {
    /// dbt does not write it.
    Unknown,
    /// A revision, or none.
    Revision(Option<String>),
}

/// A package as it is locked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedPackage {
    /// The name in its project file, which is also that of its folder.
    pub name: String,
    /// As in the list, but that a git revision is a commit.
    pub origin: PackageOrigin,
    pub requested: LockedFor,
    /// `None` if dbt has written this, or the package was never here.
    pub contents: Option<PackageContents>,
}

/// What the lock file says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PackageLock {
    pub packages: Vec<LockedPackage>,
}

impl LockedPackage {
    /// The commit that is locked. Returns `None` if it is not known, or the package has none.
    pub fn commit(&self) -> Option<&str> {
        match &self.origin {
            PackageOrigin::Git { revision, .. } => revision.as_deref().filter(|revision| is_commit(revision)),
            PackageOrigin::Local { .. }
            | PackageOrigin::Hub { .. }
            | PackageOrigin::Tarball { .. }
            | PackageOrigin::Private { .. } => None,
        }
    }
}

impl PackageLock {
    /// Reads the lock file. Returns `None` if there is none.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be read, or is no lock file.
    pub fn read(host: &dyn Host, files: &mut SourceFiles, sink: &mut Sink) -> Checked<Option<PackageLock>> {
        if !host.exists(LOCK_FILE) {
            return Ok(None);
        }
        let text = match host.read(LOCK_FILE) {
            Ok(text) => text,
            Err(error) => {
                let message = format!("`{LOCK_FILE}` cannot be read: {error}");
                return Err(sink.error(Diagnostic::error(Code::UnreadableFile, message)));
            }
        };
        let file = files.add(LOCK_FILE, text.clone());
        let node = yaml::parse(files.text(file), file, sink)?;
        if node.is_null() {
            return Ok(Some(PackageLock::default()));
        }
        let fields = YamlFields::of(&node, "the lock file", sink)?;
        let mut facts = facts_of(&text);
        let mut packages = Vec::new();
        for item in fields.list("packages", sink) {
            let package = YamlFields::of(item, "a package", sink)?;
            let Some(origin) = locked_origin(&package, sink) else {
                let message = "this entry names no package";
                let help = format!("remove `{LOCK_FILE}`; `karat deps` writes it again");
                return Err(sink.error(Diagnostic::error(Code::InvalidYaml, message).at(item.place()).help(help)));
            };
            // Old versions of dbt write no name.
            let name = package.read("name", Node::expect_any_text, sink).map(|name| name.value);
            let name = name.unwrap_or_else(|| origin.last_part());
            let PackageFacts { requested, contents } = facts.remove(&name).unwrap_or_default();
            packages.push(LockedPackage { name, origin, requested, contents });
        }
        sink.unless_errors(Some(PackageLock { packages }))
    }

    /// What is locked for a package that a list names.
    pub fn entry(&self, origin: &PackageOrigin) -> Option<&LockedPackage> {
        self.packages.iter().find(|locked| same_package(&locked.origin, origin))
    }

    /// The text of the lock file.
    pub fn to_text(&self) -> String {
        let mut text = HEADER.to_owned();
        text.push_str(if self.packages.is_empty() { "packages: []\n" } else { "packages:\n" });
        for package in &self.packages {
            for (index, (key, value)) in origin_keys(&package.origin).into_iter().enumerate() {
                let mark = if index == 0 { '-' } else { ' ' };
                // JSON's texts are YAML's.
                let _written = writeln!(text, "  {mark} {key}: {}", serde_json::Value::from(value));
            }
            let _written = writeln!(text, "    name: {}", serde_json::Value::from(package.name.as_str()));
        }
        for package in &self.packages {
            let LockedFor::Revision(requested) = &package.requested else { continue };
            let hash = package.contents.as_ref().map(|contents| contents.hash.as_str());
            let facts = json!([package.name, hash, requested]);
            let _written = writeln!(text, "{PACKAGE_LINE}{facts}");
            for (path, hash) in package.contents.iter().flat_map(|contents| &contents.files) {
                let _written = writeln!(text, "{FILE_LINE}{}", json!([package.name, hash, path]));
            }
        }
        text
    }
}

fn locked_origin(package: &YamlFields<'_>, sink: &mut Sink) -> Option<PackageOrigin> {
    let mut text = |key| package.read(key, Node::expect_any_text, sink).map(|text| text.value);
    if let Some(path) = text("local") {
        return Some(PackageOrigin::Local { path: path.trim_start_matches("./").trim_end_matches('/').to_owned() });
    }
    if let Some(url) = text("git") {
        let revision = text("revision");
        return Some(PackageOrigin::Git { url, revision, subdirectory: text("subdirectory") });
    }
    if let Some(package) = text("package") {
        return Some(PackageOrigin::Hub { package, version: text("version") });
    }
    if let Some(url) = text("tarball") {
        return Some(PackageOrigin::Tarball { url });
    }
    let repository = text("private")?;
    Some(PackageOrigin::Private { repository, provider: text("provider"), revision: text("revision") })
}

/// The keys of an entry, the one that says its kind first.
fn origin_keys(origin: &PackageOrigin) -> Vec<(&'static str, &str)> {
    let keys = match origin {
        PackageOrigin::Local { path } => vec![("local", Some(path))],
        PackageOrigin::Git { url, revision, subdirectory } => {
            vec![("git", Some(url)), ("revision", revision.as_ref()), ("subdirectory", subdirectory.as_ref())]
        }
        PackageOrigin::Hub { package, version } => vec![("package", Some(package)), ("version", version.as_ref())],
        PackageOrigin::Tarball { url } => vec![("tarball", Some(url))],
        PackageOrigin::Private { repository, provider, revision } => {
            vec![("private", Some(repository)), ("provider", provider.as_ref()), ("revision", revision.as_ref())]
        }
    };
    keys.into_iter().filter_map(|(key, value)| Some((key, value?.as_str()))).collect()
}

/// What karat's own lines say of a package.
struct PackageFacts {
    requested: LockedFor,
    contents: Option<PackageContents>,
}

impl Default for PackageFacts {
    fn default() -> PackageFacts {
        PackageFacts { requested: LockedFor::Unknown, contents: None }
    }
}

fn facts_of(text: &str) -> BTreeMap<String, PackageFacts> {
    let mut facts: BTreeMap<String, PackageFacts> = BTreeMap::new();
    let parsed = |line: &str| serde_json::from_str::<[Option<String>; 3]>(line).ok();
    for line in text.lines() {
        if let Some([Some(name), hash, revision]) = line.strip_prefix(PACKAGE_LINE).and_then(parsed) {
            let contents = hash.map(|hash| PackageContents { hash, files: BTreeMap::new() });
            facts.insert(name, PackageFacts { requested: LockedFor::Revision(revision), contents });
        } else if let Some([Some(name), Some(hash), Some(path)]) = line.strip_prefix(FILE_LINE).and_then(parsed) {
            let contents = facts.get_mut(&name).and_then(|fact| fact.contents.as_mut());
            if let Some(contents) = contents {
                contents.files.insert(path, hash);
            }
        }
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::MemoryHost;

    fn read(text: &str) -> Option<PackageLock> {
        let host = MemoryHost::with_files([(LOCK_FILE, text)]);
        PackageLock::read(&host, &mut SourceFiles::default(), &mut Sink::default()).unwrap()
    }

    #[test]
    fn what_is_written_is_read() {
        let files = BTreeMap::from([("macros/a b\n- c.sql".to_owned(), "0123456789abcdef".to_owned())]);
        let git = LockedPackage {
            name: "utils".to_owned(),
            origin: PackageOrigin::Git {
                url: "https://example.com/a: b.git".to_owned(),
                revision: Some("0".repeat(40)),
                subdirectory: Some("part".to_owned()),
            },
            requested: LockedFor::Revision(Some("1.0".to_owned())),
            contents: Some(PackageContents { hash: "ff".repeat(32), files }),
        };
        let hub = LockedPackage {
            name: "dates".to_owned(),
            origin: PackageOrigin::Hub { package: "acme/dates".to_owned(), version: Some("1.10".to_owned()) },
            requested: LockedFor::Revision(None),
            contents: None,
        };
        let lock = PackageLock { packages: vec![git, hub] };
        assert_eq!(read(&lock.to_text()), Some(lock));
        assert_eq!(read(&PackageLock::default().to_text()), Some(PackageLock::default()));
    }

    #[test]
    fn a_lock_of_dbts_is_read_without_hashes() {
        let text =
            "packages:\n  - name: dbt_utils\n    package: dbt-labs/dbt_utils\n    version: 1.3.0\nsha1_hash: 0a1b\n";
        let lock = read(text).unwrap();
        let hub = PackageOrigin::Hub { package: "dbt-labs/dbt_utils".to_owned(), version: None };
        let found = lock.entry(&hub).unwrap();
        assert_eq!((found.name.as_str(), &found.contents), ("dbt_utils", &None));
    }
}
