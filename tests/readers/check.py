"""Reads every Delta table of a lake with DuckDB, Polars and deltalake, and checks that they see the same rows.

    python check.py LAKE

Prints a JSON object: by table the number of rows and a hash that does not depend on their order.
"""

import datetime
import hashlib
import json
import os
import pathlib
import sys
import urllib.parse

import deltalake
import duckdb
import polars


def text(value):
    """One form for a value, whichever engine it comes from."""
    if isinstance(value, datetime.datetime):
        return value.replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")
    if isinstance(value, float):
        return f"{value:.9g}"
    return repr(value)


def digest(columns, rows):
    """The number of rows, and a hash of them in any order."""
    order = sorted(range(len(columns)), key=lambda place: columns[place])
    total = 0
    for row in rows:
        line = "\x1f".join(f"{columns[place]}={text(row[place])}" for place in order)
        total += int.from_bytes(hashlib.blake2b(line.encode(), digest_size=16).digest(), "big")
    return {"rows": len(rows), "hash": f"{total % 2**128:032x}"}


def with_deltalake(folder):
    table = deltalake.DeltaTable(str(folder)).to_pyarrow_table()
    return digest(table.column_names, [tuple(row.values()) for row in table.to_pylist()])


def with_polars(folder):
    frame = polars.read_delta(str(folder))
    return digest(frame.columns, frame.rows())


def with_duckdb(folder):
    """Through DuckDB's own Delta extension where it is installed; otherwise by the log, which is JSON, and Parquet."""
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    try:
        connection.execute("load delta")
        relation = connection.sql(f"from delta_scan('{folder}')")
    except duckdb.Error:
        relation = through_the_log(connection, folder)
    typed = zip(relation.columns, relation.types)
    columns = [f'"{name}"::timestamp as "{name}"' if "TIMESTAMP" in str(kind) else f'"{name}"' for name, kind in typed]
    return digest(relation.columns, relation.project(", ".join(columns)).fetchall())


def through_the_log(connection, folder):
    log = connection.execute(
        f"""
        select add.path, remove.path, metaData.schemaString
        from read_json(
            '{folder}/_delta_log/*.json', format = 'newline_delimited', filename = true,
            columns = {{
                add: 'struct(path varchar)', remove: 'struct(path varchar)', metaData: 'struct(schemaString varchar)'
            }}
        )
        order by filename
        """
    ).fetchall()
    files, schema = {}, None
    for added, removed, declared in log:
        schema = declared or schema
        if removed:
            files.pop(removed, None)
        if added:
            files[added] = str(folder / urllib.parse.unquote(added))
    fields = {field["name"]: field["type"] for field in json.loads(schema)["fields"]}
    if not files:
        nothing = ", ".join(f'null as "{name}"' for name in fields)
        return connection.sql(f"select {nothing} where false")
    names = {"date": "date", "string": "varchar", "long": "bigint", "integer": "integer"}
    partitions = sorted({part.split("=")[0] for path in files for part in path.split("/")[:-1]})
    types = ", ".join(f"'{name}': {names[fields[name]]}" for name in partitions)
    options = f"hive_partitioning = true, hive_types = {{{types}}}" if partitions else "hive_partitioning = false"
    return connection.sql(f"from read_parquet({list(files.values())!r}, union_by_name = true, {options})")


def main():
    lake = pathlib.Path(sys.argv[1])
    found = {}
    for log in sorted(lake.glob("*/*/_delta_log")):
        folder = log.parent
        name = f"{folder.parent.name}.{folder.name}"
        answers = {"duckdb": with_duckdb(folder), "polars": with_polars(folder), "deltalake": with_deltalake(folder)}
        if len({json.dumps(answer) for answer in answers.values()}) != 1:
            raise SystemExit(f"{name}: the engines differ: {json.dumps(answers, indent=1)}")
        found[name] = answers["duckdb"]
    print(json.dumps(found), flush=True)
    # The packages bring thread pools that may abort while an interpreter ends; what was to be said was said.
    os._exit(0)


if __name__ == "__main__":
    main()
