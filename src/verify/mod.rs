//! Incremental equals full refresh, shown on the tables as they are: slices are computed again from what they were made
//! of, and compared with what is recorded of them and with the rows in their files. Nothing is written. Of tables that add to
//! their past, which no query makes again, only what is recorded is compared with the files.

mod added_to;
mod compare;
mod past;
mod report;
mod rows;
mod sample;
mod ways;
mod windows;
mod work;

use futures::stream::{self, StreamExt};

use crate::analyze::TypedModel;
use crate::catalog::Catalog;
use crate::execute::{Engine, Event, Observer};
use crate::failure::Failure;
use crate::name::ModelName;
use crate::table::DataFile;

pub(crate) use compare::{DifferenceCause, Different};
pub(crate) use report::{Finding, Verified};
pub(crate) use rows::{OneSided, RowDifference};
pub(crate) use sample::Sample;

use past::Past;
use ways::VerifySubject;
use work::VerifyWork;

/// What is to be verified, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request {
    pub sample: Sample,
    /// Whether slices are also compared with what the whole model gives, so that no declaration is relied upon.
    pub windows: bool,
    /// Models that are verified at the same time.
    pub threads: usize,
}

/// What a verification is made with.
#[derive(Clone, Copy)]
pub(crate) struct Verifier<'a> {
    pub catalog: &'a Catalog<'a>,
    pub engine: &'a Engine,
    pub observer: &'a dyn Observer,
}

impl<'a> Verifier<'a> {
    /// Verifies the stored models among these, in their order. The error is one that ends everything: what is wrong with
    /// one model stands in its own report.
    pub async fn verify(self, models: &[ModelName], request: Request) -> Result<Vec<Verified>, Failure> {
        let stored = models.iter().filter_map(|name| self.catalog.typed.get(name));
        let stored = stored.filter(|model| model.config.materialized.is_stored());
        let works: Vec<_> = stored.map(|model| (model, VerifyWork::new(self, model, request.sample))).collect();
        let made_of = works.iter().filter_map(|(model, work)| Some((*model, work.as_ref().ok()?)));
        let made_of = made_of.flat_map(|(model, work)| work.provenances().map(move |provenance| (model, provenance)));
        let past = Past::open(self.catalog, made_of).await?;
        let verified = stream::iter(&works).map(|(model, work)| {
            let past = &past;
            async move {
                if let Some(failure) = self.catalog.why_unreadable(&model.table) {
                    return Verified { failure: Some(failure), ..Verified::new(model) };
                }
                if !model.is_refresh_equivalent() {
                    return added_to::verify(self, model).await;
                }
                match work {
                    Ok(work) => {
                        self.observer.event(&Event::Started { model: &model.name, why: &work.to_string() });
                        work.verify(past, request.windows).await
                    }
                    Err(why) => Verified::not_at_all(model, why.clone()),
                }
            }
        });
        // Reported in the order of the models, whichever is done first.
        Ok(verified.buffered(request.threads).inspect(|report| report.tell(self.observer)).collect().await)
    }

    /// A model whose rows can be come by.
    fn subject<'s>(self, catalog: &'s Catalog<'s>, model: &'s TypedModel, files: &'s [DataFile]) -> VerifySubject<'s>
    where
        'a: 's,
    {
        VerifySubject { catalog, engine: self.engine, observer: self.observer, model, files }
    }
}
