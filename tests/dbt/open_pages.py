#!/usr/bin/env python3
"""Opens pages in headless Chromium: dbt's own docs page on karat's artifacts, and the page that karat writes.

    tests/dbt/open_pages.py KARAT_TARGET [DBT_INDEX_HTML]

KARAT_TARGET holds what `karat docs generate` wrote. DBT_INDEX_HTML is dbt's page (`dbt/task/docs/index.html` of an installed dbt); it is
left out if it is not given. Each model is opened in both. A page passes if it says the model's name, and the console holds no error.
Without Chromium nothing is tried, and the exit code is 77.
"""

import functools
import http.server
import json
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--enable-logging=stderr", "--virtual-time-budget=8000", "--dump-dom",
]


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def faults(chromium, address, wanted):
    """What is wrong with a page: nothing in an empty list."""
    with tempfile.TemporaryDirectory() as profile:
        command = [chromium, *FLAGS, f"--user-data-dir={profile}", address]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    found = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    body = done.stdout.split("<body", 1)[-1]
    if f">{wanted}" not in body:
        found.append(f"the page does not say `{wanted}`")
    return found


def main():
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        print("there is no Chromium")
        return 77
    target = Path(sys.argv[1]).resolve()
    nodes = json.loads((target / "manifest.json").read_text())["nodes"]
    models = sorted((one, node["name"]) for one, node in nodes.items() if node["resource_type"] == "model")
    pages = [(f"{(target / 'docs.html').as_uri()}#!/model/{name}", name) for _, name in models]
    with tempfile.TemporaryDirectory() as folder:
        if len(sys.argv) > 2:
            shutil.copy(sys.argv[2], Path(folder) / "index.html")
            for name in ["manifest.json", "catalog.json"]:
                shutil.copy(target / name, folder)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        if len(sys.argv) > 2:
            root = f"http://127.0.0.1:{server.server_address[1]}/"
            pages += [(f"{root}#!/model/{one}", name) for one, name in models]
        wrong = 0
        for address, name in pages:
            for fault in faults(chromium, address, name):
                wrong += 1
                print(f"{address}: {fault}")
        server.shutdown()
    print(f"{len(pages)} pages opened, {wrong} faults")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
