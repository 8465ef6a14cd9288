"""The table of runs and their frontier, in the terminal.

    python -m tradeoffs.results [FOLDER ...] [--x ms] [--y mAP] [--csv FILE]

Runs that differ in their seed alone are one row, with the mean; `±` is half the width of a 95 % interval: over the
seeds, or for a single run over the images. `*` marks the frontier, `~` what no other run beats for sure, where bounds
are known.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tradeoffs.errors import UserError
from tradeoffs.results.columns import COLUMNS


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit code: 0, or 2 if there is nothing to show."""
    parser = argparse.ArgumentParser(
        "python -m tradeoffs.results", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    measured = [name for name, column in COLUMNS.items() if column.better]
    parser.add_argument(
        "places", nargs="*", type=Path, default=[Path("runs")], metavar="FOLDER", help="runs/ by default"
    )
    parser.add_argument("--x", choices=measured, default="ms", metavar="COLUMN", help="what it costs; ms by default")
    parser.add_argument("--y", choices=measured, default="mAP", metavar="COLUMN", help="what it gives; mAP by default")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write all runs with all columns into this file")
    given = parser.parse_args(arguments)
    try:
        show(given.places, given.x, given.y, given.csv)
    except UserError as error:
        print(error, *(f"  {line}" for line in error.details), sep="\n", file=sys.stderr)
        return 2
    return 0


def show(places: list[Path], x: str, y: str, csv: Path | None) -> None:
    from tradeoffs.results.print import print_tables  # pandas takes half a second, --help does not need it
    from tradeoffs.results.table import read_table

    if csv is not None and not csv.parent.is_dir():
        raise UserError(f"{csv.parent}/ does not exist; --csv writes into a folder that does")
    if csv is not None and csv.is_dir():
        raise UserError(f"{csv}/ is a folder; give --csv a file")
    found = read_table(places)
    for fault in found.faults:
        print(fault, file=sys.stderr)
    if found.table.empty:
        raise UserError(f"no records in {', '.join(map(str, places))}; train something first, or name other folders")
    print_tables(found.table, x, y)
    if csv is not None:
        found.table.to_csv(csv, index_label="folder")
        print(f"{csv} holds {len(found.table)} runs")


if __name__ == "__main__":
    sys.exit(main())
