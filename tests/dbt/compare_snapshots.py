#!/usr/bin/env python3
"""Takes the same snapshots with karat and dbt, several times over a source that changes, and compares all versions of all rows.

    tests/dbt/compare_snapshots.py KARAT

KARAT is the binary. Needs Python with dbt-core and dbt-duckdb. The exit code is 1 if a table differs, or if karat or dbt fails.

Both get the same time of each run: karat by `--now`, dbt by a macro in the place of its own. So the hashes are equal too.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import urllib.parse

import duckdb

SNAPSHOT = "{{% snapshot {name} %}}{{{{ config(unique_key={key}, {config}) }}}}\nselect {columns} from {{{{ ref('{table}') }}}}\n{{% endsnapshot %}}\n"

TIMES = "strategy='timestamp', updated_at='updated_at'"
CHECK = "strategy='check', check_cols=['status', 'amount']"
ALL = "strategy='check', check_cols='all'"
CURRENT = "dbt_valid_to_current=\"cast('9999-12-31' as timestamp)\""
NAMES = "snapshot_meta_column_names={'dbt_valid_from': 'begins', 'dbt_valid_to': 'ends', 'dbt_is_deleted': 'gone'}"


def snapshots():
    """Every strategy with every way to treat deleted rows, and what else there is to configure."""
    found = {}
    for strategy, config in [("times", TIMES), ("check", CHECK), ("all", ALL)]:
        for deletes in ["ignore", "invalidate", "new_record"]:
            found[f"{strategy}_{deletes}"] = {"config": f"{config}, hard_deletes='{deletes}'"}
            found[f"{strategy}_{deletes}_current"] = {"config": f"{config}, hard_deletes='{deletes}', {CURRENT}"}
    found["older"] = {"config": f"{TIMES}, invalidate_hard_deletes=true"}
    found["two_keys"] = {"key": "['id', 'region']", "config": f"{ALL}, hard_deletes='invalidate'"}
    found["computed_key"] = {"key": "\"id || '-' || region\"", "config": f"{TIMES}, hard_deletes='new_record'"}
    found["named"] = {"config": f"{ALL}, hard_deletes='new_record', {NAMES}"}
    found["dated_check"] = {"config": f"{CHECK}, updated_at='updated_at'"}
    found["dates"] = {
        "config": "strategy='timestamp', updated_at='changed_on', hard_deletes='invalidate'",
        "columns": "id, region, status, cast(updated_at as date) as changed_on",
    }
    return found


FIRST = ["id,region,status,amount,updated_at"]
RUNS = [
    # Time, and the rows of the source.
    ("2024-01-01 08:00:00", FIRST + ["1,eu,new,10.50,2024-01-01 01:00:00", "2,eu,new,,2024-01-01 02:00:00", "3,us,new,7.00,2024-01-01 03:00:00.120000"]),
    # One changed, one is new.
    ("2024-01-02 08:00:00.500000", FIRST + ["1,eu,paid,10.50,2024-01-02 01:00:00", "2,eu,new,,2024-01-01 02:00:00", "3,us,new,7.00,2024-01-01 03:00:00.120000", "4,us,new,1.25,2024-01-02 04:00:00"]),
    # Nothing changed.
    ("2024-01-03 08:00:00", FIRST + ["1,eu,paid,10.50,2024-01-02 01:00:00", "2,eu,new,,2024-01-01 02:00:00", "3,us,new,7.00,2024-01-01 03:00:00.120000", "4,us,new,1.25,2024-01-02 04:00:00"]),
    # One is gone, a null became a value, a value became a null; the value changed without its time.
    ("2024-01-04 08:00:00", FIRST + ["1,eu,paid,,2024-01-02 01:00:00", "2,eu,new,3.00,2024-01-04 02:00:00", "4,us,sent,1.25,2024-01-02 04:00:00"]),
    # It is still gone.
    ("2024-01-05 08:00:00", FIRST + ["1,eu,paid,,2024-01-02 01:00:00", "2,eu,new,3.00,2024-01-04 02:00:00", "4,us,sent,1.25,2024-01-05 04:00:00"]),
    # It is back as it was, and another one is gone.
    ("2024-01-06 08:00:00", FIRST + ["1,eu,paid,,2024-01-02 01:00:00", "3,us,new,7.00,2024-01-01 03:00:00.120000", "4,us,sent,1.25,2024-01-05 04:00:00"]),
    # That one is back with another value.
    ("2024-01-07 08:00:00", FIRST + ["1,eu,paid,,2024-01-02 01:00:00", "2,eu,back,3.00,2024-01-07 02:00:00", "3,us,new,7.00,2024-01-01 03:00:00.120000", "4,us,sent,1.25,2024-01-05 04:00:00"]),
    # A column comes.
    ("2024-01-08 08:00:00", ["id,region,status,amount,updated_at,note", "1,eu,paid,,2024-01-02 01:00:00,", "2,eu,back,3.00,2024-01-07 02:00:00,", "3,us,sent,7.00,2024-01-08 03:00:00,late", "4,us,sent,1.25,2024-01-05 04:00:00,x"]),
    # A row goes while it is there.
    ("2024-01-09 08:00:00", ["id,region,status,amount,updated_at,note", "1,eu,paid,,2024-01-02 01:00:00,", "2,eu,back,3.00,2024-01-07 02:00:00,y", "3,us,sent,7.00,2024-01-08 03:00:00,late"]),
    # The column goes again, and a row with it.
    ("2024-01-10 08:00:00", FIRST + ["1,eu,paid,2.00,2024-01-10 01:00:00", "3,us,sent,7.00,2024-01-08 03:00:00"]),
]


def write(folder, project):
    """The project with its snapshots."""
    (folder / "seeds").mkdir(parents=True)
    (folder / "snapshots").mkdir()
    (folder / "dbt_project.yml").write_text(project)
    blocks = []
    for name, one in snapshots().items():
        columns = one.get("columns", "*")
        blocks.append(SNAPSHOT.format(name=name, key=one.get("key", "'id'"), config=one["config"], columns=columns, table="orders"))
    (folder / "snapshots" / "orders.sql").write_text("\n".join(blocks))
    relation = {"name": "relation", "relation": "ref('orders')", "config": {"strategy": "check", "check_cols": ["status"], "unique_key": "id"}}
    (folder / "snapshots" / "relation.yml").write_text(json.dumps({"snapshots": [relation]}))


def run(command, folder, variables):
    """Exits with the output of a command that fails."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env={**os.environ, **variables})
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def plain(value):
    """A value as it is compared: dbt's amounts are floats in DuckDB, and decimals here."""
    if value is None or isinstance(value, bool):
        return repr(value)
    if hasattr(value, "isoformat"):
        # Times are UTC: DuckDB shows those of karat's files with their zone.
        return value.isoformat().removesuffix("+00:00")
    try:
        return f"{float(value):.9g}"
    except ValueError:
        return str(value)


def rows(connection, query):
    """The names of the columns, and the rows as texts, sorted."""
    found = connection.execute(query)
    columns = [column[0] for column in found.description]
    return columns, sorted(tuple(plain(value) for value in row) for row in found.fetchall())


def main(karat):
    """Runs both, and compares after each run."""
    project = "name: shop\nversion: '1.0'\nprofile: shop\nseeds: {+column_types: {amount: 'decimal(10,2)', updated_at: timestamp}}\n"
    with tempfile.TemporaryDirectory() as scratch:
        ours = pathlib.Path(scratch, "karat")
        theirs = pathlib.Path(scratch, "dbt")
        write(ours, project)
        write(theirs, project)
        output = {"type": "duckdb", "path": "compared.duckdb", "schema": "main"}
        (theirs / "profiles.yml").write_text(json.dumps({"shop": {"target": "dev", "outputs": {"dev": output}}}))
        (theirs / "macros").mkdir()
        (theirs / "macros" / "time.sql").write_text("{% macro snapshot_get_time() %}'{{ env_var('NOW') }}'::timestamp{% endmacro %}")
        differ = 0
        for time, lines in RUNS:
            for folder in (ours, theirs):
                (folder / "seeds" / "orders.csv").write_text("\n".join(lines) + "\n")
            variables = {"NOW": time, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}
            for command in (["seed", "--full-refresh"], ["snapshot"]):
                run([pathlib.Path(sys.executable).parent / "dbt", *command, "--profiles-dir", "."], theirs, variables)
            run([karat, "seed"], ours, {})
            run([karat, "snapshot", "--now", time.replace(" ", "T")], ours, {})
            differ += compare(ours, theirs, time)
        print(f"{len(RUNS)} runs of {len(snapshots()) + 1} snapshots: {differ} differences")
        sys.exit(1 if differ else 0)


def files_of(table):
    """The Parquet files of the newest version of a Delta table, and its columns with their order."""
    files = set()
    columns = []
    for commit in sorted((table / "_delta_log").glob("*.json")):
        for line in commit.read_text().splitlines():
            action = json.loads(line)
            if "add" in action:
                files.add(str(table / urllib.parse.unquote(action["add"]["path"])))
            if "remove" in action:
                files.discard(str(table / urllib.parse.unquote(action["remove"]["path"])))
            if "metaData" in action:
                columns = [field["name"] for field in json.loads(action["metaData"]["schemaString"])["fields"]]
    return sorted(files), columns


def compare(ours, theirs, time):
    """The number of snapshots that differ after a run."""
    differ = 0
    with duckdb.connect(str(theirs / "compared.duckdb"), read_only=True) as connection:
        for name in [*snapshots(), "relation"]:
            columns, wanted = rows(connection, f'select * from "{name}"')
            files, stored = files_of(ours / "lake" / "shop" / name)
            named = ", ".join(f'"{column}"' for column in columns)
            query = f"select {named} from read_parquet({files}, union_by_name=true)"
            found = rows(connection, query)[1] if sorted(stored) == sorted(columns) else []
            if found != wanted:
                differ += 1
                print(f"{time}: {name} differs\n  dbt:   {columns}\n  karat: {stored}")
                for row in sorted(set(found) ^ set(wanted)):
                    print(f"  {'karat' if row in found else 'dbt  '} {row}")
                if set(found) == set(wanted):
                    print(f"  {len(found)} rows and not {len(wanted)}")
    return differ


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(pathlib.Path(sys.argv[1]).resolve())
