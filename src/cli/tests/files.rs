//! Files come, change, go and come back, in any order, and tables hold what a fresh project would make of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Arc;

use object_store::ObjectStore;
use proptest::prelude::*;

use super::project::{Answer, Project};
use super::scenarios::{commits, lines};
use crate::store::faults::{FaultPlan, FaultStore};

/// The content of a file: rows of day and amount; some rows are bad.
type Rows = Vec<(u32, i64)>;

fn text(rows: &Rows) -> String {
    let line = |(day, amount): &(u32, i64)| match amount {
        // A record with one column only.
        0 => format!("2023-05-{day:02}\n"),
        _ => format!("2023-05-{day:02},{amount}\n"),
    };
    std::iter::once("day,amount\n".to_owned()).chain(rows.iter().map(line)).collect()
}

fn days(rows: &Rows) -> BTreeSet<String> {
    rows.iter().filter(|(_, amount)| *amount != 0).map(|(day, _)| format!("2023-05-{day:02}")).collect()
}

#[derive(Debug, Clone)]
enum Deed {
    Add(Rows),
    Change(usize, Rows),
    Remove(usize),
    Touch(usize),
    Rename(usize),
}

fn contents() -> impl Strategy<Value = Rows> {
    prop::collection::vec((1_u32..9, 0_i64..6), 0..8)
}

fn deeds() -> impl Strategy<Value = Vec<Vec<Deed>>> {
    let deed = prop_oneof![
        3 => contents().prop_map(Deed::Add),
        2 => (any::<usize>(), contents()).prop_map(|(which, rows)| Deed::Change(which, rows)),
        1 => any::<usize>().prop_map(Deed::Remove),
        1 => any::<usize>().prop_map(Deed::Touch),
        1 => any::<usize>().prop_map(Deed::Rename),
    ];
    prop::collection::vec(prop::collection::vec(deed, 1..3), 1..4)
}

/// A project and what its files hold.
struct World {
    project: Project,
    files: BTreeMap<String, Rows>,
    made: usize,
}

impl World {
    fn new() -> World {
        let project = Project::new();
        fs::remove_file(project.path().join("data/1.csv")).unwrap();
        let mut world = World { project, files: BTreeMap::new(), made: 0 };
        world.add(vec![(1, 5), (2, 0), (2, 3)]);
        world
    }

    fn add(&mut self, rows: Rows) {
        self.made += 1;
        let path = format!("data/f{}.csv", self.made);
        self.project.write(&path, &text(&rows));
        self.files.insert(path, rows);
    }

    fn remove(&mut self, path: &str) -> Rows {
        fs::remove_file(self.project.path().join(path)).unwrap();
        self.files.remove(path).unwrap()
    }

    /// Does it; gives the days that may change by it.
    fn deed(&mut self, deed: &Deed) -> BTreeSet<String> {
        let which = |which: &usize| self.files.keys().nth(which % self.files.len()).unwrap().clone();
        match deed {
            Deed::Add(rows) => {
                self.add(rows.clone());
                days(rows)
            }
            Deed::Change(place, rows) => {
                let path = which(place);
                self.project.write(&path, &text(rows));
                let before = self.files.insert(path, rows.clone()).unwrap();
                days(&before).into_iter().chain(days(rows)).collect()
            }
            Deed::Remove(_) if self.files.len() == 1 => BTreeSet::new(),
            Deed::Remove(place) => {
                let path = which(place);
                days(&self.remove(&path))
            }
            Deed::Touch(place) => {
                let path = which(place);
                self.project.write(&path, &text(&self.files[&path]));
                BTreeSet::new()
            }
            Deed::Rename(place) => {
                let path = which(place);
                let rows = self.remove(&path);
                let days = days(&rows);
                self.add(rows);
                days
            }
        }
    }

    /// The rows of a project that has never seen other files.
    fn fresh(&self) -> String {
        let fresh = Project::new();
        fs::remove_file(fresh.path().join("data/1.csv")).unwrap();
        self.files.iter().for_each(|(path, rows)| fresh.write(path, &text(rows)));
        run(&fresh);
        everything(&fresh)
    }

    /// The days that the commits after the first `before` ones have added or removed files of.
    fn days_written(&self, before: usize) -> BTreeSet<String> {
        let commits = commits(&self.project, "orders");
        let actions = commits[before..].iter().flat_map(|commit| lines(&self.project, commit));
        let files = actions.filter_map(|line| line.get("add").or(line.get("remove")).cloned());
        files.map(|file| file["partitionValues"]["day"].as_str().unwrap_or("null").to_owned()).collect()
    }
}

fn run(project: &Project) -> Answer {
    let answer = project.karat(&["run"]);
    assert_eq!(answer.code, 0, "{}", answer.talk);
    answer
}

/// The tables, and the bad records.
fn everything(project: &Project) -> String {
    let sql = "select _source_file, _source_line, reason from shop.orders_quarantine order by 1, 2";
    let bad = project.karat(&["query", sql, "--output", "csv", "--limit", "0"]);
    format!("{}{}", project.rows(false), bad.out.replace("_source_file,_source_line,reason\n", ""))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, ..ProptestConfig::default() })]

    #[test]
    fn after_any_history_of_files_a_table_is_what_a_fresh_project_builds(history in deeds()) {
        let mut world = World::new();
        run(&world.project);
        for deeds in history {
            let mut affected = BTreeSet::new();
            for deed in &deeds {
                affected.extend(world.deed(deed));
            }
            let before = commits(&world.project, "orders").len();
            let answer = run(&world.project);
            prop_assert!(!answer.talk.contains("all of it is read again"), "{}", answer.talk);
            prop_assert_eq!(everything(&world.project), world.fresh(), "{}", answer.talk);
            let written = world.days_written(before);
            prop_assert!(written.is_subset(&affected), "{:?} of {:?}: {}", written, affected, answer.talk);
            let wire = Arc::new(FaultStore::new(Arc::clone(&world.project.store), FaultPlan::none()));
            let store: Arc<dyn ObjectStore> = Arc::clone(&wire) as Arc<_>;
            prop_assert_eq!(world.project.karat_on(&store, &["run"]).code, 0);
            prop_assert_eq!(wire.writes(), 0, "a second run writes");
        }
    }
}

#[test]
fn runs_that_race_for_one_new_file_load_it_once() {
    for _ in 0..4 {
        let mut world = World::new();
        run(&world.project);
        world.add(vec![(1, 2), (3, 4), (8, 0)]);
        std::thread::scope(|scope| {
            (0..3).for_each(|_| {
                scope.spawn(|| run(&world.project));
            });
        });
        run(&world.project);
        assert_eq!(everything(&world.project), world.fresh());
        assert_eq!(commits(&world.project, "orders").len(), 2, "one commit has the rows of the new file");
    }
}

/// A batch has the rows of its day, and late ones of some days before.
fn batch(number: u32) -> String {
    let rows = [(number, 1), (number.saturating_sub(3).max(1), 2), (number.saturating_sub(11).max(1), 3)];
    let amount = |(day, kind): &(u32, u32)| format!("2023-05-{day:02},{}\n", number * 10 + kind);
    std::iter::once("day,amount\n".to_owned()).chain(rows.iter().map(amount)).collect()
}

#[test]
fn scenario_2_batches_in_any_order_give_identical_tables() {
    let rows = |step: u32, together: usize| {
        let project = Project::new();
        fs::remove_file(project.path().join("data/1.csv")).unwrap();
        let order: Vec<u32> = (0..30).map(|place| place * step % 30 + 1).collect();
        for batches in order.chunks(together) {
            batches.iter().for_each(|number| project.write(&format!("data/{number:02}.csv"), &batch(*number)));
            let answer = project.karat_on_disk(&["run"]);
            assert_eq!(answer.code, 0, "{}", answer.talk);
            assert!(!answer.talk.contains("read again"), "{}", answer.talk);
        }
        let sql = "select 'orders' as t, day, amount from shop.orders union all \
                   select 'daily', day, amount from shop.daily order by 1, 2, 3";
        let answer = project.karat_on_disk(&["query", sql, "--output", "csv", "--limit", "0"]);
        assert_eq!(answer.out.lines().count(), 1 + 90 + 30, "{}{}", answer.out, answer.talk);
        answer.out
    };
    let at_once = rows(1, 30);
    assert_eq!(rows(7, 4), at_once);
    assert_eq!(rows(11, 1), at_once);
}
