from pathlib import Path

import pytest

from tradeoffs.data.convert.findings import Findings
from tradeoffs.data.labels.lists import read_corners, read_entries
from tradeoffs.errors import UserError


def entries(file: Path, text: str) -> list[tuple]:
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    return [entry[1:] for entry in read_entries(file)]


@pytest.mark.parametrize(
    ("line", "image", "label"),
    [
        ("a.jpg cat", "a.jpg", "cat"),
        ("my photo.jpg 3", "my photo.jpg", "3"),
        ("a.jpg,golden retriever", "a.jpg", "golden retriever"),
        ("my photo.jpg, cat", "my photo.jpg", "cat"),
        ("a, b.jpg\tbig cat", "a, b.jpg", "big cat"),
    ],
)
def test_lines_of_lists(tmp_path: Path, line: str, image: str, label: str):
    assert entries(tmp_path / "train.txt", f"\n{line}\n") == [(image, label, None)]


@pytest.mark.parametrize(
    ("table", "image", "label"),
    [
        ("file,label\na.jpg,cat", "a.jpg", "cat"),
        ('filename,class\n"a, b.jpg","big cat"', "a, b.jpg", "big cat"),
        ("id;breed;Target\r\n7f;x;2\r\n\r\n", "7f", "2"),
        ("\ufeffcategory\tImage Path\ncat\tx/a.jpg", "x/a.jpg", "cat"),
        ("label,id,file_name\ncat,1,a.jpg", "a.jpg", "cat"),
        ("ImageId,PredictionString\nval_1,n01 2 3 4 5 n02 1 1 2 2 ", "val_1", "n01"),
    ],
)
def test_columns_of_tables(tmp_path: Path, table: str, image: str, label: str):
    assert entries(tmp_path / "labels.csv", table) == [(image, label, None)]


def test_tiny_imagenets_list_has_boxes(tmp_path: Path):
    found = entries(tmp_path / "val" / "val_annotations.txt", "v_0.JPEG\tn01\t0\t32\t44\t62\n")
    assert found == [("v_0.JPEG", "n01", (0, 32, 44, 62))]


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("train.txt", "a.jpg cat\n\nb.jpg", "train.txt, line 3 has no label; each image needs one label"),
        ("train.txt", ",cat", "train.txt, line 1 has no image; each image needs one label"),
        ("train.txt", " \n", "train.txt is empty; give a line for each image: its path and its label"),
        ("labels.csv", "id,label\n1,cat\n2,\n", "labels.csv, line 3 has no label; each image needs one label"),
        ("labels.csv", "id,label\n1", "labels.csv, line 2 has no label; each image needs one label"),
        ("labels.csv", "id,label\n", "labels.csv is empty; give a line for each image: its path and its label"),
        (
            "labels.csv",
            "a.jpg,cat",
            "labels.csv has the columns a.jpg, cat; its first line must name one for the image",
        ),
        ("labels.csv", "", "labels.csv has the columns (none); its first line must name one for the image"),
        ("val_annotations.txt", "a.JPEG\tn01\t0\t0\t3", "line 1 is no image with label and corners: left, top,"),
    ],
)
def test_lists_that_cannot_be_read(tmp_path: Path, name: str, text: str, line: str):
    with pytest.raises(UserError) as caught:
        entries(tmp_path / name, text)
    assert line in str(caught.value)


def test_corners_that_are_none_are_faults(tmp_path: Path):
    (tmp_path / "boxes.txt").write_text("a.JPEG\t0\t1\t2\t3\nb.JPEG\t0\t1\t2\tx\n")
    faults = Findings()
    assert [words[1:] for words in read_corners(tmp_path / "boxes.txt", faults)] == [("a.JPEG", (0, 1, 2, 3))]
    with pytest.raises(UserError, match=r"boxes.txt, line 2 is no image with corners: left, top, right, bottom$"):
        faults.require_none()
