//! Proves on the real store what commits rely on: put-if-absent above all.

mod finding;
mod race;
#[cfg(test)]
mod tests;

pub(crate) use finding::{Proof, ProofFinding, ProofVerdict};

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, Result};

use super::error::{io_kind, told};
use race::Races;

/// Where proofs write. Each has a folder of its own below it, and leaves nothing.
const FOLDER: &str = "_karat/proof";

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How far the clock of the store may be from that of this machine.
const CLOCK_SKEW: i64 = 60;

/// How hard put-if-absent is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RaceShape {
    /// How many writers put each object.
    pub writers: u32,
    /// How many objects they put.
    pub keys: u32,
}

impl Default for RaceShape {
    fn default() -> RaceShape {
        RaceShape { writers: 64, keys: 50 }
    }
}

/// Looks at a store by writing to it, for a few seconds. Everything that was written is removed again.
pub(crate) async fn prove(
    store: &Arc<dyn ObjectStore>,
    shape: RaceShape,
    now: &(dyn Fn() -> DateTime<Utc> + Send + Sync),
) -> Proof {
    let mut bytes = [0; 16];
    if let Err(error) = getrandom::fill(&mut bytes) {
        return Proof {
            findings: vec![ProofFinding::bad("write", format!("this machine has no random numbers: {error}"))],
        };
    }
    let unique: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let folder = Path::from(FOLDER).join(unique);
    let mut look = Look { store, folder, findings: Vec::new(), stored: BTreeSet::new(), attempted: BTreeSet::new() };
    if look.write(now).await {
        look.read().await;
        if look.conditions().await {
            let races = Races::run(store, &look.folder, shape).await;
            look.findings.push(races.finding(shape));
            look.stored.extend(races.stored);
            look.attempted.extend(races.attempted);
        }
        look.list().await;
    }
    look.delete().await;
    Proof { findings: look.findings }
}

/// A proof that is under way.
struct Look<'a> {
    store: &'a Arc<dyn ObjectStore>,
    folder: Path,
    findings: Vec<ProofFinding>,
    /// Objects that are there for sure.
    stored: BTreeSet<Path>,
    /// Objects that may be there.
    attempted: BTreeSet<Path>,
}

impl Look<'_> {
    fn probe(&self) -> Path {
        self.folder.clone().join("probe")
    }

    /// Whether anything can be written at all; and what the store's clock says.
    async fn write(&mut self, now: &(dyn Fn() -> DateTime<Utc> + Send + Sync)) -> bool {
        let probe = self.probe();
        self.attempted.insert(probe.clone());
        let before = now();
        if let Err(error) = answer(self.store.put(&probe, "first".into())).await {
            self.findings.push(ProofFinding::bad("write", format!("objects cannot be written: {}", said(&error))));
            return false;
        }
        let after = now();
        self.stored.insert(probe.clone());
        self.findings.push(ProofFinding::good("write", "objects can be written"));
        // What prevents a look at the object is told by the reads.
        if let Ok(object) = answer(self.store.head(&probe)).await {
            self.findings.push(clock(object.last_modified, before, after));
        }
        true
    }

    /// Whether reads show what was written last.
    async fn read(&mut self) {
        let finding = self.read_what_was_written().await;
        self.findings.push(finding);
    }

    async fn read_what_was_written(&self) -> ProofFinding {
        let probe = self.probe();
        let get = async || answer(async { self.store.get(&probe).await?.bytes().await }).await;
        let first = match get().await {
            Ok(bytes) => bytes,
            Err(Error::NotFound { .. }) => return ProofFinding::bad("read", "an object that was written is not found"),
            Err(error) => return ProofFinding::bad("read", format!("objects cannot be read: {}", said(&error))),
        };
        if first != "first" {
            return ProofFinding::bad("read", "a read gave other bytes than those that were written");
        }
        if let Err(error) = answer(self.store.put(&probe, "second".into())).await {
            return ProofFinding::warning("read", format!("objects cannot be overwritten: {}", said(&error)));
        }
        match get().await {
            Ok(second) if second == "second" => ProofFinding::good("read", "a read shows what was written last"),
            Ok(_) => ProofFinding::bad("read", "a read after a write gave older bytes, so a run could miss commits"),
            Err(error) => ProofFinding::bad("read", format!("objects cannot be read: {}", said(&error))),
        }
    }

    /// Whether the store knows conditional puts, so that races make sense.
    async fn conditions(&mut self) -> bool {
        let path = self.folder.clone().join("condition");
        self.attempted.insert(path.clone());
        let text = match answer(self.store.put_opts(&path, "condition".into(), PutMode::Create.into())).await {
            Ok(_) => {
                self.stored.insert(path);
                return true;
            }
            Err(Error::NotImplemented { .. } | Error::NotSupported { .. }) => {
                "the store does not know conditional puts (`If-None-Match`), which commits need".to_owned()
            }
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => {
                "a conditional put was refused although nothing was there".to_owned()
            }
            Err(error) => {
                format!("conditional puts (`If-None-Match`) fail, which commits need: {}", said(&error))
            }
        };
        self.findings.push(ProofFinding::bad("race", text));
        false
    }

    /// Whether lists show exactly what is there.
    async fn list(&mut self) {
        let finding = match self.listed(None).await {
            Ok(found) => self.compare(&found, None).await,
            Err(error) => ProofFinding::bad("list", format!("objects cannot be listed: {}", said(&error))),
        };
        self.findings.push(finding);
    }

    async fn compare(&self, found: &BTreeSet<Path>, offset: Option<&Path>) -> ProofFinding {
        let is_behind = |path: &&Path| offset.is_none_or(|offset| *path > offset);
        let expected = self.stored.iter().filter(is_behind);
        let there = expected.clone().count();
        let missing = expected.filter(|path| !found.contains(*path)).count();
        let strange = found.iter().filter(|path| !self.attempted.contains(*path) || !is_behind(path)).count();
        let (kind, hint) =
            if offset.is_some() { ("a list behind an offset", " (`start-after`)") } else { ("a list", "") };
        if missing > 0 {
            let text = format!("{kind}{hint} left out {missing} of {there} objects, so a run could miss commits");
            return ProofFinding::bad("list", text);
        }
        if strange > 0 {
            return ProofFinding::bad(
                "list",
                format!("{kind}{hint} showed {strange} objects that do not belong there"),
            );
        }
        match (offset, self.stored.iter().nth(self.stored.len() / 2)) {
            (None, Some(middle)) => match self.listed(Some(middle)).await {
                Ok(found) => Box::pin(self.compare(&found, Some(middle))).await,
                Err(error) => ProofFinding::bad("list", format!("lists behind an offset fail: {}", said(&error))),
            },
            _ => ProofFinding::good("list", "a list shows exactly what was written"),
        }
    }

    async fn listed(&self, offset: Option<&Path>) -> Result<BTreeSet<Path>> {
        let found = match offset {
            Some(offset) => self.store.list_with_offset(Some(&self.folder), offset),
            None => self.store.list(Some(&self.folder)),
        };
        answer(found.map_ok(|object| object.location).try_collect()).await
    }

    /// Removes all that was written, and looks whether it is gone.
    async fn delete(&mut self) {
        let paths: Vec<Result<Path>> = self.attempted.iter().cloned().map(Ok).collect();
        let mut removed = self.store.delete_stream(stream::iter(paths).boxed());
        let mut failure = None;
        loop {
            match answer(async { removed.next().await.transpose() }).await {
                Ok(None) => break,
                Ok(Some(_)) | Err(Error::NotFound { .. }) => {}
                Err(error) => {
                    let is_silent = is_time_out(&error);
                    failure = Some(error);
                    if is_silent {
                        break;
                    }
                }
            }
        }
        if let Some(error) = failure {
            if self.stored.is_empty() {
                // Nothing was written: there is nothing to prove it with.
                return;
            }
            let text = format!("objects cannot be removed: {}; `{}` stays behind", said(&error), self.folder);
            self.findings.push(ProofFinding::warning("delete", text));
        } else if !self.stored.is_empty() {
            // What prevents a list was told before.
            let left = self.listed(None).await.map_or(0, |left| left.len());
            self.findings.push(if left == 0 {
                ProofFinding::good("delete", "objects can be removed")
            } else {
                ProofFinding::warning("delete", format!("a list still shows {left} objects that were removed"))
            });
        }
    }
}

/// What the time of an object that was written between two moments says about the store's clock.
fn clock(stored: DateTime<Utc>, before: DateTime<Utc>, after: DateTime<Utc>) -> ProofFinding {
    let behind = (before - stored).num_seconds();
    let ahead = (stored - after).num_seconds();
    let away = |seconds, direction| {
        let text = format!("the store's clock is {seconds} s {direction} this machine's");
        ProofFinding::warning("clock", text)
    };
    if behind > CLOCK_SKEW {
        away(behind, "behind")
    } else if ahead > CLOCK_SKEW {
        away(ahead, "ahead of")
    } else {
        ProofFinding::good("clock", format!("the store's clock is less than {CLOCK_SKEW} s from this machine's"))
    }
}

/// The answer, or that there is none.
async fn answer<T>(question: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(PATIENCE, question).await.unwrap_or_else(|_| {
        let text = format!("no answer within {} s", PATIENCE.as_secs());
        Err(Error::Generic { store: "proof", source: io::Error::new(io::ErrorKind::TimedOut, text).into() })
    })
}

fn is_time_out(error: &Error) -> bool {
    io_kind(error) == Some(io::ErrorKind::TimedOut)
}

/// An error in one line: what the store answered may be a document.
fn said(error: &Error) -> String {
    let of = |source: &dyn std::error::Error| told(&source.to_string());
    match error {
        Error::PermissionDenied { source, .. } => format!("permission denied: {}", of(source.as_ref())),
        Error::Unauthenticated { source, .. } => format!("the credentials are not accepted: {}", of(source.as_ref())),
        Error::Generic { source, .. } => of(source.as_ref()),
        other => of(other),
    }
}
