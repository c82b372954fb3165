//! Snapshots: random histories of a source give the versions that a plain implementation gives, and each version is there
//! once, whatever goes wrong.

use std::collections::BTreeMap;
use std::sync::Arc;

use object_store::ObjectStore;

use super::project::Project;
use crate::store::faults::{Fault, FaultPlan, FaultStore, Waits};

/// How a snapshot treats rows that are gone, and how it finds those that changed.
#[derive(Debug, Clone, Copy)]
struct SnapshotKind {
    name: &'static str,
    has_times: bool,
    hard_deletes: &'static str,
}

const KINDS: [SnapshotKind; 6] = [
    SnapshotKind { name: "times_ignore", has_times: true, hard_deletes: "ignore" },
    SnapshotKind { name: "times_invalidate", has_times: true, hard_deletes: "invalidate" },
    SnapshotKind { name: "times_new_record", has_times: true, hard_deletes: "new_record" },
    SnapshotKind { name: "check_ignore", has_times: false, hard_deletes: "ignore" },
    SnapshotKind { name: "check_invalidate", has_times: false, hard_deletes: "invalidate" },
    SnapshotKind { name: "check_new_record", has_times: false, hard_deletes: "new_record" },
];

/// A row of the source by its key.
type SourceRows = BTreeMap<u32, SourceRow>;

#[derive(Debug, Clone, PartialEq, Eq)]
struct SourceRow {
    status: char,
    updated_at: u32,
}

/// A version of a row. All times are hours of one day.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct RowVersion {
    key: u32,
    status: char,
    from: u32,
    to: Option<u32>,
    is_deleted: bool,
}

/// Takes a snapshot, row by row.
fn take(kind: SnapshotKind, versions: &mut Vec<RowVersion>, source: &SourceRows, now: u32) {
    let has_records = kind.hard_deletes == "new_record";
    for (key, row) in source {
        let at = if kind.has_times { row.updated_at } else { now };
        let valid = versions.iter_mut().find(|version| version.key == *key && version.to.is_none());
        let begins = match valid {
            None => true,
            Some(version) => {
                let differs = if kind.has_times { version.from < at } else { version.status != row.status };
                let changed = differs || has_records && version.is_deleted;
                if changed {
                    version.to = Some(at);
                }
                changed
            }
        };
        if begins {
            versions.push(RowVersion { key: *key, status: row.status, from: at, to: None, is_deleted: false });
        }
    }
    let mut deleted = Vec::new();
    for version in versions.iter_mut().filter(|version| version.to.is_none() && !source.contains_key(&version.key)) {
        if kind.hard_deletes != "ignore" && !(has_records && version.is_deleted) {
            version.to = Some(now);
            deleted.push(RowVersion { from: now, to: None, is_deleted: true, ..version.clone() });
        }
    }
    if has_records {
        versions.extend(deleted);
    }
}

fn project() -> Project {
    let project = Project::new();
    project.write(
        "models/rows.yml",
        "sources:\n- name: app\n  tables:\n  - name: rows\n    location: rows.csv\n    columns:\n    \
         - {name: id, type: integer}\n    - {name: status, type: text}\n    - {name: updated_at, type: timestamp}\n",
    );
    project
}

fn with_all_kinds() -> Project {
    let project = project();
    let mut blocks = String::new();
    for kind in KINDS {
        let strategy =
            if kind.has_times { "'timestamp', updated_at='updated_at'" } else { "'check', check_cols=['status']" };
        blocks.push_str(&format!(
            "{{% snapshot {} %}}{{{{ config(unique_key='id', strategy={strategy}, hard_deletes='{}') }}}}\n\
             select id, status, updated_at from {{{{ source('app', 'rows') }}}}\n{{% endsnapshot %}}\n",
            kind.name, kind.hard_deletes
        ));
    }
    project.write("snapshots/all.sql", &blocks);
    project
}

fn write_source(project: &Project, source: &SourceRows) {
    let mut text = "id,status,updated_at\n".to_owned();
    for (key, SourceRow { status, updated_at }) in source {
        text.push_str(&format!("{key},{status},2024-01-01 {updated_at:02}:00:00\n"));
    }
    project.write("rows.csv", &text);
}

fn stored(project: &Project, kind: SnapshotKind) -> Vec<String> {
    let deleted = if kind.hard_deletes == "new_record" { "dbt_is_deleted" } else { "'False'" };
    let hour = |column: &str| format!("cast(extract(hour from {column}) as integer)");
    let sql = format!(
        "select id, status, {} as f, {} as t, {deleted} as d from {{{{ ref('{}') }}}}",
        hour("dbt_valid_from"),
        hour("dbt_valid_to"),
        kind.name
    );
    let answer = project.karat(&["query", &sql, "--output", "csv", "--limit", "0"]);
    assert_eq!(answer.code, 0, "{}", answer.talk);
    let mut rows: Vec<String> = answer.out.lines().skip(1).map(str::to_owned).collect();
    rows.sort();
    rows
}

fn expected(versions: &[RowVersion]) -> Vec<String> {
    let row = |version: &RowVersion| {
        let to = version.to.map(|to| to.to_string()).unwrap_or_default();
        let deleted = if version.is_deleted { "True" } else { "False" };
        format!("{},{},{},{to},{deleted}", version.key, version.status, version.from)
    };
    let mut rows: Vec<String> = versions.iter().map(row).collect();
    rows.sort();
    rows
}

/// Marsaglia's xorshift.
struct Xorshift(u64);

impl Xorshift {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// Changes some rows, with or without their times, takes some away, and brings some.
fn change(source: &mut SourceRows, random: &mut Xorshift, now: u32) {
    for key in 1..=5 {
        let status = char::from(b'a' + u8::try_from(random.below(3)).unwrap());
        match (random.below(5), source.get_mut(&key)) {
            (0, Some(row)) => row.status = status,
            (1, Some(row)) => *row = SourceRow { status, updated_at: now },
            (2, Some(_)) => drop(source.remove(&key)),
            // Also with a time that is long ago.
            (0, None) => drop(source.insert(key, SourceRow { status, updated_at: 1 })),
            (1 | 2, None) => drop(source.insert(key, SourceRow { status, updated_at: now })),
            _ => {}
        }
    }
}

#[test]
fn a_random_history_gives_the_versions_that_a_plain_implementation_gives() {
    for seed in [3, 17] {
        let project = with_all_kinds();
        let mut random = Xorshift(seed);
        let mut source = SourceRows::new();
        let mut versions: Vec<Vec<RowVersion>> = vec![Vec::new(); KINDS.len()];
        for now in 2..10 {
            change(&mut source, &mut random, now);
            write_source(&project, &source);
            let answer = project.karat(&["snapshot", "--now", &format!("2024-01-01T{now:02}:00:00")]);
            assert_eq!(answer.code, 0, "{}", answer.talk);
            for (kind, versions) in KINDS.into_iter().zip(&mut versions) {
                take(kind, versions, &source, now);
                assert_eq!(stored(&project, kind), expected(versions), "{} at {now} of {seed}", kind.name);
            }
        }
    }
}

/// One snapshot that ends, begins and deletes versions.
const ONE: SnapshotKind = KINDS[5];

fn source(rows: &[(u32, char)]) -> SourceRows {
    rows.iter().map(|(key, status)| (*key, SourceRow { status: *status, updated_at: 1 })).collect()
}

/// A snapshot that was taken once, and a source that has changed since.
fn taken_once() -> Project {
    let project = with_all_kinds();
    write_source(&project, &source(&[(1, 'a'), (2, 'a'), (3, 'a')]));
    assert_eq!(project.karat(&["snapshot", "--select", ONE.name, "--now", "2024-01-01T02:00:00"]).code, 0);
    write_source(&project, &source(&[(1, 'b'), (3, 'a'), (4, 'a')]));
    project
}

const SECOND: [&str; 5] = ["snapshot", "--select", ONE.name, "--now", "2024-01-01T03:00:00"];

/// What is there after both.
fn after_both() -> Vec<String> {
    let mut versions = Vec::new();
    take(ONE, &mut versions, &source(&[(1, 'a'), (2, 'a'), (3, 'a')]), 2);
    take(ONE, &mut versions, &source(&[(1, 'b'), (3, 'a'), (4, 'a')]), 3);
    expected(&versions)
}

#[test]
fn a_version_is_there_once_wherever_a_run_is_disturbed() {
    let disturbed = |plan: FaultPlan| {
        let project = taken_once();
        let wire = Arc::new(FaultStore::new(Arc::clone(&project.store), plan).waiting(Waits::short()));
        let store: Arc<dyn ObjectStore> = Arc::clone(&wire) as Arc<_>;
        let answer = project.karat_on(&store, &SECOND);
        (project, answer, wire.calls())
    };
    let (undisturbed, answer, calls) = disturbed(FaultPlan::none());
    assert_eq!(answer.code, 0, "{}", answer.talk);
    assert_eq!(stored(&undisturbed, ONE), after_both());
    for call in 0..calls {
        for mode in [Fault::AppliedThenError, Fault::DropThenLandLate, Fault::Abort] {
            let (project, answer, _) = disturbed(FaultPlan::at(call, mode));
            assert!(matches!(answer.code, 0 | 3), "exit {} of {mode:?} at call {call}: {}", answer.code, answer.talk);
            assert_eq!(project.karat(&SECOND).code, 0, "{mode:?} at call {call}");
            assert_eq!(stored(&project, ONE), after_both(), "after {mode:?} at call {call} and a plain run");
        }
    }
}

#[test]
fn runs_that_race_take_each_version_once() {
    for _ in 0..3 {
        let project = with_all_kinds();
        let race = |now: &'static str| {
            std::thread::scope(|scope| {
                let runs =
                    [0, 1, 2].map(|_| scope.spawn(|| project.karat(&["snapshot", "--select", ONE.name, "--now", now])));
                for run in runs {
                    let answer = run.join().unwrap();
                    assert_eq!(answer.code, 0, "{}", answer.talk);
                }
            });
        };
        write_source(&project, &source(&[(1, 'a'), (2, 'a'), (3, 'a')]));
        race("2024-01-01T02:00:00");
        write_source(&project, &source(&[(1, 'b'), (3, 'a'), (4, 'a')]));
        race("2024-01-01T03:00:00");
        assert_eq!(stored(&project, ONE), after_both());
    }
}

#[test]
fn a_table_that_somebody_else_put_back_is_compared_again() {
    let project = taken_once();
    assert_eq!(project.karat(&SECOND).code, 0);
    assert_eq!(stored(&project, ONE), after_both());
    let restored = project.karat(&["restore", ONE.name, "--version", "0"]);
    assert_eq!(restored.code, 0, "{}", restored.talk);
    assert_eq!(project.karat(&SECOND).code, 0);
    assert_eq!(stored(&project, ONE), after_both());
}
