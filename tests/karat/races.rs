//! Many processes build the same table at the same time.
#![cfg(unix)]

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::binary::executable;
use crate::folder::Folder;
use crate::lakes::{HASTY, commits, contents};
use crate::minio::minio;
use crate::scripted_s3::{Action, Fault, Request, Rule, ScriptedS3};

/// Processes of one race.
const RACERS: usize = 8;

/// The most rounds that are quick.
const USUAL_ROUNDS: usize = 8;

fn number_of_rounds() -> usize {
    std::env::var("KARAT_ROUNDS").map_or(USUAL_ROUNDS, |rounds| rounds.parse().expect("KARAT_ROUNDS is a number"))
}

/// Runs processes side by side; each must end well.
fn together(commands: impl IntoIterator<Item = Command>) -> Vec<Output> {
    let start = |mut command: Command| command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let children: Vec<_> = commands.into_iter().map(start).collect();
    let outputs: Vec<Output> = children.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
    let talks: Vec<_> = outputs.iter().map(|output| String::from_utf8_lossy(&output.stderr)).collect();
    assert!(outputs.iter().all(|output| output.status.success()), "{talks:#?}");
    outputs
}

fn local_objects(folder: &Folder) -> BTreeMap<String, Vec<u8>> {
    folder
        .files("lake")
        .into_iter()
        .map(|path| (path.clone(), std::fs::read(folder.root().join(path)).unwrap()))
        .collect()
}

/// In each round, all racers find one model more that has no table yet.
fn first_runs(folder: &Folder, objects: &dyn Fn() -> BTreeMap<String, Vec<u8>>) {
    folder.write("data/2.csv", "day,amount\n2023-05-01,1\n2023-05-02,2\n2023-05-03,3\n");
    for model in ["orders", "daily", "total"] {
        std::fs::remove_file(folder.root().join(format!("models/{model}.sql"))).unwrap();
    }
    for round in 0..number_of_rounds() {
        let model = format!("orders_{round}");
        folder.write(
            &format!("models/{model}.sql"),
            "{{ config(materialized='incremental', event_time='day', partition_by='day', batch_size='day') }}\n\
             select day, amount from {{ source('raw', 'orders') }}\n",
        );
        together((0..RACERS).map(|_| {
            let mut command = executable(folder);
            command.args(["run", "--log-format", "json"]);
            command
        }));
        let made = commits(&objects());
        assert_eq!(made[&model].len(), 1, "round {round}: {made:?}");
        let sql = format!("select day, amount from {{{{ ref('{model}') }}}} order by day, amount");
        let expected =
            [["2023-05-01", "1"], ["2023-05-01", "10"], ["2023-05-02", "2"], ["2023-05-02", "20"], ["2023-05-03", "3"]];
        assert_eq!(folder.query(&sql), expected, "round {round}");
        std::fs::remove_file(folder.root().join(format!("models/{model}.sql"))).unwrap();
    }
}

#[test]
fn scenario_10_eight_first_runs_on_a_disk_create_one_table() {
    let folder = Folder::with_shop();
    first_runs(&folder, &|| local_objects(&folder));
}

#[test]
fn scenario_10_eight_first_runs_in_a_bucket_create_one_table() {
    let Some(minio) = minio() else { return };
    let bucket = minio.bucket();
    let folder = Folder::with_shop().on_minio(minio, &bucket, "");
    first_runs(&folder, &|| contents(minio, &bucket));
}

/// Two halves of a range that has new rows in every slice.
const HALVES: [[&str; 2]; 2] = [["2023-05-01", "2023-05-10"], ["2023-05-11", "2023-05-20"]];

fn days(amount: u32) -> String {
    let line = |day: u32| format!("2023-05-{day:02},{}\n", amount + day);
    format!("day,amount\n{}", (1..=20).map(line).collect::<String>())
}

/// Backfills both halves of a table at the same time.
fn backfill_halves(folder: &Folder, table: &str) {
    let outputs = together(HALVES.map(|[start, end]| {
        let mut command = executable(folder);
        command.args(["run", "--log-format", "json", "--select", table, "--start", start, "--end", end]);
        command
    }));
    for output in &outputs {
        let talk = String::from_utf8_lossy(&output.stderr);
        let events: Vec<Value> = talk.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let count =
            |name: &str| events.iter().filter(|event| event["event"] == name && event["model"] == table).count();
        assert_eq!((count("started"), count("built")), (1, 1), "{talk}");
    }
}

/// What a commit says of its slices.
fn slices(objects: &BTreeMap<String, Vec<u8>>, table: &str) -> Vec<String> {
    let is_of_table = |key: &String| key.contains(&format!("/{table}/_delta_log/")) && key.ends_with(".json");
    let texts =
        objects.iter().filter(|(key, _)| is_of_table(key)).map(|(_, bytes)| std::str::from_utf8(bytes).unwrap());
    let actions = texts.flat_map(str::lines).map(|line| serde_json::from_str::<Value>(line).unwrap());
    actions.filter_map(|action| Some(action["commitInfo"]["karat"]["slices"].as_str()?.to_owned())).collect()
}

/// A lake, and the same project that one run at a time has built, with new rows in every slice.
struct Backfill<'a> {
    table: &'static str,
    folder: &'a Folder,
    undisturbed: Folder,
    objects: &'a dyn Fn() -> BTreeMap<String, Vec<u8>>,
}

impl<'a> Backfill<'a> {
    fn prepare(
        table: &'static str,
        folder: &'a Folder,
        objects: &'a dyn Fn() -> BTreeMap<String, Vec<u8>>,
    ) -> Backfill<'a> {
        let undisturbed = Folder::with_shop();
        let arrive = |file: &str, amount: u32| {
            for folder in [folder, &undisturbed] {
                folder.write(&format!("data/{file}.csv"), days(amount));
            }
        };
        arrive("1", 100);
        folder.karat(&["run"]);
        arrive("2", 500);
        if table == "daily" {
            folder.karat(&["run", "--select", "orders"]);
        }
        undisturbed.karat(&["run"]);
        Backfill { table, folder, undisturbed, objects }
    }

    /// Both halves are there in the end, and each was computed and committed once.
    fn run(&self) {
        let before = slices(&(self.objects)(), self.table).len();
        backfill_halves(self.folder, self.table);
        let after = slices(&(self.objects)(), self.table);
        let made: BTreeSet<&str> = after[before..].iter().map(String::as_str).collect();
        let expected = HALVES.map(|[start, end]| format!("10 slices from {start} to {end}"));
        assert_eq!(made, expected.iter().map(String::as_str).collect(), "{after:?}");
        assert_eq!(after.len(), before + HALVES.len(), "{after:?}");
        let sql = format!("select * from {{{{ ref('{}') }}}} order by day, amount", self.table);
        let rows = |folder: &Folder| folder.karat(&["query", &sql, "--live", "--output", "csv", "--limit", "0"]).out;
        assert_eq!(rows(self.folder), rows(&self.undisturbed));
    }

    fn check_plain_run(&self) {
        self.folder.karat(&["run"]);
        assert_eq!(self.folder.shop(), self.undisturbed.shop());
        assert_eq!(self.folder.live_shop(), self.undisturbed.shop());
    }
}

#[test]
fn scenario_12_disjoint_backfills_at_once_on_a_disk() {
    for table in ["orders", "daily"] {
        let folder = Folder::with_shop();
        let objects = || local_objects(&folder);
        let backfill = Backfill::prepare(table, &folder, &objects);
        backfill.run();
        backfill.check_plain_run();
    }
}

#[test]
fn scenario_12_disjoint_backfills_at_once_in_a_bucket() {
    let Some(minio) = minio() else { return };
    for table in ["orders", "daily"] {
        let bucket = minio.bucket();
        let folder = Folder::with_shop().on_minio(minio, &bucket, "");
        let objects = || contents(minio, &bucket);
        let backfill = Backfill::prepare(table, &folder, &objects);
        backfill.run();
        backfill.check_plain_run();
    }
}

#[test]
fn scenario_12_disjoint_backfills_that_meet_at_the_commit_compute_nothing_twice() {
    for table in ["orders", "daily"] {
        let server = ScriptedS3::start();
        let bucket = server.bucket();
        let folder = Folder::with_shop().on_scripted(&server, &bucket, HASTY);
        let objects = || server.objects(&bucket);
        let backfill = Backfill::prepare(table, &folder, &objects);
        server.take_requests();
        // Each has read the table, and waits before its commit until the other one has, too.
        let slow = Fault::SlowFirstByte(Duration::from_millis(1500));
        server.script(Rule::on(Action::Put, slow).containing(&format!("/{table}/_karat/ledger/")).times(2));
        backfill.run();
        let asked = server.take_requests();
        let slots = format!("/{table}/_delta_log/");
        let lost = asked.iter().filter(|request| request.key().contains(&slots) && request.status == Some(412)).count();
        assert_eq!(lost, 1, "{table}: the backfills did not meet");
        let is_data = |request: &&Request, action: Action, table: &str| {
            request.action == action
                && request.key().contains(&format!("/{table}/"))
                && request.key().ends_with(".parquet")
        };
        // Files of one slice each move to the next version as they are; a shared file is merged with the winner's.
        let written = asked.iter().filter(|request| is_data(request, Action::Put, table)).count();
        assert_eq!(written, if table == "orders" { 20 } else { 3 });
        let mut read = BTreeMap::<&str, usize>::new();
        for request in asked.iter().filter(|request| is_data(request, Action::Get, "orders")) {
            *read.entry(request.key()).or_default() += 1;
        }
        if table == "daily" {
            // A day has the file that it was built with, and the one that later rows were added in.
            let counts: BTreeSet<usize> = read.values().copied().collect();
            let days: BTreeSet<&str> = read.keys().filter_map(|key| key.split('/').rev().nth(1)).collect();
            assert_eq!((days.len(), counts.len()), (20, 1), "an input was read again: {read:#?}");
        }
        backfill.check_plain_run();
    }
}

#[test]
fn eight_runs_at_once_add_a_batch_once() {
    let folder = Folder::with_shop();
    folder.write("data/1.csv", "day,amount\n2023-05-01,10\n");
    folder.write(
        "models/added.sql",
        "{{ config(materialized='incremental', incremental_strategy='append') }}\n\
         select day, amount from {{ ref('orders') }}\n",
    );
    folder.karat(&["run", "--quiet"]);
    let (mut in_orders, mut in_added) = (1, 1);
    for round in 2..number_of_rounds() + 2 {
        folder.write(&format!("data/{round}.csv"), format!("day,amount\n2023-05-02,{round}\n"));
        folder.karat(&["run", "--quiet", "--select", "orders"]);
        in_orders += 1;
        in_added += in_orders;
        together((0..RACERS).map(|_| {
            let mut command = executable(&folder);
            command.args(["run", "--log-format", "json", "--select", "added"]);
            command
        }));
        assert_eq!(commits(&local_objects(&folder))["added"].len(), round, "round {round}");
        let counted = folder.query("select count(*) from {{ ref('added') }}");
        assert_eq!(counted, [[in_added.to_string()]], "round {round}");
    }
}
