"""Tables as text to be pasted: Markdown, LaTeX, CSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Collection, Mapping, Sequence

Columns = Mapping[str, Sequence[str]]  # the cells of each, by its head

LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "×": r"$\times$",
    "<": r"$<$",
    ">": r"$>$",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}


def markdown(title: str, columns: Columns, words: Collection[str], notes: Sequence[str]) -> str:
    """As GitHub reads it; columns of `words` to the left, numbers to the right."""
    sides = ["---" if head in words else "---:" for head in columns]
    lines = [list(map(for_markdown, columns)), sides]
    lines += [list(map(for_markdown, row)) for row in zip(*columns.values(), strict=True)]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return "\n\n".join([f"**{for_markdown(title)}**", table, *map(for_markdown, notes)]) + "\n"


def for_markdown(text: str) -> str:
    return re.sub(r"([\\|<*`])", r"\\\1", text)


def latex(title: str, columns: Columns, words: Collection[str], notes: Sequence[str]) -> str:
    """A `tabular` that needs no package: it stands as well in a `table` as in the text."""
    sides = "".join("l" if head in words else "r" for head in columns)
    body = [" & ".join(map(for_latex, row)) + r" \\" for row in zip(*columns.values(), strict=True)]
    head = " & ".join(map(for_latex, columns)) + r" \\"
    rule = r"\hline"
    table = [rf"\begin{{tabular}}{{{sides}}}", rule, head, rule, *body, rule, r"\end{tabular}"]
    below = [rf"\par {for_latex(note)}" for note in notes]
    return "\n".join([f"% {' '.join(title.split())}", *table, *below]) + "\n"


def for_latex(text: str) -> str:
    return "".join(LATEX.get(sign, sign) for sign in text)


def comma_separated(title: str, columns: Columns, words: Collection[str], notes: Sequence[str]) -> str:
    """With the title as a column, since lines of other tables may follow; notes have no place in it."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["of", *columns])
    writer.writerows([title, *row] for row in zip(*columns.values(), strict=True))
    return file.getvalue()


FORMATS: dict[str, Callable[[str, Columns, Collection[str], Sequence[str]], str]] = {
    "markdown": markdown,
    "latex": latex,
    "csv": comma_separated,
}
