#!/usr/bin/env python3
"""Runs karat and dbt on the same projects, unchanged, and compares the rows of every model and seed.

    tests/dbt/compare.py KARAT PROJECT [PROJECT ...]

KARAT is the binary. A PROJECT is a folder with a dbt project; it is copied, and dbt gets a profile of DuckDB in its copy. Needs Python with
dbt-core and dbt-duckdb. The exit code is 1 if a table differs, or if karat or dbt fails.

Projects to try: those of the source distribution of sqlmesh 0.236.4 (`tests/fixtures/dbt/jaffle_shop_duckdb`, `examples/sushi_dbt`), and the
integration tests of dbt-utils with dbt-utils itself under `dbt_packages/`.

Values are compared as numbers with nine digits, times without a zone, and texts. Where karat has integers and dbt has floats, the values count.
"""

import datetime
import decimal
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import duckdb


def run(command, folder):
    """The output of a command; exits with it if the command fails."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    # A failed data test, or a table that could not be built, is a result to compare.
    if done.returncode not in (0, 1):
        sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")
    return done


def plain(value):
    """A value as it is compared."""
    if isinstance(value, bool) or value is None:
        return repr(value)
    if isinstance(value, (int, float, decimal.Decimal)):
        return f"{float(value):.9g}"
    if isinstance(value, datetime.datetime):
        return value.replace(tzinfo=None).isoformat(sep=" ")
    if isinstance(value, datetime.date):
        return f"{value.isoformat()} 00:00:00"
    return str(value)


def rows(connection, query):
    """Columns by name, and rows as texts, sorted."""
    found = connection.execute(query)
    columns = [column[0].lower() for column in found.description]
    order = sorted(range(len(columns)), key=lambda place: columns[place])
    values = [tuple(plain(row[place]) for place in order) for row in found.fetchall()]
    return [columns[place] for place in order], sorted(values)


def of_dbt(database):
    """Every table and view of a database by its name, in lower case."""
    with duckdb.connect(str(database), read_only=True) as connection:
        names = connection.execute(
            "select table_schema, table_name from information_schema.tables order by 1, 2"
        ).fetchall()
        return {name.lower(): rows(connection, f'select * from "{schema}"."{name}"') for schema, name in names}


def compare(karat, project):
    """The number of tables that are equal, and what is wrong with the others."""
    with tempfile.TemporaryDirectory() as scratch:
        ours = pathlib.Path(scratch, "karat")
        theirs = pathlib.Path(scratch, "dbt")
        for folder in (ours, theirs):
            shutil.copytree(project, folder)
        project_file = (theirs / "dbt_project.yml").read_text()
        profile = re.search(r"^profile:\s*['\"]?([\w-]+)", project_file, re.MULTILINE)
        name = profile.group(1) if profile else "default"
        output = {"type": "duckdb", "path": "compared.duckdb", "schema": "main"}
        profiles = {name: {"target": "compared", "outputs": {"compared": output}}}
        (theirs / "profiles.yml").write_text(json.dumps(profiles))
        run(["dbt", "build", "--profiles-dir", "."], theirs)
        databases = sorted(theirs.glob("compared.duckdb"))
        if not databases:
            sys.exit(f"{project}: dbt has left no database file")
        expected = of_dbt(databases[0])
        built = run([karat, "build"], ours)
        print(f"{project}: {(built.stdout + built.stderr).strip().splitlines()[-1]}")
        listed = run([karat, "ls", "--output", "json"], ours).stdout
        equal, wrong = 0, []
        for line in listed.splitlines():
            node = json.loads(line)
            name = node.get("table", "").split(".")[-1].lower()
            if not name or node.get("resource_type") in ("source", "test"):
                continue
            if node.get("materialized") == "ephemeral":
                continue
            if name not in expected:
                wrong.append(f"{name}: dbt has no such table")
                continue
            file = pathlib.Path(scratch, f"{name}.parquet")
            query = [karat, "query", "--limit", "0", "--output", "parquet", f"select * from {{{{ ref('{node['name']}') }}}}"]
            with open(file, "wb") as out:
                done = subprocess.run(query, cwd=ours, stdout=out, stderr=subprocess.PIPE, text=True)
            if done.returncode != 0:
                wrong.append(f"{name}: {done.stderr.strip()}")
                continue
            with duckdb.connect() as connection:
                found = rows(connection, f"select * from read_parquet('{file}')")
            if found == expected[name]:
                equal += 1
            elif found[0] != expected[name][0]:
                wrong.append(f"{name}: columns {found[0]}, and {expected[name][0]} of dbt")
            else:
                more = [row for row in found[1] if row not in set(expected[name][1])]
                wrong.append(f"{name}: {len(found[1])} rows, {len(expected[name][1])} of dbt, first other {more[:1]}")
        return equal, wrong


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    karat = pathlib.Path(sys.argv[1]).resolve()
    failed = False
    for project in sys.argv[2:]:
        equal, wrong = compare(karat, pathlib.Path(project))
        print(f"{project}: {equal} tables equal, {len(wrong)} not")
        for line in wrong:
            print(f"  {line}")
        failed |= bool(wrong)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
