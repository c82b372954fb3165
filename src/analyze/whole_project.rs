//! The types of all models of a project, level by level.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::known_model::{KnownModel, PlanningInputs};
use super::plans::Plans;
use super::type_cache::{KeyedTypes, ModelKey};
use super::typed_model::TypedFacts;
use super::{Planner, TypeCache, TypedModel, parents};
use crate::diag::{Checked, Diagnostic, Sink};
use crate::graph::Dag;
use crate::name::ModelName;
use crate::parallel::in_parallel;
use crate::project::Project;
use crate::template::{Rendered, RenderedModel};

/// What planning made of the models.
#[derive(Debug)]
pub(crate) struct Typing {
    /// Those that are well.
    pub typed: BTreeMap<ModelName, TypedModel>,
    /// What is wrong with others. A model that reads one of these was not looked at.
    pub broken: BTreeMap<ModelName, Vec<Diagnostic>>,
    /// What is worth keeping of those that are well, and of which there was nothing to say.
    pub worth_keeping: TypeCache,
}

/// What an earlier command has kept of the types, and what it takes to make the plans of models that it knows.
pub(crate) struct KnownTypes<'k> {
    pub cache: &'k TypeCache,
    /// Which program types the models: another one may type them in another way.
    pub program: &'k str,
    pub project: Arc<Project>,
    pub rendered: Arc<Rendered>,
}

/// A model that was looked at.
struct LookedAt {
    model: Checked<TypedModel>,
    complaints: Sink,
    /// Under which its types are kept.
    key: Option<ModelKey>,
}

/// What an earlier command has kept, at work.
struct Recall<'k> {
    cache: &'k TypeCache,
    shared: Arc<PlanningInputs>,
    keys: KeyedTypes<'k>,
}

impl Typing {
    /// The models, if all of them are well.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the others.
    #[cfg(test)]
    pub fn whole(self, sink: &mut Sink) -> Checked<BTreeMap<ModelName, TypedModel>> {
        for fault in self.broken.into_values().flatten() {
            sink.add(fault);
        }
        sink.unless_errors(self.typed)
    }
}

impl<'a> Planner<'a> {
    /// Plans every model, those that do not read each other side by side. A model whose inputs are wrong is in neither part:
    /// it was not looked at.
    pub fn models(&self, dag: &Dag, sink: &mut Sink) -> Typing {
        self.models_with(dag, None, sink)
    }

    /// Types every model, and plans only those of which an earlier command has not kept what comes out.
    pub fn models_known(&self, dag: &Dag, known: &KnownTypes<'_>, sink: &mut Sink) -> Typing {
        let shared = PlanningInputs {
            project: Arc::clone(&known.project),
            rendered: Arc::clone(&known.rendered),
            functions: Arc::clone(&self.functions),
            options: Arc::clone(&self.options),
        };
        let keys = KeyedTypes { project: &known.project, program: known.program, keys: BTreeMap::new() };
        let recall = Recall { cache: known.cache, shared: Arc::new(shared), keys };
        self.models_with(dag, Some(recall), sink)
    }

    /// Whether typing gives this when nothing is known.
    pub fn gives(&self, dag: &Dag, typing: &Typing) -> bool {
        let anew = self.models(dag, &mut Sink::default());
        let facts = |typing: &Typing| -> BTreeMap<ModelName, TypedFacts> {
            typing.typed.iter().map(|(name, model)| (name.clone(), model.facts())).collect()
        };
        facts(typing) == facts(&anew) && typing.broken.keys().eq(anew.broken.keys())
    }

    fn models_with(&self, dag: &Dag, mut recall: Option<Recall<'_>>, sink: &mut Sink) -> Typing {
        let mut typed: BTreeMap<ModelName, TypedModel> = BTreeMap::new();
        let mut broken = BTreeMap::new();
        let mut worth_keeping = TypeCache::default();
        let mut warnings: BTreeMap<&ModelName, Sink> = BTreeMap::new();
        for level in self.levels(dag) {
            let is_ready = |model: &&RenderedModel| parents(model).all(|parent| typed.contains_key(parent));
            let ready: Vec<&RenderedModel> = level.into_iter().filter(is_ready).collect();
            let looked_at = in_parallel(&ready, |model| self.look_at(model, &typed, recall.as_ref()));
            for (RenderedModel { name, .. }, looked_at) in ready.into_iter().zip(looked_at) {
                let LookedAt { model, mut complaints, key } = looked_at;
                let Ok(model) = model else {
                    broken.insert(name.clone(), complaints.take());
                    continue;
                };
                if let (Some(key), Some(recall)) = (key, &mut recall) {
                    recall.keys.keys.insert(name.clone(), key);
                    if complaints.is_empty() {
                        worth_keeping.keep(key, model.facts());
                    }
                }
                typed.insert(name.clone(), model);
                warnings.insert(name, complaints);
            }
        }
        dag.models().filter_map(|name| warnings.remove(name)).for_each(|complaints| sink.append(complaints));
        Typing { typed, broken, worth_keeping }
    }

    fn look_at(
        &self,
        rendered: &RenderedModel,
        typed: &BTreeMap<ModelName, TypedModel>,
        recall: Option<&Recall<'_>>,
    ) -> LookedAt {
        let key = recall.and_then(|recall| recall.keys.key_of(rendered, typed));
        let mut complaints = Sink::default();
        let known = recall.zip(key).and_then(|(recall, key)| recall.model(rendered, typed, &key));
        let model = match known {
            Some(model) => Ok(model),
            None => self.model(rendered, typed, &mut complaints),
        };
        LookedAt { model, complaints, key }
    }

    /// The models by the length of the longest path that leads to them: those of one level do not read each other.
    fn levels(&self, dag: &Dag) -> Vec<Vec<&'a RenderedModel>> {
        let mut levels: Vec<Vec<&RenderedModel>> = Vec::new();
        let mut level_of: BTreeMap<&ModelName, usize> = BTreeMap::new();
        for model in dag.models().filter_map(|name| self.rendered.get(name)) {
            // A parent without a level cannot be planned, and neither can this one then.
            let above = parents(model).filter_map(|parent| level_of.get(parent)).max();
            let level = above.map_or(0, |level| level + 1);
            level_of.insert(&model.name, level);
            if levels.len() <= level {
                levels.resize_with(level + 1, Vec::new);
            }
            levels.get_mut(level).into_iter().for_each(|models| models.push(model));
        }
        levels
    }
}

impl Recall<'_> {
    /// The model, if its types were kept. Its plans are made when somebody needs them.
    fn model(
        &self,
        rendered: &RenderedModel,
        typed: &BTreeMap<ModelName, TypedModel>,
        key: &ModelKey,
    ) -> Option<TypedModel> {
        let facts = self.cache.get(key)?;
        let mut parents_of = BTreeMap::new();
        for parent in parents(rendered) {
            parents_of.insert(parent.clone(), typed.get(parent)?.clone());
        }
        let plans = Plans::postponed(KnownModel {
            name: rendered.name.clone(),
            shared: Arc::clone(&self.shared),
            parents: parents_of,
            facts: facts.clone(),
        });
        Some(TypedModel::known(rendered, facts.clone(), plans))
    }
}
