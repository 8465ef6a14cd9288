"""What `dashboard.py` does: serve the pages on this machine, or write them into one file, or the figures alone."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from tradeoffs.commands.launch import mistakes_answered
from tradeoffs.dashboard.address import FILTERS, View, write
from tradeoffs.errors import UserError
from tradeoffs.files import write_whole
from tradeoffs.results.question import counted
from tradeoffs.settings.command_line import read_arguments
from tradeoffs.settings.compose import CONF, compose
from tradeoffs.settings.help_text import usage
from tradeoffs.settings.rules import check


def launch_dashboard(config_name: str, conf: Path = CONF) -> None:
    """A mistake of the user is one line on stderr and exit code 2. Ctrl-C ends the server, and all is well.

    Filters are no settings of Hydra's, for which `data=shapes` would choose a whole part of a training.
    """
    with mistakes_answered():
        arguments = read_arguments()
        if arguments.help:
            print(usage(config_name, conf))
            return
        if arguments.multirun:
            raise UserError("-m is for train.py; the dashboard shows all runs at once")
        view = read_filters(word for word in arguments.overrides if is_filter(word))
        settings = compose(config_name, [word for word in arguments.overrides if not is_filter(word)], conf)
        check(settings, conf)
        if arguments.cfg:
            print(OmegaConf.to_yaml(settings))
            return
        if settings.export is not None:
            export(settings, view)
        if settings.figures is not None:
            save_figures(settings, view)
        if settings.export is None and settings.figures is None:
            serve(settings, view)


def is_filter(word: str) -> bool:
    return word.partition("=")[0] in FILTERS


def read_filters(words: Iterable[str]) -> View:
    """Of `backbone=[mobilenet,resnet18]`; a value in no brackets may have commas."""
    view: View = {}
    for name, _, text in (word.partition("=") for word in words):
        inner = text[1:-1].split(",") if text.startswith("[") and text.endswith("]") else [text]
        view[name] = [value.strip().strip("'\"") for value in inner]
    return view


def serve(settings: DictConfig, view: View) -> None:
    """Until Ctrl-C."""
    listener = listen(settings.host, settings.port)
    from werkzeug.serving import make_server

    from tradeoffs.dashboard.app import build_app
    from tradeoffs.dashboard.store import Store

    store = Store(Path(settings.runs))
    require_values(store, view)
    app = build_app(store, settings.host, listener.getsockname()[0]).server
    server = make_server(settings.host, settings.port, app, threaded=True, fd=listener.fileno())
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # else a line for every request
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    address = f"http://{host}:{server.port}/{write(view)}".removesuffix("/")
    missing = "" if store.root.is_dir() else ", a folder that does not exist yet"
    print(
        f"Dashboard of {counted(len(store.table()), 'record')} in {settings.runs}/{missing}: {address} (Ctrl-C ends it)"
    )
    server.serve_forever()


def listen(host: str, port: int) -> socket.socket:
    """Taken before anything slow is imported."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()
    except OSError as error:
        raise UserError(f"host={host} port={port} cannot be had: {error.strerror}; give another port=") from None
    return listener


def export(settings: DictConfig, view: View) -> None:
    """Raises UserError if there is nothing to write, or no place for it."""
    path = Path(str(settings.export))  # which may be a number
    if path.is_dir():
        raise UserError(f"export={path} is a folder; give a file, such as report.html")
    if not path.parent.is_dir():
        raise UserError(f"export={path} is impossible: the folder {path.parent} does not exist; make it first")
    if path.exists() and not path.is_file():
        raise UserError(f"export={path} is no ordinary file; give another one, such as report.html")
    from tradeoffs.dashboard import filters
    from tradeoffs.dashboard.export import report

    store = filled_store(settings, view)
    write_whole(path, report(store, view))
    print(f"{path} shows {len(filters.selected(store.table(), view))} of {counted(len(store.table()), 'record')}")
    say_what_is_hidden(store, view)


def save_figures(settings: DictConfig, view: View) -> None:
    """Raises UserError if there is nothing to draw, or nothing to draw it with."""
    folder = Path(str(settings.figures))
    if folder.exists() and not folder.is_dir():
        raise UserError(f"figures={folder} is a file; give a folder")
    if find_spec("kaleido") is None:
        raise UserError("figures= needs kaleido; type: pip install 'kaleido>=1'")
    from kaleido.errors import ChromeNotFoundError
    from plotly.io import write_images

    from tradeoffs.dashboard.export import drawings
    from tradeoffs.dashboard.style import HEIGHT

    store = filled_store(settings, view)
    drawn = dict(drawings(store, view))
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{name}.svg" for name in drawn]
    heights = [figure.layout.height or HEIGHT for figure in drawn.values()]
    try:
        write_images(list(drawn.values()), files, width=900, height=heights)
    except ChromeNotFoundError:
        raise UserError("figures= needs Chromium or Chrome, which is not installed") from None
    print(f"{folder}/ holds {', '.join(file.name for file in files)}")
    say_what_is_hidden(store, view)


def filled_store(settings: DictConfig, view: View):
    """The runs. Raises UserError if there are none, or none that passes the filters."""
    from tradeoffs.dashboard.store import Store

    store = Store(Path(settings.runs))
    if store.table().empty:
        raise UserError(f"no runs in {settings.runs}/ yet; start with: python train.py experiment=demo")
    require_values(store, view)
    return store


def require_values(store, view: View) -> None:
    """Raises UserError for a filter that lets no run through, because no run has such a value."""
    from tradeoffs.dashboard.notes import unknown_values

    if unknown := next(unknown_values(store.table(), view), None):
        raise UserError(unknown.removesuffix("."))


def say_what_is_hidden(store, view: View) -> None:
    """And what shows it."""
    from tradeoffs.dashboard.notes import hidden

    for each in hidden(store.table(), view):
        (name,) = each.view.keys() - view.keys()
        print(f"{each.text} To have them too, add {name}= with nothing behind it")
