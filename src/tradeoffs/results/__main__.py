"""The table of runs and their frontier, in the terminal.

    python -m tradeoffs.results [FOLDER ...] [--x ms] [--y mAP] [--format markdown] [--csv FILE]
    python -m tradeoffs.results [FOLDER ...] --below ms=30 --best mAP     # an answer in a sentence

Runs that differ in their seed alone are one row, with the mean; `±` is half the width of a 95 % interval: over the
seeds, or for a single run over the images. `*` marks the frontier, `~` what no other run beats for sure, where bounds
are known; `!` a disturbed time, `?` the accuracy of a run that was hardly trained.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tradeoffs.errors import UserError
from tradeoffs.results.formats import FORMATS
from tradeoffs.results.question import ASKABLE, Question, counted, read_question, require_column
from tradeoffs.versions import versions

if TYPE_CHECKING:
    from pandas import DataFrame

REMEDY = "train.py and evaluate.py write accuracies and times, benchmark.py times alone"


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit code: 0, or 2 if there is nothing to show."""
    parser = argparse.ArgumentParser(
        "python -m tradeoffs.results",
        description=__doc__,
        epilog=f"Columns: {', '.join(ASKABLE)}.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,  # `Limits` reads the option's name
    )
    parser.add_argument(
        "places", nargs="*", type=Path, default=[Path("runs")], metavar="FOLDER", help="runs/ by default"
    )
    parser.add_argument("--version", action="version", version=versions())
    parser.add_argument("--x", default="ms", metavar="COLUMN", help="what it costs; ms by default")
    parser.add_argument("--y", metavar="COLUMN", help="what it gives; by default the score of the task, such as mAP")
    parser.add_argument(
        *("--below", "--above"),
        action=Limits,
        default=[],
        metavar="COLUMN=NUMBER",
        help="ask which run is best within this limit, in the column's unit; may be given several times",
    )
    parser.add_argument("--best", metavar="COLUMN", help="what is to be best; by default the score of the task")
    parser.add_argument("--format", choices=FORMATS, help="print the tables ready to be pasted")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write all runs with all columns into this file")
    given = parser.parse_args(arguments)
    try:
        show(given)
    except UserError as error:
        print(error, *(f"  {line}" for line in error.details), sep="\n", file=sys.stderr)
        return 2
    except BrokenPipeError:  # as by `| head`, which has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141  # a shell's exit code for a closed pipe
    return 0


class Limits(argparse.Action):
    """Keeps with each limit which of the options it was given by."""

    def __call__(self, parser, namespace, value, option=None):
        setattr(namespace, self.dest, [*getattr(namespace, self.dest), (option, value)])


def show(given: argparse.Namespace) -> None:
    question = read_question(given.below, given.best) if given.below or given.best else None
    for option in ("x", "y"):
        if (name := getattr(given, option)) is not None:
            require_column(name, f"--{option}")
    if given.csv is not None:
        require_place(given.csv)

    from tradeoffs.results.print import formatted_tables, print_tables  # pandas takes half a second
    from tradeoffs.results.table import read_table

    found = read_table(given.places)
    for fault in found.faults:
        print(fault, file=sys.stderr)
    if found.table.empty:
        places = ", ".join(map(str, given.places))
        raise UserError(f"no records in {places}; train something first, or name other folders")
    if given.format:
        print(formatted_tables(found.table, given.x, given.y, given.format), end="")
    elif question is None:
        print_tables(found.table, given.x, given.y)
    if question is not None:
        print_answers(found.table, question)
    if given.csv is not None:
        found.table.to_csv(given.csv, index_label="folder")
        print(f"{given.csv} holds {counted(len(found.table), 'run')}")


def require_place(csv: Path) -> None:
    if not csv.parent.is_dir():
        raise UserError(f"{csv.parent}/ does not exist; --csv writes into a folder that does")
    if csv.is_dir():
        raise UserError(f"{csv}/ is a folder; give --csv a file")


def print_answers(runs: DataFrame, question: Question) -> None:
    """A sentence for each data set and device, its doubts below it. Raises UserError where no run has the columns."""
    from tradeoffs.results.answer import answers, left_out

    found = answers(runs, question)
    if not found:
        raise UserError(f"none of these runs has {' and '.join(filter(None, question.columns))}; {REMEDY}")
    for answer in found:
        print(answer.sentence, *(f"  {doubt}" for doubt in answer.doubts), sep="\n")
    if text := left_out(runs, question):
        print(text)


if __name__ == "__main__":
    sys.exit(main())
