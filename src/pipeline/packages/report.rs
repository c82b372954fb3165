//! What came of `karat deps`.

use serde_json::{Value, json};

use super::SettledPackage;
use crate::figures::counted;
use crate::project::{LOCK_FILE, PackageLock, ProjectPackages, same_package};

/// What is the case with one package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PackageState {
    /// It is here, as it is locked.
    Here,
    /// It was fetched at a commit; `from` is the commit that it replaced.
    Fetched { commit: String, from: Option<String> },
    /// Its commit was found, and nothing else was asked for.
    Resolved(String),
    /// It is here, and its files are locked from now on; these differ from what was locked before.
    Recorded(Vec<String>),
    /// It is here with other files than those that are locked: these.
    Edited(Vec<String>),
    /// It is here, and could not be compared with anything.
    NotCompared,
    /// It is not here.
    Missing,
}

/// One package, as it is told.
#[derive(Debug, Clone)]
pub(crate) struct PackageReport {
    pub name: String,
    pub folder: Option<String>,
    pub state: PackageState,
    /// The package that lists it. `None` if the project does.
    pub needed_by: Option<String>,
}

/// All packages.
#[derive(Debug)]
pub(crate) struct DepsReport {
    pub packages: Vec<PackageReport>,
    /// Folders with packages that no list names. They are read all the same.
    pub unlisted: Vec<String>,
    pub wrote_lock: bool,
    pub(super) entries: Vec<SettledPackage>,
}

impl DepsReport {
    pub(super) fn new(done: Vec<SettledPackage>, packages: &ProjectPackages) -> DepsReport {
        let reports = done.iter().map(|settled| PackageReport {
            name: settled.name.clone().unwrap_or_else(|| settled.wanted.package.shown().to_owned()),
            folder: settled.folder.clone(),
            state: settled.state.clone(),
            needed_by: settled.wanted.parent.as_ref().map(|parent| parent.name.clone()),
        });
        let is_listed = |folder: &String| done.iter().any(|settled| settled.folder.as_ref() == Some(folder));
        let unlisted = packages.folders.iter().filter(|folder| !is_listed(folder)).cloned().collect();
        DepsReport { packages: reports.collect(), unlisted, wrote_lock: false, entries: done }
    }

    /// The lock file as it shall be: what is known now, and what was known before of those that failed.
    pub(super) fn lock(&self, before: Option<&PackageLock>) -> PackageLock {
        let of = |settled: &SettledPackage| {
            let old = before.and_then(|lock| lock.entry(&settled.wanted.package.origin));
            settled.entry.clone().or_else(|| old.cloned())
        };
        let mut packages: Vec<_> = self.entries.iter().filter_map(of).collect();
        packages.dedup_by(|later, earlier| same_package(&later.origin, &earlier.origin));
        PackageLock { packages }
    }

    /// Whether every listed package is here as it is locked.
    pub fn is_well(&self) -> bool {
        self.failed() == 0
    }

    fn failed(&self) -> usize {
        self.packages.iter().filter(|package| package.state.is_failure()).count()
    }

    /// The last line.
    pub fn summary(&self) -> String {
        let all = counted(self.packages.len(), "package");
        let written = if self.wrote_lock { format!("; `{LOCK_FILE}` is written") } else { String::new() };
        match self.failed() {
            0 if self.packages.is_empty() => format!("no package is listed{written}"),
            0 => format!("{all} listed, all as locked{written}"),
            failed => format!("{failed} of {all} failed{written}"),
        }
    }

    /// The same for programs.
    pub fn summary_json(&self) -> Value {
        json!({"packages": self.packages.len(), "failed": self.failed(), "wrote_lock": self.wrote_lock})
    }
}

impl PackageState {
    fn is_failure(&self) -> bool {
        match self {
            PackageState::Here
            | PackageState::Fetched { .. }
            | PackageState::Resolved(_)
            | PackageState::Recorded(_) => false,
            PackageState::Edited(_) | PackageState::NotCompared | PackageState::Missing => true,
        }
    }

    fn word(&self) -> &'static str {
        match self {
            PackageState::Here => "here",
            PackageState::Fetched { .. } => "fetched",
            PackageState::Resolved(_) => "locked",
            PackageState::Recorded(_) => "recorded",
            PackageState::Edited(_) => "edited",
            PackageState::NotCompared => "not compared",
            PackageState::Missing => "not here",
        }
    }
}

impl PackageReport {
    /// As it is printed: one line, and one for each file that differs.
    pub fn to_text(&self) -> String {
        let place = self.folder.as_deref().map_or_else(String::new, |folder| format!("in `{folder}`"));
        let details = match &self.state {
            PackageState::Fetched { commit, from: Some(from) } => {
                format!("{place} at {}, was {}", short(commit), short(from))
            }
            PackageState::Fetched { commit, from: None } => format!("{place} at {}", short(commit)),
            PackageState::Resolved(commit) => format!("at {}", short(commit)),
            _ => place,
        };
        let needed = self.needed_by.as_ref().map_or_else(String::new, |parent| format!(", needed by `{parent}`"));
        let mut text = format!("  {:12} {:24} {details}{needed}", self.state.word(), self.name);
        text.truncate(text.trim_end().len());
        if let PackageState::Edited(lines) | PackageState::Recorded(lines) = &self.state {
            for line in lines {
                text.push_str("\n                 ");
                text.push_str(line);
            }
        }
        text
    }

    /// The same for programs.
    pub fn to_json(&self) -> Value {
        let (commit, files) = match &self.state {
            PackageState::Fetched { commit, .. } | PackageState::Resolved(commit) => (Some(commit), None),
            PackageState::Edited(lines) | PackageState::Recorded(lines) => (None, Some(lines)),
            PackageState::Here | PackageState::NotCompared | PackageState::Missing => (None, None),
        };
        json!({"package": self.name, "state": self.state.word(), "folder": self.folder, "commit": commit,
            "files": files, "needed_by": self.needed_by})
    }
}

/// As much of a commit as people compare.
fn short(commit: &str) -> &str {
    commit.get(..12).unwrap_or(commit)
}
