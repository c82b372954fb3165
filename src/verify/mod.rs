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

use crate::name::ModelName;
use crate::run::{Event, Failure, Workshop};

pub(crate) use compare::{Different, Verdict};
pub(crate) use report::{Finding, Verified};
pub(crate) use rows::{Difference, OneSided};
pub(crate) use sample::Sample;

use past::Past;
use work::Work;

/// What is to be verified, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request {
    pub sample: Sample,
    /// Whether slices are also compared with what the whole model gives, so that no declaration is relied upon.
    pub windows: bool,
    /// Models that are verified at the same time.
    pub threads: usize,
}

/// Verifies the stored models among these, in their order. The error is one that ends everything: what is wrong with
/// one model stands in its own report.
pub(crate) async fn verify(
    shop: &Workshop<'_>,
    models: &[ModelName],
    request: Request,
) -> Result<Vec<Verified>, Failure> {
    let stored =
        models.iter().filter_map(|name| shop.typed.get(name)).filter(|model| model.config.materialized.is_stored());
    let works: Vec<_> = stored.map(|model| (model, Work::of(shop, model, request.sample))).collect();
    let made_of = works.iter().filter_map(|(model, work)| Some((*model, work.as_ref().ok()?)));
    let made_of = made_of.flat_map(|(model, work)| work.provenances().map(move |provenance| (model, provenance)));
    let past = Past::open(shop, made_of).await?;
    let verified = stream::iter(&works).map(|(model, work)| {
        let past = &past;
        async move {
            if let Some(failure) = shop.why_unreadable(&model.table) {
                return Verified { failure: Some(failure), ..Verified::new(model) };
            }
            if !model.is_refresh_equivalent() {
                return added_to::verify(shop, model).await;
            }
            match work {
                Ok(work) => {
                    shop.observer.event(&Event::Started { model: &model.name, why: &work.told() });
                    work.verify(past, request.windows).await
                }
                Err(why) => Verified::not_at_all(model, why.clone()),
            }
        }
    });
    // Told in the order of the models, whichever is done first.
    Ok(verified.buffered(request.threads).inspect(|report| report.tell(shop.observer)).collect().await)
}
