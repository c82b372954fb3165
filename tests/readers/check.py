"""Reads every Delta table of a lake with DuckDB, Polars and deltalake, and checks that they see the same rows.

    python check.py LAKE

The lake is a folder, or `s3://bucket/prefix` on the server and with the credentials that the environment names
(AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION).

Prints a JSON object: by table the number of rows and a hash that does not depend on their order.
"""

import datetime
import hashlib
import json
import os
import pathlib
import re
import sys
import tempfile
import urllib.parse

import deltalake
import duckdb
import polars
import pyarrow.fs


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


class Folder:
    """A lake on this machine."""

    def __init__(self, lake):
        self.lake = pathlib.Path(lake)
        self.options = None

    def tables(self):
        return sorted("/".join(log.parts[-3:-1]) for log in self.lake.glob("*/*/_delta_log"))

    def place(self, table):
        return str(self.lake / table)

    def copy(self, table, _):
        """Where a program that knows no object stores finds the table."""
        return self.lake / table


class Bucket:
    """A lake in an object store."""

    def __init__(self, lake):
        self.lake = lake.removeprefix("s3://").rstrip("/")
        names = ["AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"]
        self.options = {name: os.environ[name] for name in names if name in os.environ}
        self.options["AWS_REGION"] = os.environ.get("AWS_REGION", "us-east-1")
        endpoint = urllib.parse.urlsplit(self.options.get("AWS_ENDPOINT_URL", "https://s3.amazonaws.com"))
        self.options["AWS_ALLOW_HTTP"] = str(endpoint.scheme == "http").lower()
        self.files = pyarrow.fs.S3FileSystem(
            access_key=self.options.get("AWS_ACCESS_KEY_ID"),
            secret_key=self.options.get("AWS_SECRET_ACCESS_KEY"),
            session_token=self.options.get("AWS_SESSION_TOKEN"),
            region=self.options["AWS_REGION"],
            scheme=endpoint.scheme,
            endpoint_override=endpoint.netloc,
        )

    def objects(self, below):
        selector = pyarrow.fs.FileSelector(f"{self.lake}/{below}", recursive=True, allow_not_found=True)
        found = [info.path for info in self.files.get_file_info(selector) if info.is_file]
        return [path.removeprefix(f"{self.lake}/") for path in found]

    def tables(self):
        paths = [path.split("/") for path in self.objects("")]
        return sorted({"/".join(parts[:2]) for parts in paths if len(parts) > 3 and parts[2] == "_delta_log"})

    def place(self, table):
        return f"s3://{self.lake}/{table}"

    def copy(self, table, folder):
        """Downloads the log, and the files that are alive."""
        for path in self.objects(f"{table}/_delta_log"):
            self.download(path, folder)
        for path in Log(folder / table).files:
            self.download(f"{table}/{path}", folder)
        return folder / table

    def download(self, path, folder):
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with self.files.open_input_stream(f"{self.lake}/{path}", compression=None) as stream:
            target.write_bytes(stream.read())


class Log:
    """The newest version of a table, read from the newest checkpoint and the commits after it, without a Delta library."""

    def __init__(self, table):
        self.metadata = None
        # By path, the values of the partition columns.
        self.files = {}
        log = table / "_delta_log"
        checkpoints = {}
        for path in log.glob("*.checkpoint*.parquet"):
            checkpoints.setdefault(int(path.name[:20]), []).append(path)
        version = max(checkpoints, default=-1)
        for path in sorted(checkpoints.get(version, [])):
            self.take_checkpoint(path)
        commits = {int(path.stem): path for path in log.glob("*.json") if re.fullmatch(r"\d{20}", path.stem)}
        later = sorted(commit for commit in commits if commit > version)
        if later != list(range(version + 1, version + 1 + len(later))):
            raise SystemExit(f"{table}: commits are missing after version {version}: {later}")
        for commit in later:
            self.take_commit(commits[commit])

    def take_checkpoint(self, path):
        query = "select add.path, add.partitionValues, metaData.schemaString, metaData.partitionColumns"
        query = f"{query} from read_parquet(?, hive_partitioning = false)"
        for file, values, schema, columns in duckdb.connect().execute(query, [str(path)]).fetchall():
            if schema is not None:
                self.metadata = {"schemaString": schema, "partitionColumns": columns}
            if file is not None:
                self.add(file, values)

    def take_commit(self, path):
        actions = [json.loads(line) for line in path.read_text().splitlines() if line]
        # What a commit removes was there before it.
        for action in actions:
            if "remove" in action:
                self.files.pop(urllib.parse.unquote(action["remove"]["path"]), None)
        for action in actions:
            self.metadata = action.get("metaData", self.metadata)
            if "add" in action:
                self.add(action["add"]["path"], action["add"]["partitionValues"])

    def add(self, path, values):
        self.files[urllib.parse.unquote(path)] = values


def with_deltalake(place, options):
    table = deltalake.DeltaTable(place, storage_options=options).to_pyarrow_table()
    return digest(table.column_names, [tuple(row.values()) for row in table.to_pylist()])


def with_polars(place, options):
    frame = polars.read_delta(place, storage_options=options)
    return digest(frame.columns, frame.rows())


def with_duckdb(folder):
    """Through DuckDB's own Delta extension where it is installed; otherwise by the log and Parquet."""
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    # Without this, loading an extension that is not installed asks the network for it, for each table.
    connection.execute("set autoinstall_known_extensions = false")
    try:
        connection.execute("load delta")
        relation = connection.sql(f"from delta_scan('{folder}')")
    except duckdb.Error:
        relation = through_the_log(connection, folder)
    typed = zip(relation.columns, relation.types)
    columns = [f'"{name}"::timestamp as "{name}"' if "TIMESTAMP" in str(kind) else f'"{name}"' for name, kind in typed]
    return digest(relation.columns, relation.project(", ".join(columns)).fetchall())


def through_the_log(connection, folder):
    log = Log(folder)
    fields = {field["name"]: field["type"] for field in json.loads(log.metadata["schemaString"])["fields"]}
    if not log.files:
        nothing = ", ".join(f'null as "{name}"' for name in fields)
        return connection.sql(f"select {nothing} where false")
    # The values of partition columns are in the log and not in the files.
    names = {"date": "date", "string": "varchar", "long": "bigint", "integer": "integer", "boolean": "boolean", "timestamp": "timestamp"}
    partitions = log.metadata["partitionColumns"]
    declared = "".join(f', "{name}" {names[fields[name]]}' for name in partitions)
    connection.execute(f'create temp table live ("file of row" varchar{declared})')
    rows = [[str(folder / path), *(values.get(name) or None for name in partitions)] for path, values in log.files.items()]
    connection.executemany(f"insert into live values ({', '.join('?' * (1 + len(partitions)))})", rows)
    files = [row[0] for row in rows]
    options = "union_by_name = true, hive_partitioning = false, filename = 'file of row'"
    data = connection.sql(f"from read_parquet({files!r}, {options})")
    columns = [f'"{name}"' if name in partitions or name in data.columns else f'null as "{name}"' for name in fields]
    return connection.sql(f'select {", ".join(columns)} from data join live using ("file of row")')


def main():
    lake = Bucket(sys.argv[1]) if sys.argv[1].startswith("s3://") else Folder(sys.argv[1])
    found = {}
    for table in lake.tables():
        with tempfile.TemporaryDirectory() as folder:
            answers = {
                "duckdb": with_duckdb(lake.copy(table, pathlib.Path(folder))),
                "polars": with_polars(lake.place(table), lake.options),
                "deltalake": with_deltalake(lake.place(table), lake.options),
            }
        name = table.replace("/", ".")
        if len({json.dumps(answer) for answer in answers.values()}) != 1:
            raise SystemExit(f"{name}: the engines differ: {json.dumps(answers, indent=1)}")
        found[name] = answers["duckdb"]
    print(json.dumps(found), flush=True)
    # The packages bring thread pools that may abort while an interpreter ends; what was to be said was said.
    os._exit(0)


if __name__ == "__main__":
    main()
