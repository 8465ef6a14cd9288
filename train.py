"""Train a model, score and time it. See --help."""

from tradeoffs.apps.launch import launch

if __name__ == "__main__":
    launch("train", "tradeoffs.apps.train:train")
