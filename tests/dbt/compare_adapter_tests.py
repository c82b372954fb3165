#!/usr/bin/env python3
"""Runs the tests that every adapter of dbt has to pass, and gives each of dbt's commands to karat as well.

    tests/dbt/compare_adapter_tests.py KARAT [--json FILE] [PYTEST ARGUMENT ...]

KARAT is the binary. Needs Python with dbt-core, dbt-duckdb, dbt-tests-adapter, pytest and freezegun. The tests of dbt-tests-adapter are classes, each with the
files of a project and methods that run commands, edit files and run commands again. Whenever one of them calls dbt, karat runs the same command on
a copy of the project as it is then, with a lake of its own; afterwards the two must agree: both succeed or both fail, and every table that karat
lists has the rows of dbt's table. What the tests themselves assert, of dbt's artifacts and messages, is not asked of karat.

Prints a line for each class and what differs in it. `-k NAME`, as for pytest, runs some. The exit code is 1 if anything differs.
"""

import importlib
import inspect
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import duckdb
import pytest

import dbt.tests.adapter
import dbt.tests.fixtures.project
import dbt.tests.util
from dbt.adapters.sql import SQLAdapter
from dbt.cli.main import dbtRunner

from compare import rows

PLUGIN = "dbt.tests.fixtures.project"
# Every class has a database of its own.
CONFTEST = """import pytest

@pytest.fixture(scope="class")
def dbt_profile_target(tmp_path_factory):
    return {"type": "duckdb", "threads": 1, "path": str(tmp_path_factory.mktemp("database") / "test.duckdb")}
"""
NOT_COPIED = ("target", "logs", "lake", "dbt_packages", "dbt_internal_packages")
# Commands that neither read nor write tables, of which nothing could be compared.
NOTHING_TO_COMPARE = ("debug", "docs", "clean", "deps", "init")


def test_classes():
    """Every class with tests, by its module; a class that only gives another one its name for pytest is left out."""
    found = {}
    for root in dbt.tests.adapter.__path__:
        for file in sorted(pathlib.Path(root).rglob("*.py")):
            parts = file.relative_to(root).with_suffix("").parts
            module = importlib.import_module(".".join((dbt.tests.adapter.__name__, *parts)))
            own = [value for value in vars(module).values() if inspect.isclass(value) and value.__module__ == module.__name__]
            own = [value for value in own if any(name.startswith("test") for name in dir(value))]
            named = {value.__bases__[0] for value in own if not [name for name in vars(value) if not name.startswith("__")]}
            found[module.__name__] = [value.__name__ for value in own if value not in named]
    return found


def write_modules(folder):
    """A module for pytest for each module of the package, whose classes have names that pytest collects."""
    (folder / "conftest.py").write_text(CONFTEST)
    for module, names in test_classes().items():
        lines = [f"import {module} as those"]
        lines += [f"class Test_{name}(those.{name}):\n    pass" for name in names]
        if names:
            file = "test_" + module.removeprefix(dbt.tests.adapter.__name__ + ".").replace(".", "_") + ".py"
            (folder / file).write_text("\n".join(lines) + "\n")


class Beside:
    """karat beside dbt: what both made of each command."""

    def __init__(self, karat, scratch):
        self.karat = karat
        self.scratch = scratch
        self.results = {}
        self.current = None
        # Whether a test has dropped the schema since the last command.
        self.dropped = False

    def begin(self, name):
        self.current = {"commands": 0, "tables": 0, "differences": [], "outside": []}
        self.results[name] = self.current

    def ran(self, arguments, success, project):
        """Gives karat a command that dbt has run, and compares."""
        words = [str(argument) for argument in arguments]
        if self.current is None or any(word in NOTHING_TO_COMPARE for word in words):
            return
        root = pathlib.Path(str(project.project_root))
        copy = self.scratch / root.name
        for entry in copy.iterdir() if copy.exists() else []:
            if entry.name not in NOT_COPIED:
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        if self.dropped:
            shutil.rmtree(copy / "lake", ignore_errors=True)
            self.dropped = False
        shutil.copytree(root, copy, ignore=shutil.ignore_patterns("target", "logs"), dirs_exist_ok=True)
        for name in ("--project-dir", "--profiles-dir"):
            while name in words:
                place = words.index(name)
                del words[place : place + 2]
        if "--debug" in words:
            words.remove("--debug")
        shutil.copy(pathlib.Path(str(project.profiles_dir), "profiles.yml"), copy)
        done = self.call(copy, words)
        self.current["commands"] += 1
        shown = " ".join(words)
        if (done.returncode == 0) != success:
            said = said_of(done)
            word = "dbt succeeds" if success else "dbt fails"
            self.current["differences"].append(f"`{shown}`: {word}, karat exits with {done.returncode}: {said}")
            return
        if success:
            self.compare(copy, shown, words, project)

    def call(self, copy, words, **more):
        environment = {name: value for name, value in os.environ.items() if name not in ("DBT_PROFILES_DIR", "DBT_LOG_PATH")}
        given = {"capture_output": True, **more}
        done = subprocess.run([self.karat, *words], cwd=copy, env=environment, text=True, timeout=120, **given)
        if "panicked" in (done.stderr or ""):
            self.current["differences"].append(f"`{' '.join(words)}` panics: {done.stderr}")
        return done

    def compare(self, copy, shown, words, project):
        """Compares the tables that karat has by now."""
        more = []
        for name in ("--vars", "--target", "-t"):
            if name in words and words.index(name) + 1 < len(words):
                more += [name, words[words.index(name) + 1]]
        listed = self.call(copy, ["ls", "--output", "json", *more])
        expected = of_dbt(project)
        for line in listed.stdout.splitlines():
            node = json.loads(line) if line.startswith("{") else {}
            table = node.get("table", "")
            if not table or node.get("resource_type") in ("source", "test"):
                continue
            name = table.split(".")[-1].lower()
            schema = table.split(".")[0].lower() if "." in table else ""
            theirs = {of: found for (of, named), found in expected.items() if named == name}
            ending = [of for of in theirs if of.lower().endswith(schema)]
            place = ending[0] if len(ending) == 1 else (project.test_schema if project.test_schema in theirs else next(iter(theirs), None))
            file = self.scratch / "compared.parquet"
            query = f"select * from {{{{ ref('{node['name']}') }}}}"
            with open(file, "wb") as out:
                done = self.call(
                    copy, ["query", "--limit", "0", "--output", "parquet", query, *more], capture_output=False, stdout=out, stderr=subprocess.PIPE
                )
            if place is None or done.returncode != 0:
                # A table that neither has was not selected, or is a view that nobody built.
                if place is not None and "not-built" not in done.stderr:
                    self.current["differences"].append(f"`{shown}`: {name}: {done.stderr.strip()[:600]}")
                if place is None and done.returncode == 0 and node.get("materialized") not in ("ephemeral", "view"):
                    self.current["differences"].append(f"`{shown}`: {name}: dbt has no such table")
                continue
            with duckdb.connect() as connection:
                found = rows(connection, f"select * from read_parquet('{file}')")
            wanted = without_times(theirs[place])
            found = without_times(found)
            self.current["tables"] += 1
            if found[0] != wanted[0]:
                self.current["differences"].append(f"`{shown}`: {name}: columns {found[0]}, and {wanted[0]} of dbt")
            elif found[1] != wanted[1]:
                first = [row for row in found[1] if row not in set(wanted[1])][:1]
                lost = [row for row in wanted[1] if row not in set(found[1])][:1]
                self.current["differences"].append(
                    f"`{shown}`: {name}: {len(found[1])} rows, {len(wanted[1])} of dbt; only karat has {first}, only dbt {lost}"
                )


def without_times(table):
    """A table without what depends on when it was built: which rows of a snapshot are current stays, and since when goes."""
    columns, lines = table
    if "dbt_scd_id" not in columns:
        return table
    ends = columns.index("dbt_valid_to") if "dbt_valid_to" in columns else None
    kept = [place for place, name in enumerate(columns) if name not in ("dbt_scd_id", "dbt_updated_at", "dbt_valid_from")]
    rest = [tuple("ends" if place == ends and row[place] != "None" else row[place] for place in kept) for row in lines]
    return [columns[place] for place in kept], sorted(rest)


def said_of(done):
    """What a command said, errors before warnings."""
    parts = re.split(r"\n(?=(?:error|warning)\[)", done.stderr.strip() or done.stdout.strip())
    errors = [part for part in parts if not part.startswith("warning[")]
    return "\n".join(errors or parts)[:1500]


class Columns:
    """Rows that are fetched already, in the form of a connection that has run a query."""

    def __init__(self, cursor):
        self.description = cursor.description
        self.fetchall = cursor.fetchall


def of_dbt(project):
    """Every table and view of dbt's database by schema and name. The connection is dbt's own, because DuckDB gives a file to one process."""
    found = {}
    with dbt.tests.util.get_connection(project.adapter) as connection:
        cursor = connection.handle.cursor()
        cursor.execute("select table_schema, table_name from information_schema.tables order by 1, 2")
        for schema, name in cursor.fetchall():
            handle = type("Cursor", (), {"execute": lambda _, query: (cursor.execute(query), Columns(cursor))[1]})()
            try:
                found[(schema, name.lower())] = rows(handle, f'select * from "{schema}"."{name}"')
            except Exception:
                # A view over a table that is gone.
                continue
    return found


class Plugin:
    """Gives karat every command of dbt."""

    def __init__(self, beside):
        self.beside = beside
        self.project = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item):
        self.beside.begin(pathlib.Path(item.nodeid.split("::", 1)[0]).stem.removeprefix("test_") + "::" + item.nodeid.split("::", 1)[1])

    def pytest_sessionstart(self, session):
        run = dbtRunner.invoke
        of_project = dbt.tests.fixtures.project.TestProjInfo
        made = of_project.__init__
        run_sql = dbt.tests.util.run_sql_with_adapter
        plugin = self

        def remember(project, *arguments, **named):
            made(project, *arguments, **named)
            plugin.project = project

        def invoke(runner, arguments, **named):
            given = list(arguments)
            result = run(runner, arguments, **named)
            if plugin.project is not None:
                plugin.beside.ran(given, result.success, plugin.project)
            return result

        def outside(adapter, sql, fetch=None):
            word = sql.strip().split(" ")[0].lower()
            if "drop schema" in sql.lower():
                plugin.beside.dropped = True
            if plugin.beside.current is not None and word not in ("select", "", "with") and "drop schema" not in sql.lower():
                plugin.beside.current["outside"].append(word)
            return run_sql(adapter, sql, fetch)

        # `update_rows` of dbt's tests gives its statement to the adapter itself.
        update_clause = dbt.tests.util.generate_update_clause

        def updated(clause):
            if plugin.beside.current is not None:
                plugin.beside.current["outside"].append("update")
            return update_clause(clause)

        dbt.tests.util.generate_update_clause = updated
        drop_schema = SQLAdapter.drop_schema

        def drop(adapter, relation):
            plugin.beside.dropped = True
            return drop_schema(adapter, relation)

        SQLAdapter.drop_schema = drop
        of_project.__init__ = remember
        dbtRunner.invoke = invoke
        dbt.tests.util.run_sql_with_adapter = outside
        dbt.tests.fixtures.project.run_sql_with_adapter = outside

    def pytest_runtest_makereport(self, item, call):
        if call.excinfo is not None and self.beside.current is not None:
            self.beside.current["dbt"] = f"{call.when}: {call.excinfo.typename}: {str(call.excinfo.value)[:200]}"


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    karat = pathlib.Path(sys.argv[1]).resolve()
    more = sys.argv[2:]
    written = None
    if "--json" in more:
        place = more.index("--json")
        written = pathlib.Path(more[place + 1]).resolve()
        del more[place : place + 2]
    with tempfile.TemporaryDirectory() as scratch:
        modules = pathlib.Path(scratch, "modules")
        copies = pathlib.Path(scratch, "copies")
        modules.mkdir()
        copies.mkdir()
        write_modules(modules)
        beside = Beside(karat, copies)
        os.chdir(modules)
        options = ["-q", "-p", PLUGIN, "--no-header", "--tb=no", "-p", "no:cacheprovider", "--rootdir", scratch, f"--basetemp={scratch}/tmp"]
        with open(os.devnull, "w") as nowhere:
            shown, sys.stdout = sys.stdout, nowhere
            try:
                pytest.main([*options, *more, str(modules)], plugins=[Plugin(beside)])
            finally:
                sys.stdout = shown
        os.chdir("/")
    if written:
        written.write_text(json.dumps(beside.results, indent=1))
    report(beside.results)


def report(results):
    """Prints what agrees and what does not, and exits."""
    compared = {name: result for name, result in results.items() if result["commands"]}
    wrong = {name: result for name, result in compared.items() if result["differences"]}
    for name, result in compared.items():
        outside = f", after SQL beside dbt ({', '.join(sorted(set(result['outside'])))})" if result["outside"] else ""
        said = "differs" if name in wrong else "agrees"
        print(f"{name}: {said} ({result['commands']} commands, {result['tables']} tables{outside})")
        for difference in result["differences"]:
            print("    " + difference.replace("\n", "\n      "))
    print(f"{len(compared) - len(wrong)} of {len(compared)} tests agree")
    # What dbt itself cannot do on DuckDB, and tables that only SQL beside dbt has made, say nothing of karat.
    fair = {name for name, result in compared.items() if not result["outside"] and "dbt" not in result}
    print(f"{len(fair - set(wrong))} of the {len(fair)} that pass with dbt, without SQL beside it, agree")
    print(f"{sum(result['commands'] for result in compared.values())} commands, {sum(result['tables'] for result in compared.values())} comparisons of a table")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
