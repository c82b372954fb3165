"""What the benchmarks share: the sample project in a folder of its own, and what a process used."""

import collections
import os
import pathlib
import shutil
import subprocess
import sys
import time

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent.parent

Used = collections.namedtuple("Used", ["cpu", "wall", "peak", "told"])


def copy_project(folder):
    """The sample project without data."""
    folder.mkdir(parents=True)
    for part in ["models", "macros", "tests/data"]:
        shutil.copytree(REPOSITORY / part, folder / part)
    shutil.copy(REPOSITORY / "project.yml", folder / "project.yml")


def link_data(data, folder, days):
    """The files of some days, as links to where they are; a copy would cost gigabytes."""
    (folder / "data/user_interactions").mkdir(parents=True)
    for day in days:
        (folder / "data/user_interactions" / day.name).hardlink_to(day)
    (folder / "data/user_metadata.csv").hardlink_to(data / "user_metadata.csv")


def measured(command, folder):
    """Runs a process to its end: CPU and wall seconds, peak memory in MB, and what it wrote."""
    started = time.monotonic()
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        told = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{command}\n{told}")
    return Used(used.ru_utime + used.ru_stime, time.monotonic() - started, used.ru_maxrss / 1024, told)
