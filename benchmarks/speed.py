"""All comparisons of speed, one after the other: what `make bench` prints."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PARTS = ("ssd.py", "resnet50_fpn.py", "input_pipeline.py", "coco_metric.py")

if __name__ == "__main__":
    for part in PARTS:  # each in a fresh process, so that none inherits another's memory
        print(f"\n{part}", flush=True)
        subprocess.run([sys.executable, Path(__file__).with_name(part)], check=True)
