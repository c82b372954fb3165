#!/usr/bin/env python3
"""Counts, for a folder of dbt projects, how many of their models karat renders, and why the others do not.

    tests/dbt/render_corpus.py KARAT FOLDER [--show CODE] [--json FILE]

KARAT is the binary. Every folder below FOLDER with a `dbt_project.yml` is a project, but for those in other projects' packages. Each is copied,
and what its `packages.yml` or `dependencies.yml` lists is put into `dbt_packages` of the copy if FOLDER has a project of that name, and so on
for what packages list. Environment variables that a template asks for and nobody has set are set to `x`, because a checkout has none.

A model counts as rendered if `karat parse` says no error that has a place in its file. Prints a line for each project, and then how many models
each message stops, with numbers and names in messages left out. `--show CODE` prints the diagnostics of this code in full. The exit code is 0
unless karat panics, or fails without saying an error that has a place.
"""

import argparse
import collections
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

PROJECT = "dbt_project.yml"
NOT_COPIED = shutil.ignore_patterns(".git", "target", "logs", "dbt_packages", "dbt_modules", "node_modules", "venv", ".venv")
SECONDS = 300


def name_of(project):
    """The name that a project file says."""
    found = re.search(r"^name\s*:\s*['\"]?([\w-]+)", (project / PROJECT).read_text(errors="replace"), re.M)
    return found.group(1) if found else project.name


def projects_below(folder):
    """Every project, outermost first; a project within another one, as its integration tests, is one of its own."""
    found = []
    for path in sorted(folder.rglob(PROJECT)):
        parts = path.relative_to(folder).parts[:-1]
        if not {"dbt_packages", "dbt_modules", "target", ".git"} & set(parts):
            found.append(path.parent)
    return found


def listed_packages(project):
    """The names under which a project's packages may be found: the last part of each line that says where one is."""
    names = []
    for file in ("packages.yml", "dependencies.yml"):
        path = project / file
        text = path.read_text(errors="replace") if path.exists() else ""
        for place in re.findall(r"^\s*-?\s*(?:package|git|local)\s*:\s*['\"]?([^\s'\"#]+)", text, re.M):
            last = place.rstrip("/").removesuffix(".git").rsplit("/", 1)[-1]
            names.append((place, last))
    return names


def vendored(project, copy, known):
    """Puts the packages of a project into its copy. Returns the names of those that are nowhere."""
    lacking = []
    done = {name_of(project)}
    waiting = [project]
    while waiting:
        current = waiting.pop()
        for place, last in listed_packages(current):
            plain = last.replace("-", "_").lower()
            # `dbt-utils` is the package `dbt_utils`, and `dbt_salesforce` the package `salesforce`.
            near = [current / place] if place.startswith(".") and (current / place / PROJECT).exists() else []
            near += [known[name] for name in (plain, plain.removeprefix("dbt_"), "dbt_" + plain) if name in known]
            if place.startswith(".") and (copy / place / PROJECT).exists():
                continue
            if not near:
                lacking.append(last)
                continue
            name = name_of(near[0])
            if name not in done:
                done.add(name)
                waiting.append(near[0])
                shutil.copytree(near[0], copy / "dbt_packages" / name, ignore=NOT_COPIED, dirs_exist_ok=True)
    # Older releases of a package list others than the newest one does, which is the one that is here.
    texts = "".join(path.read_text(errors="replace") for path in copy.rglob("*.sql"))
    for name in sorted({"dbt_utils", "dbt_date", "fivetran_utils"} & known.keys() - done):
        if f"{name}." in texts:
            shutil.copytree(known[name], copy / "dbt_packages" / name, ignore=NOT_COPIED, dirs_exist_ok=True)
    return sorted(set(lacking))


def model_files(project):
    """The files of models, as the project file says where they are."""
    text = (project / PROJECT).read_text(errors="replace")
    found = re.search(r"^(?:model|source)-paths\s*:\s*\[([^\]]*)\]", text, re.M)
    folders = [part.strip(" '\"") for part in found.group(1).split(",")] if found else ["models"]
    files = set()
    for folder in filter(None, folders):
        files |= {path.relative_to(project).as_posix() for path in (project / folder).rglob("*.sql")}
    return files


def parse(karat, copy, environment):
    """The diagnostics of `karat parse`, once every environment variable that it asks for is set."""
    for _ in range(20):
        done = subprocess.run(
            [karat, "parse", "--log-format", "json"], cwd=copy, env=environment, capture_output=True, text=True, timeout=SECONDS
        )
        events = [json.loads(line) for line in (done.stdout + done.stderr).splitlines() if line.startswith("{")]
        said = [event["diagnostic"] for event in events if event.get("event") == "diagnostic"]
        asking = [one["message"] for one in said if "environment variable" in one["message"]]
        unset = {name for message in asking for name in re.findall(r"`(\w+)`", message)}
        if not unset - environment.keys():
            return done, said
        environment.update({name: "x" for name in unset})
    return done, said


def kind_of(diagnostic):
    """A message without what is of one project: what stands in backticks, and numbers."""
    message = re.sub(r"`[^`]*`", "`…`", diagnostic["message"])
    names = re.findall(r"`(adapter\.\w+|modules\.[\w.]+|graph[\w.]*|run_query|statement|\w+\(\))`", diagnostic["message"])
    return f"{diagnostic['code']}: {re.sub(r'[0-9]+', 'N', message)}{' ' + names[0] if names else ''}"


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("karat", type=pathlib.Path)
    arguments.add_argument("folder", type=pathlib.Path)
    arguments.add_argument("--show", metavar="CODE")
    arguments.add_argument("--json", type=pathlib.Path, metavar="FILE")
    given = arguments.parse_args()
    karat = given.karat.resolve()
    projects = projects_below(given.folder.resolve())
    known = {}
    for project in projects:
        known.setdefault(name_of(project).lower(), project)
        known.setdefault(project.name.replace("-", "_").lower(), project)
    reasons = collections.Counter()
    rendered = all_models = 0
    strange = []
    written = {}
    for project in projects:
        with tempfile.TemporaryDirectory() as scratch:
            copy = pathlib.Path(scratch, "project")
            shutil.copytree(project, copy, ignore=NOT_COPIED, symlinks=True)
            lacking = vendored(project, copy, known)
            models = model_files(copy)
            environment = {name: value for name, value in os.environ.items() if not name.startswith(("DBT_", "KARAT_"))}
            try:
                done, said = parse(karat, copy, environment)
            except subprocess.TimeoutExpired:
                strange.append(f"{project}: no end after {SECONDS} s")
                continue
        errors = [one for one in said if one["severity"] == "error"]
        if "panicked" in done.stderr or (done.returncode and not errors):
            strange.append(f"{project}: exit code {done.returncode}: {done.stderr[-500:]}")
        stopped = collections.defaultdict(set)
        elsewhere = set()
        for one in errors:
            files = {place["path"] for place in one["places"]} & models
            for file in files:
                stopped[file].add(kind_of(one))
            if not files:
                elsewhere.add(kind_of(one))
            if given.show == one["code"]:
                shown = "; ".join(f"{place['path']}:{place.get('line', '')}" for place in one["places"])
                print(f"    {one['message']} ({shown}) {' '.join(one['helps'])}")
        # A project that is stopped as a whole renders nothing.
        is_read = done.returncode == 0 or any(one["places"] and one["places"][0]["path"] in models for one in errors) or not elsewhere
        well = len(models) - len(stopped) if is_read else 0
        rendered += well
        all_models += len(models)
        without = f", without {', '.join(lacking)}" if lacking else ""
        stop = "" if is_read else f": {'; '.join(sorted(elsewhere))}"
        print(f"{project.relative_to(given.folder.resolve())}: {well} of {len(models)}{without}{stop}", flush=True)
        for kinds in stopped.values():
            reasons.update(kinds)
        if not is_read:
            reasons.update({kind: len(models) for kind in elsewhere})
        written[str(project)] = {"models": len(models), "rendered": well, "stopped": {file: sorted(kinds) for file, kinds in stopped.items()}}
    print(f"\n{rendered} of {all_models} models of {len(projects)} projects")
    for reason, count in reasons.most_common(60):
        print(f"{count:6} {reason}")
    if given.json:
        given.json.write_text(json.dumps(written, indent=1))
    for line in strange:
        print(line)
    sys.exit(1 if strange else 0)


if __name__ == "__main__":
    main()
