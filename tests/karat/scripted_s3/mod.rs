//! A small S3 server of the tests' own, which keeps objects in memory, remembers what was asked, and fails as it is told.
//!
//! A real server never loses an answer on purpose. This one does, at the request that a test chose.

mod http;
mod objects;
mod requests;
mod script;
mod xml;

mod tests;

use std::collections::BTreeMap;
use std::io::{BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tempfile::TempDir;

use self::http::{Answer, Message};
use self::objects::Objects;
pub(crate) use self::requests::{Action, Request};
use self::script::Script;
pub(crate) use self::script::{Conditions, Fault, Rule};

/// Ends with all its connections when it is dropped.
pub(crate) struct ScriptedS3 {
    address: SocketAddr,
    state: Arc<State>,
    buckets: AtomicUsize,
    home: TempDir,
}

/// What the threads of the connections share.
struct State {
    inner: Mutex<Inner>,
    has_ended: AtomicBool,
}

/// All that a request may read or change, under one lock: requests happen one after the other, in the order of the log.
#[derive(Default)]
struct Inner {
    objects: Objects,
    script: Script,
    log: Vec<Request>,
    connections: Vec<TcpStream>,
}

impl ScriptedS3 {
    /// On a free port of this machine, without any bucket.
    pub(crate) fn start() -> ScriptedS3 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State { inner: Mutex::default(), has_ended: AtomicBool::new(false) });
        let shared = Arc::clone(&state);
        std::thread::spawn(move || accept(&listener, &shared));
        let home = tempfile::tempdir().unwrap();
        let server = ScriptedS3 { address, state, buckets: AtomicUsize::new(0), home };
        std::fs::write(server.profile(), crate::minio::profile(&server.endpoint())).unwrap();
        server
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The name of a new bucket.
    pub(crate) fn bucket(&self) -> String {
        let bucket = format!("bucket-{}", self.buckets.fetch_add(1, Ordering::Relaxed));
        self.inner().objects.create_bucket(&bucket);
        bucket
    }

    /// The environment that a karat run needs to reach this server. Any credentials will do.
    pub(crate) fn variables(&self) -> BTreeMap<String, String> {
        crate::minio::variables("scripted", "scripted", &self.profile())
    }

    /// Adds a rule about what shall go wrong.
    pub(crate) fn script(&self, rule: Rule) {
        self.inner().script.rules.push(rule);
    }

    /// From now on, nothing goes wrong.
    pub(crate) fn clear_script(&self) {
        self.inner().script.rules.clear();
    }

    /// From now on, conditional writes are treated like this.
    pub(crate) fn conditions(&self, conditions: Conditions) {
        self.inner().script.conditions = conditions;
    }

    /// How many faults of the script are still to come.
    pub(crate) fn faults_to_come(&self) -> usize {
        self.inner().script.rules.iter().map(Rule::to_come).sum()
    }

    /// What was asked since the last call, in the order in which it was done.
    pub(crate) fn take_requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.inner().log)
    }

    /// Writes an object without a request.
    pub(crate) fn put(&self, bucket: &str, key: &str, bytes: impl Into<Vec<u8>>) {
        self.inner().objects.put(bucket, key, bytes.into());
    }

    pub(crate) fn get(&self, bucket: &str, key: &str) -> Option<Vec<u8>> {
        self.inner().objects.get(bucket, key).map(|object| object.bytes.as_ref().clone())
    }

    /// The keys of a bucket that begin so, sorted.
    pub(crate) fn keys(&self, bucket: &str, prefix: &str) -> Vec<String> {
        self.inner().objects.keys(bucket, prefix)
    }

    /// All objects of a bucket.
    pub(crate) fn objects(&self, bucket: &str) -> BTreeMap<String, Vec<u8>> {
        let bytes = |key: &String| self.get(bucket, key).unwrap_or_default();
        self.keys(bucket, "").into_iter().map(|key| (key.clone(), bytes(&key))).collect()
    }

    /// How many uploads in parts were begun, and neither completed nor aborted.
    pub(crate) fn open_uploads(&self) -> usize {
        self.inner().objects.open_uploads()
    }

    /// Makes all objects of a bucket older, as if this time had passed since they were written.
    pub(crate) fn age(&self, bucket: &str, by: Duration) {
        self.inner().objects.age(bucket, by);
    }

    fn profile(&self) -> PathBuf {
        self.home.path().join("profile.yml")
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.state.inner.lock().unwrap()
    }
}

impl Drop for ScriptedS3 {
    fn drop(&mut self) {
        self.state.has_ended.store(true, Ordering::SeqCst);
        // The listener looks at the flag when somebody comes.
        let _ = TcpStream::connect(self.address);
        if let Ok(inner) = self.state.inner.lock() {
            for connection in &inner.connections {
                let _ = connection.shutdown(Shutdown::Both);
            }
        }
    }
}

/// One thread for each connection.
fn accept(listener: &TcpListener, state: &Arc<State>) {
    for stream in listener.incoming() {
        let Ok(stream) = stream else { continue };
        let mut inner = state.inner.lock().unwrap();
        if state.has_ended.load(Ordering::SeqCst) {
            return;
        }
        let _ = stream.set_nodelay(true);
        inner.connections.extend(stream.try_clone());
        drop(inner);
        let state = Arc::clone(state);
        std::thread::spawn(move || {
            serve(&stream, &state);
            // The copy that the server holds would keep the connection open.
            let _ = stream.shutdown(Shutdown::Both);
        });
    }
}

/// Answers the requests of one connection, until either side ends it.
fn serve(mut stream: &TcpStream, state: &State) {
    let mut reader = BufReader::new(stream);
    while let Some(message) = Message::read(&mut reader) {
        let is_head = message.method == "HEAD";
        let (answer, fault) = answer(&message, state);
        if let Some(Fault::SlowFirstByte(time)) = fault {
            std::thread::sleep(time);
        }
        let bytes = answer.to_bytes(is_head);
        let whole = match fault {
            Some(Fault::AppliedThenDrop) => return,
            // Half of the body, or of the head if there is no body.
            Some(Fault::Truncated) => bytes.len() - answer.body.len().div_ceil(2).max(1),
            _ => bytes.len(),
        };
        if stream.write_all(&bytes[..whole]).is_err() || whole < bytes.len() {
            return;
        }
    }
}

/// What is done and answered, and the fault that strikes, if one does.
fn answer(message: &Message, state: &State) -> (Answer, Option<Fault>) {
    let mut request = Request::of(message);
    let mut inner = state.inner.lock().unwrap();
    let Inner { objects, script, log, .. } = &mut *inner;
    let fault = script.strikes(&request);
    let answer = match fault {
        Some(Fault::Fail(status)) => Answer::failure(status, "Scripted"),
        Some(Fault::AppliedThen500) => {
            let _ = requests::apply(message, &request, objects, script.condition(&request));
            Answer::failure(500, "InternalError")
        }
        _ => requests::apply(message, &request, objects, script.condition(&request)),
    };
    let has_no_answer = matches!(fault, Some(Fault::AppliedThenDrop));
    request.status = (!has_no_answer).then_some(answer.status);
    log.push(request);
    (answer, fault)
}
