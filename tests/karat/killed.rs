//! Real processes that are killed in the middle of their work: nobody sees a part of it, and a plain run completes it.
#![cfg(unix)]

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::binary::executable;
use crate::folder::Folder;
use crate::lakes::listing;
use crate::minio::minio;

/// Rounds of one lake. In each, a file arrives and some runs are killed.
const ROUNDS: u64 = 6;

/// Runs that are killed one after the other, before one may complete the work.
const KILLS: u64 = 3;

/// Days of a file.
const DAYS: u64 = 12;

/// Rows of these days and of the ones before: every slice is built again, and some are new.
fn file(round: u64) -> String {
    let mut text = "day,amount\n".to_owned();
    for day in 1..=DAYS + round {
        text.push_str(&format!("2023-05-{day:02},{}\n", round * 100 + day));
    }
    text
}

/// A time that is another for each run; where exactly it strikes depends on the machine.
pub(crate) fn delay(seed: u64, most: Duration) -> Duration {
    let hash = blake3::hash(&seed.to_le_bytes());
    let part = f64::from(u32::from_le_bytes(hash.as_bytes()[..4].try_into().unwrap())) / f64::from(u32::MAX);
    most.mul_f64(part)
}

/// How long a run takes that nobody kills.
fn complete(folder: &Folder) -> Duration {
    let start = Instant::now();
    let output = executable(folder).arg("run").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    start.elapsed()
}

/// Whether the run was killed before it had come to its end.
fn kill_after(folder: &Folder, delay: Duration) -> bool {
    let mut run = executable(folder);
    let mut child = run.arg("run").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(delay);
    child.kill().unwrap();
    !child.wait().unwrap().success()
}

/// What the lake holds: names, and what tells their bytes.
type State = Vec<(String, String)>;

fn rounds(disturbed: &Folder, state: &dyn Fn() -> State, seed: u64) {
    let undisturbed = Folder::with_shop();
    let arrive = |round: u64| {
        for folder in [&undisturbed, disturbed] {
            folder.write(&format!("data/round-{round}.csv"), file(round));
        }
    };
    arrive(0);
    // The first run proves the store, too; the second is one as they usually are.
    complete(disturbed);
    disturbed.write("data/round-0.csv", file(1));
    let mut usual = complete(disturbed);
    disturbed.write("data/round-0.csv", file(0));
    complete(disturbed);
    undisturbed.karat(&["run"]);
    let (mut before, mut killed) = (undisturbed.shop(), 0);
    assert_eq!(disturbed.shop(), before);
    for round in 1..=ROUNDS {
        arrive(round);
        undisturbed.karat(&["run"]);
        let after = undisturbed.shop();
        assert_ne!(before, after);
        for kill in 0..KILLS {
            match kill_after(disturbed, delay(seed + round * KILLS + kill, usual)) {
                true => killed += 1,
                // It was quicker than the one that was measured, perhaps on a busy machine: strike earlier.
                false => usual = usual.mul_f64(0.7),
            }
            let released = disturbed.shop();
            assert!(released == before || released == after, "round {round}, kill {kill}: {released}");
            // Each of the tables as it is can be read, and none has a part of a slice.
            disturbed.live_shop();
        }
        complete(disturbed);
        assert_eq!(disturbed.shop(), after, "round {round}");
        assert_eq!(disturbed.live_shop(), after, "round {round}");
        let done = state();
        complete(disturbed);
        assert_eq!(state(), done, "round {round}: a run after all is done writes");
        before = after;
    }
    assert!(killed >= ROUNDS, "only {killed} runs were killed before their end");
}

#[test]
fn scenario_6_killed_runs_leave_nothing_half_built_on_a_disk() {
    let folder = Folder::with_shop();
    let state = || {
        let bytes = |path: &String| std::fs::read(folder.root().join(path)).unwrap();
        let tagged = |path: String| (path.clone(), blake3::hash(&bytes(&path)).to_hex().to_string());
        folder.files("lake").into_iter().map(tagged).collect()
    };
    rounds(&folder, &state, 1000);
}

#[test]
fn scenario_6_killed_runs_leave_nothing_half_built_in_a_bucket() {
    let Some(minio) = minio() else { return };
    let bucket = minio.bucket();
    let folder = Folder::with_shop().on_minio(minio, &bucket, "");
    rounds(&folder, &|| listing(minio, &bucket).into_iter().collect(), 2000);
}
