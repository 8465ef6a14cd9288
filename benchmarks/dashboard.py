"""The dashboard in a headless Chromium: how long many runs take to load, and pictures of it for the documentation.

    python benchmarks/dashboard.py load runs/SWEEP [--count 2000] [--repeats 5]
    python benchmarks/dashboard.py pictures runs/SWEEP [--address '?figure=time'] [--output docs/images]

`load` copies the records below the folder, each as a run of its own, until there are enough. Its times are medians: of
the server reading them and drawing the first figure, and of a page from its address to its drawing, in a browser that
has seen the page before; that of the first visit, which fetches and compiles the scripts, is printed beside it.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

from playwright.sync_api import BrowserContext, sync_playwright
from werkzeug.serving import make_server

from tradeoffs.dashboard.app import build_app
from tradeoffs.dashboard.pages import figures
from tradeoffs.dashboard.store import Store
from tradeoffs.results.record import read_record, write_record
from tradeoffs.results.table import find_records

SIZES = {"dashboard": (1400, 900), "dashboard-narrow": (420, 900)}
FIRST_VISITS = 3  # Chromium keeps what it has compiled from the second visit on
PAGES = {"figure": ("/", ".points path.point"), "table": ("/table", "tbody tr")}  # addresses, and what they end with


def copy_records(source: Path, target: Path, count: int) -> None:
    records = list(map(read_record, find_records([source])))
    for number, record in enumerate(islice(cycle(records), count)):
        folder = target / f"{number}"
        folder.mkdir()
        who = replace(record.who, name=f"{record.who.name},{number}", config_hash=f"{number}", recipe_hash=f"{number}")
        write_record(folder / "result.json", replace(record, who=who))


@contextmanager
def served(runs: Path) -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", 0, build_app(Store(runs)).server, threaded=True)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()


@contextmanager
def browser() -> Iterator[BrowserContext]:
    """With a profile, in which it keeps compiled scripts as one at home does."""
    program = shutil.which("chromium")
    with TemporaryDirectory() as profile, sync_playwright() as playwright:
        yield playwright.chromium.launch_persistent_context(profile, executable_path=program, args=["--no-sandbox"])


def seconds_to_read(runs: Path) -> float:
    began = time.perf_counter()
    figures.content(Store(runs), {})
    return time.perf_counter() - began


def seconds_to_show(context: BrowserContext, address: str, drawn: str) -> float:
    page = context.new_page()
    began = time.perf_counter()
    page.goto(address)
    page.wait_for_selector(drawn)
    page.evaluate("() => new Promise(requestAnimationFrame)")
    seconds = time.perf_counter() - began
    page.close()
    return seconds


def load(source: Path, count: int, repeats: int) -> None:
    with TemporaryDirectory() as folder, served(Path(folder)) as address, browser() as context:
        copy_records(source, Path(folder), count)
        times = [seconds_to_read(Path(folder)) for _ in range(repeats)]
        print(f"{count} runs: read and drawn by the server in {statistics.median(times):.2f} s")
        for name, (path, drawn) in PAGES.items():
            first, *times = [seconds_to_show(context, address + path, drawn) for _ in range(FIRST_VISITS + repeats)]
            times = times[FIRST_VISITS - 1 :]
            spread = f"({min(times):.2f} to {max(times):.2f}; at the first visit {first:.2f})"
            print(f"{count} runs: {name} shown in {statistics.median(times):.2f} s {spread}")


def take_pictures(runs: Path, view: str, output: Path) -> None:
    with served(runs) as address, browser() as context:
        for name, (width, height) in SIZES.items():
            page = context.new_page()
            page.set_viewport_size({"width": width, "height": height})
            page.goto(f"{address}/{view}")
            page.wait_for_selector(".main-svg")
            page.wait_for_timeout(1000)  # until the figure has its final width
            page.screenshot(path=output / f"{name}.png")
            print(output / f"{name}.png")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("load", "pictures"))
    parser.add_argument("runs", type=Path)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--address", default="", help="of the view, from the ? on")
    parser.add_argument("--output", type=Path, default=Path("docs/images"))
    given = parser.parse_args()
    if given.what == "load":
        load(given.runs, given.count, given.repeats)
    else:
        take_pictures(given.runs, given.address, given.output)
