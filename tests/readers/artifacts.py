"""Lets readers of dbt's artifacts read those of karat, none of them changed for it.

    python artifacts.py FOLDER

The folder has `target` with manifest.json, run_results.json, catalog.json and sources.json. dbt-artifacts-parser knows the published
schemas and refuses every key that they do not have. Prints a JSON object of what the readers have found.
"""

import json
import pathlib
import re
import subprocess
import sys

from dbt_artifacts_parser import parser

folder = pathlib.Path(sys.argv[1])
target = folder / "target"
tools = pathlib.Path(sys.executable).parent


def run(*words):
    done = subprocess.run([tools / words[0], *words[1:]], cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(words)}\n{done.stdout}\n{done.stderr}")
    return done.stdout + done.stderr


def artifact(name):
    return json.loads((target / name).read_text())


manifest = parser.parse_manifest_v12(artifact("manifest.json"))
results = parser.parse_run_results_v6(artifact("run_results.json"))
catalog = parser.parse_catalog_v1(artifact("catalog.json"))
sources = parser.parse_sources_v3(artifact("sources.json"))

coverage = run("dbt-coverage", "compute", "doc")
(folder / "erd").mkdir()
run("dbterd", "run", "--artifacts-dir", "target", "--output", "erd", "--target", "mermaid")
run("colibri", "generate", "--manifest", "target/manifest.json", "--catalog", "target/catalog.json", "--output-dir", "colibri")
lineage = json.loads((folder / "colibri/colibri-manifest.json").read_text())["lineage"]["edges"]
checks = {
    "manifest_checks": [{"name": "check_model_names", "model_name_pattern": "^[a-z_]+$"}],
    "run_results_checks": [{"name": "check_run_results_max_execution_time", "max_execution_time_seconds": 600}],
}
(folder / "dbt-bouncer.yml").write_text(json.dumps({"dbt_artifacts_dir": "target", **checks}))
bouncer = run("dbt-bouncer", "run", "--config-file", "dbt-bouncer.yml")

json.dump(
    {
        "nodes": len(manifest.nodes),
        "results": len(results.results),
        "tables": len(catalog.nodes) + len(catalog.sources),
        "sources": [result.status.value for result in sources.results],
        "coverage": re.search(r"Total\s+(\d+/\d+)", coverage).group(1),
        "lineage": sorted(
            f"{edge['source']}.{edge['sourceColumn']} -> {edge['target']}.{edge['targetColumn']}" for edge in lineage
        ),
        "relationships": sum("--" in line for line in (folder / "erd/output.md").read_text().splitlines()),
        "bouncer": re.search(r"SUCCESS=(\d+) WARN=(\d+) ERROR=(\d+)", bouncer).group(0),
    },
    sys.stdout,
)
