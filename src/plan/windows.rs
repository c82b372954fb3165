//! How the slices of a model read each of its inputs, and what stands in the way where a slice may read any row.

use std::collections::BTreeSet;

use serde::Serialize;

use super::estimate::Survey;
use crate::analyze::{Input, TypedModel};
use crate::incremental::{Read, ReadClass, input_versions, is_read_by_file};
use crate::name::ModelName;
use crate::table::TableState;

/// One reference of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct WindowPreview {
    pub input: String,
    pub class: &'static str,
    /// Where the times lie that a slice reads, in words.
    pub window: String,
    /// What proves it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub evidence: String,
    pub blocker: Option<BlockerPreview>,
    /// Whether all slices are stale because this input changed and any slice may read any row of it.
    pub spoils_all: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct BlockerPreview {
    pub what: String,
    /// `models/silver/sessions.sql:12`, if it is known.
    pub place: Option<String>,
    pub help: String,
}

/// Which changes of inputs count.
#[derive(Clone, Copy)]
pub(super) enum CountedChanges<'a> {
    /// None: a person has said what to build.
    None,
    /// Those since the model was built, and those to come of models that are rebuilt.
    Since { rebuilt: &'a BTreeSet<&'a ModelName> },
}

/// Returns the references of a model in the order of its plan, each once.
pub(super) fn windows(
    model: &TypedModel,
    reads: &[Read],
    survey: Survey<'_>,
    changes: CountedChanges<'_>,
) -> Vec<WindowPreview> {
    let mut found: Vec<WindowPreview> = Vec::new();
    for read in reads {
        let name = match &read.input {
            Input::Source(name) => Some(name.to_string()),
            other => survey.table(model, other).map(|table| table.to_string()),
        };
        let Some(input) = name else { continue };
        let is_by_file = is_read_by_file(model, &read.input);
        let blocker = read.blocker.as_ref().filter(|_| !is_by_file).map(|blocker| BlockerPreview {
            what: blocker.what.clone(),
            place: blocker.mention.as_ref().and_then(|mention| (survey.place)(&model.name, mention)),
            help: blocker.help.clone(),
        });
        let window = WindowPreview {
            spoils_all: read.class == ReadClass::Unbounded && changes.is_reason(model, &read.input, survey),
            input,
            class: if is_by_file { "by file" } else { read.class.word() },
            window: if is_by_file { "every file once".to_owned() } else { read.reads() },
            evidence: if is_by_file { "the model is row by row".to_owned() } else { read.evidence.clone() },
            blocker,
        };
        // A view that is used twice shows the same window twice.
        if !found.contains(&window) {
            found.push(window);
        }
    }
    found
}

impl CountedChanges<'_> {
    /// Whether the model as it is was built from another version of the input than there will be.
    fn is_reason(self, model: &TypedModel, input: &Input, survey: Survey<'_>) -> bool {
        let (CountedChanges::Since { rebuilt }, Input::Model(name)) = (self, input) else { return false };
        let observed = survey.observed;
        let state = observed.tables.get(&model.table).and_then(Option::as_deref);
        let (Some(ledger), Some(table)) = (state.and_then(TableState::known_ledger), survey.table(model, input)) else {
            return false;
        };
        // Then the code is the reason, and no input is.
        if ledger.provenances().any(|made_of| made_of.fingerprint != model.fingerprint) {
            return false;
        }
        let table = table.key();
        let now = input_versions(model, observed.typed, observed.tables, observed.sources);
        rebuilt.contains(name) || ledger.provenances().any(|made_of| made_of.inputs.get(&table) != now.get(&table))
    }
}
