//! `karat deps`: the packages that a project lists, what is locked and what lies in it, compared; what is missing is fetched.
//!
//! Nothing else fetches: compiling and running read what lies in the project. A package whose files are not those that are
//! locked was edited, or is another one; it is reported and never replaced.

mod fetch;
mod listing;
mod remedy;
mod report;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use fetch::{Fetched, Fetcher};
pub(crate) use listing::{NewPackage, PackageSource, add_package};
pub(crate) use report::{DepsReport, PackageState};

use super::Workspace;
use crate::diag::{Checked, Code, Diagnostic, Sink};
use crate::host::write_project_file;
use crate::project::{
    LOCK_FILE, ListedPackage, LockedFor, LockedPackage, PACKAGE_FILE, PackageContents, PackageOrigin, ProjectPackages,
    package_name, packages_of_package, project_packages, same_package,
};
use crate::span::SourceFiles;

/// What was asked for.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct DepsRequest<'a> {
    /// Asks every repository anew, whatever is locked.
    pub upgrade: bool,
    /// Writes the lock file for what lies here, and fetches no files.
    pub lock_only: bool,
    /// The text of `--vars`.
    pub vars: Option<&'a str>,
}

/// Checks the packages of a project, fetches those that are missing, and writes the lock file.
///
/// # Errors
///
/// Returns an error if the project's files cannot be read, or the lock file cannot be written. What is wrong with one package
/// is in the report, and does not stop the others.
pub(crate) fn deps(
    workspace: &Workspace,
    request: DepsRequest<'_>,
    files: &mut SourceFiles,
    sink: &mut Sink,
) -> Checked<DepsReport> {
    let packages = project_packages(workspace.host.as_ref(), request.vars, files, sink)?;
    let mut deps =
        Dependencies { workspace, request, packages: &packages, files, sink, done: Vec::new(), fetcher: None };
    let listed = packages.listed.iter().cloned();
    let mut queue: VecDeque<Wanted> = listed.map(|package| Wanted { package, parent: None }).collect();
    while let Some(wanted) = queue.pop_front() {
        queue.extend(deps.settle(wanted));
    }
    let done = deps.done;
    let report = DepsReport::new(done, &packages);
    let old = packages.lock.clone();
    let new = report.lock(old.as_ref());
    let is_needed = old.is_some() || !new.packages.is_empty();
    if is_needed && old.as_ref() != Some(&new) {
        if let Err(error) = write_project_file(&workspace.root, LOCK_FILE, &new.to_text()) {
            let message = format!("`{LOCK_FILE}` cannot be written: {error}");
            return Err(sink.error(Diagnostic::error(Code::WrongPackage, message)));
        }
        return Ok(DepsReport { wrote_lock: true, ..report });
    }
    Ok(report)
}

/// A package that somebody needs.
#[derive(Debug)]
struct Wanted {
    package: ListedPackage,
    /// The package that lists it. `None` if the project does.
    parent: Option<Parent>,
}

#[derive(Debug, Clone)]
struct Parent {
    name: String,
    /// Whether it came from another machine: then it may not name repositories of this one.
    is_remote: bool,
}

/// A package that is done with.
#[derive(Debug)]
struct SettledPackage {
    wanted: Wanted,
    state: PackageState,
    /// The name of its project file, if it is here.
    name: Option<String>,
    folder: Option<String>,
    /// What the lock file shall say of it. `None` leaves what it says.
    entry: Option<LockedPackage>,
}

impl SettledPackage {
    /// One whose files are not those that they should be: what is locked stays as it is.
    fn differing(wanted: Wanted, lines: Vec<String>, name: String, folder: String) -> SettledPackage {
        let state = PackageState::Edited(lines);
        SettledPackage { wanted, state, name: Some(name), folder: Some(folder), entry: None }
    }
}

struct Dependencies<'a> {
    workspace: &'a Workspace,
    request: DepsRequest<'a>,
    packages: &'a ProjectPackages,
    files: &'a mut SourceFiles,
    sink: &'a mut Sink,
    done: Vec<SettledPackage>,
    /// Opened when the first package is fetched.
    fetcher: Option<Fetcher>,
}

impl Dependencies<'_> {
    /// Decides about one package, fetches it if that is needed, and returns the packages that it needs itself.
    fn settle(&mut self, wanted: Wanted) -> Vec<Wanted> {
        if let Some(other) =
            self.done.iter().find(|done| same_package(&done.wanted.package.origin, &wanted.package.origin))
        {
            if let Some(conflict) = conflict(&other.wanted, &wanted) {
                self.sink.error(conflict);
            }
            return Vec::new();
        }
        let host = self.workspace.host.as_ref();
        let lock = self.packages.lock.as_ref();
        let folder = wanted.package.folder(host, &self.packages.folders, lock);
        let settled = match &wanted.package.origin {
            PackageOrigin::Git { .. } => self.settle_git(wanted, folder),
            PackageOrigin::Local { .. }
            | PackageOrigin::Hub { .. }
            | PackageOrigin::Tarball { .. }
            | PackageOrigin::Private { .. } => self.settle_vendored(wanted, folder),
        };
        let needed = self.needed_by(&settled);
        self.done.push(settled);
        needed
    }

    /// The packages that a package lists itself.
    fn needed_by(&mut self, settled: &SettledPackage) -> Vec<Wanted> {
        let Some(folder) = &settled.folder else { return Vec::new() };
        let host = self.workspace.host.as_ref();
        let Ok(listed) = packages_of_package(host, folder, self.files, self.sink) else { return Vec::new() };
        let by_network = matches!(&settled.wanted.package.origin, PackageOrigin::Git { url, .. }
            if self.repository(url).is_ok_and(|repository| !repository.is_local()));
        let is_remote = by_network || settled.wanted.parent.as_ref().is_some_and(|parent| parent.is_remote);
        let name = settled.name.clone().unwrap_or_else(|| settled.wanted.package.name.clone());
        let parent = Parent { name, is_remote };
        // A folder within a package is read with it, or is a project of its own that nobody asked for.
        let others = listed.into_iter().filter(|package| !matches!(package.origin, PackageOrigin::Local { .. }));
        others.map(|package| Wanted { package, parent: Some(parent.clone()) }).collect()
    }

    /// A package that karat does not fetch.
    fn settle_vendored(&mut self, wanted: Wanted, folder: Option<String>) -> SettledPackage {
        let Some(folder) = folder else {
            let remedy = remedy::how_to_vendor(&wanted.package, &self.packages.install_folder);
            self.report(&wanted, format!("the package `{}` is not here", wanted.package.shown()), Some(remedy));
            return SettledPackage { wanted, state: PackageState::Missing, name: None, folder: None, entry: None };
        };
        self.compare(wanted, folder, None)
    }

    fn settle_git(&mut self, wanted: Wanted, folder: Option<String>) -> SettledPackage {
        let PackageOrigin::Git { revision, .. } = &wanted.package.origin else {
            return self.settle_vendored(wanted, folder);
        };
        let locked = self.locked(&wanted.package);
        // What dbt has locked may have been locked for another revision: the repository is asked.
        let asked = LockedFor::Revision(revision.clone());
        let fits = locked.is_some_and(|locked| locked.requested == asked);
        let commit = locked.and_then(LockedPackage::commit).map(str::to_owned);
        match folder {
            Some(folder) if self.request.lock_only || fits && !self.request.upgrade => {
                self.compare(wanted, folder, commit.filter(|_| fits))
            }
            folder => {
                let again = commit.filter(|_| fits && !self.request.upgrade);
                self.fetch(wanted, folder, again)
            }
        }
    }

    /// Compares what lies in a folder with what is locked.
    fn compare(&mut self, wanted: Wanted, folder: String, commit: Option<String>) -> SettledPackage {
        let name = package_name(self.workspace.host.as_ref(), &folder).unwrap_or_else(|| wanted.package.name.clone());
        let found = match self.contents(&wanted, &folder) {
            Ok(found) => found,
            Err(settled) => return settled.of(wanted),
        };
        let locked = self.locked(&wanted.package).and_then(|locked| locked.contents.as_ref());
        let entry = entry(&wanted.package, &name, commit, found.clone());
        let change = match (&found, locked) {
            (Some(found), Some(locked)) => found.change_since(locked),
            _ => None,
        };
        let state = match change {
            // The files that are here are what shall be locked.
            Some(change) if self.request.lock_only => PackageState::Recorded(change.lines),
            Some(change) => {
                let message = format!("the files of the package `{name}` are not those of `{LOCK_FILE}`");
                let undo = match &wanted.package.origin {
                    PackageOrigin::Git { .. } => format!("remove `{folder}` and run `karat deps` to undo the edits"),
                    PackageOrigin::Local { .. }
                    | PackageOrigin::Hub { .. }
                    | PackageOrigin::Tarball { .. }
                    | PackageOrigin::Private { .. } => format!("put the package's own files back into `{folder}`"),
                };
                let remedy = format!("{undo}, or keep what is there with `karat deps --lock`");
                self.report(&wanted, message, Some(remedy));
                return SettledPackage::differing(wanted, change.lines, name, folder);
            }
            None if self.is_locked_for_another(&wanted.package) => {
                let message =
                    format!("the list asks for another version of the package `{name}` than the one that is here");
                let remedy = format!("put the files of that version into `{folder}`, and run `karat deps --lock`");
                self.report(&wanted, message, Some(remedy));
                return SettledPackage::differing(wanted, Vec::new(), name, folder);
            }
            None if found.is_some() && locked.is_none() => PackageState::Recorded(Vec::new()),
            None => PackageState::Here,
        };
        SettledPackage { wanted, state, name: Some(name), folder: Some(folder), entry: Some(entry) }
    }

    /// Whether what is here was locked for another version than the list asks for now.
    fn is_locked_for_another(&self, package: &ListedPackage) -> bool {
        let asked = package.origin.asked();
        let locked = self.locked(package).map(|locked| &locked.requested);
        !self.request.lock_only && matches!(locked, Some(LockedFor::Revision(before)) if before.as_deref() != asked)
    }

    /// The files of a package. Those of a folder of the project itself are edited there as a matter of course.
    fn contents(&mut self, wanted: &Wanted, folder: &str) -> Result<Option<PackageContents>, UnreadablePackage> {
        if matches!(wanted.package.origin, PackageOrigin::Local { .. }) {
            return Ok(None);
        }
        PackageContents::read(self.workspace.host.as_ref(), folder).map(Some).map_err(|error| {
            self.report(wanted, format!("the package in `{folder}` cannot be read: {error}"), None);
            UnreadablePackage { folder: folder.to_owned() }
        })
    }

    /// Fetches a package at the locked commit, or at the one that its revision means now.
    fn fetch(&mut self, wanted: Wanted, folder: Option<String>, again: Option<String>) -> SettledPackage {
        let before = self.locked(&wanted.package).cloned();
        // What is here is replaced only if it is certain that nothing is lost.
        let found = match folder.as_deref().map(|folder| self.contents(&wanted, folder)) {
            None => None,
            Some(Ok(found)) => found,
            Some(Err(unreadable)) => return unreadable.of(wanted),
        };
        match self.try_fetch(&wanted, again.as_deref()) {
            Ok(Obtained::Commit(commit)) => {
                let name = before.map_or_else(|| wanted.package.name.clone(), |locked| locked.name);
                let entry = entry(&wanted.package, &name, Some(commit.clone()), None);
                SettledPackage {
                    wanted,
                    state: PackageState::Resolved(commit),
                    name: Some(name),
                    folder: None,
                    entry: Some(entry),
                }
            }
            Ok(Obtained::Files(fetched)) => {
                self.install(wanted, ReplacedPackage { folder, contents: found, locked: before }, fetched)
            }
            Err(message) => {
                self.report(
                    &wanted,
                    format!("the package `{}` was not fetched: {message}", wanted.package.shown()),
                    None,
                );
                let state = if folder.is_some() { PackageState::NotCompared } else { PackageState::Missing };
                SettledPackage { wanted, state, name: None, folder, entry: None }
            }
        }
    }

    fn try_fetch(&mut self, wanted: &Wanted, again: Option<&str>) -> Result<Obtained, String> {
        let PackageOrigin::Git { url, revision, subdirectory } = &wanted.package.origin else {
            return Err("it is not in a git repository".to_owned());
        };
        let repository = self.repository(url)?;
        check_reach(repository.is_local(), wanted.parent.as_ref())?;
        if self.fetcher.is_none() {
            self.fetcher = Some(Fetcher::open(&self.workspace.root, &self.packages.install_folder)?);
        }
        let Some(fetcher) = &self.fetcher else { return Err("there is no folder for it".to_owned()) };
        let commit = match again {
            Some(commit) => commit.to_owned(),
            None => fetcher.commit_of(&repository, revision.as_deref())?,
        };
        if self.request.lock_only {
            return Ok(Obtained::Commit(commit));
        }
        let fetched = fetcher.check_out(&repository, commit, subdirectory.as_deref(), self.workspace.host.as_ref())?;
        Ok(Obtained::Files(fetched))
    }

    /// Puts what was fetched into its place, unless that would lose something.
    fn install(&mut self, wanted: Wanted, replaced: ReplacedPackage, fetched: Fetched) -> SettledPackage {
        let ReplacedPackage { folder, contents, locked } = replaced;
        let Fetched { name, commit, contents: new, .. } = &fetched;
        let entry = entry(&wanted.package, name, Some(commit.clone()), Some(new.clone()));
        let known = locked.as_ref().and_then(|locked| locked.contents.as_ref());
        let locked_commit = locked.as_ref().and_then(LockedPackage::commit);
        if locked_commit == Some(commit.as_str())
            && let Some(change) = known.and_then(|known| new.change_since(known))
        {
            let message = format!("the repository has other files for the locked commit of the package `{name}`");
            self.report(&wanted, message, Some("`karat deps --upgrade` takes them".to_owned()));
            if !self.request.upgrade {
                let state = PackageState::Edited(change.lines);
                return SettledPackage { wanted, state, name: Some(name.clone()), folder, entry: None };
            }
        }
        if let (Some(folder), Some(found)) = (&folder, &contents) {
            let Some(change) = found.change_since(new) else {
                let is_recorded = known.is_none();
                let state = if is_recorded { PackageState::Recorded(Vec::new()) } else { PackageState::Here };
                return SettledPackage {
                    wanted,
                    state,
                    name: Some(name.clone()),
                    folder: Some(folder.clone()),
                    entry: Some(entry),
                };
            };
            let is_unedited = known.is_some_and(|known| found.hash == known.hash);
            if !is_unedited {
                let message = format!("the package in `{folder}` is not what its repository has at this revision");
                let remedy = format!("remove `{folder}` and run `karat deps`, or keep it with `karat deps --lock`");
                self.report(&wanted, message, Some(remedy));
                let state = PackageState::Edited(change.lines);
                return SettledPackage {
                    wanted,
                    state,
                    name: Some(name.clone()),
                    folder: Some(folder.clone()),
                    entry: None,
                };
            }
        }
        let installed = match &self.fetcher {
            Some(fetcher) => fetcher.install(&fetched),
            None => Err("there is no folder for it".to_owned()),
        };
        match installed {
            Ok(place) => {
                let from = locked_commit.filter(|from| from != commit && folder.is_some()).map(str::to_owned);
                let state = PackageState::Fetched { commit: commit.clone(), from };
                SettledPackage { wanted, state, name: Some(name.clone()), folder: Some(place), entry: Some(entry) }
            }
            Err(message) => {
                self.report(&wanted, format!("the package `{name}` was not installed: {message}"), None);
                SettledPackage { wanted, state: PackageState::Missing, name: None, folder, entry: None }
            }
        }
    }

    fn repository(&self, url: &str) -> Result<crate::host::GitRepository, String> {
        crate::host::GitRepository::at(url, &self.workspace.root)
    }

    fn locked(&self, package: &ListedPackage) -> Option<&LockedPackage> {
        self.packages.lock.as_ref().and_then(|lock| lock.entry(&package.origin))
    }

    /// Says what is wrong with a package, at its place in the list, and who needs it.
    fn report(&mut self, wanted: &Wanted, message: String, remedy: Option<String>) {
        let mut diagnostic = Diagnostic::error(Code::WrongPackage, message).at(wanted.package.span);
        if let Some(parent) = &wanted.parent {
            diagnostic = diagnostic.note(format!("the package `{}` needs it", parent.name));
        }
        self.sink.error(match remedy {
            Some(remedy) => diagnostic.help(remedy),
            None => diagnostic,
        });
    }
}

/// What came of asking a repository.
enum Obtained {
    /// The commit alone.
    Commit(String),
    Files(Fetched),
}

/// What is here before a package is installed.
struct ReplacedPackage {
    folder: Option<String>,
    contents: Option<PackageContents>,
    locked: Option<LockedPackage>,
}

/// A package whose files cannot be read.
struct UnreadablePackage {
    folder: String,
}

impl UnreadablePackage {
    fn of(self, wanted: Wanted) -> SettledPackage {
        SettledPackage { wanted, state: PackageState::NotCompared, name: None, folder: Some(self.folder), entry: None }
    }
}

/// What the lock file says of a package from now on.
fn entry(
    package: &ListedPackage,
    name: &str,
    commit: Option<String>,
    contents: Option<PackageContents>,
) -> LockedPackage {
    let requested = LockedFor::Revision(package.origin.asked().map(str::to_owned));
    let origin = match &package.origin {
        PackageOrigin::Git { url, revision, subdirectory } => {
            let locked = commit.or_else(|| revision.clone());
            PackageOrigin::Git { url: url.clone(), revision: locked, subdirectory: subdirectory.clone() }
        }
        PackageOrigin::Local { .. }
        | PackageOrigin::Hub { .. }
        | PackageOrigin::Tarball { .. }
        | PackageOrigin::Private { .. } => package.origin.clone(),
    };
    LockedPackage { name: name.to_owned(), origin, requested, contents }
}

/// A list that came over the network names repositories of the network only: it could fetch what its author cannot read.
fn check_reach(is_local: bool, parent: Option<&Parent>) -> Result<(), String> {
    let is_from_elsewhere = parent.is_some_and(|parent| parent.is_remote);
    if is_local && is_from_elsewhere {
        return Err("a package from elsewhere may not name a repository of this machine".to_owned());
    }
    Ok(())
}

/// What to say if two lists ask for two revisions of one package.
fn conflict(first: &Wanted, second: &Wanted) -> Option<Diagnostic> {
    let revision = |wanted: &Wanted| match &wanted.package.origin {
        PackageOrigin::Git { revision, .. } => Some(revision.clone().unwrap_or_else(|| "its newest commit".to_owned())),
        _ => None,
    };
    let one = revision(first)?;
    let other = revision(second)?;
    if one == other {
        return None;
    }
    let message = format!("the package `{}` is asked for at two revisions", first.package.name);
    let diagnostic = Diagnostic::error(Code::WrongPackage, message);
    let diagnostic = diagnostic.labelled(second.package.span, other).labelled(first.package.span, one);
    Some(diagnostic.help("let the lists agree on one revision"))
}

/// The name of a package's own project file, for messages.
fn project_file_of(folder: &str) -> String {
    format!("{folder}/{PACKAGE_FILE}")
}
