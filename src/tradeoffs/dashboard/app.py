"""The web app: one page that changes with its address, and looks for new records every other second."""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from dash import Dash, Input, Output, State, dcc, html, no_update
from flask import Flask, abort, request

from tradeoffs.dashboard import address, theme
from tradeoffs.dashboard.pages import compare, controls, figures, limit, proposals, run, saving, table
from tradeoffs.dashboard.pages.components import problem
from tradeoffs.dashboard.pictures import serve_pictures
from tradeoffs.dashboard.store import Store
from tradeoffs.results.question import counted

PAGES = {"/": figures, "/table": table, "/run": run, "/compare": compare, "/proposals": proposals}
LOOPBACK = "127.0.0.1"
LOOK_EVERY = 2000  # milliseconds


def build_app(store: Store, host: str = LOOPBACK, bound: str = LOOPBACK) -> Dash:
    """Everything is served from this machine, and nothing leaves it.

    If the address to which it is `bound` is a loopback one, only a browser that asks for one, or for the `host` that
    was typed, is answered: else any web page might lend its own name to it, and read along.
    """
    app = Dash(
        "tradeoffs",
        assets_folder=str(Path(__file__).with_name("assets")),
        title=address.title("/", {}),
        update_title="",
        serve_locally=True,
        suppress_callback_exceptions=True,  # a page's parts are there only while it is
        meta_tags=[{"name": "viewport", "content": "width=device-width, initial-scale=1"}],
    )
    app.index_string = app.index_string.replace("<html>", '<html lang="en">').replace("<head>", f"<head>{theme.HEAD}")
    app.layout = lambda: frame(store)
    for part in (controls, figures, limit, table, run, compare, proposals, saving):
        part.register(app, store)
    register(app, store)
    serve_pictures(app.server, store)
    if is_loopback(bound):
        answer_loopback(app.server, {host.lower(), "localhost"})
    return app


def is_loopback(text: str) -> bool:
    try:
        address = ip_address(text)
    except ValueError:  # a name
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def answer_loopback(server: Flask, names: Collection[str]) -> None:
    @server.before_request
    def check() -> None:
        name = urlsplit(f"//{request.host}").hostname or ""
        if name not in names and not is_loopback(name):
            abort(400)


def frame(store: Store) -> html.Div:
    """What stands around every page, with the version that the page will show first."""
    return html.Div(
        [
            dcc.Location(id="url", refresh=False),
            dcc.Interval(id="tick", interval=LOOK_EVERY),
            dcc.Store(id="version", data=store.refresh()),
            dcc.Store(id="title"),
            html.A("Skip to the content", href="#page", className="skip"),
            html.Header(
                [
                    html.Strong("Speed/accuracy trade-offs"),
                    html.Nav(id="nav", **{"aria-label": "Pages"}),
                    saving.buttons(),
                    theme.button(),
                ]
            ),
            html.Main(id="page", tabIndex=-1),
            html.Footer(state(store), id="state", role="status"),
        ]
    )


def register(app: Dash, store: Store) -> None:
    @app.callback(Output("page", "children"), Input("url", "pathname"), State("url", "search"))
    def route(path: str, search: str) -> list:
        page = PAGES.get(path)
        return page.layout(store, address.read(search)) if page else [problem(f"There is no page {path}.")]

    @app.callback(
        *(Output("nav", "children"), Output("title", "data")),
        *(Input("url", "pathname"), Input("url", "search")),
    )
    def name(path: str, search: str) -> tuple[list, str]:
        view = address.read(search)
        return links(path, view), address.title(path, view)

    @app.callback(
        *(Output("version", "data"), Output("state", "children")),
        *(Input("tick", "n_intervals"), State("version", "data")),
    )
    def look(ticks: int | None, version: int | None) -> tuple:
        now = store.refresh()
        return (no_update, no_update) if now == version else (now, state(store))

    app.clientside_callback(  # where there is little room the filters are closed at first
        "() => window.innerWidth > 760", Output("filters", "open"), Input("filters", "id")
    )
    app.clientside_callback("title => { document.title = title; }", Input("title", "data"))


def state(store: Store) -> str:
    faults = f", {counted(len(store.faults()), 'record')} that cannot be read" if store.faults() else ""
    return f"{counted(len(store.table()), 'record')} in {store.root}/{faults}; new ones appear by themselves."


def links(path: str, view: address.View) -> list:
    """To the pages, with the filters that they share."""
    kept = address.write(address.filters_of(view))
    return [
        dcc.Link(
            title, href=page + (kept if page in ("/", "/table") else ""), className="current" if page == path else ""
        )
        for page, title in address.TITLES.items()
        if page != "/run"
    ]
