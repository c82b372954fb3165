//! Incremental equals full refresh, shown on the tables as they are.

use super::load::Compiled;
use crate::catalog::{ObservationScope, observe};
use crate::execute::{Engine, Observer};
use crate::failure::Failure;
use crate::name::ModelName;
use crate::store::Lake;
use crate::verify::{Request, Verified, Verifier};

/// Which models are verified, and how.
#[derive(Debug)]
pub(crate) struct Verification<'v> {
    pub order: &'v [ModelName],
    pub request: Request,
}

/// Verifies the stored models of a selection, in their order.
///
/// # Errors
///
/// Returns what ends everything, such as a store that does not answer: what is wrong with one model stands in its report.
pub(crate) async fn verify(
    compiled: &Compiled,
    lake: &Lake,
    verification: Verification<'_>,
    engine: &Engine,
    observer: &dyn Observer,
) -> Result<Vec<Verified>, Vec<Failure>> {
    let scope = ObservationScope::of_verification(&compiled.typed, verification.order);
    let catalog = observe(compiled.over(lake), &scope).await?;
    let verifier = Verifier { catalog: &catalog, engine, observer };
    verifier.verify(verification.order, verification.request).await.map_err(|failure| vec![failure])
}
