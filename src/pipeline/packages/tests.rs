//! `karat deps` with repositories of this machine, which `git` itself makes.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{DepsReport, DepsRequest, PackageState, Parent, check_reach, deps};
use crate::diag::{Sink, Style, render_all};
use crate::host::OsHost;
use crate::pipeline::Workspace;
use crate::span::SourceFiles;

const NEWER: DepsRequest<'static> = DepsRequest { upgrade: true, lock_only: false, vars: None };
const LOCK: DepsRequest<'static> = DepsRequest { upgrade: false, lock_only: true, vars: None };
const CHECK: DepsRequest<'static> = DepsRequest { upgrade: false, lock_only: false, vars: None };

/// A project, and a repository beside it.
struct World {
    _held: tempfile::TempDir,
    root: PathBuf,
}

/// What came of a command.
struct Answer {
    report: Option<DepsReport>,
    said: String,
}

impl World {
    /// Returns `None` where there is no `git`, which is a failure in CI. karat itself says then that it is missing.
    fn new() -> Option<World> {
        if Command::new("git").arg("--version").output().is_err() {
            assert!(std::env::var_os("CI").is_none(), "the program `git` is not here");
            let _ = writeln!(std::io::stderr(), "SKIPPED: fetching packages needs `git`");
            return None;
        }
        let held = tempfile::tempdir().unwrap();
        let root = held.path().canonicalize().unwrap();
        let world = World { _held: held, root };
        world.write("project/project.yml", "name: shop\n");
        world.git("", &["init", "--quiet", "--initial-branch=main", "utils"]);
        Some(world)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn read(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.root.join(path)).ok()
    }

    fn git(&self, folder: &str, words: &[&str]) -> String {
        let names = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "core.hooksPath=/dev/null"];
        let done = Command::new("git").args(names).args(words).current_dir(self.root.join(folder)).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    }

    /// Commits a macro of the package `utils`, and tags it. Returns the commit.
    fn release(&self, text: &str, tag: &str) -> String {
        self.write("utils/dbt_project.yml", "name: utils\n");
        self.write("utils/macros/m.sql", text);
        self.git("utils", &["add", "--all"]);
        self.git("utils", &["commit", "--quiet", "-m", "change"]);
        self.git("utils", &["tag", "-a", "-m", "a release", tag]);
        self.git("utils", &["rev-parse", "HEAD"])
    }

    fn list(&self, text: &str) {
        self.write("project/packages.yml", text);
    }

    fn deps(&self, request: DepsRequest<'_>) -> Answer {
        let project = self.root.join("project");
        let workspace = Workspace::new(&project, OsHost::new(&project, &project, BTreeMap::new()));
        let mut files = SourceFiles::default();
        let mut sink = Sink::default();
        let report = deps(&workspace, request, &mut files, &mut sink).ok();
        let said = render_all(&sink.take(), &files, Style::Plain).replace(&self.root.display().to_string(), "[root]");
        Answer { report, said }
    }
}

impl Answer {
    fn state(&self) -> PackageState {
        assert_eq!(self.said, "");
        self.only()
    }

    fn only(&self) -> PackageState {
        let report = self.report.as_ref().unwrap();
        assert_eq!(report.packages.len(), 1, "{}", self.said);
        report.packages[0].state.clone()
    }
}

fn utils(revision: &str) -> String {
    format!("packages:\n  - git: ../utils\n    revision: {revision}\n")
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).map_or(true, |entries| entries.count() == 0)
}

#[test]
fn a_package_is_fetched_once_and_at_its_commit() {
    let Some(world) = World::new() else { return };
    let first = world.release("{# one #}", "1.0");
    let second = world.release("{# two #}", "2.0");
    world.list(&utils("1.0"));
    assert_eq!(world.deps(CHECK).state(), PackageState::Fetched { commit: first.clone(), from: None });
    assert_eq!(world.read("project/dbt_packages/utils/macros/m.sql").unwrap(), "{# one #}");
    assert!(!world.root.join("project/dbt_packages/utils/.git").exists());
    let lock = world.read("project/package-lock.yml").unwrap();
    assert!(lock.contains(&format!("- git: \"../utils\"\n    revision: \"{first}\"\n    name: \"utils\"\n")), "{lock}");
    assert_eq!(world.deps(CHECK).state(), PackageState::Here);
    // The repository is not asked for what is here, or is locked.
    world.git("utils", &["tag", "-f", "1.0", "2.0^{}"]);
    assert_eq!(world.deps(CHECK).state(), PackageState::Here);
    fs::remove_dir_all(world.root.join("project/dbt_packages")).unwrap();
    assert_eq!(world.deps(CHECK).state(), PackageState::Fetched { commit: first.clone(), from: None });
    assert_eq!(world.read("project/package-lock.yml").unwrap(), lock);
    // A tag that was moved counts when somebody asks for it.
    assert_eq!(world.deps(NEWER).state(), PackageState::Fetched { commit: second, from: Some(first) });
    assert_eq!(world.read("project/dbt_packages/utils/macros/m.sql").unwrap(), "{# two #}");
}

#[test]
fn another_revision_in_the_list_is_fetched_unless_edits_would_be_lost() {
    let Some(world) = World::new() else { return };
    let first = world.release("{# one #}", "1.0");
    let second = world.release("{# two #}", "2.0");
    world.list(&utils("1.0"));
    world.deps(CHECK).state();
    world.list(&utils("main"));
    assert_eq!(world.deps(CHECK).state(), PackageState::Fetched { commit: second.clone(), from: Some(first.clone()) });
    // Nobody reads such files, and they are no part of a package.
    world.write("project/dbt_packages/utils/.DS_Store", "x");
    world.list(&utils(&first));
    assert_eq!(world.deps(CHECK).state(), PackageState::Fetched { commit: first, from: Some(second) });
    world.write("project/dbt_packages/utils/macros/m.sql", "{# mine #}");
    world.list(&utils("2.0"));
    let answer = world.deps(CHECK);
    insta::assert_snapshot!(answer.said, @r"
    error[wrong-package]: the package in `dbt_packages/utils` is not what its repository has at this revision
     --> packages.yml:2:10
      |
    2 |   - git: ../utils
      |          ^^^^^^^^
      |
      = help: remove `dbt_packages/utils` and run `karat deps`, or keep it with `karat deps --lock`
    ");
    assert_eq!(answer.only(), PackageState::Edited(vec!["changed macros/m.sql".to_owned()]));
    assert_eq!(world.read("project/dbt_packages/utils/macros/m.sql").unwrap(), "{# mine #}");
}

#[test]
fn an_edited_package_is_reported_with_its_files_and_left_alone() {
    let Some(world) = World::new() else { return };
    world.release("{# one #}", "1.0");
    world.list(&utils("1.0"));
    world.deps(CHECK).state();
    world.write("project/dbt_packages/utils/macros/m.sql", "{# mine #}");
    world.write("project/dbt_packages/utils/macros/new.sql", "");
    let lock = world.read("project/package-lock.yml");
    let edited = vec!["changed macros/m.sql".to_owned(), "added   macros/new.sql".to_owned()];
    for request in [CHECK, NEWER] {
        assert_eq!(world.deps(request).only(), PackageState::Edited(edited.clone()));
        assert_eq!(world.read("project/package-lock.yml"), lock);
    }
    assert_eq!(world.deps(LOCK).state(), PackageState::Recorded(edited));
    assert_eq!(world.deps(CHECK).state(), PackageState::Here);
}

#[test]
fn what_is_vendored_is_compared_with_its_repository_or_else_recorded() {
    let Some(world) = World::new() else { return };
    let first = world.release("{# one #}", "1.0");
    world.write("project/dbt_packages/utils/dbt_project.yml", "name: utils\n");
    world.write("project/dbt_packages/utils/macros/m.sql", "{# one #}");
    world.list(&utils("1.0"));
    assert_eq!(world.deps(CHECK).state(), PackageState::Recorded(Vec::new()));
    assert!(world.read("project/package-lock.yml").unwrap().contains(&first));
    fs::remove_file(world.root.join("project/package-lock.yml")).unwrap();
    world.write("project/dbt_packages/utils/macros/m.sql", "{# mine #}");
    assert_eq!(world.deps(CHECK).only(), PackageState::Edited(vec!["changed macros/m.sql".to_owned()]));
    assert_eq!(world.read("project/package-lock.yml"), None);
    assert_eq!(world.deps(LOCK).state(), PackageState::Recorded(Vec::new()));
}

#[test]
fn a_package_in_a_part_of_a_repository_and_what_it_needs_are_fetched() {
    let Some(world) = World::new() else { return };
    world.git("", &["init", "--quiet", "--initial-branch=main", "many"]);
    world.write("many/parts/dates/dbt_project.yml", "name: dates\n");
    world.write("many/parts/dates/packages.yml", &format!("packages:\n  - git: {}/utils\n", world.root.display()));
    world.git("many", &["add", "--all"]);
    world.git("many", &["commit", "--quiet", "-m", "a"]);
    let commit = world.release("{# one #}", "1.0");
    world.list("packages:\n  - git: ../many\n    subdirectory: parts/dates\n");
    let answer = world.deps(CHECK);
    assert_eq!(answer.said, "");
    let report = answer.report.unwrap();
    let told: Vec<_> =
        report.packages.iter().map(|package| (package.name.as_str(), package.needed_by.as_deref())).collect();
    assert_eq!(told, [("dates", None), ("utils", Some("dates"))]);
    assert!(world.root.join("project/dbt_packages/dates/dbt_project.yml").exists());
    assert_eq!(report.packages[1].state, PackageState::Fetched { commit, from: None });
    world.list("packages:\n  - git: ../many\n    subdirectory: ../utils\n");
    assert!(world.deps(CHECK).said.contains("`../utils` is not a folder inside the repository"));
}

#[test]
fn what_cannot_be_fetched_says_why_and_leaves_nothing() {
    let Some(world) = World::new() else { return };
    world.release("{# one #}", "1.0");
    let cases = [
        ("git: ../utils\n    revision: '9.9'", "it has no tag or branch `9.9`"),
        ("git: ../utils\n    revision: abc123", "it has no tag or branch `abc123`; of a commit, write all 40 digits"),
        ("git: ../utils\n    revision: --upload-pack=touch x", "is not a tag, a branch or a commit"),
        ("git: ../utils\n    revision: 'main:refs/heads/x'", "is not a tag, a branch or a commit"),
        ("git: --upload-pack=touch", "it is no address of a repository"),
        ("git: 'ext::sh -c touch% x'", "an address with `::` would start another program"),
        ("git: https://token@example.com/a.git", "passwords do not belong in a list of packages"),
        ("git: ../nowhere", "was not fetched"),
        ("git: ../utils\n    subdirectory: macros", "it is no package: it has no `macros/dbt_project.yml` with a name"),
        (
            "tarball: https://example.com/a.tar.gz\n    name: a",
            "karat downloads nothing; unpack https://example.com/a.tar.gz into `dbt_packages/a`",
        ),
        (
            "private: acme/tools\n    revision: v1",
            "write `- git: git@github.com:acme/tools.git`, `revision: v1` in its place",
        ),
        (
            "package: fivetran/stripe\n    version: 1.0.0",
            "`- git: https://github.com/fivetran/dbt_stripe.git` with `revision: 1.0.0`",
        ),
        ("package: acme/rates\n    version: ['>=1.0.0', '<2.0.0']", "hub.getdbt.com/acme/rates names its repository"),
        ("local: ../utils", "nothing outside of the project is read"),
        ("name: x", "this entry names no package"),
    ];
    for (entry, message) in cases {
        world.list(&format!("packages:\n  - {entry}\n"));
        let answer = world.deps(CHECK);
        assert!(answer.said.contains(message), "{entry}: {}", answer.said);
        assert!(is_empty(&world.root.join("project/dbt_packages")), "{entry}");
    }
    assert!(!world.root.join("project/x").exists());
}

#[test]
fn two_lists_that_want_two_revisions_are_told_of_each_other() {
    let Some(world) = World::new() else { return };
    world.release("{# one #}", "1.0");
    world.release("{# two #}", "2.0");
    world.list("packages:\n  - git: ../utils\n    revision: '1.0'\n  - git: ../utils.git\n    revision: '2.0'\n");
    insta::assert_snapshot!(world.deps(CHECK).said, @r"
    error[wrong-package]: the package `utils` is asked for at two revisions
     --> packages.yml:4:10
      |
    2 |   - git: ../utils
      |          -------- 1.0
    3 |     revision: '1.0'
    4 |   - git: ../utils.git
      |          ^^^^^^^^^^^^ 2.0
      |
      = help: let the lists agree on one revision
    ");
}

#[test]
fn git_sees_neither_the_projects_repository_nor_hooks() {
    let Some(world) = World::new() else { return };
    world.release("{# one #}", "1.0");
    world.git("", &["init", "--quiet", "project"]);
    // Settings of the project's own repository that would lead elsewhere.
    world.git("project", &["config", "url.https://invalid.example/.insteadOf", &world.root.display().to_string()]);
    world.list(&utils("1.0"));
    assert!(matches!(world.deps(CHECK).state(), PackageState::Fetched { .. }));
    assert_eq!(world.git("project", &["status", "--porcelain", "--", "dbt_packages/.karat-deps"]), "");
}

#[test]
fn a_package_from_elsewhere_names_no_repository_of_this_machine() {
    let parent = |is_remote| Parent { name: "p".to_owned(), is_remote };
    assert!(check_reach(true, Some(&parent(true))).is_err());
    assert_eq!(check_reach(false, Some(&parent(true))), Ok(()));
    assert_eq!(check_reach(true, Some(&parent(false))), Ok(()));
    assert_eq!(check_reach(true, None), Ok(()));
}

#[test]
fn what_dbt_has_locked_is_asked_for_anew() {
    let Some(world) = World::new() else { return };
    let first = world.release("{# one #}", "1.0");
    let second = world.release("{# two #}", "2.0");
    world.list(&utils("2.0"));
    // dbt does not say for which revision it has locked a commit.
    let lock = format!("packages:\n  - git: ../utils\n    name: utils\n    revision: {first}\nsha1_hash: 0a1b\n");
    world.write("project/package-lock.yml", &lock);
    assert_eq!(world.deps(CHECK).state(), PackageState::Fetched { commit: second, from: None });
}

#[test]
fn a_commit_can_be_locked_without_its_files() {
    let Some(world) = World::new() else { return };
    let first = world.release("{# one #}", "1.0");
    world.list(&utils("1.0"));
    assert_eq!(world.deps(LOCK).state(), PackageState::Resolved(first.clone()));
    assert!(is_empty(&world.root.join("project/dbt_packages")));
    world.release("{# two #}", "2.0");
    world.git("utils", &["tag", "-f", "1.0", "2.0^{}"]);
    assert_eq!(world.deps(CHECK).state(), PackageState::Fetched { commit: first, from: None });
}
