"""What algorithms propose: always the same, inside the image, in order."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import cv2
import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from tradeoffs.errors import UserError
from tradeoffs.files import CONF
from tradeoffs.ops.boxes import iou
from tradeoffs.proposals import edge_boxes
from tradeoffs.proposals.edge_boxes import EdgeBoxes, boxes_of_edges, load_detector
from tradeoffs.proposals.random_boxes import RandomBoxes
from tradeoffs.proposals.selective_search import SelectiveSearch, in_random_hierarchy, shrunk
from tradeoffs.proposals.sliding_window import SlidingWindow, starts

BY_NAME = {file.stem: OmegaConf.load(file) for file in sorted((CONF / "proposals").glob("*.yaml"))}
WITHOUT_FILES = [name for name, config in BY_NAME.items() if "???" not in OmegaConf.to_container(config).values()]


def photo(height: int = 90, width: int = 120) -> torch.Tensor:
    """A bright square and a dark one on noise."""
    pixels = np.random.default_rng(0).integers(90, 140, (height, width, 3), dtype=np.uint8)
    pixels[20:60, 12:52] = (230, 200, 40)
    pixels[30:80, 70:110] = (20, 30, 120)
    return torch.from_numpy(pixels).permute(2, 0, 1)


@pytest.fixture(params=WITHOUT_FILES)
def proposer(request):
    return instantiate(BY_NAME[request.param], _convert_="all")


def test_every_choice_names_a_proposer():
    assert {"selective_search", "edge_boxes", "sliding_window", "random"} <= BY_NAME.keys()
    for name, config in BY_NAME.items():
        if name == "rpn":  # of a trained network
            continue
        class_ = instantiate({"_target_": "hydra.utils.get_class", "path": config._target_})
        assert class_.name == name and class_.device == "cpu"
        settings = {key for key in config if key != "_target_"}
        assert settings == set(class_.__dataclass_fields__), "a setting without a line, or the other way round"


@pytest.mark.parametrize("size", [(90, 120), (700, 300), (120, 37), (5, 3), (1, 1), (1, 200)])
def test_boxes_lie_inside_the_image_and_have_an_area(proposer, size):
    boxes, scores = proposer(photo(*size))
    height, width = size
    assert len(boxes) and boxes.dtype == scores.dtype == np.float32
    assert boxes.min() >= 0 and boxes[:, [0, 2]].max() <= width and boxes[:, [1, 3]].max() <= height
    assert (boxes[:, 2:] > boxes[:, :2]).all()
    assert (np.diff(scores) <= 0).all() and scores[0] == 1 and (len(scores) == 1 or scores[-1] == 0)


def test_it_is_the_same_at_any_time_and_in_any_thread(proposer):
    images = [photo(), photo(64, 200), photo(100, 100)]
    alone = [proposer(image) for image in images]
    assert not np.array_equal(alone[0].boxes, alone[2].boxes)
    before = cv2.getNumThreads()
    try:
        for threads in (0, 3):
            cv2.setNumThreads(threads)
            with ThreadPoolExecutor(4) as pool:
                together = list(pool.map(proposer, images * 4))
            for place, found in enumerate(together):
                np.testing.assert_array_equal(found.boxes, alone[place % 3].boxes)
    finally:
        cv2.setNumThreads(before)


def test_identity_tells_options_apart():
    fast, quality = SelectiveSearch().identity, SelectiveSearch(mode="quality").identity
    assert fast == {"name": "selective_search", "mode": "fast", "longest_side": 500, "opencv": cv2.__version__}
    assert fast != quality and RandomBoxes(seed=1).identity != RandomBoxes().identity


def test_selective_search_finds_what_stands_out():
    boxes = SelectiveSearch()(photo()).boxes
    for square in ([12, 20, 52, 60], [70, 30, 110, 80]):
        assert np.abs(boxes - square).max(axis=1).min() <= 2


def test_quality_finds_more():
    noise = torch.from_numpy(np.random.default_rng(1).integers(0, 256, (3, 60, 60), dtype=np.uint8))
    image = torch.nn.functional.interpolate(noise[None, :, ::8, ::8], scale_factor=16)[0]
    assert len(SelectiveSearch(mode="quality")(image).boxes) > len(SelectiveSearch()(image).boxes)


def test_large_photos_are_shrunk_and_boxes_scaled_back():
    large = photo(90, 120).repeat_interleave(4, 1).repeat_interleave(6, 2)  # 360 x 720
    small = shrunk(large.permute(1, 2, 0).numpy(), 120)
    assert small.shape == (60, 120, 3) and shrunk(small, 500) is small
    boxes = SelectiveSearch(longest_side=120)(large).boxes
    assert [0, 0, 720, 360] in boxes.tolist()
    assert np.abs(boxes - np.array([12, 20, 52, 60]) * [6, 4, 6, 4]).max(axis=1).min() <= 12
    np.testing.assert_allclose(boxes / 6, np.round(boxes / 6), atol=1e-4)  # whole pixels of the small photo


def test_the_order_is_random_but_large_regions_tend_to_come_first():
    rng = np.random.default_rng(0)
    start = rng.integers(0, 50, (400, 2))
    boxes = np.concatenate([start, start + rng.integers(1, 50, (400, 2))], axis=1)
    ordered = in_random_hierarchy(boxes)
    np.testing.assert_array_equal(ordered, in_random_hierarchy(rng.permutation(np.concatenate([boxes, boxes[:9]]))))
    assert sorted(map(tuple, ordered.tolist())) == sorted(set(map(tuple, boxes.tolist())))
    areas = np.prod(ordered[:, 2:] - ordered[:, :2], axis=1)
    assert areas[:100].mean() > 1.5 * areas[-100:].mean() and (np.diff(areas) > 0).any()


def test_windows_by_hand():
    boxes = SlidingWindow(scales=[0.5], ratios=[1.0], stride=1.0)(photo(4, 8)).boxes
    expected = [[x, y, x + 2, y + 2] for y in (0, 2) for x in (0, 2, 4, 6)]
    assert boxes.tolist() == expected
    assert starts(2.0, 5, 1.0).tolist() == [0, 1.5, 3]  # closer than the stride, so that the last ends at the border


def test_larger_windows_come_first_and_shapes_are_kept_where_there_is_room():
    boxes = SlidingWindow(scales=[0.25, 0.5], ratios=[4.0, 1.0], stride=0.5)(photo(100, 200)).boxes
    sides = boxes[:, 2:] - boxes[:, :2]
    assert (np.diff(sides.prod(axis=1)) < 1e-2).all()
    assert {tuple(side) for side in np.round(sides, 2).tolist()} == {(50, 50), (25, 100), (25, 25), (12.5, 50)}


def test_random_boxes_are_log_uniform():
    boxes = RandomBoxes(count=4000, smallest=0.01, longest=2.0)(photo(300, 300)).boxes
    width, height = (boxes[:, 2:] - boxes[:, :2]).T
    areas, ratios = width * height / 300**2, height / width
    assert np.isclose(np.median(areas), 0.1, rtol=0.1) and areas.min() > 0.0099
    assert np.isclose(np.median(ratios), 1, rtol=0.05) and ratios.max() < 2.001 and ratios.min() > 0.499
    assert not np.array_equal(boxes, RandomBoxes(count=4000, smallest=0.01, longest=2.0, seed=1)(photo(300, 300)).boxes)


def sobel_edges() -> tuple[np.ndarray, np.ndarray]:
    """What the detector would say of one bright square, roughly: thin edges, and orientations of the contour."""
    grey = np.full((120, 160), 0.2, np.float32)
    grey[20:60, 12:52] = 0.9
    grey = cv2.GaussianBlur(grey, (0, 0), 1)
    x, y = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    edges = np.hypot(x, y) * (cv2.Canny((grey * 255).astype(np.uint8), 40, 80) > 0)
    return edges / edges.max(), np.mod(np.arctan2(y, x) + np.pi / 2, np.pi)


def test_edge_boxes_hold_contours():
    def search():
        return cv2.ximgproc.createEdgeBoxes(maxBoxes=50, minBoxArea=400)

    found = boxes_of_edges(search(), *sobel_edges())
    assert 0 < len(found.boxes) <= 50 and (np.diff(found.scores) <= 0).all()
    square = torch.tensor([[12.0, 20, 52, 60]])
    assert float(iou(square, torch.from_numpy(found.boxes[:1]))) > 0.6
    again = boxes_of_edges(search(), *sobel_edges())
    assert all(map(np.array_equal, found, again))
    for (box, score), (after, next_score) in pairwise(zip(found.boxes.tolist(), found.scores, strict=True)):
        assert score > next_score or box < after
    nothing = boxes_of_edges(search(), *(np.zeros((40, 40), np.float32),) * 2)
    assert nothing.boxes.shape == (0, 4) and nothing.scores.shape == (0,)


def test_edge_boxes_ask_the_detector_in_rgb_from_0_to_1(tmp_path, monkeypatch):
    model = tmp_path / "model.yml.gz"
    model.write_bytes(b"x")
    asked = []

    class Detector:
        def detectEdges(self, image):
            asked.append(image)
            return sobel_edges()[0]

        def computeOrientation(self, edges):
            return sobel_edges()[1]

        def edgesNms(self, edges, orientations):
            return edges

    monkeypatch.setattr(edge_boxes, "load_detector", lambda path: Detector())
    boxes = EdgeBoxes(str(model), count=20, least_area=400)(photo(120, 160)).boxes
    assert 0 < len(boxes) <= 20
    np.testing.assert_allclose(asked[0], photo(120, 160).permute(1, 2, 0).numpy() / 255, rtol=1e-6)


def test_what_is_no_edge_detector_is_one_line(tmp_path):
    with pytest.raises(UserError, match=r"proposals.model=.* is no file; give the edge detector's, which is model.yml"):
        EdgeBoxes(str(tmp_path / "absent.yml.gz"))
    for text in ("hello", "%YAML:1.0\na: 1\n"):  # of the second OpenCV makes a detector, and dies of using it
        other = tmp_path / f"{len(text)}.yml"
        other.write_text(text)
        with pytest.raises(UserError, match="is no edge detector; give model"):
            load_detector(str(other))


def test_the_identity_of_edge_boxes_is_that_of_the_model(tmp_path):
    paths = [tmp_path / name for name in "abc"]
    for path, text in zip(paths, ("x", "x", "y"), strict=True):
        path.write_text(text)
    one, copy, other = (EdgeBoxes(str(path)).identity for path in paths)
    assert one == copy != other
