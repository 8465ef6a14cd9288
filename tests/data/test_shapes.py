import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask

from tradeoffs.data.shapes import maker
from tradeoffs.data.shapes.figure import KEYPOINT_NAMES, sample_pose
from tradeoffs.data.shapes.maker import make_shapes
from tradeoffs.data.shapes.scene import CLASS_NAMES, Instance, Scene, leaves_enough_visible
from tradeoffs.data.shapes.silhouettes import OUTLINES, draw_outline
from tradeoffs.errors import UserError


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return make_shapes(tmp_path_factory.mktemp("shapes"), num_train=100, num_val=12, processes=1)


@pytest.fixture(scope="module")
def train(folder) -> dict:
    return read(folder, "train")


def read(folder: Path, split: str) -> dict:
    return json.loads((folder / "annotations" / f"{split}.json").read_text())


def decode(annotation: dict) -> np.ndarray:
    return coco_mask.decode(annotation["segmentation"]).astype(bool)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_same_bytes_from_any_number_of_processes(folder, tmp_path):
    other = make_shapes(tmp_path, num_train=100, num_val=12, processes=2)
    assert files(other) == files(folder)
    assert len(files(folder)) == 100 + 12 + 2 + 1


def test_larger_set_begins_with_smaller_one(folder, tmp_path):
    smaller = make_shapes(tmp_path, num_train=9, num_val=3, processes=1)
    for split, count in (("train", 9), ("val", 3)):
        for path in (smaller / split).iterdir():
            assert path.read_bytes() == (folder / split / path.name).read_bytes()
        few, many = read(smaller, split), read(folder, split)
        assert few["images"] == many["images"][:count]
        assert few["annotations"] == many["annotations"][: len(few["annotations"])]


def test_seeds_and_splits_differ(folder, tmp_path):
    other = make_shapes(tmp_path, num_train=1, num_val=1, seed=1, processes=1)
    pictures = [path.read_bytes() for root in (folder, other) for path in sorted(root.glob("*/000000.jpg"))]
    assert len(set(pictures)) == 4


def test_images_are_as_announced(folder, train):
    sizes = set()
    for image in train["images"]:
        height, width, _ = cv2.imread(str(folder / "train" / image["file_name"])).shape
        assert (height, width) == (image["height"], image["width"])
        sizes.add((height, width))
    assert len(sizes) == 4


def test_boxes_and_areas_are_those_of_the_masks(train):
    for annotation in train["annotations"]:
        rows, columns = np.nonzero(decode(annotation))
        left, top, right, bottom = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
        assert annotation["bbox"] == [left, top, right - left, bottom - top]
        assert annotation["area"] == len(rows) >= 64


def test_masks_hold_visible_pixels_only(train):
    for image in train["images"]:
        masks = [decode(annotation) for annotation in train["annotations"] if annotation["image_id"] == image["id"]]
        assert np.sum(masks, axis=0).max() <= 1


def test_every_kind_of_image_and_object_occurs(train):
    objects = [annotation for annotation in train["annotations"] if not annotation["iscrowd"]]
    assert {annotation["category_id"] for annotation in objects} == set(range(1, len(CLASS_NAMES) + 1))
    areas = np.array([annotation["area"] for annotation in objects])
    small, large = np.mean(areas < 32**2), np.mean(areas > 96**2)
    assert 0.2 < small < 0.4 and 0.1 < large < 0.4
    per_image = np.bincount([annotation["image_id"] for annotation in objects], minlength=len(train["images"]))
    assert per_image.min() == 0 and per_image.max() == 8
    assert any(annotation["iscrowd"] for annotation in train["annotations"])


def test_annotations_are_numbered_from_one(train):
    assert [annotation["id"] for annotation in train["annotations"]] == list(range(1, len(train["annotations"]) + 1))


def test_keypoints_agree_with_masks(train):
    flags = []
    for annotation in train["annotations"]:
        assert ("keypoints" in annotation) == (annotation["category_id"] == 7 and not annotation["iscrowd"])
        if "keypoints" in annotation:
            triples = np.reshape(annotation["keypoints"], (-1, 3))
            assert annotation["num_keypoints"] == np.sum(triples[:, 2] > 0)
            assert not triples[triples[:, 2] == 0].any()
            x, y, flag = triples[triples[:, 2] > 0].astype(int).T
            np.testing.assert_array_equal(decode(annotation)[y, x], flag == 2)  # outside the image: IndexError
            flags += flag.tolist()
    assert set(flags) == {1, 2}


def test_joints_are_named_in_pairs_and_connected(train):
    figure = train["categories"][-1]
    names = figure["keypoints"]
    assert figure["name"] == "figure" and names == list(KEYPOINT_NAMES)
    left = {name.removeprefix("left_") for name in names if name.startswith("left_")}
    assert left == {name.removeprefix("right_") for name in names if name.startswith("right_")}
    assert len(names) == 1 + 2 * len(left)
    reached = {1}
    for _ in names:
        reached |= {joint for bone in figure["skeleton"] if reached & set(bone) for joint in bone}
    assert reached == set(range(1, len(names) + 1))


@pytest.mark.parametrize("seed", range(5))
def test_figure_faces_us(seed):
    joints = dict(zip(KEYPOINT_NAMES, sample_pose(np.random.default_rng(seed)), strict=True))
    for name in ("shoulder", "hip"):
        assert joints[f"left_{name}"][0] > joints[f"right_{name}"][0]
    assert joints["head"][1] < joints["left_shoulder"][1] < joints["left_hip"][1]


@pytest.mark.parametrize("name", OUTLINES)
@pytest.mark.parametrize("size", [10.0, 100.5])
def test_longer_side_of_an_outline(name, size):
    for seed in range(10):
        rows, columns = np.nonzero(draw_outline(name, size, np.random.default_rng(seed)).mask)
        assert max(np.ptp(rows), np.ptp(columns)) + 1 == pytest.approx(size, abs=2)


def test_circle_fills_its_ellipse():
    mask = draw_outline("circle", 200, np.random.default_rng(3)).mask
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    _, axes, _ = cv2.fitEllipse(contours[0])
    assert mask.sum() == pytest.approx(np.pi / 4 * np.prod(axes), rel=0.02)


def test_ring_has_a_hole():
    mask = draw_outline("ring", 60, np.random.default_rng(0)).mask
    height, width = mask.shape
    assert not mask[height // 2, width // 2]
    assert mask[height // 2].any() and mask[:, width // 2].any()


def scene_with_one_object() -> Scene:
    """An object of 10 x 20 pixels of which all is visible."""
    owner = np.zeros((40, 40), np.int16)
    owner[:10, :20] = 1
    instance = Instance(label=0, crowd=False, full_area=200, joints=None)
    return Scene(np.zeros((40, 40, 3), np.uint8), owner, [instance])


@pytest.mark.parametrize(("columns", "enough"), [(10, True), (11, False)])
def test_older_object_keeps_its_visible_share(columns, enough):
    """Half of its 200 pixels are 100: 10 hidden columns leave 100, 11 leave 90."""
    mask = np.ones((10, columns), bool)
    assert leaves_enough_visible(scene_with_one_object(), (slice(0, 10), slice(0, columns)), mask, mask.size) is enough


@pytest.mark.parametrize(("full_area", "enough"), [(200, True), (201, False)])
def test_new_object_beyond_the_border_is_left_out(full_area, enough):
    """Of the new object 100 pixels lie within the picture; they have to be half of it."""
    mask = np.ones((10, 10), bool)
    window = (slice(30, 40), slice(30, 40))
    assert leaves_enough_visible(scene_with_one_object(), window, mask, full_area) is enough


def test_tiny_object_is_left_out():
    mask = np.ones((7, 9), bool)
    window = (slice(30, 37), slice(30, 39))
    assert not leaves_enough_visible(scene_with_one_object(), window, mask, mask.size)


def test_finished_set_is_not_drawn_again(tmp_path, monkeypatch, capsys):
    folder = make_shapes(tmp_path, 2, 1, processes=1)
    assert capsys.readouterr().out == f"drawing 3 images into {folder}, once\n"
    monkeypatch.setattr(maker, "draw_set", lambda *_: pytest.fail("drawn again"))
    assert make_shapes(tmp_path, 2, 1, processes=1) == folder
    assert not capsys.readouterr().out


def test_sets_live_side_by_side(tmp_path):
    folders = {make_shapes(tmp_path, *counts, seed=seed, processes=1) for counts in ((1, 1), (2, 1)) for seed in (0, 1)}
    assert set(tmp_path.iterdir()) == folders and len(folders) == 4


def test_interrupted_set_does_not_count(tmp_path, monkeypatch):
    def interrupt(folder, seed, job):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(maker, "draw_picture", interrupt)
        with pytest.raises(KeyboardInterrupt):
            make_shapes(tmp_path, 2, 1, processes=1)
    assert list(tmp_path.iterdir()) == []
    name = f"shapes-v{maker.VERSION}-seed0-2-1"
    (tmp_path / f".{name}-killed" / name / "train").mkdir(parents=True)
    folder = make_shapes(tmp_path, 2, 1, processes=1)
    assert len(list((folder / "train").iterdir())) == 2


DRAW_MANY = """
import sys
from pathlib import Path
from tradeoffs.data.shapes import make_shapes
print("drawing", flush=True)
try:
    make_shapes(Path(sys.argv[1]), 3000, 0, processes=2)
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.parametrize("delay", [0.1, 0.4])
def test_ctrl_c_is_quiet_even_while_the_workers_start(tmp_path, delay):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    program = subprocess.Popen([sys.executable, "-c", DRAW_MANY, tmp_path], start_new_session=True, **pipes)
    assert program.stdout.readline() == "drawing\n"
    time.sleep(delay)
    os.killpg(program.pid, signal.SIGINT)  # as a terminal does: to the workers, too
    assert program.communicate(timeout=60)[1] == "" and program.returncode == 130
    assert list(tmp_path.iterdir()) == []


def test_slower_of_two_programs_uses_the_set_of_the_faster(tmp_path, monkeypatch):
    draw_set = maker.draw_set
    marks = []

    def draw_slowly(folder, recipe, processes):
        draw_set(folder, recipe, processes)
        monkeypatch.setattr(maker, "draw_set", draw_set)
        faster = make_shapes(tmp_path, 2, 1, processes=1)
        marks.append((faster / "shapes.json").stat().st_ino)

    monkeypatch.setattr(maker, "draw_set", draw_slowly)
    folder = make_shapes(tmp_path, 2, 1, processes=1)
    assert marks == [(folder / "shapes.json").stat().st_ino]
    assert list(tmp_path.iterdir()) == [folder]


def test_foreign_folder_is_left_alone(tmp_path):
    foreign = make_shapes(tmp_path, 1, 1, processes=1) / "shapes.json"
    foreign.write_text("something else")
    with pytest.raises(UserError, match="move it away or delete it"):
        make_shapes(tmp_path, 1, 1, processes=1)
    assert foreign.read_text() == "something else"


@pytest.mark.parametrize("arguments", [{"seed": -1}, {"num_train": -1}, {"num_val": -5}])
def test_negative_numbers_are_refused(tmp_path, arguments):
    with pytest.raises(UserError, match="0 or more"):
        make_shapes(tmp_path, **arguments)


def test_drawing_needs_no_torch():
    code = "import sys, tradeoffs.data.shapes; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
