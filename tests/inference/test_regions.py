from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pycocotools import mask as rle

from tradeoffs.inference.regions import Regions

MAP = torch.tensor([[0, 0, 2, 2], [0, 2, 2, 2]], dtype=torch.uint8)


@pytest.fixture
def regions() -> Regions:
    return Regions.of(MAP, ["sky", "road", "background"])


def test_the_map_can_be_had_again(regions: Regions):
    assert torch.equal(regions.label_map, MAP) and regions.labels == [2, 0]
    assert regions.shares == {"background": 5 / 8, "sky": 3 / 8}
    assert str(regions) == "background 62 %, sky 38 %"


def test_annotations_are_masks(regions: Regions):
    first, second = regions.as_annotations([5, 6, 300])
    assert (first["category_id"], second["category_id"], second["area"], second["bbox"]) == (300, 5, 3, [0, 0, 2, 2])
    assert (rle.decode(second["segmentation"]) == (MAP == 0).numpy()).all()


@pytest.mark.parametrize(("ids", "values"), [([5, 6, 9], [[5, 5, 9, 9], [5, 9, 9, 9]]), ([5, 6, 300], MAP.tolist())])
def test_index_pictures_hold_ids_or_labels_where_ids_are_too_large(regions: Regions, tmp_path: Path, ids, values):
    regions.save(tmp_path / "map.png", ids)
    assert np.array(Image.open(tmp_path / "map.png")).tolist() == values


def test_the_picture_is_as_large_as_asked(regions: Regions):
    drawn = regions.drawn(torch.zeros(3, 2, 4, dtype=torch.uint8), 50)
    assert drawn.shape[2] == 200 and drawn[:, 10, 10].any() and not drawn[:, 90, 190].any()
