"""Time every model of a grid in turns, without training. See --help."""

import sys

try:
    from tradeoffs.commands.model_grid import launch_grid
except ModuleNotFoundError as missing:
    print(missing.name, "is not installed here; type: make install, then source .venv/bin/activate", file=sys.stderr)
    sys.exit(2)

if __name__ == "__main__":
    launch_grid("benchmark", "tradeoffs.commands.benchmark:benchmark")
