"""A command line as it is typed, in a process of its own."""

import subprocess
import sys
from pathlib import Path

SCRIPT = """\
import atexit, sys
from {module} import {function}
atexit.register(lambda: print("torch" in sys.modules))
{function}("{name}", "tradeoffs.commands.{name}:{name}")
"""


def run_without_torch(folder: Path, name: str, module: str, function: str, words: list[str]) -> tuple[int, list[str]]:
    """Exit code and stderr's lines of NAME.py, which a `function` of a `module` starts. It must not import torch."""
    script = folder / f"{name}.py"
    script.write_text(SCRIPT.format(module=module, function=function, name=name))
    ended = subprocess.run([sys.executable, script, *words], capture_output=True, text=True, cwd=folder)
    assert ended.stdout.splitlines()[-1] == "False", "torch was imported"
    return ended.returncode, ended.stderr.splitlines()
