"""Find objects in images with a trained run. See --help."""

from tradeoffs.apps.launch import launch

if __name__ == "__main__":
    launch("predict", "tradeoffs.apps.predict:predict")
