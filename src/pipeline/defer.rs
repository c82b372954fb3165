//! `--defer`: which target's tables are read where this one has none, and what they are called there.

use std::collections::BTreeMap;

use super::load::Loaded;
use super::state::REVISION;
use crate::artifacts::NodeIds;
use crate::catalog::OtherTarget;
use crate::diag::{Code, Diagnostic};
use crate::name::{ModelName, TableName};
use crate::store::Lake;

/// What a command line says of deferring.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct DeferRequest<'r> {
    /// `--defer` or `--no-defer`; `None` if neither was given.
    pub is_asked: Option<bool>,
    /// `--defer-to`: a target of the project.
    pub to: Option<&'r str>,
    /// `--defer-state`: the folder of a stored manifest.
    pub folder: Option<&'r str>,
    /// `--state`: the same, if nothing else says where to read.
    pub state: Option<&'r str>,
    /// `--favor-state`.
    pub is_favored: bool,
    /// Whether the newest versions are read instead of what was released.
    pub is_live: bool,
}

/// Where tables are read that this target lacks.
pub(crate) struct DeferPlace {
    /// The name of the target.
    pub target: String,
    /// What the stored manifest calls the tables; `None` for what the project calls them in that target.
    stored: Option<BTreeMap<ModelName, TableName>>,
    is_favored: bool,
    is_live: bool,
}

const WHERE: &str = "`--defer-to TARGET` names it, or `--from TARGET` of `karat clone`, or `defer: TARGET` in the target that is worked in";

impl Loaded {
    /// Where this command reads the tables that it does not build and the target lacks. Returns `None` if nowhere.
    ///
    /// The place that says most is taken: `--defer-to`, `--defer-state`, the `defer` of the target, `--state`.
    ///
    /// # Errors
    ///
    /// Returns what to say if deferring was asked for and nothing says where to, or if the stored manifest cannot be read.
    pub fn defer_place(&self, request: &DeferRequest<'_>) -> Result<Option<DeferPlace>, Diagnostic> {
        let DeferRequest { is_asked, to, folder, state, is_favored, is_live } = *request;
        let own = self.project.target.defer.as_ref().map(|target| target.value.as_str());
        let is_wanted = is_asked.unwrap_or(to.is_some() || folder.is_some() || own.is_some());
        if !is_wanted {
            return Ok(None);
        }
        let of_target = |target: &str| DeferPlace { target: target.to_owned(), stored: None, is_favored, is_live };
        let place = match (to, folder, own, state) {
            (Some(target), ..) | (None, None, Some(target), _) => of_target(target),
            (None, Some(folder), ..) | (None, None, None, Some(folder)) => {
                let (target, tables) = self.stored_tables(folder)?;
                DeferPlace { target, stored: Some(tables), is_favored, is_live }
            }
            (None, None, None, None) => {
                let diagnostic = Diagnostic::error(Code::InvalidConfig, "it is not said which target is read");
                return Err(diagnostic.help(WHERE).help("or `--state DIR` names the folder of a stored manifest"));
            }
        };
        Ok(Some(place))
    }

    /// The target of a stored manifest, and the names that the tables of models have in it.
    fn stored_tables(&self, folder: &str) -> Result<(String, BTreeMap<ModelName, TableName>), Diagnostic> {
        if let Some(revision) = folder.strip_prefix(REVISION) {
            let message = format!("the revision `{revision}` does not say which target is read");
            return Err(Diagnostic::error(Code::InvalidConfig, message).help(WHERE));
        }
        let manifest = self.stored_manifest(folder)?;
        let Some(target) = manifest.target() else {
            let message = format!("the manifest in `{folder}` does not say of which target it is");
            let diagnostic = Diagnostic::error(Code::InvalidConfig, message);
            return Err(diagnostic.note("dbt's do not, nor do those of earlier versions of karat").help(WHERE));
        };
        let stored = manifest.tables();
        let ids = NodeIds::new(&self.project);
        let names = self.project.models.keys().filter_map(|name| {
            let table = stored.get(&ids.of_name(name)?)?;
            Some((name.clone(), table.clone()))
        });
        Ok((target.to_owned(), names.collect()))
    }
}

impl DeferPlace {
    /// The target with its lake; `there` is the project as that target has it.
    pub fn other_target(self, there: &Loaded, lake: Lake) -> OtherTarget {
        let declared = || there.rendered.outlines().map(|model| (model.name.clone(), model.table.clone())).collect();
        let tables = self.stored.unwrap_or_else(declared);
        let other = OtherTarget::new(self.target, lake, tables, self.is_favored);
        if self.is_live { other.live() } else { other }
    }
}
