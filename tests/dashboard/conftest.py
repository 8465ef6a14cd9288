"""Runs to show, and a real browser to look at them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import pytest
from dashboard_runs import write_grid
from werkzeug.serving import make_server

from tradeoffs.dashboard.store import Store

# As little as possible of what a browser does by itself.
FLAGS = (
    *("--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return tmp_path / "runs"


@pytest.fixture(scope="session")
def grid(tmp_path_factory) -> Store:
    """A store of many runs, which tests only read."""
    return Store(write_grid(tmp_path_factory.mktemp("grid") / "runs"))


@pytest.fixture(scope="session")
def chromium():
    """A browser without a window; the tests that need one are left out where there is none."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("there is no chromium on this machine")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        yield browser.new_context(viewport={"width": 1440, "height": 900})
        browser.close()


@pytest.fixture
def page(chromium) -> Iterator:
    """A page that notes where requests went, and what failed in it."""
    page = chromium.new_page()
    page.set_default_timeout(60_000)
    page.asked, page.faults = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    page.on("response", lambda answer: page.faults.append(answer.url) if answer.status >= 500 else None)
    yield page
    assert page.faults == []
    page.close()


@pytest.fixture(scope="session")
def serve() -> Iterator[Callable[[Store], str]]:
    """Serves a store; gives the address."""
    from tradeoffs.dashboard.app import build_app

    servers = []

    def start(store: Store) -> str:
        server = make_server("127.0.0.1", 0, build_app(store).server, threaded=True)
        Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.port}"

    yield start
    for server in servers:
        server.shutdown()


@pytest.fixture(scope="session")
def grid_address(grid, serve) -> str:
    """Of a server that tests share, so that the browser fetches its scripts once."""
    return serve(grid)
