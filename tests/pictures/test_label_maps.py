from pathlib import Path

import numpy as np
import torch
from PIL import Image

from tradeoffs.pictures.label_maps import OPACITY, colour_of, draw_label_map, save_index_picture
from tradeoffs.pictures.style import PALETTE, WHITE
from tradeoffs.structures import IGNORED

GREY = 100


def grey(height: int, width: int) -> torch.Tensor:
    return torch.full((3, height, width), GREY, dtype=torch.uint8)


def blend(label: int) -> list[int]:
    return [round(GREY * (1 - OPACITY) + value * OPACITY) for value in colour_of(label)]


def test_classes_are_coloured_where_they_are():
    """A map of two pixels, over an image of 40 x 20; background and what is ignored stay as they are."""
    labels = torch.tensor([[0, 1], [2, IGNORED]], dtype=torch.uint8)
    drawn = draw_label_map(grey(20, 40), [labels], ["sky", "road", "background"], background=2)
    assert drawn[:, 5, 5].tolist() == blend(0) and drawn[:, 5, 35].tolist() == blend(1)
    assert (drawn[:, 10:20] == GREY).all()


def test_several_maps_stand_side_by_side_above_one_legend():
    """Classes that are seen in any of them have a patch in the legend, others none."""
    maps = [torch.full((2, 2), label, dtype=torch.uint8) for label in (0, 1)]
    drawn = draw_label_map(grey(20, 100), maps, ["sky", "road", "car"])
    assert drawn.shape[2] == 200 and drawn.shape[1] > 20
    assert drawn[:, 10, 50].tolist() == blend(0) and drawn[:, 10, 150].tolist() == blend(1)
    legend = {tuple(colour) for colour in drawn[:, 20:].flatten(1).T.tolist()}
    assert {colour_of(0), colour_of(1), WHITE} <= legend and colour_of(2) not in legend


def test_a_legend_of_many_names_takes_several_lines():
    labels = torch.arange(60, dtype=torch.uint8).view(6, 10)
    few, many = (
        draw_label_map(grey(60, 100), [labels.clamp(max=most)], [f"class {i}" for i in range(60)]) for most in (1, 59)
    )
    assert many.shape[1] > few.shape[1] + 100


def test_colours_differ():
    assert len({colour_of(label) for label in range(3 * len(PALETTE))}) == 3 * len(PALETTE)


def test_an_index_picture_keeps_its_values(tmp_path: Path):
    values = torch.tensor([[0, 7], [255, 7]], dtype=torch.uint8)
    save_index_picture(values, {0: (1, 2, 3), 7: (4, 5, 6)}, tmp_path / "maps/a.png")
    with Image.open(tmp_path / "maps/a.png") as picture:
        assert picture.mode == "P" and np.array(picture).tolist() == values.tolist()
        assert np.array(picture.convert("RGB"))[:, 1].tolist() == [[4, 5, 6], [4, 5, 6]]
