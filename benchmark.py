"""Time every model of a grid in turns, without training. See --help."""

from tradeoffs.apps.grid import launch_grid

if __name__ == "__main__":
    launch_grid("benchmark", "tradeoffs.apps.benchmark:benchmark")
