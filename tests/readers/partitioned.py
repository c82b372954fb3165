"""Writes the same rows with three engines, each into folders that are named after values of three columns.

usage: partitioned.py FOLDER
"""

import datetime
import os
import sys

import duckdb
import polars
import pyarrow
import pyarrow.parquet

PARTITIONS = ["day", "country", "level"]
DAY = datetime.date(2023, 5, 1)
NOON = datetime.datetime(2023, 5, 1, 12, 0, 0, 250)
ROWS = [
    {"id": 1, "at": NOON, "day": DAY, "country": "DE", "level": 1},
    {"id": 2, "at": NOON, "day": DAY, "country": "DE", "level": 1},
    {"id": 3, "at": None, "day": DAY, "country": "Côte d'Ivoire", "level": -7},
    {"id": 4, "at": NOON, "day": DAY + datetime.timedelta(days=1), "country": "a/b=c", "level": 2},
    {"id": 5, "at": NOON, "day": DAY + datetime.timedelta(days=1), "country": "50% + 7 ü", "level": None},
    {"id": 6, "at": NOON, "day": None, "country": None, "level": 3},
]


def main():
    [folder] = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    # pyarrow keeps instants in nanoseconds.
    types = [("id", pyarrow.int64()), ("at", pyarrow.timestamp("ns")), ("day", pyarrow.date32())]
    types += [("country", pyarrow.string()), ("level", pyarrow.int32())]
    rows = pyarrow.Table.from_pylist(ROWS, schema=pyarrow.schema(types))
    pyarrow.parquet.write_to_dataset(rows, f"{folder}/pyarrow", partition_cols=PARTITIONS)
    polars.from_arrow(rows).write_parquet(polars.PartitionBy(f"{folder}/polars", key=PARTITIONS, include_key=False), mkdir=True)
    keys = ", ".join(PARTITIONS)
    duckdb.sql(f"copy (from rows) to '{folder}/duckdb' (format parquet, partition_by ({keys}))")


main()
