//! Old objects of a bucket are removed by `karat gc`, and nothing that anybody still reads.

use std::time::Duration;

use crate::folder::Folder;
use crate::lakes::{HASTY, PREFIX};
use crate::scripted_s3::{Action, Fault, Rule, ScriptedS3};

const TEN_DAYS: Duration = Duration::from_secs(10 * 24 * 3600);

#[test]
fn old_objects_of_a_bucket_go_and_what_is_released_stays() {
    let server = ScriptedS3::start();
    let bucket = server.bucket();
    let folder = Folder::with_shop().on_scripted(&server, &bucket, &format!("{HASTY}, checkpoint_every: 2"));
    let objects = || server.objects(&bucket);
    for file in 2..6 {
        folder.write(&format!("data/{file}.csv"), format!("day,amount\n2023-05-01,1\n2023-05-{file:02},{file}\n"));
        folder.karat(&["run"]);
    }
    let orphan = format!("{PREFIX}/shop/orders/day=2023-05-01/part-of-a-run-that-was-killed.parquet");
    server.put(&bucket, &orphan, "rows");
    server.age(&bucket, TEN_DAYS);
    // The newest state is young, and so is a file that no commit names yet.
    folder.write("data/6.csv", "day,amount\n2023-05-01,1\n");
    folder.karat(&["run"]);
    let young = format!("{PREFIX}/shop/orders/day=2023-05-01/part-of-a-run-that-is-at-work.parquet");
    server.put(&bucket, &young, "rows");
    let (rows, before) = (folder.live_shop(), objects());

    folder.karat(&["gc"]);
    assert!(objects() == before, "without --yes, something was removed");
    // One removal is answered with an error: gc says so, or the next one does it.
    server.script(Rule::on(Action::DeleteMany, Fault::Fail(503)));
    folder.karat(&["gc", "--yes"]);
    folder.karat(&["gc", "--yes"]);
    let after = objects();
    assert!(!after.contains_key(&orphan) && after.contains_key(&young));
    assert!(after.len() + 20 < before.len(), "{} objects of {} are left", after.len(), before.len());
    assert!(after.iter().all(|(key, bytes)| before.get(key) == Some(bytes)), "gc has written something");
    assert_eq!(folder.live_shop(), rows);
    assert_eq!(folder.shop(), rows);
    folder.karat(&["run"]);
    assert!(objects() == after, "a run after gc writes");
    let nothing = folder.karat(&["gc", "--yes"]);
    assert!(nothing.printed.contains("nothing to remove"), "{}", nothing.printed);
    folder.karat(&["run", "--full-refresh"]);
    assert_eq!(folder.shop(), rows);
}
