"""Train a model, score and time it. See --help."""

import sys

try:
    from tradeoffs.commands.launch import launch
except ModuleNotFoundError as missing:
    print(missing.name, "is not installed here; type: make install, then source .venv/bin/activate", file=sys.stderr)
    sys.exit(2)

if __name__ == "__main__":
    launch("train", "tradeoffs.commands.train:train", sweeps=True)
