"""Charts are read back as XML, which every browser does too."""

from xml.etree import ElementTree

import numpy as np
import pytest

from tradeoffs.pictures.charts import LONGEST, SIDE, Chart, Curve, line_charts, matrix_chart

SVG = "{http://www.w3.org/2000/svg}"
ODD = "a <b> & \x00\x0b\ud800 é"


def texts(content: str) -> list[str]:
    return [each.text or "" for each in ElementTree.fromstring(content.encode()).iter(f"{SVG}text")]


def test_a_line_goes_through_its_points():
    corner = Curve("one", np.array([0.0, 0.5, 1.0]), np.array([1.0, 0.25, 0.0]), thick=True)
    chart = Chart("title", "across", "up", [corner, Curve(ODD, np.zeros(1), np.zeros(1), dashed=True)])
    content = line_charts([chart, chart])
    lines = list(ElementTree.fromstring(content.encode()).iter(f"{SVG}polyline"))
    points = [tuple(map(float, point.split(","))) for point in lines[1].get("points").split()]
    assert points == [(0, 0), (SIDE / 2, 0.75 * SIDE), (SIDE, SIDE)]
    assert [line.get("stroke-dasharray") is None for line in lines] == [False, True] * 2
    assert {"title", "across", "up", "one", "a <b> &  é", "0.4"} <= set(texts(content))


def test_a_matrix_has_its_counts_and_shades():
    content = matrix_chart("title", ["a", ODD, "background"], ["a", ODD, "missed"], np.array([[3, 1, 0]] * 3))
    cells = list(ElementTree.fromstring(content.encode()).iter(f"{SVG}rect"))[1:-1]  # without ground and frame
    assert [cell.get("fill-opacity") for cell in cells] == ["0.750", "0.250"] * 3
    assert [cell.get("fill") == cells[0].get("fill") for cell in cells] == [True, False, False, True, False, False]
    assert cells[1].findtext(f"{SVG}title") == "a, a <b> &  é: 1"
    assert [text for text in texts(content) if text.isdigit()] == ["3", "1"] * 3


@pytest.mark.parametrize("count", [1, 90])
def test_a_matrix_of_any_size(count):
    names = ["n" * 100] * count
    content = matrix_chart("title", names, names, np.zeros((count, count), int))
    assert max(map(len, texts(content))) == LONGEST


def test_many_classes_have_their_counts_in_hints_alone():
    content = matrix_chart("title", ["n"] * 40, ["n"] * 40, np.eye(40, dtype=int) * 7)
    assert "7" not in texts(content) and content.count("<title>n, n: 7</title>") == 40
