import io

from rich.console import Console

from tradeoffs.training.tables import score_table


def printed(*args) -> list[str]:
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(score_table(*args))
    return console.export_text().splitlines()


def test_scores_classes_and_cost():
    lines = printed(
        {"mAP": 0.4126, "AP50": 0.5},
        [{"class": "cat", "AP": 0.25, "objects": 7}, {"class": "dog", "AP": None, "objects": 0}],
        {"latency, ms": 12.3456, "parameters": 1000},
    )
    cells = [[cell.strip() for cell in line.strip("│┃").replace("┃", "│").split("│")] for line in lines]
    for row in (["0.413", "0.500"], ["cat", "0.250", "7"], ["dog", "-", "0"], ["12.35", "1000"]):
        assert row in cells


def test_without_classes_and_cost():
    assert len(printed({"mAP": 0.5}, [])) == 6
