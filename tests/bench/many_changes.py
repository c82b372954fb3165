#!/usr/bin/env python3
"""What a plan costs over 10 000 slices of an input that changed in 1 000 commits.

    python3 tests/bench/many_changes.py FOLDER [--karat target/release/karat] [--slices 10000] [--commits 1000]

FOLDER is filled once, which takes minutes: `readings` has an hour a slice, `sums` reads it slice by slice, and then single hours of
`readings` are made anew with other values. Measured is `karat plan --select sums`: the whole process, log and all.
"""

import argparse
import datetime
import pathlib
import resource
import subprocess
import sys
import time

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent.parent
HOUR = datetime.timedelta(hours=1)
FIRST = datetime.datetime(2023, 1, 1)
FILES = {
    "project.yml": "name: bench\nmodels:\n  +schema: bench\n  +materialized: incremental\n  +event_time: hour\n"
    "  +batch_size: hour\n  +partition_by: hour\nvars:\n  offset: 0\n",
    "models/sources.yml": "version: 2\nsources:\n  - name: raw\n    tables:\n      - name: readings\n"
    "        location: data/readings.csv\n        format: csv\n        columns:\n"
    "          - { name: hour, type: timestamp }\n          - { name: amount, type: integer }\n",
    "models/readings.sql": "select hour, amount + {{ var('offset') }} as amount from {{ source('raw', 'readings') }}",
    "models/sums.sql": "select hour, sum(amount) as amount from {{ ref('readings') }} group by hour",
}


def run(karat, folder, *words):
    done = subprocess.run([karat, *words], cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"karat {' '.join(words)}\n{done.stdout}{done.stderr}")
    return done.stdout


def fill(karat, folder, slices, commits):
    for path, text in FILES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    (folder / "data").mkdir()
    lines = (f"{FIRST + place * HOUR},{place}\n" for place in range(slices))
    (folder / "data/readings.csv").write_text("hour,amount\n" + "".join(lines))
    run(karat, folder, "run", "--quiet")
    for commit in range(commits):
        hour = FIRST + (commit * 7919 % slices) * HOUR
        day = ["--start", f"{hour}", "--end", f"{hour + HOUR}"]
        run(karat, folder, "run", "--quiet", "--select", "readings", *day, "--vars", f"offset: {commit + 1}")
    (folder / "filled").write_text("")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--karat", default=REPOSITORY / "target/release/karat", type=pathlib.Path)
    parser.add_argument("--slices", default=10_000, type=int)
    parser.add_argument("--commits", default=1_000, type=int)
    arguments = parser.parse_args()
    karat, folder = str(arguments.karat.resolve()), arguments.folder
    if not (folder / "filled").exists():
        fill(karat, folder, arguments.slices, arguments.commits)
    print(f"{'CPU s':>9}{'wall s':>9}")
    for _ in range(5):
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        told = run(karat, folder, "plan", "--select", "sums")
        wall, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        print(f"{cpu:9.2f}{wall:9.2f}", flush=True)
    print("\n".join(told.splitlines()[:6]))


if __name__ == "__main__":
    main()
