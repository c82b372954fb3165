//! Other engines read what karat writes: DuckDB, Polars and deltalake see the same rows as karat.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use object_store::{ObjectStoreExt, path::Path as Key};
use serde_json::Value;

use crate::folder::{Folder, repository};
use crate::minio::{minio, skip};
use crate::object_stores::{blocking, builder};

/// Installed once into `target/python-readers`, at these versions.
const PACKAGES: [&str; 4] = ["duckdb==2.0.0", "polars==2.1.0", "deltalake==1.6.6", "pyarrow==26.0.1"];

/// Where the tables are.
pub(crate) struct Lake {
    place: String,
    variables: BTreeMap<String, String>,
}

impl Lake {
    pub(crate) fn folder(path: &Path) -> Lake {
        Lake { place: path.to_str().unwrap().to_owned(), variables: BTreeMap::new() }
    }

    /// At `s3://bucket/prefix` of a server, with the credentials of these variables.
    pub(crate) fn bucket(url: &str, endpoint: &str, variables: BTreeMap<String, String>) -> Lake {
        let mut variables = variables;
        variables.insert("AWS_ENDPOINT_URL".to_owned(), endpoint.to_owned());
        Lake { place: url.to_owned(), variables }
    }
}

/// The other engines.
pub(crate) struct Readers {
    python: &'static Path,
}

/// The engines, installed at the first call; none, which is said, if this machine cannot install them. In CI that is a failure.
pub(crate) fn readers() -> Option<Readers> {
    static PYTHON: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match PYTHON.get_or_init(python) {
        Ok(python) => Some(Readers { python }),
        Err(reason) => {
            skip("whether other engines read the tables was not tested", reason);
            None
        }
    }
}

impl Readers {
    /// By table, the number of its rows. That all engines see the same rows is checked.
    pub(crate) fn count_rows(&self, lake: &Lake) -> BTreeMap<String, u64> {
        self.tables(lake).into_iter().map(|(table, found)| (table, found["rows"].as_u64().unwrap())).collect()
    }

    /// By table, the number of its rows and a hash of them. That all engines see the same rows is checked.
    pub(crate) fn tables(&self, lake: &Lake) -> BTreeMap<String, Value> {
        let script = repository().join("tests/readers/check.py");
        let output = self.run(Command::new(self.python).arg(script).arg(&lake.place).envs(&lake.variables));
        serde_json::from_slice(&output).unwrap()
    }

    /// By table, the rows of views of DuckDB in one file and of frames of Polars in another, as [`Readers::tables`] counts them.
    pub(crate) fn registered(&self, views: &Path, frames: &Path) -> Value {
        let script = repository().join("tests/readers/registered.py");
        serde_json::from_slice(&self.run(Command::new(self.python).arg(script).arg(views).arg(frames))).unwrap()
    }

    /// Lets deltalake write a checkpoint of a table, and removes the commits that it makes dispensable.
    pub(crate) fn shorten_log(&self, table: &Path) {
        let program = "import deltalake, sys; deltalake.DeltaTable(sys.argv[1]).create_checkpoint()";
        self.run(Command::new(self.python).args(["-c", program]).arg(table));
        let log = table.join("_delta_log");
        let mut commits = Vec::new();
        crate::folder::walk(&log, &mut commits);
        for commit in commits.iter().filter(|path| path.extension().is_some_and(|extension| extension == "json")) {
            std::fs::remove_file(commit).unwrap();
        }
    }

    /// Lets deltalake write all files of a table anew, with the same rows in another order.
    pub(crate) fn rearrange(&self, lake: &Lake, table: &str) {
        let program = "import deltalake, os, sys\n\
             names = ('AWS_ENDPOINT_URL', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_REGION')\n\
             options = {name: os.environ[name] for name in names if name in os.environ}\n\
             options['AWS_ALLOW_HTTP'] = 'true'\n\
             table = deltalake.DeltaTable(sys.argv[1], storage_options=options)\n\
             before = set(table.file_uris())\n\
             table.optimize.z_order(['amount'])\n\
             assert before.isdisjoint(table.file_uris()), 'files stayed'\n";
        let table = format!("{}/{table}", lake.place);
        self.run(Command::new(self.python).args(["-c", program]).arg(table).envs(&lake.variables));
    }

    /// Lets three engines write the same rows, each into folders that are named after values.
    pub(crate) fn write_partitioned(&self, folder: &Path) {
        let script = repository().join("tests/readers/partitioned.py");
        self.run(Command::new(self.python).arg(script).arg(folder));
    }

    fn run(&self, command: &mut Command) -> Vec<u8> {
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }
}

#[test]
fn duckdb_polars_and_deltalake_read_the_tables() {
    let Some(readers) = readers() else { return };
    let folder = built();
    let lake = Lake::folder(&folder.root().join("lake"));
    check(&folder, &readers, &lake);
    // A second version, which replaces some partitions, and a table whose columns changed.
    folder.karat(&["run", "--quiet", "--start", "2023-01-20", "--end", "2023-01-22"]);
    let model = folder.root().join("models/gold/daily_active_users.sql");
    let sql = std::fs::read_to_string(&model).unwrap();
    folder.write(
        "models/gold/daily_active_users.sql",
        format!(
            "{{{{ config(on_schema_change='sync_all_columns') }}}}\n{}",
            sql.replace("count(*) as dau,", "count(*) as dau, 'é ☃' as mark,")
        ),
    );
    folder.karat(&["run", "--quiet", "--select", "daily_active_users"]);
    check(&folder, &readers, &lake);
    // Another engine's checkpoint is all that is left of the log, and then there is one commit more.
    readers.shorten_log(&folder.root().join("lake/gold/daily_active_users"));
    check(&folder, &readers, &lake);
    folder.karat(&["run", "--quiet", "--select", "daily_active_users", "--full-refresh"]);
    check(&folder, &readers, &lake);
}

#[test]
fn the_readers_see_the_same_rows_where_columns_came_and_went_and_rows_were_merged() {
    let Some(readers) = readers() else { return };
    let folder = Folder::with_shop();
    folder.write("data/1.csv", "day,amount\n2023-05-01,1\n2023-05-02,2\n2023-05-03,3\n");
    let model = |name: &str, config: &str, columns: &str| {
        let text = format!(
            "{{{{ config(materialized='incremental', {config}) }}}}\nselect {columns} from {{{{ ref('orders') }}}}\n"
        );
        folder.write(&format!("models/{name}.sql"), text);
    };
    let append = "event_time='day', partition_by='day', on_schema_change='append_new_columns'";
    let sync = "event_time='day', on_schema_change='sync_all_columns'";
    let parted = "event_time='day', partition_by='day', on_schema_change='sync_all_columns'";
    let merge = "incremental_strategy='merge', unique_key='day', on_schema_change='append_new_columns'";
    let models = [("appended", append), ("synced", sync), ("parted", parted), ("merged", merge)];
    for (name, config) in models {
        model(name, config, "day, amount, 'é ☃' as mark");
    }
    folder.karat(&["run", "--quiet"]);
    for (name, config) in models {
        model(name, config, "amount * 10 as tenfold, day, [amount, 2] as list, day > '2023-05-02' as late");
    }
    let slice = ["run", "--quiet", "--start", "2023-05-02", "--select", "appended", "synced", "parted"];
    folder.karat(&slice);
    folder.write("data/1.csv", "day,amount\n2023-05-02,5\n2023-05-04,4\n");
    folder.karat(&["run", "--quiet", "--select", "orders", "merged"]);
    let counted = readers.count_rows(&Lake::folder(&folder.root().join("lake")));
    for (table, rows) in [("appended", 3), ("synced", 3), ("parted", 3), ("merged", 4)] {
        assert_eq!(counted[&format!("shop.{table}")], rows, "{table}");
        let sql = format!("select count(*), count(tenfold), sum(tenfold) from {{{{ ref('{table}') }}}}");
        let found = folder.query(&sql);
        let expected = if table == "merged" { ["4", "2", "90"] } else { ["3", "1", "20"] };
        assert_eq!(found, [expected], "{table}");
    }
}

#[test]
fn the_readers_see_the_same_in_an_object_store() {
    let (Some(readers), Some(minio)) = (readers(), minio()) else { return };
    let folder = built();
    readers.shorten_log(&folder.root().join("lake/gold/daily_active_users"));
    let bucket = minio.bucket();
    let store = builder(&minio.endpoint, &bucket, &minio.variables()).build().unwrap();
    for file in folder.files("lake") {
        let bytes = std::fs::read(folder.root().join(&file)).unwrap();
        blocking(store.put(&Key::parse(format!("some/{file}")).unwrap(), bytes.into())).unwrap();
    }
    let url = format!("s3://{bucket}/some/lake");
    check(&folder, &readers, &Lake::bucket(&url, &minio.endpoint, minio.variables()));
}

/// The sample project with all its tables.
pub(crate) fn built() -> Folder {
    let folder = Folder::with_sample();
    folder.karat(&["sample-data", "--rows", "4000", "--days", "40", "--users", "80", "--seed", "4"]);
    folder.karat(&["build", "--quiet"]);
    folder
}

/// Compares the counts of all engines with karat's.
fn check(folder: &Folder, readers: &Readers, lake: &Lake) {
    let tables = readers.count_rows(lake);
    assert!(tables.len() > 15, "{tables:?}");
    for (table, rows) in tables {
        let count = folder.query(&format!("select count(*) from {table}"));
        assert_eq!(count[0][0], rows.to_string(), "{table}");
    }
}

/// A Python that has the packages, or why there is none.
fn python() -> Result<PathBuf, String> {
    installed(&PACKAGES)
}

/// A Python that has these packages.
pub(crate) fn installed(packages: &[&str]) -> Result<PathBuf, String> {
    let home = repository().join("target/python-readers").join(packages.join("-").replace("==", "-"));
    let python = home.join("bin/python");
    let is_ready = home.join("ready");
    if is_ready.exists() {
        return Ok(python);
    }
    let run = |command: &mut Command| {
        let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() { Ok(()) } else { Err(format!("{command:?}: {errors}")) }
    };
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&home))?;
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"];
    run(Command::new(&python).args(install).args(packages))?;
    std::fs::write(is_ready, "").map_err(|error| error.to_string())?;
    Ok(python)
}
