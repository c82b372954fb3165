"""What it costs to look at tables: a run that finds nothing to do, and a table with a long history.

    cargo build --release
    python3 tests/bench/open.py FOLDER [--minio]

FOLDER is made and kept, so that a second call only measures. With --minio the first project lies in a bucket as well:
the address and the credentials come from KARAT_BENCH_ENDPOINT, AWS_ACCESS_KEY_ID and so on (tests/README.md).
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import time

KARAT = pathlib.Path(__file__).parents[2] / "target/release/karat"


def karat(folder, *words):
    """Runs karat; gives its CPU and wall seconds, its peak of memory in MB and what it said."""
    begin = time.monotonic()
    command = [KARAT, *words, "--log-format", "json"]
    child = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    if status != 0:
        sys.exit(f"karat {' '.join(words)}: {said}")
    return usage.ru_utime + usage.ru_stime, time.monotonic() - begin, usage.ru_maxrss / 1024, said


def measured(what, folder, *words):
    runs = [karat(folder, *words)[:3] for _ in range(5)]
    cpu, wall, memory = (sorted(figures)[2] for figures in zip(*runs))
    print(f"{what:48} {cpu:6.2f} CPU s {wall:6.2f} s {memory:6.0f} MB", flush=True)


def many_models(folder, days=1000, models=100, endpoint=None):
    """A model with a partition a day, and 99 copies of it."""
    if folder.exists():
        return
    (folder / "models").mkdir(parents=True)
    (folder / "data").mkdir()
    targets = "  local: { lake: ./lake }\n"
    if endpoint:
        targets += f'  minio: {{ lake: "s3://lake/many", endpoint: "{endpoint}" }}\n'
    (folder / "project.yml").write_text(f"name: many\ntargets:\n{targets}target: local\n")
    (folder / "models/sources.yml").write_text(
        "sources:\n  - name: raw\n    tables:\n      - name: days\n        location: data/days.csv\n        columns:\n"
        "          - { name: day, type: date }\n          - { name: n, type: integer }\n"
    )
    start = time.mktime((2020, 1, 1, 12, 0, 0, 0, 0, 0))
    rows = (time.strftime("%Y-%m-%d", time.localtime(start + 86400 * day)) + f",{day}" for day in range(days))
    (folder / "data/days.csv").write_text("day,n\n" + "\n".join(rows) + "\n")
    config = "{{ config(materialized='incremental', event_time='day', partition_by='day', batch_size='day') }}\n"
    (folder / "models/m0.sql").write_text(config + "select day, n from {{ source('raw', 'days') }}\n")
    for model in range(1, models):
        (folder / f"models/m{model}.sql").write_text(config + "select day, n from {{ ref('m0') }}\n")


def long_history(folder, days=3650, commits=10_000):
    """One model whose log another engine has made long: each commit rewrites a file without a change of rows."""
    if folder.exists():
        return
    many_models(folder, days, 1)
    karat(folder, "run")
    log = folder / "lake/many/m0/_delta_log"
    first = [json.loads(line) for line in (log / f"{0:020}.json").read_text().splitlines()]
    files = [line["add"] for line in first if "add" in line]
    for version in range(1, commits):
        old = files[version % len(files)]
        new = {**old, "path": old["path"].replace("part-", f"part-{version}-"), "dataChange": False}
        files[version % len(files)] = new
        remove = {"path": old["path"], "dataChange": False, "partitionValues": old["partitionValues"]}
        lines = [{"commitInfo": {"operation": "OPTIMIZE"}}, {"remove": remove}, {"add": new}]
        (log / f"{version:020}.json").write_text("".join(json.dumps(line) + "\n" for line in lines))
    # A commit of karat's own, with a checkpoint.
    karat(folder, "run", "--full-refresh")


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("folder", type=pathlib.Path)
    arguments.add_argument("--minio", action="store_true")
    arguments = arguments.parse_args()
    endpoint = os.environ["KARAT_BENCH_ENDPOINT"] if arguments.minio else None
    many, long = arguments.folder / "many", arguments.folder / "long"
    many_models(many, endpoint=endpoint)
    karat(many, "run")
    measured("nothing to do, 100 models of 1 000 slices", many, "run")
    if endpoint:
        karat(many, "run", "--target", "minio")
        measured("the same on MinIO", many, "run", "--target", "minio")
    long_history(long)
    measured("one model of 3 650 slices, 10 000 commits", long, "run")
    measured("no model at all", long, "ls")


if __name__ == "__main__":
    main()
