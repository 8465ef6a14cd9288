"""What the runs of the experiment say to each finding of Huang et al. 2017: the numbers of README.md.

python experiments/huang2017/findings.py                    # of the CSV beside it
python experiments/huang2017/findings.py runs/huang2017     # of runs of your own
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from tradeoffs.results.seeds import as_one, over_seeds_table
from tradeoffs.results.statistics import difference_over_seeds
from tradeoffs.results.table import read_table

CSV = Path(__file__).with_name("results-amd-epyc-2-cores.csv")
WHICH = ["model", "backbone", "image_size"]
NAMES = {"ssd": "SSD", "rfcn": "R-FCN", "faster_rcnn": "Faster R-CNN"}
SIZES = ["AP_small", "AP_medium", "AP_large"]


def main(place: Path) -> None:
    table = pd.read_csv(place, index_col="folder") if place.suffix == ".csv" else read_table([place]).table
    table = as_one(table[table["status"] == "finished"])
    points = over_seeds_table(table)
    points["batch_ms"] = 1000 / points["images_per_second"]  # of one image in a large batch
    most = points.groupby(WHICH)["num_proposals"].transform("max")
    full = points[most.isna() | (points["num_proposals"] == most)].set_index(WHICH).sort_index()
    whole = table["num_proposals"].isna() | (table["num_proposals"] == points["num_proposals"].max())
    seeds = table[whole].set_index(WHICH)["mAP"].sort_index()
    for section in (models(full), takeaways(full, seeds), proposals(points), resolution(full), rates(full)):
        print("\n".join(section), end="\n\n")


def models(full: pd.DataFrame) -> Iterator[str]:
    columns = ["mAP", "AP50", *SIZES, "ms", "batch_ms", "multiply_adds", "parameters", "memory", "minutes"]
    yield f"| | {' | '.join(columns)} |"
    yield "|---" * (1 + len(columns)) + "|"
    for (model, backbone, size), row in full.sort_values("mAP", ascending=False).iterrows():
        spread = f" ± {(row['mAP_high'] - row['mAP_low']) / 2:.3f}"
        cells = [f"{row[name]:.3f}" + (spread if name == "mAP" else "") for name in columns]
        yield f"| {NAMES[model]}, {backbone}, {size} px | {' | '.join(cells)} |"


def takeaways(full: pd.DataFrame, seeds: pd.Series) -> Iterator[str]:
    """The others against SSD, with a 95 % interval of the difference over seeds."""
    for model, backbone, size in full.index:
        if model == "ssd":
            continue
        ssd, other = full.loc[("ssd", backbone, size)], full.loc[(model, backbone, size)]
        gain = difference_over_seeds(
            *(seeds.loc[key].to_numpy() for key in (("ssd", backbone, size), (model, backbone, size)))
        )
        by_size = ", ".join(f"{name} {other[name] - ssd[name]:+.3f}" for name in SIZES)
        yield (
            f"{NAMES[model]} - SSD, {backbone} {size}: mAP {gain.value:+.3f} ({gain.low:+.3f} to {gain.high:+.3f}), "
            f"{by_size}; time x {other['ms'] / ssd['ms']:.2f}, in a batch x {other['batch_ms'] / ssd['batch_ms']:.2f}"
        )


def proposals(points: pd.DataFrame) -> Iterator[str]:
    """Accuracy and time as parts of what the most proposals give."""
    for (model, backbone, size), group in points.dropna(subset="num_proposals").groupby(WHICH):
        group = group.set_index("num_proposals").sort_index()
        shares = group[["mAP", "ms"]] / group[["mAP", "ms"]].iloc[-1]
        kept = (f"{count:.0f}: {row['mAP']:.0%} of mAP in {row['ms']:.0%} of time" for count, row in shares.iterrows())
        yield f"{NAMES[model]}, {backbone} {size}: {', '.join(kept)}"


def resolution(full: pd.DataFrame) -> Iterator[str]:
    """What half the side costs and saves."""
    low, high = (full.xs(size, level="image_size") for size in sorted(full.index.unique("image_size")))
    change = low[["mAP", "ms", "multiply_adds"]] / high[["mAP", "ms", "multiply_adds"]] - 1
    gain = high[["AP_small", "AP_large"]] / low[["AP_small", "AP_large"]]
    for which in change.index:
        parts = ", ".join(f"{name} {change.loc[which, name]:+.0%}" for name in change)
        more = ", ".join(f"{name} x {gain.loc[which, name]:.1f}" for name in gain)
        yield f"{NAMES[which[0]]}, {which[1]}: half the side {parts}; twice the side {more}"
    yield "mean: " + ", ".join(f"{name} {change[name].mean():+.1%}" for name in change)


def rates(full: pd.DataFrame) -> Iterator[str]:
    """What goes with what."""
    rate = full["multiply_adds"] / full["ms"]
    yield "G mult-adds per ms: " + ", ".join(
        f"{name} {value:.3f}" for name, value in rate.groupby("backbone").mean().items()
    )
    for x, y in (("multiply_adds", "ms"), ("memory", "ms")):
        yield f"correlation of log {x} and log {y}: {np.corrcoef(np.log(full[x]), np.log(full[y]))[0, 1]:.2f}"
    for name in ("AP50", "AP75"):
        yield f"R² of {name} and mAP: {np.corrcoef(full['mAP'], full[name])[0, 1] ** 2:.3f}"
    share = full["postprocessing_ms"] / full["ms"]
    yield f"postprocessing: {share.min():.1%} to {share.max():.1%} of the time"
    yield "memory in MB: " + ", ".join(
        f"{NAMES[key[0]]} {key[1]} {key[2]}: {value:.0f}" for key, value in full["memory"].items()
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else CSV)
