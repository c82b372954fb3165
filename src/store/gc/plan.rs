//! What can be removed, decided as data from names, times and the log.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use crate::delta::Version;
use crate::store::log_names::{LogName, LogVersions};
use crate::store::marks::Mark;
use crate::table::{LedgerName, LogActions, TableState};

/// An object as it was listed, by its name in the table's or the lake's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListedObject {
    pub name: String,
    pub bytes: u64,
    /// By the store's clock, milliseconds since 1970.
    pub modified: i64,
}

/// What an object is. Objects that are nothing of this are never removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ObjectKind {
    DataFile,
    Ledger,
    SourceFacts,
    Commit,
    Checkpoint,
    /// What a restore or a removal that died has left.
    Mark,
    Release,
    /// What a proof of the store has left.
    Proof,
    /// What a run has done.
    RunRecord,
    /// A file without its name, or an upload that was not completed.
    Unfinished,
}

impl ObjectKind {
    /// From a name in a table's folder.
    pub fn of(name: &str) -> Option<ObjectKind> {
        if name.starts_with("_delta_log/") {
            return match LogName::parse(name)? {
                LogName::Commit(_) | LogName::Derived(_) => Some(ObjectKind::Commit),
                LogName::Checkpoint { .. } => Some(ObjectKind::Checkpoint),
            };
        }
        if name.starts_with("_karat/ledger/") {
            return LedgerName::from_path(name).map(|_| ObjectKind::Ledger);
        }
        if name.starts_with("_karat/files/") {
            return name.ends_with(".zst").then_some(ObjectKind::SourceFacts);
        }
        if Mark::parse(name).is_some() {
            return Some(ObjectKind::Mark);
        }
        // What other engines keep beside the data lies in folders like `_change_data`.
        let is_hidden = name.split('/').any(|part| part.starts_with(['_', '.']));
        (name.ends_with(".parquet") && !is_hidden).then_some(ObjectKind::DataFile)
    }

    /// One of them, and many.
    pub fn nouns(self) -> (&'static str, &'static str) {
        match self {
            ObjectKind::DataFile => ("data file", "data files"),
            ObjectKind::Ledger => ("ledger", "ledgers"),
            ObjectKind::SourceFacts => ("list of source files", "lists of source files"),
            ObjectKind::Commit => ("log entry", "log entries"),
            ObjectKind::Checkpoint => ("checkpoint", "checkpoints"),
            ObjectKind::Mark => ("mark", "marks"),
            ObjectKind::Release => ("release", "releases"),
            ObjectKind::Proof => ("test object", "test objects"),
            ObjectKind::RunRecord => ("record of a run", "records of runs"),
            ObjectKind::Unfinished => ("unfinished file", "unfinished files"),
        }
    }
}

/// Objects that nobody needs, by their kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Removal(BTreeMap<ObjectKind, Vec<ListedObject>>);

impl Removal {
    fn of<'o>(objects: impl Iterator<Item = (ObjectKind, &'o ListedObject)>) -> Removal {
        let mut removal = Removal::default();
        for (kind, object) in objects {
            removal.0.entry(kind).or_default().push(object.clone());
        }
        removal
    }

    pub fn of_unfinished(files: impl Iterator<Item = ListedObject>) -> Removal {
        let files: Vec<ListedObject> = files.collect();
        Removal::of(files.iter().map(|file| (ObjectKind::Unfinished, file)))
    }

    /// Both together.
    pub fn and(mut self, other: Removal) -> Removal {
        for (kind, objects) in other.0 {
            self.0.entry(kind).or_default().extend(objects);
        }
        self
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.values().flatten().map(|object| object.name.as_str())
    }

    /// Per kind the number of objects and of their bytes.
    pub fn sums(&self) -> impl Iterator<Item = (ObjectKind, usize, u64)> {
        self.0.iter().map(|(kind, objects)| (*kind, objects.len(), objects.iter().map(|object| object.bytes).sum()))
    }
}

/// What of a table must stay readable: a version, and all after it.
#[derive(Debug)]
pub(crate) struct Kept {
    /// The oldest version that is kept, or the empty table if there is none.
    pub oldest: TableState,
    /// All that came after it.
    pub commits: Vec<(Version, LogActions)>,
    /// The version that the newest ledger came with: the commits after it tell what others did.
    pub ledger_version: Option<Version>,
    pub needed: Needed,
}

/// What the ledgers of kept versions need beside themselves.
#[derive(Debug, Default)]
pub(crate) struct Needed {
    /// The objects that they lie on.
    pub ledgers: BTreeSet<LedgerName>,
    /// The objects with what is known of source files, by their names in the table's folder.
    pub source_files: BTreeSet<String>,
}

impl Kept {
    /// The ledgers that kept versions name.
    pub fn named_ledgers(&self) -> BTreeSet<LedgerName> {
        let named = self.commits.iter().filter_map(|(_, actions)| actions.ledger);
        named.chain(self.oldest.transaction).collect()
    }

    fn files(&self) -> BTreeSet<&str> {
        let added = self.commits.iter().flat_map(|(_, actions)| &actions.add);
        self.oldest.files.iter().chain(added).map(|file| file.path.as_str()).collect()
    }
}

/// The oldest version that is kept: what was the newest at the horizon, what a release shows, what a restore has
/// pinned. A version's time is the one of its object, by the store's clock: that of a writer may be wrong, and tells
/// when its run began.
pub(crate) fn oldest_kept(
    objects: &[ListedObject],
    readable: RangeInclusive<Version>,
    shown: &BTreeSet<Version>,
    horizon: i64,
) -> Version {
    let mut committed = BTreeMap::new();
    let mut pinned = BTreeSet::new();
    for object in objects {
        if let Some(LogName::Commit(version)) = LogName::parse(&object.name) {
            committed.insert(version, object.modified);
        }
        if let (Some(Mark::Pin(version)), true) = (Mark::parse(&object.name), object.modified >= horizon) {
            pinned.insert(version);
        }
    }
    // A version whose commit is gone is older than all others.
    let at_horizon = Version::each(readable.clone())
        .rev()
        .find(|version| committed.get(version).is_none_or(|time| *time < horizon))
        .unwrap_or(*readable.start());
    // A log can only be shortened at its beginning: the oldest version that anybody needs decides.
    let needed = shown.iter().chain(&pinned).copied().filter(|version| version <= readable.end());
    needed.fold(at_horizon, Version::min).max(*readable.start())
}

/// What can be removed from a table's folder.
pub(crate) fn plan_gc(objects: &[ListedObject], kept: &Kept, horizon: i64) -> Removal {
    let files = kept.files();
    let named = kept.named_ledgers();
    let log_from = log_from(objects, kept);
    let is_needed = |kind: ObjectKind, name: &str| match kind {
        ObjectKind::DataFile => files.contains(name),
        ObjectKind::Ledger => LedgerName::from_path(name)
            .is_none_or(|ledger| named.contains(&ledger) || kept.needed.ledgers.contains(&ledger)),
        ObjectKind::SourceFacts => kept.needed.source_files.contains(name),
        ObjectKind::Commit | ObjectKind::Checkpoint => match (LogName::parse(name), log_from) {
            (Some(LogName::Commit(version) | LogName::Derived(version)), Some(from)) => version >= from,
            (Some(LogName::Checkpoint { version, .. }), Some(from)) => version >= from,
            (None, _) | (_, None) => true,
        },
        ObjectKind::Mark => false,
        ObjectKind::Release | ObjectKind::Proof | ObjectKind::RunRecord | ObjectKind::Unfinished => true,
    };
    // Younger objects may belong to a build that has not committed yet. Only age tells that nobody will.
    Removal::of(objects.iter().filter(|object| object.modified < horizon).filter_map(|object| {
        let kind = ObjectKind::of(&object.name)?;
        (!is_needed(kind, &object.name)).then_some((kind, object))
    }))
}

/// The checkpoint from which on the log is kept. Returns `None` if all of it is.
fn log_from(objects: &[ListedObject], kept: &Kept) -> Option<Version> {
    // Reading begins at a checkpoint. The newest that is old enough serves every kept version, and the commits behind
    // it tell what others did since the newest ledger.
    let needed = kept.ledger_version.unwrap_or(kept.oldest.version).min(kept.oldest.version);
    let versions = LogVersions::of(objects.iter().map(|object| object.name.as_str()));
    versions.checkpoints.range(..=needed).next_back().copied()
}

const RELEASES: &str = "_karat/releases/";
const RUNS: &str = "_karat/runs/";
/// So much longer than versions of tables, in milliseconds: 90 days. People look back further than they roll back.
const RUNS_ARE_KEPT: i64 = 90 * 24 * 3600 * 1000;

fn release_number(name: &str) -> Option<u64> {
    name.strip_prefix(RELEASES)?.strip_suffix(".json")?.parse().ok()
}

/// The releases that are kept: the newest, and those that were the newest at the horizon or later.
pub(crate) fn kept_releases(objects: &[ListedObject], horizon: i64) -> BTreeSet<&str> {
    let releases: BTreeMap<u64, &ListedObject> =
        objects.iter().filter_map(|object| Some((release_number(&object.name)?, object))).collect();
    let mut kept = BTreeSet::new();
    for release in releases.values().rev() {
        kept.insert(release.name.as_str());
        // This one was the newest when the horizon passed: it stays, and older ones go.
        if release.modified < horizon {
            break;
        }
    }
    kept
}

/// Whether a clean-up now costs no more than what has been done since the last one. It reads what every kept version says,
/// and removes what one release in its time has left: so it waits until half as many releases can go as are kept.
pub(crate) fn is_worth_it(objects: &[ListedObject], horizon: i64) -> bool {
    let all = objects.iter().filter(|object| release_number(&object.name).is_some()).count();
    let kept = kept_releases(objects, horizon).len();
    (all - kept) * 2 >= kept
}

/// What can be removed of the lake's own objects.
pub(crate) fn plan_lake(objects: &[ListedObject], horizon: i64) -> Removal {
    let kept = kept_releases(objects, horizon);
    Removal::of(objects.iter().filter(|object| object.modified < horizon).filter_map(|object| {
        let name = object.name.as_str();
        if name.starts_with("_karat/proof/") {
            return Some((ObjectKind::Proof, object));
        }
        if name.starts_with(RUNS) {
            // Records decide nothing: only age counts.
            return (object.modified < horizon - RUNS_ARE_KEPT).then_some((ObjectKind::RunRecord, object));
        }
        (release_number(name).is_some() && !kept.contains(name)).then_some((ObjectKind::Release, object))
    }))
}
