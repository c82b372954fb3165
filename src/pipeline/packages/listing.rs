//! `karat deps --add-package`: one more entry in `packages.yml`, without touching what else stands there.

use crate::diag::{Checked, Code, Diagnostic, Sink};
use crate::host::write_project_file;
use crate::pipeline::Workspace;
use crate::project::{LISTS, PackageOrigin, project_packages, same_package};
use crate::span::SourceFiles;

/// Where a new package comes from, in dbt's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PackageSource {
    Hub,
    Git,
    Local,
}

impl PackageSource {
    /// The source of this name; the hub if it is none.
    pub fn named(name: &str) -> PackageSource {
        match name {
            "git" => PackageSource::Git,
            "local" => PackageSource::Local,
            _ => PackageSource::Hub,
        }
    }
}

/// A package to be listed: `dbt-labs/dbt_utils@1.3.0`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewPackage {
    pub name: String,
    pub version: Option<String>,
}

impl NewPackage {
    /// The part behind the last `@` is a version, unless it belongs to an address such as `git@github.com:a/b.git`.
    pub fn parse(text: &str) -> NewPackage {
        match text.rsplit_once('@') {
            Some((name, version)) if !name.is_empty() && !version.contains(['/', ':']) && !version.is_empty() => {
                NewPackage { name: name.to_owned(), version: Some(version.to_owned()) }
            }
            _ => NewPackage { name: text.to_owned(), version: None },
        }
    }

    fn origin(&self, source: PackageSource) -> PackageOrigin {
        let name = self.name.clone();
        let version = self.version.clone();
        match source {
            PackageSource::Hub => PackageOrigin::Hub { package: name, version },
            PackageSource::Git => PackageOrigin::Git { url: name, revision: version, subdirectory: None },
            PackageSource::Local => PackageOrigin::Local { path: name },
        }
    }

    /// The lines of its entry, without indentation.
    fn lines(&self, source: PackageSource) -> Vec<String> {
        let text = |text: &str| serde_json::Value::from(text).to_string();
        let (key, version_key) = match source {
            PackageSource::Hub => ("package", "version"),
            PackageSource::Git => ("git", "revision"),
            PackageSource::Local => ("local", "version"),
        };
        let mut lines = vec![format!("- {key}: {}", text(&self.name))];
        if let Some(version) = self.version.as_deref().filter(|_| source != PackageSource::Local) {
            // A range is a list in YAML, as dbt writes it.
            let versions: Vec<String> = version.split(',').map(|part| text(part.trim())).collect();
            let is_range = source == PackageSource::Hub && versions.len() > 1;
            let value = if is_range { format!("[{}]", versions.join(", ")) } else { text(version) };
            lines.push(format!("  {version_key}: {value}"));
        }
        lines
    }
}

/// Adds an entry to `packages.yml`, or to `dependencies.yml` if packages are listed there. Returns the file's name.
///
/// # Errors
///
/// Returns an error if the package is listed already, or the list is not written one entry a line.
pub(crate) fn add_package(
    workspace: &Workspace,
    package: &NewPackage,
    source: PackageSource,
    files: &mut SourceFiles,
    sink: &mut Sink,
) -> Checked<&'static str> {
    let listed = project_packages(workspace.host.as_ref(), None, files, &mut Sink::default());
    if let Ok(packages) = &listed {
        let origin = package.origin(source);
        if let Some(other) = packages.listed.iter().find(|other| same_package(&other.origin, &origin)) {
            let message = format!("the package `{}` is listed already", package.name);
            let diagnostic = Diagnostic::error(Code::DuplicateName, message).at(other.span);
            return Err(sink.error(diagnostic.help("change its version here")));
        }
    }
    let [packages_file, dependencies_file] = LISTS;
    let in_dependencies = !workspace.host.exists(packages_file) && workspace.host.exists(dependencies_file);
    let path = if in_dependencies { dependencies_file } else { packages_file };
    let text = workspace.host.read(path).unwrap_or_default();
    let Some(extended) = with_entry(&text, &package.lines(source)) else {
        let message = format!("`{path}` is not written one entry a line");
        let help = format!("add the entry by hand: `{}`", package.lines(source).join(", ").trim_start_matches("- "));
        return Err(sink.error(Diagnostic::error(Code::InvalidYaml, message).help(help)));
    };
    match write_project_file(&workspace.root, path, &extended) {
        Ok(()) => Ok(path),
        Err(error) => {
            let message = format!("`{path}` cannot be written: {error}");
            Err(sink.error(Diagnostic::error(Code::UnreadableFile, message)))
        }
    }
}

/// The text of a list with one more entry at its end. Returns `None` if it is not written in blocks.
fn with_entry(text: &str, entry: &[String]) -> Option<String> {
    // An empty list is one in blocks as well.
    let text = &text.replace("packages: []\n", "packages:\n");
    let lines: Vec<&str> = text.lines().collect();
    let is_key = |line: &&str| line.split('#').next().is_some_and(|code| code.trim_end() == "packages:");
    let Some(key) = lines.iter().position(is_key) else {
        if lines.iter().any(|line| line.starts_with("packages")) {
            return None;
        }
        let begun = if text.is_empty() || text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") };
        let entry: String = entry.iter().map(|line| format!("  {line}\n")).collect();
        return Some(format!("{begun}packages:\n{entry}"));
    };
    let is_item = |line: &str| line.trim_start().starts_with("- ");
    let below = lines.iter().skip(key + 1);
    // The list ends where a key of the file's own begins.
    let length =
        below.clone().take_while(|line| line.is_empty() || line.starts_with([' ', '#']) || is_item(line)).count();
    let indent = below.clone().take(length).find(|line| is_item(line)).map_or("  ", |line| {
        let blanks = line.len() - line.trim_start().len();
        line.get(..blanks).unwrap_or("  ")
    });
    let last = lines.iter().enumerate().skip(key + 1).take(length).filter(|(_, line)| !line.trim().is_empty());
    let end = last.map(|(index, _)| index + 1).next_back().unwrap_or(key + 1);
    let mut extended: Vec<String> = lines.iter().take(end).map(|line| (*line).to_owned()).collect();
    extended.extend(entry.iter().map(|line| format!("{indent}{line}")));
    extended.extend(lines.iter().skip(end).map(|line| (*line).to_owned()));
    Some(format!("{}\n", extended.join("\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_stands_behind_the_last_at() {
        let parsed = |text| {
            let NewPackage { name, version } = NewPackage::parse(text);
            (name, version.unwrap_or_default())
        };
        assert_eq!(parsed("dbt-labs/dbt_utils@1.3.0"), ("dbt-labs/dbt_utils".to_owned(), "1.3.0".to_owned()));
        assert_eq!(parsed("git@github.com:a/b.git"), ("git@github.com:a/b.git".to_owned(), String::new()));
        assert_eq!(parsed("git@github.com:a/b.git@v1"), ("git@github.com:a/b.git".to_owned(), "v1".to_owned()));
    }

    #[test]
    fn an_entry_is_added_behind_the_last_one() {
        let entry = NewPackage::parse("a/b@>=1.0,<2.0").lines(PackageSource::Hub);
        assert_eq!(
            with_entry("", &entry).unwrap(),
            "packages:\n  - package: \"a/b\"\n    version: [\">=1.0\", \"<2.0\"]\n"
        );
        let entry = NewPackage::parse("x").lines(PackageSource::Git);
        let text = "# ours\npackages:\n- package: a/b  # why\n  version: 1.0\n\nprojects: []\n";
        let extended = "# ours\npackages:\n- package: a/b  # why\n  version: 1.0\n- git: \"x\"\n\nprojects: []\n";
        assert_eq!(with_entry(text, &entry).unwrap(), extended);
        assert_eq!(with_entry("packages: [{local: a}]\n", &entry), None);
        assert_eq!(with_entry("packages: []\n", &entry).unwrap(), "packages:\n  - git: \"x\"\n");
    }
}
