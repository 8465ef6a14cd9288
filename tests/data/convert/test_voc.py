"""Pascal VOC: boxes against pixels, photos of one name, folders without lists."""

import shutil

import numpy as np
import pytest
from convert_sources import voc_object, voc_xml, write_photo, write_text, write_voc
from PIL import Image

from tradeoffs.data.pixels import read_pixels

MARK = (11, 6, 30, 15)  # in VOC's way of counting: x 10 to 30, y 5 to 15


@pytest.mark.parametrize("size", [(100, 50), (0, 0), ("", ""), None])
def test_sizes_that_agree_or_are_not_stated(convert, tmp_path, size):
    converted = convert("voc", write_voc(tmp_path / "voc", voc_xml(voc_object(MARK), size=size)))
    assert converted.boxes("train")["a.png"] == [("cat", 10, 5, 30, 15)]
    assert converted.lines == ["train: 2 images, 2 objects (cat 2)", "val: 1 images, 1 objects (cat 1)"]


@pytest.mark.parametrize("size", [(200, 100), (50, 100), (100, 51), (100, 0), (-100, 50)])
def test_a_size_that_is_not_the_photos_is_a_fault(refusal, tmp_path, size):
    error = refusal("voc", write_voc(tmp_path / "voc", voc_xml(voc_object(MARK), size=size)))
    assert f"a.xml is of {size[0]} x {size[1]} pixels, its photo" in error and "a.png of 100 x 50; if" in error
    assert error.count("\n") == 1


def test_all_photos_of_another_size_are_counted(refusal, tmp_path):
    stems = tuple(f"p{number:02}" for number in range(30))
    root = write_voc(tmp_path / "voc", "", "\n".join(stems), stems=(*stems, "c"))
    for stem in stems:
        write_text(root / "Annotations" / f"{stem}.xml", voc_xml(voc_object(), size=(200, 100)))
    head, *more = refusal("voc", root).splitlines()
    assert "p00.xml" in head and head.endswith("(the first of 30 faults)")
    assert len(more) == 20 and "p01.xml" in more[0] and more[-1] == "  and 10 more"


# Stored are 100 x 50 pixels. The mark lies at x 10 to 30, y 5 to 15 of the photo as it is shown, where that is 50 x 100
# (orientations 5 to 8) or 100 x 50. Where these pixels are stored, worked out by hand:
STORED = {
    1: (10, 5, 30, 15),
    2: (70, 5, 90, 15),  # mirrored left to right
    3: (70, 35, 90, 45),  # upside down
    4: (10, 35, 30, 45),  # mirrored top to bottom
    5: (5, 10, 15, 30),  # rows are columns
    6: (5, 20, 15, 40),  # shown after a quarter turn clockwise: x stored = y shown, y stored = 50 - x shown
    7: (85, 20, 95, 40),  # both
    8: (85, 10, 95, 30),  # shown after a quarter turn the other way: x stored = 100 - y shown, y stored = x shown
}


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_of_the_photo_as_it_is_shown_are_turned(convert, tmp_path, orientation):
    size = (50, 100) if orientation >= 5 else (100, 50)
    root = write_voc(tmp_path / "voc", voc_xml(voc_object(MARK), size=size), orientation=orientation)
    converted = convert("voc", root, "--exif", "upright")
    assert converted.boxes("train")["a.png"] == [("cat", *STORED[orientation])]
    left, top, right, bottom = STORED[orientation]
    stored = read_pixels(root / "JPEGImages" / "a.png")[top:bottom, left:right]
    shown = read_pixels(root / "JPEGImages" / "a.png", upright=True)[5:15, 10:30]
    assert np.array_equal(np.sort(stored.ravel()), np.sort(shown.ravel()))
    assert (converted.lines[0].startswith("photos ")) is (orientation > 1)


@pytest.mark.parametrize("orientation", range(5, 9))
def test_a_turned_photo_is_refused_unless_told_how(refusal, tmp_path, orientation):
    root = write_voc(tmp_path / "voc", voc_xml(voc_object(MARK), size=(50, 100)), orientation=orientation)
    error = refusal("voc", root)
    assert "a.xml is of 50 x 100 pixels, the size in which" in error and "--exif upright" in error


@pytest.mark.parametrize("exif", ["stored", "upright"])
def test_a_size_that_is_stored_settles_it(convert, tmp_path, exif):
    converted = convert("voc", write_voc(tmp_path / "voc", voc_xml(voc_object(MARK)), orientation=6), "--exif", exif)
    assert converted.boxes("train")["a.png"] == [("cat", 10, 5, 30, 15)] and len(converted.lines) == 2


@pytest.mark.parametrize(
    ("orientation", "photo", "size"),
    [(2, (100, 50), (100, 50)), (3, (100, 50), (100, 50)), (6, (80, 80), (80, 80)), (6, (100, 50), None)],
)
def test_where_both_sizes_fit_it_says_what_was_assumed(convert, tmp_path, orientation, photo, size):
    xml = voc_xml(voc_object(MARK), size=size)
    converted = convert("voc", write_voc(tmp_path / "voc", xml, orientation=orientation, size=photo))
    assert converted.boxes("train")["a.png"] == [("cat", 10, 5, 30, 15)]
    assert converted.lines[0] == (
        "photos with an EXIF orientation whose annotated size, if any, fits both ways; boxes taken for those of the "
        "pixels as they are stored (--exif upright takes the other): 1 (first: a.png)"
    )


@pytest.mark.parametrize("orientation", [6, 3])
def test_masks_are_turned_with_their_boxes(convert, tmp_path, orientation):
    size = (50, 100) if orientation >= 5 else (100, 50)
    root = write_voc(tmp_path / "voc", voc_xml(voc_object(MARK), size=size), orientation=orientation)
    mask = np.zeros((size[1], size[0]), np.uint8)
    mask[5:15, 10:30] = 1
    (root / "SegmentationObject").mkdir()
    Image.fromarray(mask).save(root / "SegmentationObject" / "a.png")
    annotation = convert("voc", root, "--exif", "upright").content("train")["annotations"][0]
    left, top, right, bottom = STORED[orientation]
    assert annotation["segmentation"]["size"] == [50, 100] and annotation["area"] == 200
    assert annotation["bbox"] == [left, top, right - left, bottom - top]


@pytest.mark.parametrize(
    ("box", "expected", "line"),
    [
        ((81, 31, 120, 60), (80, 30, 100, 50), "objects that reach over the border, cut there: 1 (first: a.png)"),
        ((-9, 11, 20, 20), (0, 10, 20, 20), "objects that reach over the border, cut there: 1 (first: a.png)"),
        ((81, 31, 101, 51), (80, 30, 100, 50), None),
        ((0, 11, 20, 20), (0, 10, 20, 20), "boxes that begin at 0, where VOC counts from 1; taken as counted from 1"),
        ((30, 15, 11, 6), (10, 5, 30, 15), "boxes whose edges stood in the wrong order, put right: 1 (first: a cat"),
        ((11, 15, 30, 6), (10, 5, 30, 15), "boxes whose edges stood in the wrong order, put right: 1 (first: a cat"),
        ((101, 11, 140, 20), None, "boxes outside their photo, left out: 1 (first: a cat [101.0, 11.0, 140.0, 20.0])"),
        ((-40, 11, 0, 20), None, "boxes outside their photo, left out: 1 (first: a cat [-40.0, 11.0, 0.0, 20.0])"),
        ((11, 60, 30, 70), None, "boxes outside their photo, left out: 1 (first: a cat [11.0, 60.0, 30.0, 70.0])"),
    ],
)
def test_boxes_at_the_border_and_beyond(convert, tmp_path, box, expected, line):
    converted = convert("voc", write_voc(tmp_path / "voc", voc_xml(voc_object(box))))
    assert converted.boxes("train")["a.png"] == ([("cat", *expected)] if expected else [])
    assert [text.startswith(line) for text in converted.lines[:-2]] == ([True] if line else [])


def test_what_has_no_box_is_left_out_and_said(convert, tmp_path):
    root = write_voc(tmp_path / "voc", voc_xml("<object><name>dog</name></object>", voc_object((5, 5, 5, 9))))
    converted = convert("voc", root)
    assert converted.lines[0] == "objects without <bndbox>, left out: 1 (first: a dog)"
    assert converted.lines[1].endswith("left out 1 without area: a cat [5.0, 5.0, 5.0, 9.0]")
    assert [entry["name"] for entry in converted.content("val")["categories"]] == ["cat", "dog"]


def test_a_set_without_a_sound_box_is_refused(refusal, tmp_path):
    root = write_voc(tmp_path / "voc", voc_xml(voc_object((101, 11, 140, 20))), "a")
    shutil.copy(root / "Annotations" / "a.xml", root / "Annotations" / "c.xml")
    error = refusal("voc", root)
    assert "has no object with a sound box\n  boxes outside their photo, left out: 2" in error


@pytest.mark.parametrize("box", [(0, 0, 1, 1), ("0.25", "0.1", "0.5", "0.9")])
def test_boxes_as_parts_of_the_photo_are_refused(refusal, tmp_path, box):
    root = write_voc(tmp_path / "voc", voc_xml(voc_object(box)), "a")
    shutil.copy(root / "Annotations" / "a.xml", root / "Annotations" / "c.xml")
    assert "all boxes lie between 0 and 1; they must be given in pixels" in refusal("voc", root)


def test_accents_spelt_in_two_ways(convert, tmp_path):
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    root = write_voc(tmp_path / "voc", voc_xml(voc_object()), f"{composed}\nb")
    for file in (root / "JPEGImages" / "a.png", root / "Annotations" / "a.xml"):
        file.rename(file.with_name(f"{decomposed}{file.suffix}"))
    assert list(convert("voc", root).boxes("train")) == [f"{decomposed}.png", "b.png"]


def test_classes_that_look_alike_stay_apart_and_are_told(convert, tmp_path):
    names = ("Cat", "cat", "traffic light", "traffic_light", "dog")
    objects = (voc_object(name=f"<name>{name}</name>") for name in names)
    converted = convert("voc", write_voc(tmp_path / "voc", voc_xml(*objects)))
    assert converted.lines[:2] == [
        "classes that may be one: 'Cat', 'cat'; they are kept apart",
        "classes that may be one: 'traffic light', 'traffic_light'; they are kept apart",
    ]
    assert len(converted.content("train")["categories"]) == 5


@pytest.mark.parametrize(
    ("file_name", "taken"),
    [("a.jpg", "a.jpg"), ("a.png", "a.png"), ("IMG_7.JPG", "a.jpg"), ("C:\\x\\IMG_7.png", "a.png")],
)
def test_of_two_photos_of_one_name_file_name_says_which(convert, tmp_path, file_name, taken):
    root = write_voc(tmp_path / "voc", voc_xml(f"<filename>{file_name}</filename>", voc_object(MARK)))
    write_photo(root / "JPEGImages" / "a.jpg")
    converted = convert("voc", root)
    assert taken in converted.boxes("train")
    assert converted.lines[0] == f"photos of one name, told apart by <filename>: 1 (first: {taken})"


@pytest.mark.parametrize("file_name", ["", "<filename/>", "<filename>b.webp</filename>", "<filename>a</filename>"])
def test_of_two_photos_of_one_name_nobody_guesses(refusal, tmp_path, file_name):
    root = write_voc(tmp_path / "voc", voc_xml(file_name, voc_object()))
    write_photo(root / "JPEGImages" / "a.jpg")
    assert "a.xml may belong to" in refusal("voc", root)


def test_a_renamed_photo_goes_by_the_name_of_its_xml(convert, tmp_path):
    root = write_voc(tmp_path / "voc", voc_xml("<filename>IMG_0007.JPG</filename>", voc_object(MARK)))
    assert convert("voc", root).boxes("train")["a.png"] == [("cat", 10, 5, 30, 15)]


@pytest.mark.parametrize("suffix", [".tif", ".tiff", ".bmp", ".webp", ".JPG", ".jpeg", ".PNG"])
def test_photos_of_many_kinds(convert, tmp_path, suffix):
    root = write_voc(tmp_path / "voc", voc_xml(voc_object(MARK)))
    (root / "JPEGImages" / "a.png").unlink()
    write_photo(root / "JPEGImages" / f"a{suffix}")
    assert convert("voc", root).boxes("train")[f"a{suffix}"] == [("cat", 10, 5, 30, 15)]


def write_plain(root, photos="", annotations="", stems=range(10)):
    for stem in stems:
        write_photo(root / photos / f"{stem}.jpg")
        write_text(root / annotations / f"{stem}.xml", voc_xml(voc_object(MARK)))
    return root


@pytest.mark.parametrize(
    ("photos", "annotations"),
    [("", ""), ("photos", "xml"), ("JPEGImages", "Annotations"), ("", "labels"), ("my photos/2024", "my photos/xml")],
)
def test_photos_and_xml_without_lists_are_split_by_chance(convert, tmp_path, photos, annotations):
    root = write_plain(tmp_path / "plain", photos, annotations)
    converted = convert("voc", root, "--val", "0.3", "--seed", "7")
    assert converted.lines == [
        "split by chance, seed 7: 7 photos for training, 3 for validation",
        "train: 7 images, 7 objects (cat 7)",
        "val: 3 images, 3 objects (cat 3)",
    ]
    found = {name: boxes for split in ("train", "val") for name, boxes in converted.boxes(split).items()}
    assert len(found) == 10 and set(map(tuple, found.values())) == {(("cat", 10, 5, 30, 15),)}


def test_masks_are_no_photos(convert, tmp_path):
    root = write_plain(tmp_path / "plain", "photos", "xml", range(2))
    for kind in ("SegmentationObject", "SegmentationClass"):
        (root / kind).mkdir()
        Image.fromarray(np.ones((50, 100), np.uint8)).save(root / kind / "0.png")
    converted = convert("voc", root, "--val", "0.5")
    assert [line for line in converted.lines if "left out" in line] == []
    sizes = [len(converted.content(split)["annotations"][0].get("segmentation", {})) for split in ("train", "val")]
    assert sorted(sizes) == [0, 2]


def test_photos_in_a_folder_elsewhere(convert, tmp_path):
    write_plain(tmp_path, "photos/train", "xml/train", range(2))
    write_plain(tmp_path, "photos/val", "xml/val", range(2, 4))
    converted = convert("voc", tmp_path / "xml", "--photos", tmp_path / "photos", "--copy")
    assert list(converted.boxes("val")) == ["val/2.jpg", "val/3.jpg"]
    assert not (converted.folder / "images").is_symlink()


def test_folders_that_say_the_split(convert, tmp_path):
    root = tmp_path / "export"
    for split, stems in (("train", range(3)), ("valid", range(2)), ("test", range(1))):
        write_plain(root, split, split, stems)
    converted = convert("voc", root)
    assert [line.split(" images")[0] for line in converted.lines] == ["train: 3", "val: 2", "test: 1"]
    assert sorted(converted.boxes("val")) == ["valid/0.jpg", "valid/1.jpg"]


def test_split_folders_below_photos_and_xml(convert, tmp_path):
    root = tmp_path / "export"
    for split in ("train", "val"):
        write_plain(root, f"images/{split}", f"xml/{split}", range(2))
    assert sorted(convert("voc", root).boxes("val")) == ["val/0.jpg", "val/1.jpg"]


def test_what_has_no_partner_is_said(convert, tmp_path):
    root = write_plain(tmp_path / "plain")
    (root / "0.jpg").unlink()
    (root / "1.xml").unlink()
    (root / "2.jpg").rename(root / "two.jpg")
    write_text(root / "2.xml", voc_xml("<filename>two.jpg</filename>", voc_object(MARK)))
    write_text(root / "3.xml", voc_xml("<filename>4.jpg</filename>", voc_object(MARK)))
    write_text(root / "5.xml", voc_xml())
    converted = convert("voc", root)
    assert converted.lines[:5] == [
        "XML without a photo, left out: 1 (first: 0.xml)",
        "XML without a photo of its name, taken for that of its <filename>: 1 (first: 2.xml)",
        "XML whose <filename> names another photo, taken for that of its own name: 1 (first: 3.xml, 4.jpg)",
        "photos without an XML, left out: 1 (first: 1.jpg)",
        "XML without objects: 1 (first: 5.xml)",
    ]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda root: [path.unlink() for path in root.glob("*.jpg")], "no photo with an XML file of its name"),
        (lambda root: [path.unlink() for path in root.glob("*.xml")], "no photo with an XML file of its name"),
        (lambda root: write_text(root / "b" / "1.xml", voc_xml()), "1.jpg has several annotations"),
        (lambda root: write_text(root / "1.xml", "<annotations/>"), "1.xml is no annotation of Pascal VOC"),
        (lambda root: write_text(root / "1.jpg", "no photo"), "cannot read the image"),
        (lambda root: [write_text(path, voc_xml()) for path in root.glob("*.xml")], "has no objects"),
    ],
)
def test_faults_of_a_plain_folder(refusal, tmp_path, spoil, message):
    root = write_plain(tmp_path / "plain")
    spoil(root)
    assert message in refusal("voc", root)
