import pytest

from tradeoffs.data.labels.image_names import ImageNames

NAMES = ImageNames(["1.jpg", "train/1.jpg", "val/1.jpg", "train/cat/2.png", "train/dog/2.png", "x/3.jpg", "x/3.png"])


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1.jpg", ["1.jpg"]),
        ("./val/1.jpg", ["val/1.jpg"]),
        ("1", ["train/1.jpg"]),
        ("cat/2.png", ["train/cat/2.png"]),
        ("/home/me/set/train/dog/2.png", ["train/dog/2.png"]),
        (r"C:\set\train\dog\2.PNG", ["train/dog/2.png"]),
        ("2", ["train/cat/2.png", "train/dog/2.png"]),
        ("3", ["x/3.jpg", "x/3.png"]),
        ("3.png", ["x/3.png"]),
        ("bird/2.png", []),
        ("4.jpg", []),
        ("/", []),
    ],
)
def test_names_in_lists_for_training(text: str, found: list[str]):
    assert NAMES.find(text, ("train", "training")) == found


def test_the_folders_of_the_split_win():
    assert NAMES.find("1", ("val", "valid")) == ["val/1.jpg"]
