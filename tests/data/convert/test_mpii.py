"""People of MPII, from all three forms in which their joints are passed on."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from tradeoffs.data.coco import CocoDataset
from tradeoffs.data.convert.__main__ import main
from tradeoffs.data.convert.mpii import HEAD_TOP, NAMES, NECK
from tradeoffs.data.people import annotated_people
from tradeoffs.ops.keypoints import flip_pairs, torso

JOINTS = np.array([[20 + 3 * n, 30 + 4 * n] for n in range(16)], float)
PELVIS = NAMES.index("pelvis")  # of whom nobody knows where it is


def photos(folder: Path, count: int = 1) -> Path:
    (folder / "images").mkdir(parents=True)
    for number in range(count):
        Image.new("RGB", (160, 120)).save(folder / f"images/{number}.jpg")
    return folder


def people_in(dest: Path, split: str):
    data = CocoDataset(dest / "images", dest / f"annotations/{split}.json")
    return data, annotated_people(data)


def write_lua_list(folder: Path) -> None:
    joints = np.column_stack([JOINTS, np.ones(16)])
    joints[PELVIS] = 0
    joints[0, 2] = 0  # hidden
    shared = {"joint_self": joints.tolist(), "objpos": [50, 60], "scale_provided": 0.5}
    entries = [{"img_paths": f"{n}.jpg", "isValidation": float(n), **shared} for n in range(2)]
    (folder / "mpii_annotations.json").write_text(json.dumps(entries))


def write_two_lists(folder: Path) -> None:
    visible = [int(n != PELVIS) for n in range(16)]
    shared = {"joints": JOINTS.tolist(), "joints_vis": visible, "center": [50, 60], "scale": 0.5}
    for number, name in enumerate(("train", "valid")):
        (folder / f"{name}.json").write_text(json.dumps([{"image": f"{number}.jpg", **shared}]))


def test_names_have_sides_and_a_torso():
    assert len(flip_pairs(NAMES)) == 6 and torso(NAMES) is not None


@pytest.mark.parametrize("write", [write_lua_list, write_two_lists])
def test_lists(tmp_path, write):
    write(source := photos(tmp_path / "source", 2))
    assert main(["mpii", str(source), str(tmp_path / "dest")]) == 0
    for number, split in enumerate(("train", "val")):
        data, people = people_in(tmp_path / "dest", split)
        assert list(data.file_names) == [f"{number}.jpg"]
        known = np.arange(16) != PELVIS
        assert (
            people.keypoints[0, known, :2].tolist() == JOINTS[known].tolist() and not people.keypoints[0, PELVIS].any()
        )
        assert people.keypoints[0, 0, 2] == (1 if write is write_lua_list else 2)
        assert people.head_sizes[0] == pytest.approx(np.hypot(*(JOINTS[HEAD_TOP] - JOINTS[NECK])))
        assert people.boxes[0].tolist() == pytest.approx([20 - 4.5, 30 - 6, 65 + 4.5, 90 + 6])


def test_the_mat_file(tmp_path, capsys):
    """Two photos to train on, one of them for validation, and one for tests, which has no joints."""
    source = photos(tmp_path / "source", 3)
    points = [{"x": x, "y": y, "id": n, "is_visible": n % 2} for n, (x, y) in enumerate(JOINTS) if n != PELVIS]
    point = np.array([tuple(each.values()) for each in points], dtype=[(key, object) for key in points[0]])
    rect = {"x1": 10.0, "y1": 10.0, "x2": 13.0, "y2": 14.0, "scale": 0.5, "objpos": {"x": 50.0, "y": 60.0}}
    entries = [
        {"image": {"name": f"{n}.jpg"}, "annorect": rect | ({"annopoints": {"point": point}} if n < 2 else {})}
        for n in range(3)
    ]
    annolist = np.array([tuple(each.values()) for each in entries], dtype=[("image", object), ("annorect", object)])
    savemat(source / "mpii.mat", {"RELEASE": {"annolist": annolist, "img_train": [1, 1, 0]}})
    assert main(["mpii", str(source), str(tmp_path / "dest"), "--val", "0.5", "--seed", "0"]) == 0
    assert "1 photos, 1 people, 1 of them with the size of the head" in capsys.readouterr().out
    names = []
    for split in ("train", "val"):
        data, people = people_in(tmp_path / "dest", split)
        names += list(data.file_names)
        assert people.head_sizes.tolist() == pytest.approx([3.0])  # 0.6 of a diagonal of 5
        assert people.keypoints[0, 3].tolist() == [*JOINTS[3], 2] and people.keypoints[0, 2, 2] == 1
    assert sorted(names) == ["0.jpg", "1.jpg"]


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (lambda source: None, "no MAT file"),
        (lambda source: (source / "train.json").write_text("[{}]"), "is no list of MPII's people"),
        (lambda source: (source / "a.mat").write_text("no"), "is not MPII's MAT file"),
    ],
)
def test_what_is_not_mpii(tmp_path, capsys, spoil, fault):
    spoil(source := photos(tmp_path / "source"))
    assert main(["mpii", str(source), str(tmp_path / "dest")]) == 2
    assert fault in capsys.readouterr().err


def test_photos_that_lack(tmp_path, capsys):
    write_two_lists(source := photos(tmp_path / "source", 1))
    assert main(["mpii", str(source), str(tmp_path / "dest")]) == 2
    assert "lacks 1 photos, the first is 1.jpg" in capsys.readouterr().err
