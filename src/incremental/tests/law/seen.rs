//! What happened in histories: they prove something only if enough did.

/// How often each kind of thing happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Seen {
    pub histories: u64,
    pub commits: u64,
    pub slices: u64,
    pub stays: u64,
    /// Commits of slices, not of whole tables, that a plain run decided.
    pub partial: u64,
    /// Slices of models that a change reached from another slice.
    pub reached: u64,
    pub older: u64,
    pub crashes: u64,
    pub foreign: u64,
    pub lost_ledgers: u64,
    pub spared: u64,
}

impl Seen {
    pub fn add(&mut self, other: &Seen) {
        self.histories += other.histories;
        self.commits += other.commits;
        self.slices += other.slices;
        self.stays += other.stays;
        self.partial += other.partial;
        self.reached += other.reached;
        self.older += other.older;
        self.crashes += other.crashes;
        self.foreign += other.foreign;
        self.lost_ledgers += other.lost_ledgers;
        self.spared += other.spared;
    }

    /// Whether each kind of thing happened often.
    pub fn is_eventful(&self) -> bool {
        let Seen { histories, commits, slices, stays, partial, reached, older, crashes, foreign, lost_ledgers, spared } =
            *self;
        let often = [commits, slices, stays, partial, reached, older, crashes, foreign, lost_ledgers, spared];
        often.iter().all(|count| *count > histories / 10)
    }
}
