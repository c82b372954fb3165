//! The shop with its raw files in a bucket: the same tables as from disk, one request for each object that is new, and clear failures.

use std::collections::BTreeMap;
use std::io::Write;

use flate2::write::GzEncoder;
use object_store::ObjectStoreExt;
use object_store::path::Path;

use crate::folder::Folder;
use crate::lakes::{HASTY, PREFIX};
use crate::lost_answers::proof;
use crate::minio::minio;
use crate::object_stores::{blocking, builder};
use crate::scripted_s3::{Action, Fault, Rule, ScriptedS3};

const DECLARED: &str = "location: data/*.csv";

impl Folder {
    /// The same project, whose orders lie elsewhere.
    fn with_orders_at(self, location: &str) -> Folder {
        let path = self.root().join("models/sources.yml");
        let declared = std::fs::read_to_string(&path).unwrap();
        assert!(declared.contains(DECLARED));
        self.write(
            "models/sources.yml",
            declared.replace(DECLARED, &format!("format: csv\n        location: \"{location}\"")),
        );
        self
    }
}

/// A day of the history of a landing zone.
enum Step {
    Put(&'static str, &'static str),
    Remove(&'static str),
}

/// New, changed and vanished files, late rows, bad records, compressed files, and one of the same size as before.
const HISTORY: [&[Step]; 8] = [
    &[Step::Put("1.csv", "day,amount\n2023-05-01,10\n2023-05-02,20\nx,y\n")],
    &[Step::Put("2.csv.gz", "day,amount\n2023-05-03,30\n2023-05-03,1\n")],
    &[],
    &[Step::Put("late.csv.zst", "day,amount\n2023-05-01,5\n2023-05-04,40\n"), Step::Put("deep/no.csv", "a\n")],
    &[Step::Put("1.csv", "day,amount\n2023-05-01,11\n2023-05-02,20\nx,y\n")],
    &[Step::Put("2.csv.gz", "day,amount\n2023-05-03,30\n2023-05-05,50\n")],
    &[Step::Remove("1.csv"), Step::Put("3.csv", "day,amount\n2023-05-02,2\nz,z\n")],
    &[Step::Put("1.csv", "day,amount\n2023-05-01,11\n2023-05-02,20\nx,y\n"), Step::Remove("late.csv.zst")],
];

fn stored(name: &str, text: &str) -> Vec<u8> {
    if name.ends_with(".gz") {
        let mut gzip = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(text.as_bytes()).unwrap();
        return gzip.finish().unwrap();
    }
    if name.ends_with(".zst") { zstd::encode_all(text.as_bytes(), 1).unwrap() } else { text.as_bytes().to_vec() }
}

#[test]
fn a_history_of_objects_gives_the_tables_that_files_give() {
    let Some(minio) = minio() else { return };
    let lake = minio.bucket();
    let raw = minio.bucket();
    let local = Folder::with_shop().with_orders_at("data/*.{csv,csv.gz,csv.zst}");
    std::fs::remove_file(local.root().join("data/1.csv")).unwrap();
    let remote = Folder::with_shop()
        .with_orders_at(&format!("s3://{raw}/in/é x/*.{{csv,csv.gz,csv.zst}}"))
        .on_minio(minio, &lake, "");
    let store = builder(&minio.endpoint, &raw, &minio.variables()).build().unwrap();
    for (day, steps) in HISTORY.iter().enumerate() {
        for step in *steps {
            match step {
                Step::Put(name, text) => {
                    let bytes = stored(name, text);
                    local.write(&format!("data/{name}"), &bytes);
                    let key = Path::parse(format!("in/é x/{name}")).unwrap();
                    blocking(store.put(&key, bytes.into())).unwrap();
                }
                Step::Remove(name) => {
                    std::fs::remove_file(local.root().join("data").join(name)).unwrap();
                    blocking(store.delete(&Path::parse(format!("in/é x/{name}")).unwrap())).unwrap();
                }
            }
        }
        for folder in [&local, &remote] {
            folder.karat(&["run", "--quiet"]);
        }
        assert_eq!(remote.shop(), local.shop(), "day {day}");
        let plan = remote.karat(&["plan"]).printed;
        assert!(plan.contains("nothing to do") || plan.contains("up to date"), "day {day}: {plan}");
    }
    let files = "select distinct _source_file from {{ source('raw', 'orders') }} order by 1";
    let found: Vec<String> = remote.query(files).into_iter().flatten().collect();
    let expected = ["1.csv", "2.csv.gz", "3.csv"].map(|name| format!("s3://{raw}/in/é x/{name}"));
    assert_eq!(found, expected);
}

/// A server with the shop's lake in one bucket, and raw files in another.
struct Shop {
    server: ScriptedS3,
    raw: String,
    folder: Folder,
}

impl Shop {
    fn new(days: usize) -> Shop {
        let server = ScriptedS3::start();
        let lake = server.bucket();
        let raw = server.bucket();
        server.put(&lake, &format!("{PREFIX}/_karat/proof.json"), proof(&server.endpoint(), &lake));
        let folder = Folder::with_shop().with_orders_at(&format!("s3://{raw}/in/*.csv"));
        let folder = folder.on_scripted(&server, &lake, HASTY);
        let shop = Shop { server, raw, folder };
        (1..=days).for_each(|day| shop.add(day));
        shop
    }

    fn add(&self, day: usize) {
        let text = format!("day,amount\n2023-05-{day:02},{day}\n");
        self.server.put(&self.raw, &format!("in/{day:02}.csv"), text);
    }

    /// What a run asks the bucket of raw files, shortly.
    fn asked_by(&self, words: &[&str]) -> Vec<String> {
        self.server.take_requests();
        self.folder.karat(words);
        let asked = self.server.take_requests().into_iter().filter(|request| request.bucket == self.raw);
        let mut asked: Vec<String> = asked.map(|request| format!("{:?} {}", request.action, request.key())).collect();
        asked.sort();
        asked.dedup();
        asked
    }

    fn total(&self) -> Vec<Vec<String>> {
        self.folder.query("select amount from {{ ref('total') }}")
    }
}

#[test]
fn a_run_asks_for_a_list_and_for_what_is_new_however_long_the_history_is() {
    for days in [3, 25] {
        let shop = Shop::new(days);
        shop.folder.karat(&["run", "--quiet"]);
        assert_eq!(shop.asked_by(&["run", "--quiet"]), ["List in/"], "{days} days");
        assert_eq!(shop.asked_by(&["plan"]), ["List in/"], "{days} days");
        shop.add(days + 1);
        let new = format!("Get in/{:02}.csv", days + 1);
        assert_eq!(shop.asked_by(&["run", "--quiet"]), [new.as_str(), "List in/"], "{days} days");
        let sum = (1..=days + 1).sum::<usize>().to_string();
        assert_eq!(shop.total(), [[sum]], "{days} days");
    }
}

#[test]
fn compiling_asks_no_server_and_needs_no_credentials() {
    let shop = Shop::new(1);
    shop.server.take_requests();
    let stranger = Folder::like(&shop.folder).with_variables(BTreeMap::new());
    stranger.karat(&["compile"]);
    assert_eq!(shop.server.take_requests().len(), 0);
    // Whoever has not allowed the endpoint sends it nothing.
    let answer = stranger.try_karat(&["run"]);
    assert_eq!(answer.code, 1, "{}", answer.printed);
    assert!(answer.printed.contains("error[endpoint-not-allowed]"), "{}", answer.printed);
    assert_eq!(shop.server.take_requests().len(), 0);
}

#[test]
fn an_object_that_goes_between_the_list_and_the_read_is_a_conflict() {
    for status in [404, 412] {
        let shop = Shop::new(2);
        shop.server.script(Rule::on(Action::Get, Fault::Fail(status)).ending("in/02.csv"));
        let answer = shop.folder.try_karat(&["run"]);
        assert_eq!(answer.code, 3, "{}", answer.printed);
        let said =
            if status == 404 { "it was removed after it was listed" } else { "it was replaced after it was listed" };
        for part in [said, "in/02.csv", "run the same command again", "models/sources.yml:"] {
            assert!(answer.printed.contains(part), "{part}: {}", answer.printed);
        }
        shop.folder.karat(&["run", "--quiet"]);
        assert_eq!(shop.total(), [["3"]]);
    }
}

#[test]
fn a_bucket_that_does_not_answer_is_asked_again_and_one_that_refuses_is_named() {
    let shop = Shop::new(2);
    shop.server.script(Rule::on(Action::List, Fault::Fail(503)).containing("in/").times(1));
    shop.server.script(Rule::on(Action::Get, Fault::Truncated).ending("in/02.csv"));
    shop.folder.karat(&["run", "--quiet"]);
    assert_eq!(shop.server.faults_to_come(), 0);
    assert_eq!(shop.total(), [["3"]]);

    shop.add(3);
    shop.server.script(Rule::on(Action::List, Fault::Fail(403)).containing("in/").times(1));
    let answer = shop.folder.try_karat(&["run"]);
    assert_eq!(answer.code, 1, "{}", answer.printed);
    for part in ["error[storage]", "cannot be listed", "`s3:ListBucket`", "models/sources.yml:"] {
        assert!(answer.printed.contains(part), "{part}: {}", answer.printed);
    }
    shop.server.script(Rule::on(Action::Get, Fault::Fail(403)).ending("in/03.csv"));
    let answer = shop.folder.try_karat(&["run"]);
    assert_eq!(answer.code, 1, "{}", answer.printed);
    for part in ["error[storage]", "in/03.csv` cannot be read", "`s3:GetObject`", "models/sources.yml:"] {
        assert!(answer.printed.contains(part), "{part}: {}", answer.printed);
    }
}

#[test]
fn what_is_not_there_is_named_with_its_place_and_doctor_and_freshness_look_at_objects() {
    let shop = Shop::new(2);
    let yaml = std::fs::read_to_string(shop.folder.root().join("models/sources.yml")).unwrap();
    let fresh =
        yaml.replace("- name: orders\n", "- name: orders\n        freshness: {error_after: {count: 3, period: day}}\n");
    shop.folder.write("models/sources.yml", &fresh);
    shop.folder.karat(&["source", "freshness"]);
    let doctor = shop.folder.karat(&["doctor"]).printed;
    assert!(doctor.contains("`raw.orders`: 2 files, "), "{doctor}");

    for (location, said) in [
        (format!("s3://{}/in/*.json", shop.raw), "error[no-source-file]: no file matches"),
        (format!("s3://{}/in/9.csv", shop.raw), "error[no-source-file]: no file matches"),
        ("s3://nobody/in/*.csv".to_owned(), "correct the bucket in `location`"),
        ("s3://nobody/in/9.csv".to_owned(), "correct the bucket in `location`"),
    ] {
        shop.folder.write("models/sources.yml", yaml.replace(&format!("s3://{}/in/*.csv", shop.raw), &location));
        let answer = shop.folder.try_karat(&["run"]);
        assert_eq!(answer.code, 1, "{location}: {}", answer.printed);
        assert!(answer.printed.contains(said) && answer.printed.contains("models/sources.yml:"), "{}", answer.printed);
    }
}
