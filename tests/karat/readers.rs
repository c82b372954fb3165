//! Other engines read what karat writes: DuckDB, Polars and deltalake see the same rows as karat.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::folder::{Folder, repository};

/// Installed once into `target/python-readers`, at these versions.
const PACKAGES: [&str; 4] = ["duckdb==2.0.0", "polars==2.1.0", "deltalake==1.6.6", "pyarrow==26.0.1"];

#[test]
fn duckdb_polars_and_deltalake_read_the_tables() {
    let python = match python() {
        Ok(python) => python,
        Err(reason) => {
            let is_ci = std::env::var_os("CI").is_some_and(|value| value == "true");
            assert!(!is_ci, "{reason}");
            eprintln!("SKIPPED: whether other engines read the tables was not tested: {reason}");
            return;
        }
    };
    let folder = Folder::with_sample();
    folder.karat(&["sample-data", "--rows", "4000", "--days", "40", "--users", "80", "--seed", "4"]);
    folder.karat(&["build", "--quiet"]);
    check(&folder, &python);
    // A second version, which replaces some partitions, and a table whose columns changed.
    folder.karat(&["run", "--quiet", "--start", "2023-01-20", "--end", "2023-01-22"]);
    let model = folder.root().join("models/gold/daily_active_users.sql");
    let sql = std::fs::read_to_string(&model).unwrap();
    folder.write(
        "models/gold/daily_active_users.sql",
        sql.replace("count(*) as dau,", "count(*) as dau, 'é ☃' as mark,"),
    );
    folder.karat(&["run", "--quiet", "--select", "daily_active_users"]);
    check(&folder, &python);
}

/// Compares the counts of all engines with karat's; that the engines agree on the rows is checked by the script.
fn check(folder: &Folder, python: &PathBuf) {
    let script = repository().join("tests/readers/check.py");
    let output = Command::new(python).arg(script).arg(folder.root().join("lake")).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let tables: BTreeMap<String, Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert!(tables.len() > 15, "{tables:?}");
    for (table, found) in tables {
        let count = folder.query(&format!("select count(*) from {table}"));
        assert_eq!(count[0][0], found["rows"].to_string(), "{table}");
    }
}

/// A Python that has the packages, or why there is none.
fn python() -> Result<PathBuf, String> {
    let home = repository().join("target/python-readers").join(PACKAGES.join("-").replace("==", "-"));
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
    run(Command::new(&python).args(install).args(PACKAGES))?;
    std::fs::write(is_ready, "").map_err(|error| error.to_string())?;
    Ok(python)
}
