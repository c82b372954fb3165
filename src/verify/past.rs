//! The versions of inputs that slices were made of, each read once; or why one cannot be read any more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::stream::{StreamExt, TryStreamExt};

use crate::analyze::{Input, TypedModel};
use crate::catalog::Catalog;
use crate::delta::Version;
use crate::failure::Failure;
use crate::name::TableName;
use crate::store::{READ_AT_ONCE, StoreError};
use crate::table::{InputVersion, Provenance, TableState, Tables};

/// A table as it was at a version; `None` if that is not there any more.
type PastState = Option<Arc<TableState>>;

/// What slices were made of, as far as it is still there.
pub(super) struct Past<'a> {
    catalog: &'a Catalog<'a>,
    /// Versions that are not the newest.
    versions: BTreeMap<(TableName, Version), PastState>,
}

impl<'a> Past<'a> {
    /// Reads every version that these provenances name, some at a time.
    pub async fn open(
        catalog: &'a Catalog<'a>,
        made_of: impl Iterator<Item = (&TypedModel, &Arc<Provenance>)>,
    ) -> Result<Past<'a>, Failure> {
        let mut wanted = BTreeSet::new();
        for (model, provenance) in made_of {
            for (name, version) in tables_of(catalog, model, provenance) {
                if let InputVersion::Table { id, version, .. } = version
                    && is_older(catalog, &name, id, *version)
                {
                    wanted.insert((name, *version));
                }
            }
        }
        let read = |(name, version): (TableName, Version)| async move {
            let state = match catalog.lake.at_version(&name, version).await {
                Ok(state) => state,
                // The log does not reach back so far, or the table was one that karat does not read.
                Err(StoreError::Corrupt { .. } | StoreError::Unsupported { .. }) => None,
                Err(error) => return Err(Failure::from(error)),
            };
            Ok(((name, version), state))
        };
        let found = futures::stream::iter(wanted).map(read).buffer_unordered(READ_AT_ONCE);
        Ok(Past { catalog, versions: found.try_collect().await? })
    }

    /// The tables as they are.
    pub fn now(&self) -> &'a Catalog<'a> {
        self.catalog
    }

    /// The inputs that something was made of; the error says why they are not there any more.
    pub fn inputs(&self, model: &TypedModel, made_of: &Provenance) -> Result<Catalog<'a>, String> {
        let digests = self.catalog.source_digests();
        for (name, recorded) in sources_of(model, made_of) {
            match (recorded, digests.get(&name)) {
                (InputVersion::Files(recorded), Some(now)) if recorded == now => {}
                (_, Some(_)) => return Err(format!("the files of `{name}` changed since")),
                (_, None) => return Err(format!("the files of `{name}` no longer exist")),
            }
        }
        let mut tables = Tables::new();
        for (name, recorded) in tables_of(self.catalog, model, made_of) {
            let InputVersion::Table { id, version, .. } = recorded else {
                return Err(format!("it was built without `{name}`"));
            };
            if let Some(target) = recorded.target() {
                return Err(format!("`{name}` was read from target `{target}`"));
            }
            let state = self.state(&name, id, *version)?;
            tables.insert(name, Some(state));
        }
        Ok(self.catalog.over(tables))
    }

    fn state(&self, name: &TableName, id: &str, version: Version) -> Result<Arc<TableState>, String> {
        let now = self.catalog.state_of(name);
        if let Some(now) = &now
            && now.id != id
        {
            return Err(format!("`{name}` has been recreated since"));
        }
        match (now, self.versions.get(&(name.clone(), version))) {
            (Some(now), _) if now.version == version => Ok(now),
            (Some(_), Some(Some(state))) if state.id == id => Ok(Arc::clone(state)),
            (Some(_), _) => Err(format!("version {version} of `{name}` no longer exists")),
            (None, _) if self.catalog.unreadable.contains_key(name) => Err(format!("`{name}` cannot be read")),
            (None, _) => Err(format!("`{name}` no longer exists")),
        }
    }

    /// Whether something was made of a version that is not the newest: then its files may be gone.
    pub fn is_past(&self, model: &TypedModel, made_of: &Provenance) -> bool {
        tables_of(self.catalog, model, made_of).iter().any(|(name, recorded)| match recorded {
            InputVersion::Table { id, version, .. } => is_older(self.catalog, name, id, *version),
            InputVersion::Files(_) | InputVersion::Missing => false,
        })
    }
}

fn is_older(catalog: &Catalog<'_>, name: &TableName, id: &str, version: Version) -> bool {
    catalog.state_of(name).is_some_and(|now| now.id == id && now.version != version)
}

/// The tables that a model reads, each with the version that is recorded.
fn tables_of<'p>(
    catalog: &Catalog<'_>,
    model: &TypedModel,
    made_of: &'p Provenance,
) -> Vec<(TableName, &'p InputVersion)> {
    let of = |name| {
        let table = &catalog.typed.get(&name)?.table;
        Some((table.clone(), made_of.inputs.get(&table.key())?))
    };
    model.models_read().filter_map(of).collect()
}

fn sources_of<'p>(model: &TypedModel, made_of: &'p Provenance) -> Vec<(TableName, &'p InputVersion)> {
    let of = |input: &Input| match input {
        Input::Source(name) => made_of.inputs.get(&name.key()).map(|version| (name.clone(), version)),
        Input::Model(_) | Input::This | Input::Quarantine(_) | Input::Runs(_) => None,
    };
    model.inputs().iter().filter_map(of).collect()
}
