#!/usr/bin/env python3
"""The sample project's work, done by DuckDB: CSV files to bronze, silver and gold tables in Parquet.

    python3 tests/bench/duckdb/run.py --data DIR --out DIR [--day 2023-06-15] [--phase bronze|full|day]

Each phase runs in a process of its own, whose resources are printed.
"""

import argparse
import datetime
import glob
import multiprocessing
import os
import pathlib
import resource
import shutil
import time

HERE = pathlib.Path(__file__).parent

# Table and how its files are cut: by a column, into one directory a value; or not at all, into one file.
BRONZE = [("interactions", "event_date"), ("users", "country")]
REST = [
    ("fct_interactions", "event_date"),
    ("rejected_interactions", None),
    ("dim_users", "country"),
    ("user_days", "event_date"),
    ("daily_active_users", None),
    ("dau_by_country", None),
    ("dau_by_device", None),
    ("dau_by_subscription", None),
    ("reporting_days", None),
    ("users_by_month", None),
    ("users_trailing_30d", None),
    ("monthly_active_users", None),
    ("mau_trailing_30d", None),
    ("sessions_midnight", "event_date"),
    ("sessions", "event_date"),
    ("daily_session_metrics", None),
    ("daily_session_metrics_midnight", None),
]

# Made of tables so small that a day makes them anew, and users, who do not come by the day.
MADE_WHOLE = {"reporting_days", "monthly_active_users", "mau_trailing_30d"}
NOT_DAILY = {"users", "dim_users"}


def files(data, folder, day=None):
    """The CSV files of a source, plain or compressed; of one day, if files are cut by the day."""
    found = sorted(glob.glob(f"{data}/{folder}/*.csv*")) or sorted(glob.glob(f"{data}/{folder}.csv*"))
    of_day = [name for name in found if day and (day in name or day.replace("-", "") in name)]
    return of_day or found


def filters(day):
    """The conditions that a table's SQL names: everything, or what one day needs."""
    if day is None:
        return dict.fromkeys(["slice", "month", "trailing", "around"], "true")
    date = f"date '{day}'"
    return {
        "slice": f"event_date = {date}",
        "month": f"event_date between date_trunc('month', {date})::date and last_day({date})",
        "trailing": f"event_date between {date} - 29 and {date}",
        "around": f"event_date between {date} - 1 and {date} + 2",
    }


class Lake:
    """Tables as folders of Parquet files, readable as views of their names."""

    def __init__(self, data, out, day):
        import duckdb

        self.out, self.day = pathlib.Path(out), day
        self.names = filters(day)
        self.names["interaction_files"] = files(data, "user_interactions", day)
        self.names["user_files"] = files(data, "user_metadata")
        self.db = duckdb.connect()
        self.db.execute(f"set threads = {os.cpu_count()}")
        self.db.execute("set preserve_insertion_order = false")
        self.db.execute("set partitioned_write_max_open_files = 1000")

    def sql(self, table):
        return (HERE / f"{table}.sql").read_text().format(**self.names)

    def view(self, table, cut_by=None):
        """Makes a table readable; the type of the column in directory names has to be said."""
        types = {"event_date": ", hive_types = {'event_date': date}", "country": ", hive_types = {'country': varchar}"}
        options = f"hive_partitioning = true{types[cut_by]}" if cut_by else "hive_partitioning = false"
        path = self.out / table / ("*/*.parquet" if cut_by else "*.parquet")
        self.db.execute(f"create or replace view {table} as from read_parquet('{path}', {options})")

    def build(self, table, cut_by):
        folder = self.out / table
        new = folder / "new"
        folder.mkdir(parents=True, exist_ok=True)
        if self.day is None or table in MADE_WHOLE:
            shutil.rmtree(folder)
            folder.mkdir()
            kept = ""
        else:
            kept = self.kept(table, cut_by)
        if cut_by:
            self.copy(self.sql(table) + kept, new, f", partition_by ({cut_by})")
            for partition in new.iterdir():
                shutil.rmtree(folder / partition.name, ignore_errors=True)
                partition.rename(folder / partition.name)
            new.rmdir()
        else:
            self.copy(f"from ({self.sql(table)}) {kept}", new)
            new.rename(folder / "data.parquet")
        self.view(table, cut_by)

    def kept(self, table, cut_by):
        """What a day's file or directory holds besides the rows that are made anew, to be added to them."""
        if table == "interactions":
            loaded = self.names["interaction_files"]
            rows = f"{self.names['slice']} and not list_contains({loaded}, _source_file)"
        elif cut_by:
            return ""
        elif table == "users_by_month":
            rows = f"\"month\" <> date '{self.day[:7]}-01'"
        else:
            rows = f"({self.names['slice']}) is not true"
        return f" union all by name from {table} where {rows}"

    def copy(self, query, path, options=""):
        self.db.execute(f"copy ({query}) to '{path}' (format parquet, compression zstd{options})")

    def keep_rejects(self):
        self.out.joinpath("quarantine").mkdir(parents=True, exist_ok=True)
        rejects = "select * from reject_errors join reject_scans using (scan_id, file_id)"
        self.copy(rejects, self.out / "quarantine" / f"{self.day or 'all'}.parquet")


def work(phase, data, out, day):
    """Builds the tables of a phase."""
    lake = Lake(data, out, day if phase == "day" else None)
    if phase == "day":
        for table, cut_by in BRONZE + REST:
            lake.view(table, cut_by)
    daily = [table for table in BRONZE if phase != "day" or table[0] not in NOT_DAILY]
    for table, cut_by in daily:
        lake.build(table, cut_by)
    lake.keep_rejects()
    if phase == "bronze":
        return
    lake.db.execute(f"create or replace view judged_interactions as {lake.sql('judged_interactions')}")
    for table, cut_by in REST:
        if phase != "day" or table not in NOT_DAILY:
            lake.build(table, cut_by)


def measured(phase, data, out, day, results):
    """Does a phase and reports what this process used for it."""
    started = time.monotonic()
    work(phase, data, out, day)
    wall = time.monotonic() - started
    used = resource.getrusage(resource.RUSAGE_SELF)
    results.put((used.ru_utime + used.ru_stime, wall, used.ru_maxrss / 1024))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="the folder that `karat sample-data` wrote")
    parser.add_argument("--out", required=True, help="the folder for the tables")
    parser.add_argument("--day", default="2023-06-15", help="the day that the phase `day` builds anew")
    parser.add_argument("--phase", choices=["bronze", "full", "day"], help="one phase alone; `day` needs an earlier `full`")
    arguments = parser.parse_args()
    datetime.date.fromisoformat(arguments.day)

    context = multiprocessing.get_context("spawn")
    print(f"{'phase':8}{'CPU s':>9}{'wall s':>9}{'peak MB':>9}{'output MB':>11}{'files':>8}")
    for phase in [arguments.phase] if arguments.phase else ["full", "day"]:
        results = context.SimpleQueue()
        child = context.Process(target=measured, args=(phase, arguments.data, arguments.out, arguments.day, results))
        child.start()
        child.join()
        if child.exitcode != 0:
            raise SystemExit(f"phase {phase} failed")
        cpu, wall, peak = results.get()
        written = list(pathlib.Path(arguments.out).rglob("*.parquet"))
        size = sum(path.stat().st_size for path in written) / 1e6
        print(f"{phase:8}{cpu:>9.2f}{wall:>9.2f}{peak:>9.0f}{size:>11.1f}{len(written):>8}", flush=True)


if __name__ == "__main__":
    main()
