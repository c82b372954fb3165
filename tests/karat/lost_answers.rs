//! A run whose lake is a server that loses answers, refuses and delays: every commit happens once, or is said to be unknown.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::folder::Folder;
use crate::lakes::{HASTY, PREFIX, commits};
use crate::scripted_s3::{Action, Conditions, Fault, Rule, ScriptedS3};

/// The rows of the shop from its first file.
const ROWS: &str = "t,k,amount\ndaily,2023-05-01,10\ndaily,2023-05-02,20\norders,2023-05-01,10\n\
     orders,2023-05-02,20\nquarantine,,1\ntotal,,30\n";

/// What a run puts: a name, and what is in its keys.
const KINDS: [(&str, &str, &str); 5] = [
    ("commit", "_delta_log/", ".json"),
    ("ledger", "_karat/ledger/", ".zst"),
    ("source files", "_karat/files/", ".zst"),
    ("release", "_karat/releases/", ".json"),
    ("data", "", ".parquet"),
];

/// A server with the shop's lake in a bucket.
struct Shop {
    server: ScriptedS3,
    bucket: String,
    folder: Folder,
}

impl Shop {
    fn new(settings: &str) -> Shop {
        let server = ScriptedS3::start();
        let bucket = server.bucket();
        let folder = Folder::with_shop().on_scripted(&server, &bucket, settings);
        Shop { server, bucket, folder }
    }

    /// One where the proof that the store is safe is already remembered: it takes thousands of requests.
    fn proved(settings: &str) -> Shop {
        let shop = Shop::new(settings);
        let (endpoint, bucket) = (shop.server.endpoint(), &shop.bucket);
        shop.server.put(bucket, &format!("{PREFIX}/_karat/proof.json"), proof(&endpoint, bucket));
        shop
    }

    fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        self.server.objects(&self.bucket)
    }

    /// Runs, and checks that the faults of the script have struck.
    fn run(&self, place: &str) -> String {
        let answer = self.folder.try_karat(&["run"]);
        assert_eq!(answer.code, 0, "{place}: {}", answer.printed);
        assert_eq!(self.server.faults_to_come(), 0, "{place}: the faults did not strike");
        answer.printed
    }

    /// One commit a table, every row once, and nothing left to do.
    fn check_built_once(&self, place: &str) {
        let commits = commits(&self.objects());
        assert_eq!(commits.keys().collect::<Vec<_>>(), ["daily", "orders", "orders_quarantine", "total"], "{place}");
        // Records that are set aside belong to no slice: who builds the table again sets them aside again.
        let is_once = |table: &str, versions: usize| versions == 1 || table == "orders_quarantine";
        assert!(commits.iter().all(|(table, versions)| is_once(table, versions.len())), "{place}: {commits:?}");
        assert_eq!(self.folder.live_shop(), ROWS, "{place}");
        assert_eq!(self.folder.shop(), ROWS, "{place}");
        self.check_nothing_left(place);
    }

    fn check_nothing_left(&self, place: &str) {
        let before = self.objects();
        self.server.take_requests();
        self.folder.karat(&["run"]);
        let asked = self.server.take_requests();
        let writes =
            asked.iter().filter(|request| !matches!(request.action, Action::Get | Action::Head | Action::List));
        assert_eq!(writes.map(|request| request.key()).collect::<Vec<_>>(), [] as [&str; 0], "{place}");
        assert!(self.objects() == before, "{place}");
    }
}

/// What a lake in this bucket remembers of its store.
pub(crate) fn proof(endpoint: &str, bucket: &str) -> Vec<u8> {
    static PROOF: std::sync::OnceLock<(String, String, String)> = std::sync::OnceLock::new();
    let (text, old_endpoint, old_bucket) = PROOF.get_or_init(|| {
        let shop = Shop::new(HASTY);
        shop.folder.karat(&["run", "--select", "orders"]);
        let proof = shop.server.get(&shop.bucket, &format!("{PREFIX}/_karat/proof.json")).unwrap();
        (String::from_utf8(proof).unwrap(), shop.server.endpoint(), shop.bucket.clone())
    });
    text.replace(old_endpoint, endpoint).replace(old_bucket, bucket).into_bytes()
}

/// Disturbs each kind of put with one fault: the first of the kind, and one in the middle.
fn disturb_puts(fault: Fault) {
    for (kind, part, end) in KINDS {
        for nth in [1, 2] {
            // A run puts one release, and one list of source files.
            if nth == 2 && matches!(kind, "release" | "source files") {
                continue;
            }
            // A conflict is an answer to a put with a condition.
            if fault == Fault::Fail(409) && !matches!(kind, "release" | "commit") {
                continue;
            }
            let shop = Shop::proved(HASTY);
            let rule = Rule::on(Action::Put, fault).containing(part).ending(end).starting_at(nth);
            shop.server.script(rule);
            let place = format!("{fault:?} at {kind} {nth}");
            let talk = shop.run(&place);
            assert!(!talk.contains("warning"), "{place}: {talk}");
            shop.check_built_once(&place);
        }
    }
}

#[test]
fn scenario_7_a_put_is_applied_and_answered_with_500() {
    disturb_puts(Fault::AppliedThen500);
}

#[test]
fn scenario_7_a_put_is_applied_and_the_connection_ends() {
    disturb_puts(Fault::AppliedThenDrop);
}

#[test]
fn scenario_7_a_put_is_refused_once() {
    for status in [409, 429, 500, 503] {
        disturb_puts(Fault::Fail(status));
    }
}

#[test]
fn scenario_7_a_put_is_applied_and_answered_too_late() {
    for (kind, part, end) in KINDS {
        let shop = Shop::proved("timeout: 1, retries: 2, retry_for: 5");
        let slow = Fault::SlowFirstByte(Duration::from_millis(1300));
        shop.server.script(Rule::on(Action::Put, slow).containing(part).ending(end));
        let place = format!("a slow answer to {kind}");
        shop.run(&place);
        shop.check_built_once(&place);
    }
}

#[test]
fn a_read_that_ends_in_the_middle_is_read_again() {
    let shop = Shop::proved(HASTY);
    shop.run("before");
    shop.folder.write("data/2.csv", "day,amount\n2023-05-02,1\n2023-05-03,7\n");
    for (part, end) in
        [("_delta_log/", ".json"), ("_karat/ledger/", ".zst"), ("_karat/releases/", ".json"), ("", ".parquet")]
    {
        shop.server.script(Rule::on(Action::Get, Fault::Truncated).containing(part).ending(end));
    }
    shop.run("truncated reads");
    let rows = shop.folder.shop();
    assert!(rows.ends_with("total,,38\n"), "{rows}");
    shop.check_nothing_left("after truncated reads");
}

#[test]
fn scenario_20_a_release_that_cannot_be_put_is_a_warning_and_the_next_run_repairs_it() {
    let shop = Shop::proved("timeout: 10, retries: 0, retry_for: 1");
    let rule = Rule::on(Action::Put, Fault::Fail(500)).containing("_karat/releases/").times(1000);
    shop.server.script(rule);
    let answer = shop.folder.try_karat(&["run"]);
    assert_eq!(answer.code, 0, "{}", answer.printed);
    assert!(answer.printed.contains("not released"), "{}", answer.printed);
    let built = commits(&shop.objects());
    shop.server.clear_script();
    shop.folder.karat(&["run"]);
    assert_eq!(commits(&shop.objects()), built);
    assert_eq!(shop.server.keys(&shop.bucket, &format!("{PREFIX}/_karat/releases/0")).len(), 1);
    assert_eq!(shop.folder.shop(), ROWS);
    shop.check_nothing_left("after the release");
}

#[test]
fn scenario_20_a_checkpoint_that_cannot_be_put_is_a_warning_and_the_next_run_repairs_it() {
    let shop = Shop::proved("timeout: 10, retries: 0, retry_for: 1, checkpoint_every: 1");
    shop.run("the first version");
    shop.folder.write("data/2.csv", "day,amount\n2023-05-03,7\n");
    let rule = Rule::on(Action::Put, Fault::Fail(500)).containing("checkpoint").times(1000);
    shop.server.script(rule);
    let answer = shop.folder.try_karat(&["run"]);
    assert_eq!(answer.code, 0, "{}", answer.printed);
    assert!(answer.printed.contains("checkpoint"), "{}", answer.printed);
    shop.server.clear_script();
    shop.folder.write("data/3.csv", "day,amount\n2023-05-04,3\n");
    shop.run("the version after");
    let checkpoints = shop.objects().into_keys().filter(|key| key.contains(".checkpoint")).count();
    assert!(checkpoints >= 3, "{checkpoints} checkpoints");
    let rows = shop.folder.shop();
    assert!(rows.ends_with("total,,40\n"), "{rows}");
    shop.check_nothing_left("after the checkpoint");
}

#[test]
fn a_commit_without_any_answer_is_unknown_and_its_files_stay() {
    let shop = Shop::proved("timeout: 10, retries: 0, retry_for: 1");
    let rule = Rule::on(Action::Put, Fault::Fail(500)).containing("orders/_delta_log/").times(1000);
    shop.server.script(rule);
    let answer = shop.folder.try_karat(&["run"]);
    let tries = shop
        .server
        .take_requests()
        .into_iter()
        .filter(|request| request.action == Action::Put && request.key().contains("orders/_delta_log/"));
    assert!((2..20).contains(&tries.count()), "it is tried again, and not for ever: {}", answer.printed);
    assert_eq!(answer.code, 3, "{}", answer.printed);
    assert!(answer.printed.contains("error[commit-unknown]"), "{}", answer.printed);
    assert!(commits(&shop.objects()).keys().all(|table| table != "orders"));
    // The request may still land.
    let is_data = |key: &String| key.starts_with(&format!("{PREFIX}/shop/orders/")) && key.ends_with(".parquet");
    assert_eq!(shop.objects().into_keys().filter(is_data).count(), 2);
    shop.server.clear_script();
    shop.folder.karat(&["run"]);
    shop.check_built_once("after the unknown commit");
}

#[test]
fn scenario_8_a_commit_that_was_unknown_and_lands_late_is_the_commit() {
    let shop = Shop::proved("timeout: 10, retries: 0, retry_for: 1");
    // Applied, and nobody may see it until the run has given up.
    let commit = |fault| Rule::on(Action::Put, fault).containing("orders/_delta_log/");
    shop.server.script(commit(Fault::AppliedThen500));
    shop.server.script(commit(Fault::Fail(500)).times(1000));
    let answer = shop.folder.try_karat(&["run"]);
    assert_eq!(answer.code, 3, "{}", answer.printed);
    shop.server.clear_script();
    shop.folder.karat(&["run"]);
    shop.check_built_once("after the late commit");
}

#[test]
fn a_table_that_is_made_while_a_reader_looks_for_it_is_read() {
    let shop = Shop::proved(HASTY);
    shop.run("the run that makes the tables");
    let objects = shop.objects();
    let bucket = shop.server.bucket();
    let reader = Folder::with_shop().on_scripted(&shop.server, &bucket, HASTY);
    // The reader has seen an empty folder, and is told so late.
    let slow = Fault::SlowFirstByte(Duration::from_millis(700));
    shop.server.script(Rule::on(Action::List, slow).containing("total/_delta_log"));
    shop.server.take_requests();
    std::thread::scope(|scope| {
        let rows = scope.spawn(|| reader.query("select amount from {{ ref('total') }}"));
        while shop.server.faults_to_come() > 0 {
            std::thread::yield_now();
        }
        for (key, bytes) in objects {
            shop.server.put(&bucket, &key, bytes);
        }
        assert_eq!(rows.join().unwrap(), [["30"]]);
    });
}

/// Servers that do not keep conditions, and what `karat doctor` says of them.
const BAD: [(Conditions, &str); 3] = [
    (Conditions::IgnoredEach(1), "put-if-absent is not atomic"),
    (Conditions::IgnoredEach(100), "put-if-absent is not atomic"),
    (Conditions::Refused, "conditional puts (`If-None-Match`)"),
];

#[test]
fn scenario_19_doctor_and_the_first_run_refuse_a_store_that_keeps_no_conditions() {
    for (conditions, said) in BAD {
        let shop = Shop::new(HASTY);
        shop.server.conditions(conditions);
        let doctor = shop.folder.try_karat(&["doctor"]);
        assert_eq!(doctor.code, 1, "{conditions:?}: {}", doctor.printed);
        assert!(doctor.printed.contains(said), "{conditions:?}: {}", doctor.printed);
        shop.server.take_requests();
        let run = shop.folder.try_karat(&["run"]);
        // The races of the proof end after five seconds by its own clock; here it is seen that nothing else comes after.
        let requests = shop.server.take_requests().len();
        assert_eq!(run.code, 1, "{conditions:?}: {}", run.printed);
        assert!(run.printed.contains("error[unsafe-store]") && run.printed.contains(said), "{}", run.printed);
        assert!(requests < 64 * 50 + 200, "{conditions:?}: {requests} requests");
        let left = shop.server.keys(&shop.bucket, "");
        let is_of_proof = |key: &String| key.starts_with(&format!("{PREFIX}/_karat/proof/"));
        assert!(left.iter().all(is_of_proof), "{conditions:?}: {left:?}");
    }
}

#[test]
fn scenario_19_a_single_writer_needs_no_conditions_and_says_so_in_the_tables() {
    for conditions in [Conditions::Refused, Conditions::IgnoredEach(1)] {
        let shop = Shop::new(HASTY);
        shop.server.conditions(conditions);
        let answer = shop.folder.karat(&["run", "--single-writer"]);
        assert!(!answer.printed.contains("warning"), "{conditions:?}: {}", answer.printed);
        assert_eq!(shop.folder.shop(), ROWS);
        for (key, bytes) in shop.objects() {
            if key.ends_with("_delta_log/00000000000000000000.json") {
                let text = String::from_utf8(bytes).unwrap();
                assert!(text.contains("\"karat.singleWriter\":\"true\""), "{key}: {text}");
            }
        }
        let before = shop.objects();
        shop.folder.karat(&["run", "--single-writer"]);
        assert!(shop.objects() == before, "{conditions:?}: a second run writes");
        shop.folder.write("data/2.csv", "day,amount\n2023-05-03,7\n");
        shop.folder.karat(&["run", "--single-writer"]);
        assert!(shop.folder.shop().ends_with("total,,37\n"));
    }
}
