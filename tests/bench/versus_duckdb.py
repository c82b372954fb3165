#!/usr/bin/env python3
"""karat and DuckDB side by side: the sample project's tables from CSV files, and projects of many models.

    python3 tests/bench/versus_duckdb.py FOLDER [--rows 1000000 10000000] [--rounds 3] [--models 100 1000]

FOLDER is filled with data and tables, and what is there is used again. In each round both do the same work, one after the other:
all tables (`full`), only those of the files (`bronze`), and a day anew (`day`). After the first round of `full`, all tables are compared
row by row. Of CPU and wall seconds and of the peak of memory the medians are printed, with the least and the most; the ratio is
the median of the rounds' ratios. `compile` and `plan` are karat alone.
"""

import argparse
import datetime
import json
import pathlib
import shutil
import statistics
import subprocess
import sys

from work import REPOSITORY, Used, copy_project, link_data, measured

HERE = pathlib.Path(__file__).resolve().parent
# The folder is called like the package, so its script is no module of it.
sys.path.append(str(HERE / "duckdb"))

from run import BRONZE, REST  # noqa: E402

DAY = "2023-06-15"


def figures(values):
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def show(work, ours, theirs=()):
    """A line of medians: karat's, DuckDB's, and their ratio."""
    cells = [f"{work:24}", f"{figures([used.cpu for used in ours]):>24}", f"{figures([used.wall for used in ours]):>24}"]
    cells.append(f"{max(used.peak for used in ours):>8.0f}")
    if theirs:
        cells += [f"{figures([used.cpu for used in theirs]):>24}", f"{figures([used.wall for used in theirs]):>24}"]
        cells.append(f"{max(used.peak for used in theirs):>8.0f}")
        for part in ["cpu", "wall"]:
            ratios = [getattr(own, part) / getattr(other, part) for own, other in zip(ours, theirs)]
            cells.append(f"{statistics.median(ratios):>6.2f}")
    print(" ".join(cells), flush=True)


def live_files(table):
    """The files of a table, as its log names them."""
    files = {}
    for log in sorted((table / "_delta_log").glob("*.json")):
        for action in map(json.loads, log.read_text().splitlines()):
            if "add" in action:
                files[action["add"]["path"]] = True
            if "remove" in action:
                files.pop(action["remove"]["path"], None)
    return [str(table / path) for path in files]


def differing_rows(lake, out):
    """The tables whose rows differ, with how many."""
    import duckdb

    found = {}
    for table, cut_by in BRONZE + REST:
        (log,) = lake.glob(f"*/{table}/_delta_log")
        ours = live_files(log.parent)
        theirs = str(out / table / ("*/*.parquet" if cut_by else "*.parquet"))
        database = duckdb.connect()
        types = {"event_date": "{'event_date': date}", "country": "{'country': varchar}"}
        hive = f"hive_partitioning = true, hive_types = {types[cut_by]}" if cut_by else "hive_partitioning = false"
        database.execute(f"create view theirs as from read_parquet('{theirs}', {hive})")
        if not ours:
            rows = database.execute("select count(*) from theirs").fetchone()[0]
            if rows:
                found[table] = rows
            continue
        database.execute(f"create view ours as from read_parquet({ours}, {hive})")
        columns = database.execute("describe theirs").fetchall()
        own = {name for name, *_ in database.execute("describe ours").fetchall()}
        # What only tells where a record comes from is named in another way.
        columns = [(name, kind) for name, kind, *_ in columns if name in own and not name.startswith("_")]
        # An average is a decimal here and a floating-point number there.
        rounded = {"DOUBLE": "round({}::double, 6)", "FLOAT": "round({}::double, 6)"}
        select = ", ".join(rounded.get(kind, "{}::" + kind).format(f'"{name}"') for name, kind in columns)
        rows = 0
        for one, other in [("ours", "theirs"), ("theirs", "ours")]:
            query = f"select count(*) from (select {select} from {one} except all select {select} from {other})"
            rows += database.execute(query).fetchone()[0]
        if rows:
            found[table] = rows
    return found


def only(folder, name):
    """The folder of one piece of work, empty."""
    shutil.rmtree(folder / name, ignore_errors=True)
    return folder / name


def size_of(folder):
    files = [path for path in folder.rglob("*") if path.is_file()]
    return f"{sum(path.stat().st_size for path in files) / 1e6:.1f} MB in {len(files)} files"


class Comparison:
    def __init__(self, folder, karat, rows):
        self.folder, self.karat, self.rows = folder, karat, rows
        self.data = folder / f"data-{rows}"
        if not self.data.exists():
            users = str(max(1000, rows // 1000))
            command = [karat, "sample-data", "--clean", "--rows", str(rows), "--users", users, "--out", str(self.data)]
            subprocess.run(command, check=True, capture_output=True)
        self.days = sorted((self.data / "user_interactions").glob("*.csv"))

    def project(self, name):
        project = only(self.folder, name)
        copy_project(project)
        link_data(self.data, project, self.days)
        return project

    def duckdb(self, phase, out):
        """What the script says of the process that did the phase: starting Python is not DuckDB's work."""
        script = [sys.executable, str(HERE / "duckdb/run.py"), "--data", str(self.data), "--out", str(out), "--day", DAY]
        told = measured([*script, "--phase", phase], self.folder).told
        cpu, wall, peak, *_ = told.splitlines()[-1].removeprefix(phase).split()
        return Used(float(cpu), float(wall), float(peak), told)

    def full(self, rounds):
        ours, theirs = [], []
        for turn in range(rounds):
            project, out = self.project("karat-full"), only(self.folder, "duckdb-full")
            ours.append(measured([self.karat, "run", "--quiet"], project))
            theirs.append(self.duckdb("full", out))
            if turn == 0:
                # In a process of its own: the memory of this one is counted as that of its children before they begin.
                script = [sys.executable, __file__, str(self.folder), "--compare", str(project / "lake"), str(out)]
                subprocess.run(script, check=True)
        show(f"full, {self.rows} rows", ours, theirs)
        print(f"  output: karat {size_of(project / 'lake')}, DuckDB {size_of(out)}", flush=True)
        again = [measured([self.karat, "run", "--quiet"], project) for _ in range(rounds)]
        show("  nothing to do", again)

    def bronze(self, rounds):
        ours, theirs = [], []
        for _ in range(rounds):
            project, out = self.project("karat-bronze"), only(self.folder, "duckdb-bronze")
            ours.append(measured([self.karat, "run", "--quiet", "--select", "bronze"], project))
            theirs.append(self.duckdb("bronze", out))
        show(f"bronze, {self.rows} rows", ours, theirs)

    def day(self, rounds):
        """Both have all tables: karat is told to compute a day's slices again, DuckDB to make the day's files again."""
        ours, theirs = [], []
        end = (datetime.date.fromisoformat(DAY) + datetime.timedelta(days=1)).isoformat()
        for _ in range(rounds):
            command = [self.karat, "run", "--quiet", "--start", DAY, "--end", end]
            ours.append(measured(command, self.folder / "karat-full"))
            theirs.append(self.duckdb("day", self.folder / "duckdb-full"))
        show(f"a day of {self.rows} rows", ours, theirs)


COLUMNS = [f"c{place}" for place in range(17)]


def many_models(folder, count):
    """Layers of ten models of twenty columns, each reading two of the layer before, with three tests each."""
    models = folder / "models/wide"
    models.mkdir(parents=True)
    (folder / "project.yml").write_text("name: wide\nversion: '1.0'\n")
    properties = ["models:\n"]
    for model in range(count):
        sql = "{{ config(materialized='table') }}\n"
        if model < 10:
            columns = ", ".join(f"cast(g + {place} as bigint) as {name}" for place, name in enumerate(COLUMNS))
            sql += f"select cast(g as bigint) as id, cast('2023-01-01' as date) as day, 1.5 as amount, {columns} "
            sql += "from generate_series(1, 10) as t(g)"
        else:
            forms = ["coalesce(l.{0}, 0) + 1 as {0}", "case when l.{0} > 5 then l.{0} else l.c0 end as {0}", "l.{0}"]
            columns = ", ".join(forms[place % 3].format(name) for place, name in enumerate(COLUMNS))
            left, right = model - 10, model // 10 * 10 - 10
            sql += f"with l as (select * from {{{{ ref('m{left}') }}}}),\n"
            sql += f"r as (select day, sum(amount) as amount from {{{{ ref('m{right}') }}}} group by day)\n"
            sql += f"select l.id, l.day, r.amount, {columns} from l join r on r.day = l.day where l.id > 0"
        (models / f"m{model}.sql").write_text(sql)
        properties.append(
            f"  - name: m{model}\n    columns:\n      - name: id\n        data_tests: [unique, not_null]\n"
            "      - name: day\n        data_tests: [not_null]\n"
        )
    (models / "schema.yml").write_text("".join(properties))


def plans_again(karat, project, rounds, count):
    """Plans of a project whose types an earlier command has kept: as it was, and with one model edited each time."""
    plan = [karat, "plan", "--quiet"]
    measured(plan, project)
    show(f"  again, {count} models", [measured(plan, project) for _ in range(rounds)])
    model = project / f"models/wide/m{count // 2}.sql"
    text = model.read_text()
    edited = []
    for edit in range(rounds):
        model.write_text(text.replace("l.id > 0", f"l.id > {edit + 1}"))
        edited.append(measured(plan, project))
    model.write_text(text)
    show("  again, one model edited", edited)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--karat", default=REPOSITORY / "target/release/karat", type=pathlib.Path)
    parser.add_argument("--rows", default=[1_000_000, 10_000_000], type=int, nargs="*")
    parser.add_argument("--models", default=[100, 1000], type=int, nargs="*")
    parser.add_argument("--rounds", default=3, type=int)
    parser.add_argument("--compare", type=pathlib.Path, nargs=2, metavar=("LAKE", "OUT"), help="compare tables, and nothing else")
    arguments = parser.parse_args()
    if arguments.compare:
        differing = differing_rows(*arguments.compare)
        sys.exit(f"rows that differ: {differing}" if differing else 0)
    folder, karat = arguments.folder.resolve(), str(arguments.karat.resolve())
    folder.mkdir(parents=True, exist_ok=True)

    parts = ["CPU s", "wall s"]
    titles = [f"{'karat: ' + part:>24}" for part in parts] + [f"{'peak MB':>8}"]
    titles += [f"{'DuckDB: ' + part:>24}" for part in parts] + [f"{'peak MB':>8}", f"{'CPU':>6}", f"{'wall':>6}"]
    print(f"{'':24}", *titles)
    for rows in arguments.rows:
        comparison = Comparison(folder, karat, rows)
        comparison.full(arguments.rounds)
        comparison.day(arguments.rounds)
        comparison.bronze(arguments.rounds)
    for count in arguments.models:
        project = folder / f"models-{count}"
        if not project.exists():
            many_models(project, count)
        for command in ["ls", "compile", "plan --no-partial-parse"]:
            used = [measured([karat, *command.split(), "--quiet"], project) for _ in range(arguments.rounds)]
            show(f"{command.split()[0]}, {count} models", used)
        plans_again(karat, project, arguments.rounds, count)


if __name__ == "__main__":
    main()
