//! What a project was at a revision of its git repository: selected by `--state git:…`, compared by `karat diff --from git=…`.

use std::process::Command;

use crate::folder::Folder;

fn git(folder: &Folder, words: &[&str]) {
    let done = Command::new("git")
        .args(["-c", "user.name=ann", "-c", "user.email=ann@example.com", "-c", "init.defaultBranch=main"])
        .args(words)
        .current_dir(folder.root())
        .output()
        .unwrap();
    assert!(done.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&done.stderr));
}

/// A project in a folder of a repository, committed.
fn shop() -> Folder {
    let folder = Folder::new();
    folder.write(".gitignore", "lake/\ntarget/\n");
    folder.write("project.yml", "name: shop\nmodels: {+materialized: table}\n");
    folder.write("seeds/days.csv", "id,amount\n1,10\n2,20\n");
    folder.write("macros/twice.sql", "{% macro twice(x) %}2 * {{ x }}{% endmacro %}\n");
    folder.write("models/orders.sql", "select id, {{ twice('amount') }} as amount from {{ ref('days') }}\n");
    folder.write("models/total.sql", "select sum(amount) as total from {{ ref('orders') }}\n");
    folder.write("models/other.sql", "select 1 as one\n");
    git(&folder, &["init", "--quiet"]);
    git(&folder, &["add", "--all"]);
    git(&folder, &["commit", "--quiet", "-m", "first"]);
    git(&folder, &["tag", "v1"]);
    folder
}

fn selected(folder: &Folder, selector: &str, state: &str) -> String {
    folder.karat(&["ls", "--select", selector, "--state", state]).out
}

#[test]
fn what_has_changed_since_a_revision_is_selected_without_a_check_out() {
    let folder = shop();
    assert_eq!(folder.try_karat(&["ls", "--select", "state:modified", "--state", "git:HEAD"]).out, "");
    folder.write("models/orders.sql", "select id, {{ twice('amount') }} + 1 as amount from {{ ref('days') }}\n");
    folder.write("models/added.sql", "select 2 as two\n");
    assert_eq!(selected(&folder, "state:modified", "git:v1"), "added\norders\n");
    assert_eq!(selected(&folder, "state:modified+", "git:v1"), "added\norders\ntotal\n");
    assert_eq!(selected(&folder, "state:new", "git:main"), "added\n");
    git(&folder, &["add", "--all"]);
    git(&folder, &["commit", "--quiet", "-m", "second"]);
    assert_eq!(selected(&folder, "state:modified", "git:HEAD~1"), "added\norders\n");
    assert_eq!(folder.try_karat(&["ls", "--select", "state:modified", "--state", "git:HEAD"]).out, "");
    folder.write("macros/twice.sql", "{% macro twice(x) %}3 * {{ x }}{% endmacro %}\n");
    assert_eq!(selected(&folder, "state:modified.macros", "git:HEAD"), "orders\n");
    // Nothing but what was written here lies in the folder.
    assert!(!folder.root().join("target").exists());
}

#[test]
fn a_revision_that_is_not_there_and_what_git_does_not_keep_are_said() {
    let folder = shop();
    for (state, said) in
        [("git:nowhere", "the repository has no revision `nowhere`"), ("git:--help", "`--help` is not a revision")]
    {
        let answer = folder.try_karat(&["ls", "--select", "state:modified", "--state", state]);
        assert!(answer.code == 1 && answer.printed.contains(said), "{}", answer.printed);
    }
    let answer = folder.try_karat(&["ls", "--select", "result:fail", "--state", "git:main"]);
    assert!(answer.printed.contains("the revision `main` has no `run_results.json`"), "{}", answer.printed);
    let answer = folder.try_karat(&["build", "--defer", "--state", "git:main"]);
    assert!(answer.printed.contains("the revision `main` does not say which target is read"), "{}", answer.printed);
}

#[test]
fn tables_are_compared_with_those_that_a_revision_has_released() {
    let folder = shop();
    folder.karat(&["build", "--quiet"]);
    folder.write("models/orders.sql", "select id, {{ twice('amount') }} + id as amount from {{ ref('days') }}\n");
    git(&folder, &["commit", "--quiet", "--all", "-m", "second"]);
    folder.karat(&["build", "--quiet"]);
    let answer = folder.karat(&["diff", "orders", "--from", "git=v1", "--key", "id"]);
    assert!(answer.out.contains("from version 0 (release 1)"), "{}", answer.out);
    assert!(answer.out.contains("2 changed"), "{}", answer.out);
    git(&folder, &["commit", "--quiet", "--allow-empty", "-m", "third"]);
    let answer = folder.try_karat(&["diff", "orders", "--from", "git=HEAD"]);
    assert!(answer.printed.contains("no run of the project at `HEAD` has released tables"), "{}", answer.printed);
}
