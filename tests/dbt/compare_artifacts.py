#!/usr/bin/env python3
"""Compares what karat and dbt say of the same project in their artifacts.

    tests/dbt/compare_artifacts.py DBT_TARGET KARAT_TARGET

Both folders hold the artifacts of a copy of the same project: dbt's of `dbt build` and `dbt docs generate`, karat's of `karat build` and
`karat docs generate`. Ids and edges must be the same; of other keys it prints which differ, and in how many nodes.
"""

import json
import sys
from collections import Counter
from pathlib import Path

# What cannot be the same: another engine, another machine, another time.
UNLIKE = {
    "alias", "build_path", "compiled_code", "compiled_path", "created_at", "database", "doc_blocks", "extra_ctes_injected",
    "relation_name", "root_path", "schema", "unrendered_config", "unrendered_database", "unrendered_schema", "compiled",
}

PARTS = (
    "nodes", "sources", "macros", "docs", "exposures", "metrics", "groups", "saved_queries", "semantic_models", "unit_tests",
    "disabled", "selectors",
)


def read(folder, name):
    path = Path(folder) / name
    return json.loads(path.read_text()) if path.exists() else None


def own(project, ids):
    """The ids of the project and its packages: both have macros and blocks of dbt's own, and need not have the same."""
    return {one for one in ids if "." not in one or one.split(".")[1] not in ("dbt", "dbt_duckdb")}


def check(what, of_dbt, of_karat):
    missing, added = sorted(of_dbt - of_karat), sorted(of_karat - of_dbt)
    for one in missing:
        print(f"{what}: karat has no {one}")
    for one in added:
        print(f"{what}: only karat has {one}")
    if not missing and not added:
        print(f"{what}: the same {len(of_dbt)}")
    return not missing and not added


def compare_manifests(dbt, karat):
    is_same = True
    for part in PARTS:
        of_dbt = own(dbt, dbt[part])
        # dbt has a block for its start page in every project.
        of_dbt = {one for one in of_dbt if not one.endswith(".__overview__")} if part == "docs" else of_dbt
        of_karat = {one for one in own(karat, karat[part]) if not one.endswith(".__overview__")}
        is_same &= check(part, of_dbt, of_karat)
    for part in ("parent_map", "child_map"):
        edges = [
            {(one, other) for one, others in manifest[part].items() for other in others} for manifest in (dbt, karat)
        ]
        is_same &= check(part, *edges)
    of_dbt, of_karat = ({group: sorted(ids) for group, ids in one["group_map"].items()} for one in (dbt, karat))
    if of_dbt != of_karat:
        print(f"group_map: {of_dbt} in dbt, {of_karat} in karat")
        is_same = False
    differing = Counter()
    examples = {}
    for part in PARTS:
        if part in ("macros", "docs", "disabled"):
            continue
        for one in dbt[part].keys() & karat[part].keys():
            of_dbt, of_karat = dbt[part][one], karat[part][one]
            for key in of_dbt.keys() | of_karat.keys():
                if key in UNLIKE or of_dbt.get(key) == of_karat.get(key):
                    continue
                if key == "columns":
                    # karat knows the types of columns.
                    plain = lambda node: {
                        name: {**column, "data_type": None, "doc_blocks": []} for name, column in node["columns"].items()
                    }
                    if plain(of_dbt) == plain(of_karat):
                        continue
                differing[key] += 1
                examples.setdefault(key, (one, of_dbt.get(key), of_karat.get(key)))
    for key, count in sorted(differing.items()):
        one, left, right = examples[key]
        print(f"{key} differs in {count} nodes: {one}\n    dbt   {json.dumps(left)[:300]}\n    karat {json.dumps(right)[:300]}")
    return is_same


def compare_results(dbt, karat):
    of_dbt = {result["unique_id"]: result for result in dbt["results"]}
    of_karat = {result["unique_id"]: result for result in karat["results"]}
    is_same = check("results", set(of_dbt), set(of_karat))
    for one in sorted(of_dbt.keys() & of_karat.keys()):
        pairs = [(key, of_dbt[one][key], of_karat[one][key]) for key in ("status", "failures")]
        for key, left, right in pairs:
            if left != right:
                print(f"{one}: {key} is {left} in dbt and {right} in karat")
                is_same = False
    return is_same


def compare_catalogs(dbt, karat):
    is_same = True
    for part in ("nodes", "sources"):
        is_same &= check(f"catalog {part}", set(dbt[part]), set(karat[part]))
        for one in sorted(dbt[part].keys() & karat[part].keys()):
            left, right = ([name.lower() for name in catalog[part][one]["columns"]] for catalog in (dbt, karat))
            if left != right:
                print(f"columns of {one}: {left} in dbt, {right} in karat")
                is_same = False
    return is_same


def main():
    is_same = True
    for name, compare in (
        ("manifest.json", compare_manifests),
        ("run_results.json", compare_results),
        ("catalog.json", compare_catalogs),
    ):
        of_dbt, of_karat = (read(folder, name) for folder in sys.argv[1:3])
        if of_dbt is None or of_karat is None:
            print(f"{name}: not in both folders")
            continue
        is_same &= compare(of_dbt, of_karat)
    sys.exit(0 if is_same else 1)


main()
