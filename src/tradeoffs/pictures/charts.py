"""Charts as SVG, text that any browser draws sharply at any size: lines between 0 and 1, and a matrix of counts."""

from __future__ import annotations

import html
import itertools
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

SIDE = 360  # of a chart of lines, in pixels
LETTERS = 12
LETTER = 6.5  # mean width of a letter of that size
LONGEST = 24  # letters of a name
ROW = 18  # of a legend, and the least side of a cell
INK, GREY = "#1e293b", "#64748b"
# Okabe and Ito 2008 without what is too pale for lines on white, then Tol's "muted".
COLOURS = (
    *("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#7F7F7F"),
    *("#882255", "#999933", "#332288"),
)
RIGHT, WRONG = "#0072B2", "#D55E00"  # a cell that has its whole row
FAINTEST = 0.05  # of any cell that is not 0
HALF_DARK = 0.6  # part of a row from which on white is read better than black
FEW = 30  # rows and columns up to which a matrix has its counts written into it


class Curve(NamedTuple):
    """Points between 0 and 1; thick ones are black."""

    name: str
    x: Float64[ndarray, " N"]
    y: Float64[ndarray, " N"]
    thick: bool = False
    dashed: bool = False


class Chart(NamedTuple):
    """Curves, with the names of both axes."""

    title: str
    x: str
    y: str
    curves: Sequence[Curve]


def document(width: float, height: float, parts: Iterable[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" font-family="system-ui, sans-serif" font-size="{LETTERS}">\n'
        f'<rect width="100%" height="100%" fill="white"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def line_charts(charts: Sequence[Chart]) -> str:
    """Side by side, each with a legend below."""
    gap = 80
    rows = max(len(chart.curves) for chart in charts)
    parts = [
        f'<g transform="translate({gap * 0.75 + place * (SIDE + gap)} 40)">{"".join(_lines(chart))}</g>'
        for place, chart in enumerate(charts)
    ]
    return document(len(charts) * (SIDE + gap), SIDE + 110 + ROW * rows, parts)


def _lines(chart: Chart) -> Iterable[str]:
    yield text(0, -16, chart.title, weight="bold")
    for tick in range(0, 11, 2):
        at = SIDE * tick / 10
        yield f'<path d="M0 {at}H{SIDE}M{at} 0V{SIDE}" stroke="#e2e8f0"/>'
        yield text(at, SIDE + 18, f"{tick / 10:g}", "middle") + text(-8, SIDE - at + 4, f"{tick / 10:g}", "end")
    yield text(SIDE / 2, SIDE + 38, chart.x, "middle") + upwards(-38, SIDE / 2, chart.y, "middle")
    colours = itertools.cycle(COLOURS)
    looks = [(curve, _look(curve, "#000000" if curve.thick else next(colours))) for curve in chart.curves]
    for curve, look in reversed(looks):  # the first lie above
        points = " ".join(f"{x * SIDE:.1f},{(1 - y) * SIDE:.1f}" for x, y in zip(curve.x, curve.y, strict=True))
        yield f'<polyline points="{points}" {look}/>'
    for y, (curve, look) in zip(itertools.count(SIDE + 62, ROW), looks, strict=False):
        yield f'<path d="M0 {y - 4}h28" {look}/>' + text(36, y, curve.name)


def _look(curve: Curve, colour: str) -> str:
    dashes = ' stroke-dasharray="6 4"' if curve.dashed else ""
    return f'fill="none" stroke="{colour}" stroke-width="{2.5 if curve.thick else 1.3}"{dashes}'


def matrix_chart(title: str, rows: Sequence[str], columns: Sequence[str], counts: Int64[ndarray, "R C"]) -> str:
    """True classes in rows, predicted ones in columns. Cells are as dark as their part of the row.

    The diagonal, what is right, is blue, all else red; what is 0 is left empty.
    """
    few = max(counts.shape) <= FEW
    cell = max(34, 8 * len(str(counts.max(initial=0))) + 8) if few else ROW
    left, top = (50 + LETTER * min(LONGEST, max(map(len, names))) for names in (rows, columns))
    top += 24
    width, height = cell * len(columns), cell * len(rows)
    parts = [text(12, 24, title, weight="bold"), text(left + width / 2, 46, "predicted", "middle", fill=GREY)]
    parts.append(upwards(20, top + height / 2, "truth", "middle", fill=GREY))
    parts += [text(left - 8, top + (row + 0.5) * cell + 4, cut(name), "end") for row, name in enumerate(rows)]
    parts += [upwards(left + (column + 0.5) * cell + 4, top - 8, cut(name)) for column, name in enumerate(columns)]
    parts.append(f'<g transform="translate({left:.0f} {top:.0f})">')
    shares = counts / counts.sum(axis=1, keepdims=True).clip(min=1)
    for row, column in np.argwhere(counts).tolist():
        about = f"{rows[row]}, {columns[column]}: {counts[row, column]}"
        parts.append(_cell(column * cell, row * cell, cell, about, shares[row, column], row == column))
        if few:
            ink = "white" if shares[row, column] > HALF_DARK else "black"
            middle = (column + 0.5) * cell, (row + 0.5) * cell + 4
            parts.append(text(*middle, str(counts[row, column]), "middle", fill=ink))
    parts.append(f'<rect width="{width}" height="{height}" fill="none" stroke="{GREY}"/></g>')
    return document(max(left + width, 1.2 * LETTER * len(title)) + 20, top + height + 20, parts)


def _cell(x: float, y: float, side: float, about: str, share: float, right: bool) -> str:
    look = f'fill="{RIGHT if right else WRONG}" fill-opacity="{max(share, FAINTEST):.3f}"'
    return f'<rect x="{x}" y="{y}" width="{side}" height="{side}" {look}><title>{escaped(about)}</title></rect>'


def cut(name: str) -> str:
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"


def upwards(x: float, y: float, words: str, anchor: str = "start", fill: str = INK) -> str:
    return f'<g transform="translate({x:.1f} {y:.1f}) rotate(-90)">{text(0, 0, words, anchor, fill=fill)}</g>'


def text(x: float, y: float, words: str, anchor: str = "start", weight: str = "normal", fill: str = INK) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}" fill="{fill}"'
    return f"<text {place}>{escaped(words)}</text>"


def escaped(words: str) -> str:
    """Without control characters too, which XML forbids."""
    return html.escape("".join(letter for letter in words if letter.isprintable()))
