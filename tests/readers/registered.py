"""Runs what karat has written for DuckDB and for Polars, and reads every table through it.

    python registered.py VIEWS.sql FRAMES.py

Prints a JSON object: for each engine, by table the number of rows and the hash of `check.py`.
"""

import json
import os
import pathlib
import sys

import duckdb

from check import digest


def with_views(statements):
    """Through views, with no extension and no network."""
    connection = duckdb.connect()
    connection.execute("set timezone = 'America/New_York'")
    connection.execute("set autoinstall_known_extensions = false")
    # Statements can be run again.
    connection.execute(statements)
    connection.execute(statements)
    names = connection.execute("select schema_name, view_name from duckdb_views() where not internal").fetchall()
    return {f"{schema}.{name}": rows_of(connection, f'"{schema}"."{name}"') for schema, name in names}


def rows_of(connection, name):
    relation = connection.sql(f"from {name}")
    columns = []
    for column, kind in zip(relation.columns, relation.types):
        quoted = '"' + column.replace('"', '""') + '"'
        columns.append(f"timezone('UTC', {quoted}) as {quoted}" if str(kind) == "TIMESTAMP WITH TIME ZONE" else quoted)
    return digest(relation.columns, relation.project(", ".join(columns)).fetchall())


def with_frames(program):
    """Through LazyFrames, and through SQL over them."""
    scope = {}
    exec(program, scope)
    found = {}
    for name, frame in scope["tables"].items():
        rows = frame.collect()
        found[name] = digest(rows.columns, rows.rows())
        counted = scope["sql"].execute(f'select count(*) from "{name}"').collect().item()
        assert counted == found[name]["rows"], name
    return found


def main():
    views, frames = (pathlib.Path(path).read_text(encoding="utf-8") for path in sys.argv[1:3])
    print(json.dumps({"duckdb": with_views(views), "polars": with_frames(frames)}), flush=True)
    # The packages bring thread pools that may abort while an interpreter ends; what was to be said was said.
    os._exit(0)


if __name__ == "__main__":
    main()
