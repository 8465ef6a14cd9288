"""Propose regions and score them: `python -m tradeoffs.proposals --help`."""

from tradeoffs.commands.launch import launch

if __name__ == "__main__":
    launch("propose", "tradeoffs.commands.propose:propose")
