//! Many writers put one object at the same time: exactly one of them may win.

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, stream};
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode};
use tokio::time::{Instant, timeout_at};

use super::RaceShape;
use super::finding::ProofFinding;
use super::said;

/// No further race begins after this long.
const DEADLINE: Duration = Duration::from_secs(5);

/// How long races that have begun may take beyond that: puts that are given up could land after the clean-up.
const GRACE: Duration = Duration::from_secs(10);

/// How many races go on at the same time.
const RACES_AT_ONCE: usize = 4;

/// How many puts of one race are on their way at the same time.
const WRITERS_AT_ONCE: usize = 64;

/// How many writers come after a race is over.
const LATE_WRITERS: u32 = 2;

/// What became of all races.
#[derive(Debug, Default)]
pub(super) struct Races {
    run: u32,
    several_winners: u32,
    not_the_winners: u32,
    replaced_later: u32,
    unclear: u32,
    trouble: Option<String>,
    /// Objects that are there for sure.
    pub stored: Vec<Path>,
    /// Objects that may be there.
    pub attempted: Vec<Path>,
}

/// What became of one race.
#[derive(Debug, Default)]
struct Race {
    winners: Vec<u32>,
    not_the_winners: bool,
    replaced_later: bool,
    trouble: Option<String>,
}

impl Races {
    pub async fn run(store: &Arc<dyn ObjectStore>, folder: &Path, shape: RaceShape) -> Races {
        let mut races = Races::default();
        let start = Instant::now();
        let paths: Vec<Path> = (0..shape.keys).map(|key| folder.clone().join(format!("race-{key:04}"))).collect();
        let mut attempted = Vec::new();
        {
            let in_time = paths.into_iter().take_while(|_| start.elapsed() < DEADLINE);
            let begun = in_time.inspect(|path| attempted.push(path.clone()));
            let mut over = stream::iter(begun)
                .map(|path| async move { (Race::run(store, &path, shape.writers).await, path) })
                .buffer_unordered(RACES_AT_ONCE);
            loop {
                match timeout_at(start + DEADLINE + GRACE, over.next()).await {
                    Ok(Some((race, path))) => races.count(race, path),
                    Ok(None) => break,
                    Err(_) => {
                        races.trouble = Some(format!("no answer within {} s", (DEADLINE + GRACE).as_secs()));
                        break;
                    }
                }
            }
        }
        races.attempted = attempted;
        races
    }

    fn count(&mut self, race: Race, path: Path) {
        self.run += 1;
        self.several_winners += u32::from(race.winners.len() > 1);
        self.not_the_winners += u32::from(race.not_the_winners);
        self.replaced_later += u32::from(race.replaced_later);
        self.unclear += u32::from(race.winners.is_empty());
        if !race.winners.is_empty() {
            self.stored.push(path);
        }
        if self.trouble.is_none() {
            self.trouble = race.trouble;
        }
    }

    pub fn finding(&self, shape: RaceShape) -> ProofFinding {
        let broken = [
            (self.several_winners, "had more than one winner"),
            (self.not_the_winners, "stored other bytes than the winner's"),
            (self.replaced_later, "had a later put replace the winner's bytes"),
        ];
        let broken: Vec<String> = broken
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} of {} races {what}", self.run))
            .collect();
        if !broken.is_empty() {
            let text = format!(
                "put-if-absent is not atomic: {}; concurrent runs would destroy each other's commits",
                broken.join(", ")
            );
            return ProofFinding::bad("race", text);
        }
        let trouble = self.trouble.as_ref().map(|trouble| format!(": {trouble}")).unwrap_or_default();
        let clear = self.run - self.unclear;
        let wanted = shape.keys;
        let held = format!("put-if-absent held in {clear} races of {} writers", shape.writers);
        if clear == 0 {
            ProofFinding::bad("race", format!("put-if-absent is not proven, as no race had an answer{trouble}"))
        } else if self.unclear > 0 {
            ProofFinding::warning("race", format!("{held}; {} more had no clear winner{trouble}", self.unclear))
        } else if self.run < wanted {
            let left = wanted - self.run;
            ProofFinding::warning("race", format!("{held}; the store was too slow for the other {left}{trouble}"))
        } else {
            ProofFinding::good("race", held)
        }
    }
}

impl Race {
    async fn run(store: &Arc<dyn ObjectStore>, path: &Path, writers: u32) -> Race {
        let mut race = Race::default();
        let puts = stream::iter(0..writers).map(|writer| async move { (writer, put(store, path, writer).await) });
        let mut puts = puts.buffer_unordered(WRITERS_AT_ONCE);
        while let Some((writer, answer)) = puts.next().await {
            match answer {
                Ok(true) => race.winners.push(writer),
                Ok(false) => {}
                Err(error) => race.trouble = Some(said(&error)),
            }
        }
        match read(store, path).await {
            // A writer whose answer was lost may have won, unless another one was told that it did.
            Ok(stored) => race.not_the_winners = !race.winners.is_empty() && !race.wrote(&stored),
            Err(Error::NotFound { .. }) => race.not_the_winners = !race.winners.is_empty(),
            Err(error) => race.trouble = Some(said(&error)),
        }
        if !race.winners.is_empty() {
            for writer in writers..writers + LATE_WRITERS {
                race.replaced_later |= matches!(put(store, path, writer).await, Ok(true));
            }
        }
        race
    }

    fn wrote(&self, stored: &[u8]) -> bool {
        self.winners.iter().any(|winner| bytes_of(*winner).as_bytes() == stored)
    }
}

/// Whether the writer won.
async fn put(store: &Arc<dyn ObjectStore>, path: &Path, writer: u32) -> Result<bool, Error> {
    match store.put_opts(path, bytes_of(writer).into(), PutMode::Create.into()).await {
        Ok(_) => Ok(true),
        Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

async fn read(store: &Arc<dyn ObjectStore>, path: &Path) -> Result<bytes::Bytes, Error> {
    store.get(path).await?.bytes().await
}

fn bytes_of(writer: u32) -> String {
    format!("writer {writer}")
}
