import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as rle

from tradeoffs.data.check import check_dataset
from tradeoffs.data.coco import CocoDataset
from tradeoffs.data.convert.__main__ import main
from tradeoffs.data.convert.masks import convert_masks
from tradeoffs.data.convert.voc import convert_voc
from tradeoffs.errors import UserError


def xml(*objects, difficult=0):
    boxes = "".join(
        f"<object><name>{name}</name><difficult>{difficult}</difficult><bndbox><xmin>{x0}</xmin><ymin>{y0}</ymin>"
        f"<xmax>{x1}</xmax><ymax>{y1}</ymax></bndbox><part><name>head</name></part></object>"
        for name, x0, y0, x1, y1 in objects
    )
    return f"<annotation><size><width>8</width><height>6</height></size>{boxes}</annotation>"


@pytest.fixture
def voc(tmp_path):
    """Images of 8 x 6 pixels; `two` has a box without area, `three` a difficult object and one over the border."""
    root = tmp_path / "voc"
    for name in ("Annotations", "JPEGImages", "ImageSets/Main", "SegmentationObject"):
        (root / name).mkdir(parents=True)
    texts = {
        "one": xml(("dog", 1, 1, 3, 2), ("cat", 5, 3, 8, 6)),
        "two": xml(("dog", 4, 4, 4, 4), ("dog", 2, 2, 4, 4)),
        "three": xml(("bird", 0, 0, 9, 9), difficult=1),
    }
    for level, (stem, text) in enumerate(texts.items()):
        (root / "Annotations" / f"{stem}.xml").write_text(text)
        Image.new("RGB", (8, 6), (0, 0, 40 * level)).save(root / "JPEGImages" / f"{stem}.jpg")
    indices = np.zeros((6, 8), dtype=np.uint8)
    indices[0:2, 0:3], indices[2:6, 4:8], indices[2, 4] = 1, 2, 255
    Image.fromarray(indices).save(root / "SegmentationObject" / "one.png")
    (root / "ImageSets" / "Main" / "train.txt").write_text("two\none\n")
    (root / "ImageSets" / "Main" / "val.txt").write_text("three  1\n")
    (root / "ImageSets" / "Main" / "dog_train.txt").write_text("one 1\ntwo -1\n")
    return root


@pytest.fixture
def pedestrians(tmp_path):
    root = tmp_path / "pedestrians"
    (root / "PNGImages").mkdir(parents=True)
    (root / "PedMasks").mkdir()
    for number in range(1, 12):
        Image.new("RGB", (8, 6), (0, 0, number)).save(root / "PNGImages" / f"p{number:02}.png")
        mask = np.zeros((6, 8), dtype=np.uint8)
        mask[1:4, 2:7], mask[2, 3:5] = 1, 3
        Image.fromarray(mask).save(root / "PedMasks" / f"p{number:02}_mask.png")
    return root


def load(dest, split):
    return CocoDataset(dest / "images", dest / "annotations" / f"{split}.json")


def test_voc_boxes_count_pixels_from_one_and_include_the_last(voc, tmp_path):
    summaries = convert_voc(voc, tmp_path / "coco")
    data = load(tmp_path / "coco", "train")
    assert list(data.file_names) == ["two.jpg", "one.jpg"] and data.sizes.tolist() == [[6, 8]] * 2
    assert data.class_names == ["bird", "cat", "dog"]
    assert data.objects(1).boxes.tolist() == [[0, 0, 3, 2], [4, 2, 8, 6]]
    assert data.objects(1).labels.tolist() == [2, 1]
    assert [summary.split for summary in summaries[-2:]] == ["train", "val"]


def test_voc_boxes_without_area_are_left_out_and_named(voc, tmp_path):
    *_, train, _ = convert_voc(voc, tmp_path / "coco")
    assert len(load(tmp_path / "coco", "train").objects(0).labels) == 1
    assert str(train) == (
        "train: 2 images, 3 objects (bird 0, cat 1, dog 2); left out 1 without area: two dog [4.0, 4.0, 4.0, 4.0]"
    )


def test_difficult_voc_objects_are_crowd_and_boxes_are_cut(voc, tmp_path):
    convert_voc(voc, tmp_path / "coco")
    objects = load(tmp_path / "coco", "val").objects(0)
    assert objects.crowd.tolist() == [True] and objects.boxes.tolist() == [[0, 0, 8, 6]]


def test_voc_masks_are_the_pixels_of_their_number(voc, tmp_path):
    convert_voc(voc, tmp_path / "coco")
    data = load(tmp_path / "coco", "train")
    dog, cat = data.masks(1).numpy()
    expected = np.zeros((6, 8))
    expected[2:6, 4:8] = 1
    expected[2, 4] = 0  # the border belongs to nobody
    assert dog.sum() == 6 and dog[:2, :3].all()
    np.testing.assert_array_equal(cat, expected)
    assert data.objects(1).areas.tolist() == [6, 15]
    with pytest.raises(UserError, match="without segmentation"):
        data.masks(0)


def test_voc_splits_can_take_other_lists(voc, tmp_path, capsys):
    assert main(["voc", str(voc), str(tmp_path / "coco"), "--split-names", "val=train"]) == 0
    assert capsys.readouterr().out.startswith("val: 2 images")
    assert [path.name for path in (tmp_path / "coco" / "annotations").iterdir()] == ["val.json"]


def test_converted_sets_pass_the_check(voc, tmp_path):
    convert_voc(voc, tmp_path / "coco")
    faults = check_dataset(tmp_path / "coco" / "images", tmp_path / "coco" / "annotations" / "train.json")
    assert [fault.severity for fault in faults] == ["warning"]  # no bird in train


def test_images_are_linked_or_copied(voc, tmp_path):
    dest = tmp_path / "coco"
    convert_voc(voc, dest)
    convert_voc(voc, dest)
    assert (dest / "images").is_symlink()
    (voc / "JPEGImages" / "of no list.txt").touch()
    convert_voc(voc, dest, copy=True)
    assert sorted(path.name for path in (dest / "images").iterdir()) == ["one.jpg", "three.jpg", "two.jpg"]
    assert not (dest / "images").is_symlink() and (dest / "images" / "one.jpg").is_file()
    with pytest.raises(UserError, match=r"images exists and is no link; .* --copy"):
        convert_voc(voc, dest, overwrite=True)


def test_another_data_set_is_replaced_only_on_demand(voc, pedestrians, tmp_path, capsys):
    dest = tmp_path / "coco"
    convert_masks(pedestrians, dest)
    (dest / "annotations" / "test.json").write_text("{}")
    before = {path: path.read_bytes() for path in (dest / "annotations").iterdir()}
    assert main(["voc", str(voc), str(dest)]) == 2
    held = "annotations/test.json, annotations/train.json, annotations/val.json, images"
    remedy = "give another folder, or --overwrite to replace it"
    assert capsys.readouterr().err == f"error: {dest} holds a data set ({held}); {remedy}\n"
    assert {path: path.read_bytes() for path in (dest / "annotations").iterdir()} == before
    assert (dest / "images").resolve() == pedestrians / "PNGImages"
    assert main(["voc", str(voc), str(dest), "--overwrite"]) == 0
    assert {path.name for path in (dest / "annotations").iterdir()} == {"train.json", "val.json"}
    assert load(dest, "val").class_names == ["bird", "cat", "dog"] and (dest / "images" / "one.jpg").is_file()


def test_that_a_split_has_changed_is_said(pedestrians, tmp_path):
    dest = tmp_path / "dest"
    said = [
        any(
            "held other annotations before" in str(line)
            for line in convert_masks(pedestrians, dest, validation_every=n)
        )
        for n in (5, 5, 2)
    ]
    assert said == [False, False, True]


def test_a_mistake_leaves_the_other_data_set_alone(voc, pedestrians, tmp_path):
    dest = tmp_path / "coco"
    convert_masks(pedestrians, dest)
    spoil_xml(voc)
    with pytest.raises(UserError, match="broken XML"):
        convert_voc(voc, dest, overwrite=True)
    assert len(load(dest, "train")) == 9


def test_a_folder_is_not_converted_into_itself(pedestrians):
    (pedestrians / "PNGImages").rename(pedestrians / "images")
    with pytest.raises(UserError, match=r"lies in .*, where nothing is changed; give a folder outside"):
        convert_masks(pedestrians, pedestrians, copy=True, overwrite=True)
    assert len(list((pedestrians / "images").iterdir())) == 11


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("yolov9 here there", "argument FORMAT: invalid choice: 'yolov9' (choose from 'voc'"),
        ("voc nowhere there", "nowhere is not there; give the folder that holds the data set to convert"),
        ("masks nowhere there", "nowhere is not there; give the folder that holds the data set to convert"),
        ("voc here", "the following arguments are required: DEST"),
        ("masks here there --validation-every 1", "argument --validation-every: 1 is not a whole number of 2 or more"),
        ("", "the following arguments are required: FORMAT"),
    ],
)
def test_mistakes_on_the_command_line_are_one_line(tmp_path, monkeypatch, capsys, arguments, line):
    monkeypatch.chdir(tmp_path)
    assert main(arguments.split()) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith(f"error: {line}") and captured.err.count("\n") == 1 and captured.out == ""


def test_a_destination_that_cannot_be_written(voc, tmp_path, capsys):
    (tmp_path / "file").touch()
    assert main(["voc", str(voc), str(tmp_path / "file")]) == 2
    assert capsys.readouterr().err == f"error: {tmp_path / 'file'} is a file; give the folder to write\n"
    assert main(["voc", str(voc), str(tmp_path / "file" / "below")]) == 2
    assert capsys.readouterr().err == f"error: {tmp_path / 'file' / 'below'}: Not a directory\n"


def test_too_few_images_for_a_validation_split(pedestrians, tmp_path):
    with pytest.raises(UserError, match="has 11 images; --validation-every 12 needs that many"):
        convert_masks(pedestrians, tmp_path / "coco", validation_every=12)


def spoil_xml(root):
    (root / "Annotations" / "one.xml").write_text("<annotation><object>")


def spoil_box(root):
    (root / "Annotations" / "one.xml").write_text(xml(("dog", 1, 1, "x", 2)))


def spoil_image(root):
    (root / "JPEGImages" / "one.jpg").write_text("no image")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoil_xml, r"one\.xml is broken XML"),
        (spoil_box, r"one\.xml: an object dog has .*expected four numbers"),
        (spoil_image, r"cannot read the image .*one\.jpg"),
        (lambda root: (root / "Annotations" / "one.xml").unlink(), "there is no annotation"),
        (
            lambda root: (root / "JPEGImages" / "one.jpg").unlink(),
            r"train\.txt names photos that are not there: 1 of 2, the first is one",
        ),
        (lambda root: (root / "Annotations").rename(root.parent / "labels"), "there is no annotation"),
    ],
)
def test_faults_of_a_voc_folder(voc, tmp_path, spoil, message):
    spoil(voc)
    with pytest.raises(UserError, match=message):
        convert_voc(voc, tmp_path / "coco")


def test_unknown_voc_lists(voc, tmp_path):
    lists = r"\['ImageSets/Main/dog_train.txt', 'ImageSets/Main/train.txt', 'ImageSets/Main/val.txt'\]"
    with pytest.raises(UserError, match=f"has the lists {lists}; wanted minival"):
        convert_voc(voc, tmp_path / "coco", {"val": "minival"})


def test_instance_masks_become_boxes_and_masks(pedestrians, tmp_path):
    summaries = convert_masks(pedestrians, tmp_path / "coco")
    assert list(map(str, summaries)) == [
        "train: 9 images, 18 objects (person 18)",
        "val: 2 images, 4 objects (person 4)",
    ]
    data = load(tmp_path / "coco", "val")
    assert list(data.file_names) == ["p05.png", "p10.png"]
    assert data.objects(0).boxes.tolist() == [[2, 1, 7, 4], [3, 2, 5, 3]]
    assert data.objects(0).areas.tolist() == [13, 2]
    first, second = data.masks(0)
    assert first.sum() == 13 and second.nonzero().tolist() == [[2, 3], [2, 4]]


def test_class_name_and_share_of_validation(pedestrians, tmp_path):
    arguments = ["masks", str(pedestrians), str(tmp_path / "coco"), "--class-name", "walker"]
    assert main([*arguments, "--validation-every", "2"]) == 0
    assert load(tmp_path / "coco", "val").class_names == ["walker"] and len(load(tmp_path / "coco", "val")) == 5


def test_faults_of_a_mask_folder(pedestrians, tmp_path):
    Image.new("L", (4, 4)).save(pedestrians / "PedMasks" / "p03_mask.png")
    with pytest.raises(UserError, match=r"p03_mask\.png is of 4 x 4 pixels, its photo .* of 8 x 6"):
        convert_masks(pedestrians, tmp_path / "coco")
    Image.new("RGB", (8, 6), (0, 1, 2)).save(pedestrians / "PedMasks" / "p03_mask.png")
    with pytest.raises(UserError, match=r"p03_mask\.png is a RGB picture"):
        convert_masks(pedestrians, tmp_path / "coco")
    (pedestrians / "PedMasks" / "p03_mask.png").unlink()
    with pytest.raises(UserError, match=r"no mask for 1 of 11 images, the first is p03\.png"):
        convert_masks(pedestrians, tmp_path / "coco")


def test_an_unknown_layout_is_one_line_and_exit_code_2(tmp_path):
    command = [sys.executable, "-m", "tradeoffs.data.convert", "masks", str(tmp_path), str(tmp_path.parent / "coco")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 2 and result.stdout == ""
    assert result.stderr == f"error: {tmp_path} has no folder PNGImages or JPEGImages or images or photos; " + (
        "expected the layout of Penn-Fudan\n"
    )


def test_bccd(real_data, tmp_path, capsys):
    assert main(["voc", str(real_data / "bccd"), str(tmp_path)]) == 0
    train, val, test = capsys.readouterr().out.splitlines()
    assert train.startswith("train: 205 images, 2804 objects (Platelets 209, RBC 2381, WBC 214); left out 1")
    assert val.startswith("val: 87 images, 1137 objects (Platelets 83, RBC 967, WBC 87); left out 1")
    assert "BloodImage_00343 RBC" in train and "BloodImage_00338 RBC" in val
    assert test == "test: 72 images, 945 objects (Platelets 69, RBC 805, WBC 71)"
    for split in ("train", "val", "test"):
        assert check_dataset(tmp_path / "images", tmp_path / "annotations" / f"{split}.json") == []


def test_penn_fudan(real_data, tmp_path):
    *_, train, val = convert_masks(real_data / "penn_fudan", tmp_path)
    assert (train.images, val.images) == (136, 34)
    assert train.counts["person"] + val.counts["person"] == 423
    content = json.loads((tmp_path / "annotations" / "val.json").read_text())
    first = content["images"][0]
    assert first["file_name"].startswith("FudanPed00005")
    mask = np.array(Image.open(real_data / "penn_fudan" / "PedMasks" / "FudanPed00005_mask.png"))
    codes = [a["segmentation"] for a in content["annotations"] if a["image_id"] == first["id"]]
    for number, code in enumerate(codes, 1):
        np.testing.assert_array_equal(rle.decode(code), mask == number)
    assert len(codes) == mask.max()
