from pathlib import Path

import pytest
from convert_sources import write_photo, write_text

HEAD = "<annotations><version>1.1</version><meta><task><labels>{}</labels></task></meta>"
LABELS = "".join(f"<label><name>{name}</name></label>" for name in ("dog", "cat"))
BOX = '<box label="cat" occluded="1" xtl="40" ytl="15" xbr="60" ybr="35" z_order="0"></box>'


def write_cvat(root: Path, images: dict[str, str], size: str = 'width="100" height="50"', after: str = "") -> None:
    """`images` maps the name of a photo, and what more is said of it, to its shapes."""
    elements = [
        f'<image id="{n}" name="{name}" {size}>{shapes}</image>' for n, (name, shapes) in enumerate(images.items())
    ]
    write_text(root / "annotations.xml", HEAD.format(LABELS), *elements, after, "</annotations>")


@pytest.fixture
def cvat(tmp_path: Path) -> Path:
    root = tmp_path / "set"
    for name in ("a", "b"):
        write_photo(root / "images" / "in" / f"{name}.jpg")
    return root


def test_boxes_and_polygons(cvat: Path, convert):
    """A box turned by 90 degrees about its centre (50, 25); an ellipse; what has no box; a photo without objects."""
    shapes = [
        BOX,
        '<polygon label="dog" points="10.00,10.00;30.00,10.00;20.00,30.00"/>',
        '<box label="cat" xtl="40" ytl="20" xbr="60" ybr="30" rotation="90.00"/>',
        '<ellipse label="dog" cx="20" cy="20" rx="10" ry="5"/>',
        '<mask label="dog" rle="0, 2" left="3" top="4" width="2" height="1"/>',
        '<points label="dog" points="1,2"/>',
        '<box label="dog" outside="1" xtl="1" ytl="1" xbr="2" ybr="2"/>',
    ]
    write_cvat(cvat, {"in/a.jpg": "".join(shapes), "in/b.jpg": ""})
    found = convert("cvat", cvat)
    boxes = found.boxes("train") | found.boxes("val")
    assert boxes["b.jpg"] == [] and boxes["a.jpg"] == [
        ("cat", 40, 15, 60, 35),
        ("dog", 10, 10, 30, 30),
        ("cat", 45, 15, 55, 35),
        ("dog", 10, 15, 30, 25),
        ("dog", 3, 4, 5, 5),
    ]
    split = "train" if "a.jpg" in found.boxes("train") else "val"
    assert found.content(split)["annotations"][1]["segmentation"] == [[10, 10, 30, 10, 20, 30]]
    assert [category["name"] for category in found.content(split)["categories"]] == ["dog", "cat"]
    for start in ("shapes of the kind points, left out: 1", "shapes marked as outside, left out: 1", "turned boxes"):
        assert any(line.startswith(start) for line in found.lines)


def test_subsets_of_a_project_are_splits(cvat: Path, convert):
    write_cvat(cvat, {'in/a.jpg" subset="Train': BOX, 'in/b.jpg" subset="Validation': BOX})
    found = convert("cvat", cvat)
    assert found.boxes("val") == {"b.jpg": [("cat", 40, 15, 60, 35)]}


def test_photos_are_marked_as_they_are_shown(cvat: Path, convert):
    """EXIF 3: turned by 180 degrees, so that the size does not tell; right bottom is stored at the left top."""
    write_photo(cvat / "images" / "in" / "a.jpg", orientation=3)
    write_cvat(cvat, {"in/a.jpg": '<box label="cat" xtl="90" ytl="45" xbr="100" ybr="50"/>', "in/b.jpg": ""})
    found = convert("cvat", cvat)
    assert (found.boxes("train") | found.boxes("val"))["a.jpg"] == [("cat", 0, 0, 10, 5)]


@pytest.mark.parametrize(
    ("images", "more", "line"),
    [
        ({"in/a.jpg": ""}, {"after": '<track id="0" label="dog"/>'}, "holds tracks of a video; export the task as"),
        ({"in/a.jpg": ""}, {"size": 'width="50" height="25"'}, "is of 50 x 25 pixels, its photo"),
        ({"in/a.jpg": '<box label="cat" xtl="1"/>'}, {}, "its numbers cannot be read"),
        ({"in/a.jpg": '<polygon label="cat" points="1,2;x"/>'}, {}, "its numbers cannot be read"),
        ({"in/a.jpg": BOX.replace("cat", "")}, {}, "it has no label"),
        ({"lost.jpg": BOX}, {}, "has none of the photos that annotations.xml names; export them"),
        ({"in/a.jpg": "<box>"}, {}, "is broken XML"),
    ],
)
def test_faults(cvat: Path, refusal, images: dict, more: dict, line: str):
    write_cvat(cvat, images, **more)
    assert line in refusal("cvat", cvat)
