//! Macros and blocks of documentation in a manifest.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::call_scan::KnownMacros;
use super::manifest::ManifestInputs;
use super::paths;
use crate::project::DocBlock;
use crate::template::MacroBlock;

#[derive(Debug, Serialize)]
pub(super) struct MacroView<'a> {
    name: &'a str,
    resource_type: &'static str,
    package_name: &'a str,
    path: &'a str,
    original_file_path: &'a str,
    unique_id: String,
    macro_sql: &'a str,
    depends_on: MacrosOfMacro,
    description: &'static str,
    meta: Map<String, Value>,
    docs: Value,
    config: Value,
    patch_path: Option<()>,
    arguments: [(); 0],
    created_at: f64,
    supported_languages: Option<()>,
}

#[derive(Debug, Serialize)]
struct MacrosOfMacro {
    macros: Vec<String>,
}

pub(super) fn macro_id(block: &MacroBlock<'_>) -> String {
    format!("macro.{}.{}", block.package, block.name)
}

pub(super) fn macro_view<'a>(
    inputs: &ManifestInputs<'a>,
    block: &'a MacroBlock<'a>,
    names: &KnownMacros<'_>,
) -> MacroView<'a> {
    let path = paths::in_package(inputs.project, block.package, inputs.files.path(block.file));
    let unique_id = macro_id(block);
    let mut macros = names.called_in(block.text, block.package);
    // The macro's own name stands before its parameters.
    macros.retain(|called| *called != unique_id);
    let docs = json!({"show": true, "node_color": null});
    MacroView {
        name: &block.name,
        resource_type: "macro",
        package_name: block.package,
        path,
        original_file_path: path,
        unique_id,
        macro_sql: block.text,
        depends_on: MacrosOfMacro { macros },
        description: "",
        meta: Map::new(),
        config: json!({"meta": {}, "docs": docs}),
        docs,
        patch_path: None,
        arguments: [],
        created_at: inputs.created_at(),
        supported_languages: None,
    }
}

#[derive(Debug, Serialize)]
pub(super) struct DocView<'a> {
    name: &'a str,
    resource_type: &'static str,
    package_name: &'a str,
    path: &'a str,
    original_file_path: &'a str,
    pub unique_id: String,
    block_contents: &'a str,
}

pub(super) fn doc_view<'a>(inputs: &ManifestInputs<'a>, block: &'a DocBlock) -> DocView<'a> {
    let package = block.package.as_deref().unwrap_or(&inputs.project.name.value);
    let path = paths::in_package(inputs.project, package, inputs.files.path(block.file));
    DocView {
        name: &block.name,
        resource_type: "doc",
        package_name: package,
        path: paths::below_folder(path),
        original_file_path: path,
        unique_id: format!("doc.{package}.{}", block.name),
        block_contents: &block.text,
    }
}
