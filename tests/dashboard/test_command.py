"""`python dashboard.py`: mistakes, the export, the server."""

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.request import urlopen

import pytest
from dashboard_runs import write_grid, write_run

from tradeoffs.commands.dashboard import launch_dashboard

SCRIPT = Path(__file__).parents[2] / "dashboard.py"


def ask(*words: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, SCRIPT, *words], capture_output=True, text=True)


@pytest.fixture
def ask_here(monkeypatch, capfd) -> Callable[..., subprocess.CompletedProcess]:
    """The same in this process, which saves two seconds."""

    def call(*words: str) -> subprocess.CompletedProcess:
        monkeypatch.setattr(sys, "argv", [str(SCRIPT), *words])
        try:
            launch_dashboard("dashboard")
            code = 0
        except SystemExit as ended:
            code = ended.code
        return subprocess.CompletedProcess(words, code, *capfd.readouterr())

    return call


def test_help_names_every_setting(ask_here):
    ended = ask_here("--help")
    assert ended.returncode == 0
    assert all(name in ended.stdout for name in ("runs=runs", "host=127.0.0.1", "port=8050", "export=null"))


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["colour=red"], "colour is not a setting"),
        (["port=high"], "port=high is impossible"),
        (["-m", "port=1,2"], "-m is for train.py"),
        (["export=."], "export=. is a folder"),
        (["export=nowhere/report.html"], "the folder nowhere does not exist"),
        (["export=/dev/null"], "is no ordinary file"),
        (["figures=/dev/null"], "figures=/dev/null is a file; give a folder"),
        (["export=report.html", "backbone=[a,vgg16]"], "backbone=a is that of no run; there are: mobilenet"),
        (["export=report.html", "runs=empty"], "no runs in empty/ yet; start with: python train.py experiment=demo"),
    ],
)
def test_a_mistake_is_one_line(runs, monkeypatch, ask_here, words, complaint):
    write_run(runs, "one")
    (runs.parent / "empty").mkdir()
    monkeypatch.chdir(runs.parent)
    ended = ask_here(*words)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert complaint in ended.stderr and ended.stderr.count("\n") == 1


def test_a_port_that_is_taken_is_told(runs, ask_here):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = ask_here(f"port={port}", f"runs={runs}")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == f"host=127.0.0.1 port={port} cannot be had: Address already in use; give another port=\n"


def test_the_server_says_where_it_is_and_ends_with_ctrl_c(runs):
    write_run(runs, "one")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    signals = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.default_int_handler)}
    command = [sys.executable, SCRIPT, f"runs={runs}", f"port={port}", "model=ssd"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **signals)
    try:
        address = f"http://127.0.0.1:{port}/?model=ssd"
        assert server.stdout.readline() == f"Dashboard of 1 record in {runs}/: {address} (Ctrl-C ends it)\n"
        assert b"trade-offs" in urlopen(address).read()
    finally:
        server.send_signal(signal.SIGINT)
        said, complaints = server.communicate(timeout=60)
    assert (server.returncode, said, complaints) == (0, "", "")


def test_the_export_honours_filters(runs):
    write_grid(runs)
    file = runs.parent / "report.html"
    ended = ask(f"runs={runs}", f"export={file}", "model=faster_rcnn", "image_size=[600]")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == f"{file} shows 7 of 19 records\n"
    text = file.read_text()
    assert "architecture: faster_rcnn; image size: 600" in text and "a processor, 2 threads" in text
    body = text[text.index("<body>") :]
    assert "model=ssd" not in body and text.count("plotly.js v") == 1
    assert not re.search(r"<(script|link|img)[^>]* (src|href)=", text)  # that of plotly within the script aside


def test_the_export_says_what_it_leaves_out(runs, ask_here):
    for name, data in (("a", "shapes"), ("b", "shapes"), ("c", "photos")):
        write_run(runs, name, data=data)
    ended = ask_here(f"runs={runs}", f"export={runs.parent / 'report.html'}")
    said = "Not shown: 1 more run of other data sets, photos (1). To have them too, add data= with nothing behind it"
    assert ended.stdout.splitlines()[1:] == [said]


def test_every_figure_that_runs_can_fill_is_a_file(runs):
    pytest.importorskip("kaleido")
    write_grid(runs)
    folder = runs.parent / "figures"
    ended = ask(f"runs={runs}", f"figures={folder}")
    if "needs Chromium" in ended.stderr:
        pytest.skip("there is no Chromium on this machine")
    assert (ended.returncode, ended.stderr) == (0, "")
    drawn = {file.stem: file.read_text() for file in folder.iterdir()}
    assert {"frontier", "objects", "resolution", "time"} <= drawn.keys()
    assert "mAP" in drawn["frontier"] and drawn["frontier"].startswith("<svg")
