"""Lists of photo names as people and tools write them."""

from pathlib import Path

import pytest
from convert_sources import voc_object, voc_xml, write_text, write_voc

from tradeoffs.data.convert.findings import Findings
from tradeoffs.data.convert.voc_lists import read_list
from tradeoffs.errors import UserError

NAMES = ("a.jpg", "b.JPG", "my cat 1.png", "v1.2.jpg", "double.jpg", "double.png", "#1.jpg", "naïve.jpg")


@pytest.fixture
def read(tmp_path):
    """The files that `read_list` finds for a list's bytes, and the lines it has to say."""
    photos = {}
    for name in NAMES:
        photos.setdefault(Path(name).stem, []).append(Path("photos", name))

    def run(content):
        file, findings = tmp_path / "train.txt", Findings()
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        found = read_list(file, photos, findings)
        return [[path.name for path in files] for files in found.values()], findings.lines()

    return run


@pytest.mark.parametrize(
    "content",
    [
        "a\nb",
        "\n a \n\n\tb\t\n  \n",
        "a\r\nb\r\n",
        "a\rb",
        "\ufeffa\nb",
        "a\nb\n".encode("utf-16"),
        "a.jpg\nb.JPG",
        "a.JPG\nb.jpg",
        "a.xml\nb.xml",
        "JPEGImages/a.jpg\n../x/b.JPG",
        "/data/JPEGImages/a\nC:\\photos\\b.JPG",
        "a 1\nb  0",
        "JPEGImages/a.jpg Annotations/a.xml\nJPEGImages/b.jpg\tAnnotations/b.xml",
        "# made by hand\na\nb",
    ],
)
def test_one_photo_a_line(read, content):
    assert read(content) == ([["a.jpg"], ["b.JPG"]], [])


def test_names_may_hold_blanks_points_and_hashes(read):
    names = "my cat 1\nmy cat 1.png 1\nv1.2\n#1\nnaïve"
    files, lines = read(names)
    assert files == [["my cat 1.png"], ["v1.2.jpg"], ["#1.jpg"], ["naïve.jpg"]]
    assert lines == ["photos that train.txt names more than once, taken once: 1 (first: my cat 1)"]


def test_a_suffix_tells_photos_of_one_name_apart(read):
    assert read("double.png")[0] == [["double.png"]]
    assert read("double")[0] == [["double.jpg", "double.png"]]


def test_of_a_list_of_one_class_photos_without_it_are_left_out(read):
    assert read("a -1\nb  1\nv1.2  0\n") == (
        [["b.JPG"], ["v1.2.jpg"]],
        ["photos that train.txt marks with -1, left out: 1 (first: a)"],
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a\nzebra\nyak 1\n", r"train\.txt names photos that are not there: 2 of 3, the first is zebra"),
        ("", r"train\.txt names no photo"),
        ("\n \n", r"train\.txt names no photo"),
        ("a -1\nb -1", r"train\.txt names no photo"),
        ("café".encode("latin-1"), r"train\.txt is not a text file in UTF-8"),
    ],
)
def test_lists_that_cannot_be_followed(read, content, message):
    with pytest.raises(UserError, match=message):
        read(content)


def test_lists_outside_of_their_usual_folder(convert, tmp_path):
    root = write_voc(tmp_path / "voc", voc_xml(voc_object()))
    for file in (root / "ImageSets" / "Main").iterdir():
        file.rename(root / file.name)
    write_text(root / "labels.txt", "cat")
    converted = convert("voc", root)
    assert list(converted.boxes("train")) == ["a.png", "b.png"] and list(converted.boxes("val")) == ["c.png"]


def test_without_a_list_for_validation_some_of_training_are_drawn(convert, tmp_path):
    root = write_voc(tmp_path / "voc", voc_xml(voc_object()), "a\nb")
    (root / "ImageSets" / "Main" / "val.txt").unlink()
    converted = convert("voc", root, "--val", "0.5")
    assert converted.lines[0] == "split by chance, seed 0: 1 photos for training, 1 for validation"


def test_a_photo_in_two_lists_is_said(convert, tmp_path):
    converted = convert("voc", write_voc(tmp_path / "voc", voc_xml(voc_object()), "a\nb\nc"))
    assert converted.lines[0] == "photos that are in train and in val, so that scores are too good: 1 (first: c.png)"


def test_trainval_stands_for_training(convert, tmp_path):
    root = write_voc(tmp_path / "voc", voc_xml(voc_object()))
    (root / "ImageSets" / "Main" / "train.txt").rename(root / "ImageSets" / "Main" / "trainval.txt")
    assert list(convert("voc", root).boxes("train")) == ["a.png", "b.png"]


@pytest.mark.parametrize("place", ["ImageSets/Segmentation/train.txt", "ImageSets/Main/cat_train.txt"])
def test_lists_that_are_not_taken_are_not_passed_over(convert, refusal, tmp_path, place):
    root = write_voc(tmp_path / "voc", voc_xml(voc_object()))
    for file in (root / "ImageSets" / "Main").iterdir():
        file.unlink()
    write_text(root / place, "a 1", "b 1", "c 1")
    assert f"has the lists ['{place}']; wanted train, val, test in ImageSets/Main (--split-names" in refusal(
        "voc", root
    )
    folder, name = place.removesuffix(".txt").split("/")[1:]
    converted = convert("voc", root, "--lists", folder, "--split-names", f"train={name}")
    assert converted.lines == ["train: 3 images, 3 objects (cat 3)"]
