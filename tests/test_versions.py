"""What `--version` says, of every command."""

import platform
import sys
from importlib.metadata import version

import pytest

from tradeoffs import versions as module
from tradeoffs.results.__main__ import main
from tradeoffs.settings.command_line import read_arguments
from tradeoffs.versions import versions


def test_it_names_ours_first_and_what_it_stands_on():
    line = versions()
    assert line.startswith(
        f"tradeoffs {version('tradeoffs')} (Python {platform.python_version()}, torch {version('torch')}, "
    )
    assert f"hydra-core {version('hydra-core')})" in line


def test_what_is_missing_is_said(monkeypatch):
    monkeypatch.setattr(module, "PACKAGES", ("no-such-package",))
    assert versions().endswith(", no-such-package not installed)")


@pytest.mark.parametrize("ask", [read_arguments, lambda: main(sys.argv[1:])])
def test_commands_answer_with_it(ask, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["train.py", "--version"])
    with pytest.raises(SystemExit) as caught:
        ask()
    assert not caught.value.code and capsys.readouterr().out == f"{versions()}\n"
