"""People cut out of photos: where pixels and joints land, who is a sample, and in whose boxes."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tradeoffs.data.archives import Split
from tradeoffs.data.coco import CocoDataset
from tradeoffs.data.module import CocoDataModule
from tradeoffs.data.people import PersonSamples, annotated_people, people_of
from tradeoffs.data.person_views import PersonViews, view_of
from tradeoffs.data.resize import Resize
from tradeoffs.data.samples import collate
from tradeoffs.errors import UserError

SIZE = (80, 100)  # height, width
JOINTS = ["head", "left_hand", "right_hand"]
SQUARE = Resize("warp", 64)
KEYPOINTS = [30, 25, 2, 45, 40, 1, 20, 45, 2]
BOX = [10, 20, 40, 50]  # x, y, width, height


def write(folder: Path, annotations: list[dict], joints: list[str] = JOINTS, name: str = "a.json") -> Path:
    """One photo of black with white squares of seven pixels around the joints of the first person."""
    pixels = np.zeros((*SIZE, 3), np.uint8)
    for x, y in zip(KEYPOINTS[::3], KEYPOINTS[1::3], strict=True):
        pixels[y - 3 : y + 4, x - 3 : x + 4] = 255
    Image.fromarray(pixels).save(folder / "1.png")
    shared = {"image_id": 7, "category_id": 4, "iscrowd": 0, "area": 900}
    content = {
        "images": [{"id": 7, "file_name": "1.png", "height": SIZE[0], "width": SIZE[1]}],
        "annotations": [{"id": number, **shared, **each} for number, each in enumerate(annotations, 1)],
        "categories": [{"id": 4, "name": "person", "keypoints": joints, "skeleton": [[1, 2], [1, 3], [1, 9]]}],
    }
    (folder / name).write_text(json.dumps(content))
    return folder / name


def dataset(folder: Path, *annotations: dict) -> CocoDataset:
    file = write(folder, list(annotations) or [{"bbox": BOX, "keypoints": KEYPOINTS}])
    return CocoDataset(folder, file)


def boxes_file(folder: Path, *boxes: tuple) -> str:
    file = folder / "predictions.json"
    keys = ("image_id", "category_id", "bbox", "score")
    file.write_text(json.dumps([dict(zip(keys, each, strict=True)) for each in boxes]))
    return str(file)


def test_a_view_by_hand():
    """The longer side is 40, what is seen 50 of them, in an input of 100 pixels; its middle is the box's."""
    view = view_of([10, 20, 30, 60], 100)
    moved = view.keypoints(torch.tensor([[20.0, 40, 2], [10, 20, 1], [46, 40, 2], [20, 40, 0]]), [1, 0, 2, 3])
    assert moved.tolist() == [[50, 50, 2], [30, 10, 1], [0, 0, 0], [0, 0, 0]]  # beyond the input is unlabelled
    assert view.geometry.tolist() == [2, 2, 10, -30]
    mirrored = view_of([10, 20, 30, 60], 100, mirrored=True)
    assert mirrored.keypoints(torch.tensor([[20.0, 40, 2], [10, 20, 1]]), [1, 0]).tolist() == [[70, 10, 1], [50, 50, 2]]
    assert mirrored.geometry.tolist() == [-2, 2, 90, -30]
    turned = view_of([10, 20, 30, 60], 100, degrees=90)
    torch.testing.assert_close(turned.keypoints(torch.tensor([[30.0, 40, 2]]), [0]), torch.tensor([[50.0, 70, 2]]))


@pytest.mark.parametrize("mirrored", [False, True])
def test_joints_stay_in_the_middle_of_their_pixels(tmp_path, mirrored):
    """However a person is turned: the white squares, whose centres lie half a pixel right of and below the corners."""
    data = dataset(tmp_path)
    joints = data.keypoints(0)[0] + torch.tensor([0.5, 0.5, 0])
    for factor, degrees in ((1.0, 0), (0.8, 25), (1.2, -140)):
        view = view_of([10, 20, 50, 70], 120, factor, degrees, mirrored)
        seen = view.image(data.read_image(0))[0].float()
        places = torch.arange(120) + 0.5
        for x, y, _ in view.keypoints(joints, range(3)).tolist():
            near = ((places - x).abs() < 16) & ((places - y).abs() < 16)[:, None]
            part = seen * near / (seen * near).sum()
            assert (part.sum(dim=0) @ places).item() == pytest.approx(x, abs=0.1)
            assert (part.sum(dim=1) @ places).item() == pytest.approx(y, abs=0.1)


def test_what_is_drawn_depends_on_the_address_alone(tmp_path):
    data = dataset(tmp_path)
    views = PersonViews(scale=0.25, rotation=30, flip=True)
    samples = [PersonSamples(data, annotated_people(data), SQUARE, views, seed=3) for _ in range(2)]
    first = [samples[0][epoch, 0] for epoch in range(8)]
    again = [samples[1][epoch, 0] for epoch in reversed(range(8))][::-1]
    assert all(torch.equal(one.image, two.image) for one, two in zip(first, again, strict=True))
    assert all(torch.equal(one.keypoints, two.keypoints) for one, two in zip(first, again, strict=True))
    assert len({float(each.geometry[1]) for each in first}) == 8
    assert {bool(each.geometry[0] < 0) for each in first} == {True, False}


def test_a_batch_of_people_and_the_way_back(tmp_path):
    data = dataset(tmp_path)
    sample = PersonSamples(data, annotated_people(data), SQUARE)[5, 0]
    batch = collate([sample, sample])
    assert batch.images.shape == (2, 3, 64, 64) and batch.targets.keypoints.shape == (2, 1, 3, 3)
    assert batch.targets.boxes is batch.targets.labels is None
    scale, offset = batch.geometry[0].split(2)
    back = (batch.targets.keypoints[0, 0, :, :2] - offset) / scale
    torch.testing.assert_close(back, data.keypoints(0)[0, :, :2])
    assert batch.image_ids.tolist() == [7, 7] and batch.addresses[0].tolist() == [0, 5, 0]


def test_people_without_labelled_joints_and_crowds_are_no_samples(tmp_path):
    unlabelled = {"bbox": [0, 0, 9, 9], "keypoints": [0] * 9}
    crowd = {"bbox": [0, 0, 9, 9], "keypoints": KEYPOINTS, "iscrowd": 1}
    data = dataset(tmp_path, unlabelled, {"bbox": BOX, "keypoints": KEYPOINTS, "head_size": 9.5}, crowd)
    people = annotated_people(data)
    assert people.boxes.tolist() == [[10, 20, 50, 70]] and people.head_sizes.tolist() == [9.5]
    assert data.skeleton.edges == [(0, 1), (0, 2)]  # the third leads nowhere
    with pytest.raises(UserError, match="no person with a labelled joint"):
        annotated_people(dataset(tmp_path, unlabelled))


def test_a_joint_beyond_the_photo_is_one_where_the_input_reaches(tmp_path):
    """People are cut off by borders; what lies beyond is black."""
    data = dataset(tmp_path, {"bbox": [0, 20, 40, 40], "keypoints": [-4, 40, 1, 20, 40, 2, -30, 40, 1]})
    (joints,) = PersonSamples(data, annotated_people(data), SQUARE)[0, 0].keypoints
    torch.testing.assert_close(joints, torch.tensor([[32 - 24 * 1.28, 32, 1], [32, 32, 2], [0, 0, 0]]))


def test_boxes_of_a_detector(tmp_path):
    """Of two boxes around the one person the surer one is it, and a third is nobody's."""
    data = dataset(tmp_path)
    file = boxes_file(
        tmp_path,
        *((7, 4, [12, 20, 40, 50], 0.5), (7, 4, [10, 22, 40, 50], 0.9), (7, 4, [60, 0, 20, 20], 0.7)),
        *((7, 5, BOX, 0.9), (8, 4, BOX, 0.9), (7, 4, [1, 1, 0, 5], 0.9)),  # another class, another image, no area
    )
    people = people_of(data, file)
    assert people.scores.tolist() == [0.9, 0.7, 0.5] and people.truth.tolist() == [0, -1, -1]
    assert people.boxes[0].tolist() == [10, 22, 50, 72]
    assert people.keypoints[0].ravel().tolist() == KEYPOINTS and not people.keypoints[1:].any()


@pytest.mark.parametrize(
    ("boxes", "fault"),
    [([(7, 9, BOX, 0.5)], "has no box of category 4"), ([(7, 4, [1, 2], 0.5)], "entry 0 has no bbox and score")],
)
def test_a_file_without_boxes_of_people(tmp_path, boxes, fault):
    data = dataset(tmp_path)
    with pytest.raises(UserError, match=fault):
        people_of(data, boxes_file(tmp_path, *boxes))


def test_a_file_that_is_none(tmp_path):
    with pytest.raises(UserError, match="cannot be read; give a detector"):
        people_of(dataset(tmp_path), "nowhere.json")


def module(folder: Path, train: Path, val: Path) -> CocoDataModule:
    files = {"train": train, "val": val}
    return CocoDataModule("data", lambda name: Split(folder, files[name]), 64, annotations=["person"])


def test_both_splits_need_the_same_joints(tmp_path):
    own = write(tmp_path, [{"bbox": BOX, "keypoints": KEYPOINTS}])
    other = write(tmp_path, [{"bbox": BOX, "keypoints": KEYPOINTS[:6]}], JOINTS[:2], "b.json")
    with pytest.raises(UserError, match=r"different joints \(3 and 2\)"):
        module(tmp_path, own, other).setup()


def test_data_without_keypoints(tmp_path):
    file = write(tmp_path, [{"bbox": BOX}], joints=[])
    with pytest.raises(UserError, match="has no class with keypoints"):
        module(tmp_path, file, file).setup()


def test_the_classes_are_the_joints(tmp_path):
    file = write(tmp_path, [{"bbox": BOX, "keypoints": KEYPOINTS}])
    data = module(tmp_path, file, file)
    data.setup()
    assert (data.class_names, data.category_ids, data.num_classes) == (JOINTS, [1, 2, 3], 3)
    assert data.skeleton.category_name == "person"
