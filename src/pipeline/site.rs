//! The documentation page of a project over its lake.

use serde_json::to_string;

use super::charts::{ChartsOfModels, page_charts};
use super::load::Compiled;
use super::planning::{BuildRequest, Planned};
use crate::catalog::{Catalog, ObservationScope, observe};
use crate::check::Guards;
use crate::execute::Engine;
use crate::failure::Failure;
use crate::incremental::Refresh;
use crate::run_record::{RECENT_RUNS, RunRecord};
use crate::site::{PageData, SiteInputs};
use crate::store::Lake;

/// What was seen of a lake for those who read of it.
pub(crate) enum SeenLake<'a> {
    /// Nobody has looked.
    Unseen,
    /// Tables, and what a run of everything would do.
    Planned { planned: Box<Planned<'a>>, runs: Vec<RunRecord>, charts: ChartsOfModels },
    /// Tables alone: why there is no plan.
    Tables { catalog: Box<Catalog<'a>>, runs: Vec<RunRecord>, charts: ChartsOfModels, unplanned: String },
}

impl<'a> SeenLake<'a> {
    /// Looks at all tables, and at what a run would do. A source that cannot be listed makes that impossible, and is no
    /// reason to show nothing.
    ///
    /// # Errors
    ///
    /// As [`observe`].
    pub async fn look(compiled: &'a Compiled, lake: &Lake, engine: &Engine) -> Result<Self, Vec<Failure>> {
        let runs = lake.runs(RECENT_RUNS).await.map_err(|error| vec![error.into()])?.records;
        let charts = page_charts(compiled, lake, engine).await;
        let order = compiled.loaded.in_order(compiled.typed.keys());
        let request = BuildRequest { order, refresh: Refresh::Stale };
        // Only the contents of new files say which slices are stale.
        let planned = match Planned::new(compiled, lake, request, &Guards::new()).await {
            Ok(planned) if planned.loads_files() => {
                planned.with_arrivals(engine).await.map_err(|failure| vec![failure])
            }
            other => other,
        };
        match planned {
            Ok(planned) => Ok(SeenLake::Planned { planned: Box::new(planned), runs, charts }),
            Err(failures) => {
                let messages: Vec<&str> =
                    failures.iter().map(|failure| failure.diagnostic().message.as_str()).collect();
                let unplanned = messages.join("; ");
                let scope = ObservationScope::of_tables(&compiled.typed);
                let catalog = Box::new(observe(compiled.over(lake), &scope).await?);
                Ok(SeenLake::Tables { catalog, runs, charts, unplanned })
            }
        }
    }

    /// What was seen of the tables.
    pub fn catalog(&self) -> Option<&Catalog<'a>> {
        match self {
            SeenLake::Unseen => None,
            SeenLake::Planned { planned, .. } => Some(&planned.catalog),
            SeenLake::Tables { catalog, .. } => Some(catalog),
        }
    }

    /// The data of the documentation page.
    pub fn payload(&self, compiled: &Compiled, guards: &Guards) -> PageData {
        let loaded = &compiled.loaded;
        let (plan, unplanned, runs) = match self {
            SeenLake::Unseen => (None, None, [].as_slice()),
            SeenLake::Planned { planned, runs, .. } => (Some(&planned.plan), None, runs.as_slice()),
            SeenLake::Tables { runs, unplanned, .. } => (None, Some(unplanned.clone()), runs.as_slice()),
        };
        let none = ChartsOfModels::new();
        let charts = match self {
            SeenLake::Unseen => &none,
            SeenLake::Planned { charts, .. } | SeenLake::Tables { charts, .. } => charts,
        };
        let inputs = SiteInputs {
            project: &loaded.project,
            rendered: &loaded.rendered,
            dag: &loaded.dag,
            files: &loaded.files,
            typed: &compiled.typed,
            guards,
            catalog: self.catalog(),
            plan,
            unplanned,
            charts,
            runs,
            made: loaded.host().now().format("%Y-%m-%d %H:%M").to_string(),
        };
        let json = to_string(&inputs.payload()).expect("texts, numbers and lists can be written as JSON");
        PageData { json, has_charts: !charts.is_empty() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, from_str, json};

    use super::*;
    use crate::diag::Sink;
    use crate::host::MemoryHost;
    use crate::pipeline::{Workspace, compile_models, load};
    use crate::project::LoadRequest;
    use crate::span::SourceFiles;

    /// What the page of a project knows of it while nobody has looked at its lake.
    fn payload(files: &[(&str, &str)]) -> Value {
        let project = [("project.yml", "name: shop\nversion: '1'")];
        let host = MemoryHost::with_files(project.into_iter().chain(files.iter().copied()));
        let sink = &mut Sink::default();
        let workspace = Workspace::new("", host);
        let loaded = load(&workspace, &LoadRequest::default(), &mut SourceFiles::default(), sink);
        let compiled = compile_models(loaded.unwrap(), sink);
        from_str(&SeenLake::Unseen.payload(&compiled, &Guards::new()).json).unwrap()
    }

    const USERS: (&str, &str) =
        ("models/silver/users.sql", "{{ config(materialized='table', tags=['people']) }}\nselect 1 as id, 'a' as name");
    const NAMES: (&str, &str) =
        ("models/gold/names.sql", "select upper(name) as name from {{ ref('users') }} where id > 0");
    const PROPERTIES: (&str, &str) = (
        "models/shop.yml",
        "models:\n  - name: users\n    description: '</script><script>alert(1)</script> *Each* user'\n    columns:\n      \
         - name: id\n        description: '[key](javascript:alert(1))'\n        data_tests: [unique]\n",
    );

    #[test]
    fn a_page_knows_nodes_columns_and_what_they_are_made_of() {
        let payload = payload(&[USERS, NAMES, PROPERTIES]);
        assert_eq!(payload["format"], 1);
        assert_eq!(payload["project"]["name"], "shop");
        assert_eq!(payload["layers"], json!(["silver", "gold"]));
        let [users, names] = payload["nodes"].as_array().unwrap().as_slice() else { panic!("{payload}") };
        assert_eq!(users["id"], "model/users");
        assert_eq!(users["tags"], json!(["people"]));
        assert_eq!((&users["x"], &names["x"]), (&json!(0), &json!(1)));
        assert_eq!(names["reads"], json!([0]));
        assert_eq!(names["columns"][0]["name"], "name");
        assert_eq!(names["columns"][0]["type"], "text");
        assert_eq!(names["columns"][0]["from"], json!([[0, "name", "transformation"]]));
        assert_eq!(names["rows_from"], json!([[0, "id", "filter"]]));
        assert_eq!(names["compiled"], "select upper(name) as name from silver.users where id > 0");
        assert_eq!(names["standing"], "none", "nobody has looked");
    }

    #[test]
    fn descriptions_are_html_without_that_of_the_author() {
        let payload = payload(&[USERS, PROPERTIES]);
        let users = &payload["nodes"][0];
        let description = users["description"].as_str().unwrap();
        assert!(description.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{description}");
        assert!(!description.contains("<script"), "{description}");
        assert_eq!(users["columns"][0]["description"], "<p><a href=\"#!/\">key</a></p>\n");
        assert_eq!(users["columns"][0]["tests"], json!(["unique"]));
    }

    #[test]
    fn a_model_with_an_error_is_shown_as_broken() {
        let payload = payload(&[USERS, ("models/gold/names.sql", "select nobody from {{ ref('users') }}")]);
        assert_eq!(payload["nodes"][1]["id"], "model/names");
        assert_eq!(payload["nodes"][1]["standing"], "broken");
        assert_eq!(payload["nodes"][1]["sql"], "select nobody from {{ ref('users') }}");
    }
}
