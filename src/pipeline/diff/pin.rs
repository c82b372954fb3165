//! The state of a table that a place names.

use std::path::Path;
use std::sync::Arc;

use super::place::TableMoment;
use crate::delta::Version;
use crate::diag::{Code, Diagnostic};
use crate::failure::Failure;
use crate::figures::counted;
use crate::host::commit_of;
use crate::name::TableName;
use crate::pipeline::state::no_revision;
use crate::store::{Lake, Numbered, StoreError};
use crate::table::TableState;

/// A table in a target, at a moment.
pub(crate) struct DiffSide<'a> {
    pub lake: &'a Lake,
    /// The folder of the project.
    pub root: &'a Path,
    /// The name of the target.
    pub target: &'a str,
    pub table: TableName,
    pub moment: TableMoment,
}

/// A state of a table that does not change any more.
pub(super) struct PinnedTable {
    pub state: Arc<TableState>,
    /// The release that shows it, if one was asked for.
    pub release: Option<u64>,
}

impl DiffSide<'_> {
    /// Finds the state.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no such table, release or version, or if the log cannot be read.
    pub(super) async fn pin(&self) -> Result<PinnedTable, Failure> {
        let live = self.lake.observe(&self.table).await?;
        let Some(live) = live else {
            let message = format!("`{}` has not been built yet in target `{}`", self.table, self.target);
            let diagnostic = Diagnostic::error(Code::NotBuilt, message);
            return Err(Failure::Project(diagnostic.help(format!("build it: `karat build --target {}`", self.target))));
        };
        let release = match &self.moment {
            TableMoment::Live => return Ok(PinnedTable { state: live, release: None }),
            TableMoment::Version(version) => {
                return Ok(PinnedTable { state: self.at(&live, *version).await?, release: None });
            }
            TableMoment::Released => self.lake.newest_release().await?,
            TableMoment::Release(number) => self.lake.release_numbered(*number).await?,
            TableMoment::Revision(revision) => self.released_at(revision).await?,
        };
        let shown = release.as_ref().and_then(|found| found.release.tables.get(&self.table.key()));
        match (&release, shown) {
            (Some(found), Some(shown)) if shown.id == live.id => {
                Ok(PinnedTable { state: self.at(&live, shown.version).await?, release: Some(found.number) })
            }
            // Where nothing was ever released, readers see the newest versions.
            (None, _) if self.moment == TableMoment::Released => Ok(PinnedTable { state: live, release: None }),
            (None, _) => {
                let message = format!("target `{}` has no `{}` any more, or not yet", self.target, self.moment);
                Err(Failure::Project(Diagnostic::error(Code::UnknownVersion, message)))
            }
            (Some(found), _) => {
                let message =
                    format!("release {} of target `{}` does not show `{}`", found.number, self.target, self.table);
                let diagnostic = Diagnostic::error(Code::UnknownVersion, message);
                Err(Failure::Project(diagnostic.help("`live` is the newest version, whether it was released or not")))
            }
        }
    }

    /// The newest release of a run at this revision of the project.
    async fn released_at(&self, revision: &str) -> Result<Option<Numbered>, Failure> {
        let commit = commit_of(self.root, revision).map_err(|fault| Failure::Project(no_revision(&fault)))?;
        let mut found = self.lake.newest_release().await?;
        while let Some(one) = found {
            if one.release.git.as_ref() == Some(&commit) {
                return Ok(Some(one));
            }
            // Older ones may have been removed.
            found = match one.number.checked_sub(1) {
                Some(before) => self.lake.release_numbered(before).await?,
                None => None,
            };
        }
        let message = format!("no run of the project at `{revision}` has released tables in target `{}`", self.target);
        let diagnostic = Diagnostic::error(Code::UnknownVersion, message);
        Err(Failure::Project(diagnostic.help("check it out, and run `karat build` for a target of its own")))
    }

    async fn at(&self, live: &Arc<TableState>, version: Version) -> Result<Arc<TableState>, Failure> {
        if live.version == version {
            return Ok(Arc::clone(live));
        }
        let found = if version < live.version {
            match self.lake.at_version(&self.table, version).await {
                // The log does not reach back so far.
                Err(StoreError::Corrupt { .. } | StoreError::Unsupported { .. }) => None,
                found => found?,
            }
        } else {
            None
        };
        let found = found.filter(|state| state.id == live.id).ok_or_else(|| {
            let message = format!("`{}` has no version {version} in target `{}`", self.table, self.target);
            let diagnostic = Diagnostic::error(Code::UnknownVersion, message);
            Failure::Project(diagnostic.help(format!("`karat history {}` lists the versions", self.table)))
        })?;
        // A newest version without a file is damaged, and an old one may be as `karat gc` has left it.
        let lost = self.lake.lost_files(&self.table, &found).await?;
        if lost.gone.is_empty() {
            return Ok(found);
        }
        let files = counted(found.files.len(), "file");
        let message = format!(
            "version {version} of `{}` in target `{}` has lost {} of its {files}",
            self.table,
            self.target,
            lost.gone.len(),
        );
        let diagnostic = Diagnostic::error(Code::UnknownVersion, message)
            .note("`karat gc` removes the files of versions that are older than its retention");
        Err(Failure::Project(diagnostic.help(format!("choose a newer version: `karat history {}`", self.table))))
    }
}
