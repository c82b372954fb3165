#!/usr/bin/env python3
"""What a lake that is run often costs: thousands of runs, each with one more file.

    cargo build --release
    python3 tests/bench/often.py WORK [--runs 10000] [--every 500] [--minutes 10] [--karat target/release/karat]

WORK is filled with a project of four models (events that are loaded file by file, daily counts, counts of 7 days, totals) and one
source file a run; every third file has a bad record. Each run is --minutes later than the one before it: before each hundredth run
the script makes all objects of the lake older by as much, so that runs clean up as they would.

Every --every runs it prints a line: the median of a run and of one that finds nothing to do in milliseconds, the share of the time
that clean-ups took (each hundredth run, as far as it is above the median), the bytes of logs and ledgers, and the number of
objects. What grows with the runs is wrong. At the end it says what the lake holds, by kind, and compares the tables with a full
refresh.
"""

import argparse
import collections
import datetime
import os
import pathlib
import statistics
import subprocess
import sys
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]

FILES = {
    "project.yml": "name: often\nmodels:\n  +schema: app\ntargets:\n  local: { lake: ./lake }\ntarget: local\n",
    "models/sources.yml": (
        "sources:\n  - name: raw\n    tables:\n      - name: events\n        location: data/*.csv\n        columns:\n"
        "          - { name: id, type: integer }\n          - { name: at, type: timestamp }\n"
        "          - { name: amount, type: integer }\n"
    ),
    "models/events.sql": (
        "{{ config(materialized='incremental', event_time='day', partition_by='day', batch_size='day') }}\n"
        "select id, at, cast(at as date) as day, amount from {{ source('raw', 'events') }}\n"
    ),
    "models/daily.sql": (
        "{{ config(materialized='incremental', event_time='day', batch_size='day') }}\n"
        "select day, count(*) as events, sum(amount) as amount from {{ ref('events') }} group by day\n"
    ),
    "models/weekly.sql": (
        "{{ config(materialized='incremental', event_time='day', batch_size='day') }}\n"
        "select day, sum(events) over (order by day range between interval '6 days' preceding and current row) as events\n"
        "from {{ ref('daily') }}\n"
    ),
    "models/totals.sql": "select count(*) as days, sum(events) as events, sum(amount) as amount from {{ ref('daily') }}\n",
}


def kind(path):
    if "_delta_log" in path:
        return "checkpoints" if "checkpoint" in path else "commits"
    if "/_karat/ledger/" in path:
        return "ledgers"
    if "/_karat/files/" in path:
        return "source lists"
    return "releases" if path.startswith("_karat/") else "data"


def held(lake):
    """By kind, how many objects there are and their bytes."""
    kinds = collections.defaultdict(lambda: [0, 0])
    for path in lake.rglob("*"):
        if path.is_file():
            of_kind = kinds[kind(path.relative_to(lake).as_posix())]
            of_kind[0] += 1
            of_kind[1] += path.stat().st_size
    return kinds


def told(lake):
    kinds = held(lake)
    parts = [f"{name} {count} ({size / 1e6:.1f} MB)" for name, (count, size) in sorted(kinds.items())]
    return f"{sum(count for count, _ in kinds.values())} objects: " + ", ".join(parts)


def line(runs, times, nothing, lake):
    """`times` are those of the runs since the last line, by the number of the run."""
    kinds = held(lake)
    usual = statistics.median(times.values())
    cleaning = sum(max(time - usual, 0) for run, time in times.items() if run % 100 == 99)
    size = lambda *names: sum(kinds[name][1] for name in names) / 1e3
    print(f"{runs:>7}{usual * 1e3:>9.0f}{statistics.median(nothing) * 1e3:>9.0f}{max(times.values()) * 1e3:>9.0f}"
          f"{cleaning / sum(times.values()):>10.1%}{size('commits', 'checkpoints'):>10.0f}"
          f"{size('ledgers', 'source lists'):>12.0f}{sum(count for count, _ in kinds.values()):>9}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("--runs", default=10_000, type=int)
    parser.add_argument("--every", default=500, type=int, help="runs of a line")
    parser.add_argument("--minutes", default=10, type=int, help="between two runs")
    parser.add_argument("--karat", default=REPOSITORY / "target/release/karat", type=pathlib.Path)
    arguments = parser.parse_args()
    work, lake = arguments.work, arguments.work / "lake"
    if lake.exists():
        sys.exit(f"{lake} is there already")
    for name, text in FILES.items():
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text(text)
    (work / "data").mkdir()

    def karat(*words):
        started = time.monotonic()
        done = subprocess.run([arguments.karat, *words], cwd=work, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"karat {' '.join(words)}\n{done.stdout}{done.stderr}")
        return time.monotonic() - started, done.stdout

    begin = datetime.datetime(2023, 1, 1)
    times = {}
    print(f"{'runs':>7}{'run ms':>9}{'none ms':>9}{'most ms':>9}{'clean-up':>10}{'log kB':>10}{'ledger kB':>12}{'objects':>9}")
    for run in range(arguments.runs):
        now = begin + datetime.timedelta(minutes=arguments.minutes * run)
        rows = (f"{run * 20 + row},{now + datetime.timedelta(seconds=row)},{row}\n" for row in range(20))
        late = f"{run * 20 + 20},{now - datetime.timedelta(days=run % 9)},1\n" if run % 7 == 0 else ""
        bad = "bad\n" if run % 3 == 0 else ""
        (work / f"data/{run:06}.csv").write_text("id,at,amount\n" + "".join(rows) + late + bad)
        if run % 100 == 99:
            for path in lake.rglob("*"):
                if path.is_file():
                    modified = path.stat().st_mtime - 60 * 100 * arguments.minutes
                    os.utime(path, (modified, modified))
        times[run] = karat("run", "-q")[0]
        if (run + 1) % arguments.every == 0:
            line(run + 1, times, [karat("run", "-q")[0] for _ in range(3)], lake)
            times.clear()
    print(told(lake))
    tables = [("events", "1, 2, 3"), ("events_quarantine", "1, 2"), ("daily", "1"), ("weekly", "1"), ("totals", "1")]
    query = [("query", f"select * from app.{table} order by {order}", "--output", "csv", "--limit", "0")
             for table, order in tables]
    before = [karat(*words)[1] for words in query]
    karat("run", "-q", "--full-refresh")
    if before != [karat(*words)[1] for words in query]:
        sys.exit("the tables differ from a full refresh")
    print("every table equals a full refresh")


if __name__ == "__main__":
    main()
