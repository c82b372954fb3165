//! Metrics and semantic models by the names that other metrics give them.

use std::collections::BTreeMap;

use crate::project::{Resource, ResourceKind};

/// What YAML may name that is no table. Of two of one name the first counts.
pub(crate) struct ResourceIndex<'a> {
    metrics: BTreeMap<&'a str, &'a Resource>,
    /// Semantic models, by their measures.
    measures: BTreeMap<&'a str, &'a Resource>,
}

impl<'a> ResourceIndex<'a> {
    pub fn new(resources: &'a [Resource]) -> Self {
        let mut index = Self { metrics: BTreeMap::new(), measures: BTreeMap::new() };
        for resource in resources {
            if resource.kind == ResourceKind::Metric {
                index.metrics.entry(&resource.name.value).or_insert(resource);
            }
            for measure in resource.measures() {
                index.measures.entry(measure).or_insert(resource);
            }
        }
        index
    }

    pub(super) fn metric(&self, name: &str) -> Option<&'a Resource> {
        self.metrics.get(name).copied()
    }

    /// The semantic model that has this measure.
    pub(super) fn of_measure(&self, name: &str) -> Option<&'a Resource> {
        self.measures.get(name).copied()
    }
}
