//! A real object store: one MinIO for the whole test program, which ends with it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::folder::repository;

/// A server that runs.
pub(crate) struct Minio {
    pub(crate) endpoint: String,
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
    folder: PathBuf,
    buckets: AtomicUsize,
    /// Its standard input closes with this program, however that ends, and then the server goes with all its data.
    _process: Child,
}

/// The server, started at the first call; none, which is said, if this machine cannot build it. In CI that is a failure.
pub(crate) fn minio() -> Option<&'static Minio> {
    static MINIO: OnceLock<Result<Minio, String>> = OnceLock::new();
    match MINIO.get_or_init(Minio::start) {
        Ok(minio) => Some(minio),
        Err(reason) => {
            skip("nothing was tested on a real object store", reason);
            None
        }
    }
}

/// Says that something was not tested, also when the test passes; in CI the test fails.
pub(crate) fn skip(what: &str, reason: &str) {
    let is_ci = std::env::var_os("CI").is_some_and(|value| value == "true");
    assert!(!is_ci, "{what}: {reason}");
    // The macros that print are silent in a test that passes.
    let _ = writeln!(std::io::stderr(), "SKIPPED: {what}: {reason}");
}

impl Minio {
    fn start() -> Result<Minio, String> {
        // The script removes the folder: what is static here is never dropped.
        let folder = tempfile::Builder::new().prefix("karat-minio-").tempdir().unwrap().keep();
        let (access_key, secret_key) = (random(), random());
        let mut process = Command::new(repository().join("tests/minio/minio.sh"))
            .arg("serve")
            .arg(&folder)
            .env("MINIO_ROOT_USER", &access_key)
            .env("MINIO_ROOT_PASSWORD", &secret_key)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("tests/minio/minio.sh: {error}"))?;
        let mut address = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut address).unwrap();
        if address.is_empty() {
            let status = process.wait().unwrap();
            let _ = std::fs::remove_dir_all(&folder);
            return Err(format!("`tests/minio/minio.sh serve` ended with {status}"));
        }
        let endpoint = address.trim().to_owned();
        std::fs::write(folder.join("profile.yml"), profile(&endpoint)).unwrap();
        Ok(Minio { endpoint, access_key, secret_key, folder, buckets: AtomicUsize::new(0), _process: process })
    }

    /// The name of a new bucket. On a single drive, MinIO's buckets are its folders.
    pub(crate) fn bucket(&self) -> String {
        let bucket = format!("bucket-{}", self.buckets.fetch_add(1, Ordering::Relaxed));
        std::fs::create_dir(self.folder.join("data").join(&bucket)).unwrap();
        bucket
    }

    /// The environment that a karat run needs to reach this server.
    pub(crate) fn variables(&self) -> BTreeMap<String, String> {
        variables(&self.access_key, &self.secret_key, &self.folder.join("profile.yml"))
    }
}

/// A user's profile that lets the credentials of the environment go to one server.
pub(crate) fn profile(endpoint: &str) -> String {
    format!("endpoints:\n  \"{endpoint}\":\n    credentials: environment\n")
}

/// Credentials, region and profile, as karat and other clients of S3 look for them.
pub(crate) fn variables(access_key: &str, secret_key: &str, profile: &Path) -> BTreeMap<String, String> {
    let pairs = [
        ("AWS_ACCESS_KEY_ID", access_key),
        ("AWS_SECRET_ACCESS_KEY", secret_key),
        ("AWS_REGION", "us-east-1"),
        ("KARAT_PROFILE", profile.to_str().unwrap()),
    ];
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// Thirty-two letters and digits.
fn random() -> String {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).unwrap();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
