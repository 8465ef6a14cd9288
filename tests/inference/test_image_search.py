"""Which files a source means."""

from pathlib import Path

import pytest

from tradeoffs.errors import UserError
from tradeoffs.inference.image_search import find_images


@pytest.fixture
def folder(tmp_path: Path, monkeypatch) -> Path:
    """Files that nobody opens; the current folder is the one around them."""
    for name in ("a.jpg", "b.PNG", "notes.txt", "sub/a.jpg", "sub/deep/c.tiff", "d[1].jpg", "found/pictures/a.jpg"):
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "photos" / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path / "photos"


def names(source: str, *besides: str) -> list[str]:
    return [str(file.name) for file in find_images(source, [Path(path) for path in besides])]


def test_a_file_may_have_any_suffix(folder):
    assert names("photos/notes.txt") == ["notes.txt"]
    assert names("photos/d[1].jpg") == ["d[1].jpg"]  # it exists, so it is no pattern


@pytest.mark.parametrize("source", ["photos", "photos/", "./photos", "../{}/photos"])
def test_a_folder_is_searched_with_those_below(folder, source):
    everything = ["a.jpg", "b.PNG", "d[1].jpg", "found/pictures/a.jpg", "sub/a.jpg", "sub/deep/c.tiff"]
    assert names(source.format(folder.parent.name)) == everything


def test_what_was_drawn_before_is_no_source(folder):
    assert "found/pictures/a.jpg" not in names("photos", "photos/found/pictures/a.jpg")
    with pytest.raises(UserError, match=r"source=photos/found holds no image; looked for files that end in \.bmp, "):
        names("photos/found", "photos/found/pictures/a.jpg")


@pytest.fixture
def linked(folder) -> Path:
    """The files again behind a link, as the converters make it; and links that lead in a circle, and to nothing."""
    links = folder.parent / "links"
    (links / "around").mkdir(parents=True)
    (links / "images").symlink_to(folder, target_is_directory=True)
    for number, target in enumerate((links, links / "around", links / "images")):
        (links / "around" / str(number)).symlink_to(target, target_is_directory=True)
    (links / "gone").symlink_to("zzz", target_is_directory=True)
    return links


def test_links_are_followed(linked):
    everything = ["a.jpg", "b.PNG", "d[1].jpg", "found/pictures/a.jpg", "sub/a.jpg", "sub/deep/c.tiff"]
    assert names("links") == [f"images/{name}" for name in everything]
    assert names("links/**/*.*") == [f"images/{name}" for name in everything]
    assert names("links/*/**/c.*") == ["around/2/sub/deep/c.tiff", "images/sub/deep/c.tiff"]
    assert names("links/images") == everything


def test_a_folder_keeps_its_own_name_beside_links_to_it(folder):
    (folder / "0").symlink_to(folder / "sub", target_is_directory=True)
    assert names("photos/**/c.tiff") == ["sub/deep/c.tiff"]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("photos/*.jpg", ["a.jpg", "d[1].jpg"]),
        ("photos/*", ["a.jpg", "b.PNG", "d[1].jpg"]),
        ("photos/**/a.jpg", ["a.jpg", "found/pictures/a.jpg", "sub/a.jpg"]),
        ("photos/**/**/c.*", ["sub/deep/c.tiff"]),
        ("*/sub/?.jpg", ["photos/sub/a.jpg"]),
        ("photos/sub/**", ["a.jpg", "deep/c.tiff"]),
        ("photos/s**/**/*.tiff", ["sub/deep/c.tiff"]),
        ("photos/**/deep/*", ["sub/deep/c.tiff"]),
    ],
)
def test_a_pattern_keeps_the_names_below_its_fixed_part(folder, pattern, found):
    assert names(pattern) == found
    assert names(str(folder.parent / pattern)) == found


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("zzz", r"source=zzz does not exist; give an image, a folder of images or a pattern like '\*\.jpg'"),
        ("photos/*.txt", r"source=photos/\*\.txt holds no image; looked for files that end in \.bmp, "),
        ("zzz/*.jpg", r"source=zzz/\*\.jpg holds no image"),
    ],
)
def test_nothing_found(folder, source, line):
    with pytest.raises(UserError, match=line):
        names(source)
