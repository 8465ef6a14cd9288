"""The scripts themselves: before an installation, and when nobody reads what they print."""

import os
import subprocess
import sys

import pytest

from tradeoffs.settings.compose import CONF


@pytest.mark.parametrize("name", ["train", "evaluate", "predict", "benchmark"])
def test_before_the_installation_one_line_says_what_to_do(name):
    script = CONF.parent / f"{name}.py"
    ended = subprocess.run([sys.executable, "-S", "-E", script], capture_output=True, text=True)  # -S: no packages
    line = "tradeoffs is not installed here; type: make install, then source .venv/bin/activate\n"
    assert (ended.returncode, ended.stderr, ended.stdout) == (2, line, "")


@pytest.mark.parametrize("words", [["--help"], ["--cfg", "job"]])
def test_a_closed_pipe_ends_a_command_quietly(words):
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, CONF.parent / "train.py", *words]
    ended = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (141, "")
