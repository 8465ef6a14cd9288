"""Score a trained run again. See --help."""

from tradeoffs.apps.launch import launch

if __name__ == "__main__":
    launch("evaluate", "tradeoffs.apps.evaluate:evaluate")
