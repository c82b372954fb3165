//! What a plan would do, for people and programs: how much there is to read, and the whole story of one slice.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::load::Compiled;
use super::planning::Planned;
use crate::analyze::TypedModel;
use crate::compile::place_of;
use crate::day::parse_instant;
use crate::diag::{Code, Diagnostic};
use crate::failure::Failure;
use crate::incremental::Mention;
use crate::name::{ModelName, TableName};
use crate::plan::{Preview, PreviewOptions, ReportedSlice, SliceReport, Survey};
use crate::table::{SliceKey, SourceEntry, SourceFacts, TableState};

/// Older commits are not looked through for the one that wrote a file.
const MOST_VERSIONS: usize = 1000;

/// A slice that somebody wants to have explained.
#[derive(Debug, Clone)]
pub(crate) struct WantedSlice {
    pub model: ModelName,
    pub slice: SliceKey,
}

impl WantedSlice {
    /// The slice of a model's table that is named like this: `2023-05-01`, or `null` for the rows without a time.
    ///
    /// # Errors
    ///
    /// What to say if the model has no table, or no such slice.
    pub fn named(model: &TypedModel, day: Option<&str>) -> Result<Self, Box<Diagnostic>> {
        let name = &model.name;
        if !model.config.materialized.is_stored() {
            let message = format!("`{name}` is {} without a table", model.config.materialized.word());
            let diagnostic = Diagnostic::error(Code::NotBuilt, message);
            return Err(Box::new(diagnostic.help("ask for a model that reads it")));
        }
        let grain = model.config.batch_size;
        let invalid =
            |message: String, help: String| Err(Box::new(Diagnostic::error(Code::InvalidRange, message).help(help)));
        let slice = match (model.is_sliced(), day) {
            (false, _) => SliceKey::All,
            (_, Some("null")) => SliceKey::NullTime,
            (_, Some(text)) => match parse_instant(text) {
                Some(time) => SliceKey::At(grain.floor(time)),
                None => {
                    let help = "write it as `2023-05-01`, or `null` for the rows without a time";
                    return invalid(format!("`{text}` is not a date"), help.to_owned());
                }
            },
            (_, None) => {
                let message = format!("`{name}` is built in slices of a {grain}, and no slice is named");
                return invalid(message, format!("name one: `karat plan --why {name} 2023-05-01`"));
            }
        };
        Ok(Self { model: name.clone(), slice })
    }
}

type KnownFacts = BTreeMap<ModelName, Arc<SourceFacts>>;
type Files = BTreeMap<TableName, Vec<SourceEntry>>;

impl Planned<'_> {
    /// The plan with how much there is to read.
    pub async fn preview(&self, compiled: &Compiled, windows: bool) -> Preview {
        let facts = self.known_facts().await;
        let files = self.listed_files();
        self.survey(compiled, &facts, &files, |survey| {
            let has_cluster = compiled.loaded.project.target.cluster.is_some();
            let options = PreviewOptions { refresh: self.request.refresh, windows, has_cluster };
            Preview::new(&self.plan, survey, options)
        })
    }

    /// Everything about one slice of a model of the plan.
    ///
    /// # Errors
    ///
    /// Returns an error if the model's table cannot be read.
    pub async fn slice_report(&self, compiled: &Compiled, wanted: &WantedSlice) -> Result<SliceReport, Failure> {
        let model = compiled.typed.get(&wanted.model).expect("the slice is one of a model that was compiled");
        if let Some(failure) = self.catalog.why_unreadable(&model.table) {
            return Err(failure);
        }
        let facts = self.known_facts().await;
        let files = self.listed_files();
        let history = self.catalog.lake.history(&model.table, MOST_VERSIONS).await?;
        let about = ReportedSlice { model, slice: wanted.slice, history: history.as_ref() };
        Ok(self.survey(compiled, &facts, &files, |survey| SliceReport::new(&self.plan, survey, &about)))
    }

    fn survey<T>(
        &self,
        compiled: &Compiled,
        facts: &KnownFacts,
        listings: &Files,
        tell: impl FnOnce(Survey<'_>) -> T,
    ) -> T {
        let loaded = &compiled.loaded;
        let place =
            |model: &ModelName, mention: &Mention| place_of(mention, loaded.rendered.models.get(model)?, &loaded.files);
        self.catalog
            .observed(|observed| tell(Survey { project: &loaded.project, observed, listings, facts, place: &place }))
    }

    fn listed_files(&self) -> Files {
        self.catalog.observed(|observed| {
            let listings = observed.files.listings.iter();
            listings.map(|(name, listing)| (name.clone(), listing.entries.clone())).collect()
        })
    }

    /// What is known of the source files that models have read, where it is still true of them.
    async fn known_facts(&self) -> KnownFacts {
        let mut facts = KnownFacts::new();
        for step in &self.plan.steps {
            let Some(model) = self.catalog.typed.get(&step.model) else { continue };
            let Some(state) = self.catalog.state_of(&model.table) else { continue };
            let Some(ledger) = TableState::known_ledger(&state) else { continue };
            let is_same = ledger.provenances().all(|made_of| made_of.fingerprint == model.fingerprint);
            if let Some(name) = ledger.source_files.as_ref().filter(|_| is_same) {
                facts.insert(model.name.clone(), self.catalog.lake.source_files(&model.table, name).await);
            }
        }
        facts
    }
}
