//! `karat plan` tells the same of equal states, byte for byte, and changes nothing.

use futures::TryStreamExt;
use object_store::ObjectMeta;

use super::project::Project;

/// Every way to ask.
const WAYS: [&[&str]; 6] = [
    &["plan"],
    &["plan", "--output", "json"],
    &["plan", "--windows", "--output", "json"],
    &["plan", "--full-refresh"],
    &["plan", "--start", "2023-05-01", "--end", "2023-05-02"],
    &["plan", "--why", "daily", "2023-05-01", "--output", "json"],
];

fn objects(project: &Project) -> Vec<ObjectMeta> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut objects: Vec<ObjectMeta> = runtime.block_on(project.store.list(None).try_collect()).unwrap();
    objects.sort_by(|left, right| left.location.cmp(&right.location));
    objects
}

fn asked(project: &Project, words: &[&str]) -> String {
    let answer = project.karat(words);
    assert_eq!((answer.code, answer.talk.as_str()), (0, ""), "{words:?}");
    answer.out
}

/// A project before its first run, after it, and with a late row that one model has read already.
fn states() -> impl Iterator<Item = Project> {
    let late = |project: &Project| project.write("data/2.csv", "day,amount\n2023-05-02,1\n");
    (0..3).map(move |state| {
        let project = Project::new();
        if state > 0 {
            assert_eq!(project.karat(&["run"]).code, 0);
        }
        if state > 1 {
            late(&project);
            assert_eq!(project.karat(&["run", "--select", "orders"]).code, 0);
        }
        project
    })
}

#[test]
fn a_plan_writes_nothing_and_is_the_same_twice() {
    for (state, project) in states().enumerate() {
        let before = objects(&project);
        for words in WAYS {
            assert_eq!(asked(&project, words), asked(&project, words), "state {state}, {words:?}");
        }
        assert_eq!(objects(&project), before, "state {state}");
        let is_made = project.path().join("lake").exists();
        assert_eq!(is_made, state > 0, "only a run makes the folder of the lake");
    }
}

#[test]
fn equal_states_in_other_places_have_equal_plans() {
    let plans = |project: Project| WAYS[..5].iter().map(|words| asked(&project, words)).collect::<Vec<_>>();
    for (one, other) in states().zip(states()) {
        assert_eq!(plans(one), plans(other));
    }
}

/// What is planned is what is then built.
#[test]
fn a_run_builds_what_was_planned() {
    for (state, project) in states().enumerate() {
        let plan: serde_json::Value = serde_json::from_str(&asked(&project, &["plan", "--output", "json"])).unwrap();
        let models = plan["models"].as_array().unwrap();
        let mut planned: Vec<&str> = models
            .iter()
            .filter(|model| model["action"] == "build")
            .map(|model| model["name"].as_str().unwrap())
            .collect();
        let run = project.karat(&["run", "--log-format", "json"]);
        assert_eq!(run.code, 0, "{}", run.talk);
        let events = run.talk.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let built: Vec<String> = events
            .filter(|event| event["event"] == "built")
            .map(|event| event["model"].as_str().unwrap().to_owned())
            .collect();
        let mut built: Vec<&str> = built.iter().map(String::as_str).collect();
        planned.sort_unstable();
        built.sort_unstable();
        assert_eq!(planned, built, "state {state}");
        assert_eq!(planned.len(), [3, 0, 2][state]);
    }
}

#[test]
fn new_files_are_looked_into_so_that_slices_are_foreseen_exactly() {
    let project = Project::new();
    assert_eq!(project.karat(&["run"]).code, 0);
    project.write("data/2.csv", "day,amount\n2023-05-02,1\n2023-05-02,2\n2023-05-09,7\n");
    let before = objects(&project);
    let plan: serde_json::Value = serde_json::from_str(&asked(&project, &["plan", "--output", "json"])).unwrap();
    let of =
        |name: &str| plan["models"].as_array().unwrap().iter().find(|model| model["name"] == name).unwrap().clone();
    let why = |model: &serde_json::Value| -> Vec<String> {
        let reasons = model["reasons"].as_array().unwrap();
        reasons.iter().map(|reason| reason["why"].as_str().unwrap().to_owned()).collect()
    };
    let orders = of("orders");
    assert_eq!(orders["builds"], "files");
    assert_eq!(why(&orders), ["2 late rows for 2023-05-02 in data/2.csv", "1 new row for 2023-05-09 in data/2.csv"]);
    assert_eq!(orders["inputs"][0]["files"], 1, "only the new file is read");
    for model in [&orders, &of("daily")] {
        let starts: Vec<&str> = model["slices"]["ranges"]
            .as_array()
            .unwrap()
            .iter()
            .map(|range| range["start"].as_str().unwrap())
            .collect();
        assert_eq!(starts, ["2023-05-02", "2023-05-09"], "{model}");
    }
    let story = |day: &str| asked(&project, &["plan", "--why", "orders", day]);
    assert!(story("2023-05-09").contains("1 new row for 2023-05-09 in data/2.csv"), "{}", story("2023-05-09"));
    assert!(story("2023-05-01").contains("2023-05-01 is up to date"), "{}", story("2023-05-01"));
    assert_eq!(objects(&project), before);
}
