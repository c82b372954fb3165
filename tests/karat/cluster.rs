//! A cluster of processes on this machine: the tables of a run are those that the machine builds alone, whatever happens to the
//! cluster meanwhile.
#![cfg(all(unix, feature = "cluster"))]

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use tempfile::NamedTempFile;

use crate::binary::executable;
use crate::folder::Folder;
use crate::slices::TABLES;

/// One cluster at a time: a machine that is busy with several may think executors dead that are only slow.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// After so much silence the scheduler gives an executor's work to others.
const SILENCE: Duration = Duration::from_secs(20);

/// The most that a server may take to start, and a run that has lost an executor to end.
const PATIENCE: Duration = Duration::from_secs(120);

/// A scheduler and its executors, over the lake of a folder's target `grid`.
struct Cluster {
    port: u16,
    scheduler: Child,
    executors: Vec<Child>,
}

impl Cluster {
    fn start(folder: &Folder, executors: usize) -> Cluster {
        let port = free_ports(1);
        let scheduler = server(executable(folder).args(["scheduler", "--port", &port.to_string()]));
        let mut cluster = Cluster { port, scheduler, executors: Vec::new() };
        await_port(port);
        let address = format!("127.0.0.1:{port}");
        for _ in 0..executors {
            let port = free_ports(2).to_string();
            let words = ["executor", "--target", "grid", "--scheduler", &address, "--port", &port, "--slots", "1"];
            cluster.executors.push(server(executable(folder).args(words).args(["--memory", "512MiB"])));
            await_port(port.parse().unwrap());
        }
        cluster
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for server in self.executors.iter_mut().chain([&mut self.scheduler]) {
            // Some have ended already.
            let _sent = Command::new("kill").args(["-CONT", &server.id().to_string()]).stderr(Stdio::null()).status();
            let _killed = server.kill();
            server.wait().unwrap();
        }
    }
}

fn server(command: &mut Command) -> Child {
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// The first of so many ports that nobody listens at.
fn free_ports(count: u16) -> u16 {
    loop {
        let first = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        if (0..count).all(|more| TcpListener::bind(("127.0.0.1", first.saturating_add(more))).is_ok()) {
            return first;
        }
    }
}

/// Waits until somebody listens.
fn await_port(port: u16) {
    let start = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(start.elapsed() < PATIENCE, "nobody listens at {port}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn signal(process: &Child, name: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), &process.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// The sample project with dirty data, and a target `grid` beside its own.
fn sample(rows: &str) -> Folder {
    let folder = Folder::with_sample();
    folder.karat(&["sample-data", "--rows", rows, "--days", "40", "--users", "200", "--seed", "5"]);
    // An executor looks for the lake of the target before there is an address.
    use_cluster(&folder, 1, 4);
    folder
}

/// Lets the target `grid` use a cluster, with so many partitions.
fn use_cluster(folder: &Folder, port: u16, partitions: usize) {
    let own = "  local: { lake: ./lake }\n";
    let project = fs::read_to_string(folder.root().join("project.yml")).unwrap();
    let lines = project.lines().filter(|line| !line.starts_with("  grid:")).map(|line| format!("{line}\n"));
    let grid = format!("  grid: {{ lake: ./grid, cluster: \"127.0.0.1:{port}\", cluster_partitions: {partitions} }}\n");
    let project = lines.collect::<String>().replace(own, &format!("{own}{grid}"));
    assert!(project.contains(&grid));
    folder.write("project.yml", project);
}

/// A run at work. What it says goes into a file, so that it never waits for a reader.
struct Run {
    process: Child,
    said: NamedTempFile,
}

/// Starts a run on the cluster.
fn start(folder: &Folder, words: &[&str]) -> Run {
    let said = NamedTempFile::new().unwrap();
    let mut run = executable(folder);
    run.args(["--debug", "run", "--target", "grid"]).args(words);
    let process = run.stdout(Stdio::null()).stderr(said.reopen().unwrap()).spawn().unwrap();
    Run { process, said }
}

impl Run {
    /// Waits until the run has committed its first table of the cluster: then it is in the middle of its work.
    fn await_middle(&mut self) {
        let start = Instant::now();
        while models(&self.talk(), "built on the cluster").len() < 3 {
            assert!(start.elapsed() < PATIENCE && self.process.try_wait().unwrap().is_none(), "{}", self.talk());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What it has said, without what the engine says of each step.
    fn talk(&self) -> String {
        let said = String::from_utf8_lossy(&fs::read(self.said.path()).unwrap()).into_owned();
        said.lines().filter(|line| !line.contains(" DEBUG ")).collect::<Vec<_>>().join("\n")
    }

    /// Its exit code and what it has said; `None` if a signal has ended it.
    fn end(mut self) -> (Option<i32>, String) {
        let code = self.process.wait().unwrap().code();
        (code, self.talk())
    }
}

/// A run that ends well, and what it says.
fn run(folder: &Folder, words: &[&str]) -> String {
    let (code, talk) = start(folder, words).end();
    assert_eq!(code, Some(0), "{talk}");
    talk
}

/// Every slice has the digest that this machine computes, and every table the rows of the one that it has built.
fn check(folder: &Folder) {
    folder.karat(&["verify", "--target", "grid", "--sample", "all"]);
    for table in TABLES {
        let answer = folder.karat(&["diff", table, "--target", "grid", "--from", "local:live"]);
        assert!(answer.printed.contains("no difference"), "{}", answer.printed);
    }
}

/// The models of the lines with these words.
fn models(talk: &str, words: &str) -> Vec<String> {
    let of = |line: &str| Some(line.split_once("model=")?.1.split_whitespace().next()?.to_owned());
    let mut models: Vec<String> = talk.lines().filter(|line| line.contains(words)).filter_map(of).collect();
    models.sort();
    models.dedup();
    models
}

#[test]
fn every_slice_of_the_sample_has_the_digest_of_this_machine_with_1_2_and_8_partitions() {
    let _turn = turn();
    let folder = sample("6000");
    folder.karat(&["run", "--quiet"]);
    let cluster = Cluster::start(&folder, 2);
    for partitions in [2, 1, 2, 8] {
        use_cluster(&folder, cluster.port, partitions);
        let talk = run(&folder, &["--full-refresh"]);
        // What reads source files stays, and nothing else.
        assert_eq!(models(&talk, "built on this machine, not on the cluster"), ["interactions", "users"], "{talk}");
        assert_eq!(models(&talk, "built on the cluster").len(), 17, "{talk}");
        check(&folder);
    }
    // A second run finds nothing to do; two at once do not disturb each other.
    assert!(models(&run(&folder, &[]), "built on the cluster").is_empty());
    let both = [(); 2].map(|()| start(&folder, &["--full-refresh"]));
    for one in both {
        let (code, talk) = one.end();
        assert_eq!(code, Some(0), "{talk}");
    }
    check(&folder);
}

/// Makes every file of the lake ten days older.
fn age(folder: &Folder) {
    let then = SystemTime::now() - Duration::from_secs(10 * 24 * 3600);
    for path in folder.files("grid") {
        fs::File::options().write(true).open(folder.root().join(path)).unwrap().set_modified(then).unwrap();
    }
}

/// The data files of the lake.
fn data_files(folder: &Folder) -> usize {
    folder.files("grid").iter().filter(|path| path.ends_with(".parquet") && !path.contains("/_")).count()
}

#[test]
#[ignore = "a run may wait without end for the work of an executor that has died: docs/cluster.md says so"]
fn an_executor_that_is_killed_or_stopped_leaves_right_tables_and_no_file_that_gc_does_not_remove() {
    let _turn = turn();
    let folder = sample("6000");
    folder.karat(&["run", "--quiet"]);
    for name in ["KILL", "STOP"] {
        let cluster = Cluster::start(&folder, 2);
        use_cluster(&folder, cluster.port, 4);
        run(&folder, &["--full-refresh"]);
        let mut disturbed = start(&folder, &["--full-refresh"]);
        disturbed.await_middle();
        signal(&cluster.executors[0], name);
        // The other executor does all of the work, or the run says what went wrong and changes nothing more.
        let (code, talk) = disturbed.end();
        assert!([Some(0), Some(1), Some(3)].contains(&code), "{talk}");
        if name == "STOP" {
            // It goes on with what was taken from it: its files are nobody's.
            signal(&cluster.executors[0], "CONT");
            std::thread::sleep(SILENCE / 4);
        }
        run(&folder, &[]);
        check(&folder);
        // Beyond the files of its versions, the lake has those of attempts that gave no answer: `gc` finds them.
        age(&folder);
        folder.karat(&["gc", "--target", "grid", "--yes"]);
        let kept = data_files(&folder);
        check(&folder);
        age(&folder);
        folder.karat(&["gc", "--target", "grid", "--yes"]);
        assert_eq!(data_files(&folder), kept);
    }
}

#[test]
fn a_scheduler_that_dies_ends_the_run_and_the_next_builds_what_is_missing() {
    let _turn = turn();
    let folder = sample("6000");
    folder.karat(&["run", "--quiet"]);
    let mut cluster = Cluster::start(&folder, 1);
    use_cluster(&folder, cluster.port, 4);
    run(&folder, &["--full-refresh"]);
    check(&folder);
    let mut disturbed = start(&folder, &["--full-refresh"]);
    disturbed.await_middle();
    cluster.scheduler.kill().unwrap();
    let (code, talk) = disturbed.end();
    assert_eq!(code, Some(3), "{talk}");
    assert!(talk.contains("does not answer"), "{talk}");
    // What was committed is right, and the rest is as it was.
    check(&folder);
    drop(cluster);
    assert_eq!(start(&folder, &["--full-refresh"]).end().0, Some(3));
    let cluster = Cluster::start(&folder, 1);
    use_cluster(&folder, cluster.port, 4);
    run(&folder, &["--full-refresh"]);
    check(&folder);
}

#[test]
fn a_run_that_is_interrupted_cancels_its_jobs() {
    let _turn = turn();
    let folder = sample("6000");
    folder.karat(&["run", "--quiet"]);
    let cluster = Cluster::start(&folder, 1);
    use_cluster(&folder, cluster.port, 4);
    run(&folder, &["--full-refresh"]);
    let mut stopped = start(&folder, &["--full-refresh"]);
    stopped.await_middle();
    signal(&stopped.process, "INT");
    let (code, talk) = stopped.end();
    assert_eq!(code, Some(130), "{talk}");
    check(&folder);
    // The one slot is free again: another run does not wait for the jobs of the first.
    run(&folder, &["--full-refresh"]);
    check(&folder);
}
