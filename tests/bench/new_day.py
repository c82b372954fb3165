#!/usr/bin/env python3
"""What one new day costs: karat finds out what it touches, DuckDB is told.

    python3 tests/bench/new_day.py --data DIR --work DIR [--karat target/release/karat] [--runs 3]

DIR of --data is the folder that `karat sample-data` wrote, a file a day. WORK is filled with a project whose lake holds all days
but the last; each measurement begins from a copy of it, to which the last day's file is added. Late rows of that file are left
out, because DuckDB's script makes one day alone; `--late` leaves them in, for karat only.
"""

import argparse
import pathlib
import shutil
import subprocess
import sys

from work import REPOSITORY, copy_project, link_data, measured

HERE = pathlib.Path(__file__).resolve().parent


def only_of_day(path, day):
    """The header and the records of the day itself."""
    lines = path.read_bytes().splitlines(keepends=True)
    return b"".join(line for place, line in enumerate(lines) if place == 0 or f",{day} ".encode() in line)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, type=pathlib.Path)
    parser.add_argument("--work", required=True, type=pathlib.Path)
    parser.add_argument("--karat", default=REPOSITORY / "target/release/karat", type=pathlib.Path)
    parser.add_argument("--runs", default=3, type=int)
    parser.add_argument("--late", action="store_true")
    parser.add_argument("--without-duckdb", action="store_true")
    arguments = parser.parse_args()
    data, karat = arguments.data.resolve(), str(arguments.karat.resolve())
    *days, last = sorted((data / "user_interactions").glob("*.csv"))
    day = last.stem

    base = arguments.work / "base"
    if not base.exists():
        copy_project(base)
        link_data(data, base, days)
        used = measured([karat, "run", "--quiet"], base)
        print(f"{'karat, all days but the last':40}{used.cpu:9.2f}{used.wall:9.2f}", flush=True)

    new = last.read_bytes() if arguments.late else only_of_day(last, day)
    print(f"{'':40}{'CPU s':>9}{'wall s':>9}")
    for run in range(arguments.runs):
        folder = arguments.work / "run"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(base, folder, copy_function=shutil.copy2)
        (folder / "data/user_interactions" / last.name).write_bytes(new)
        used = measured([karat, "run"], folder)
        print(f"{f'karat, {day}':40}{used.cpu:9.2f}{used.wall:9.2f}", flush=True)
        if run == 0:
            print(used.told)
    used = measured([karat, "run"], folder)
    print(f"{'karat, nothing to do':40}{used.cpu:9.2f}{used.wall:9.2f}", flush=True)

    if not arguments.without_duckdb:
        script, out = HERE / "duckdb/run.py", arguments.work / "duckdb"
        command = [sys.executable, str(script), "--data", str(data), "--out", str(out), "--day", day]
        if not out.exists():
            subprocess.run([*command, "--phase", "full"], check=True)
        for _ in range(arguments.runs):
            subprocess.run([*command, "--phase", "day"], check=True)


if __name__ == "__main__":
    main()
