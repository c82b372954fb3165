//! All charts of a project for its documentation page. One that cannot be drawn says why, and stops no page.

use std::collections::BTreeMap;

use super::{ChartDrawer, PlannedChart, all_charts, scope_of_charts};
use crate::catalog::{Shown, observe};
use crate::chart::{PageChart, PageRoom};
use crate::execute::Engine;
use crate::failure::Failure;
use crate::name::ModelName;
use crate::pipeline::load::Compiled;
use crate::store::Lake;

/// The charts of each model that declares some.
pub(crate) type ChartsOfModels = BTreeMap<ModelName, Vec<PageChart>>;

/// Draws all charts of the newest release.
pub(crate) async fn page_charts(compiled: &Compiled, lake: &Lake, engine: &Engine) -> ChartsOfModels {
    let charts = all_charts(compiled);
    let mut drawn = ChartsOfModels::new();
    if charts.is_empty() {
        return drawn;
    }
    let scope = scope_of_charts(compiled, &charts, Shown::Released);
    let catalog = observe(compiled.over(lake), &scope).await;
    let mut room = PageRoom::default();
    for chart in &charts {
        let made = match &catalog {
            Ok(catalog) => ChartDrawer { compiled, catalog, engine }.draw(chart).await.map_err(|failure| vec![failure]),
            Err(failures) => Err(failures.iter().map(|failure| Failure::World(failure.diagnostic().clone())).collect()),
        };
        let made = made.map_or_else(|failures| not_drawn(chart, &failures), |chart| room.chart(&chart));
        drawn.entry(chart.model.name.clone()).or_default().push(made);
    }
    drawn
}

fn not_drawn(chart: &PlannedChart<'_>, failures: &[Failure]) -> PageChart {
    let messages: Vec<&str> = failures.iter().map(|failure| failure.diagnostic().message.as_str()).collect();
    PageChart::without_values(
        chart.declared.name.value.clone(),
        chart.declared.title.clone(),
        format!("not drawn: {}", messages.join("; ")),
    )
}
