import json
import shlex
from pathlib import Path

import pytest
from convert_sources import write_photo, write_text
from hydra.core.override_parser.overrides_parser import OverridesParser

from tradeoffs.data.convert.__main__ import main
from tradeoffs.data.convert.detect import conversions, detect, hydra_value

COCO = json.dumps({"images": [], "annotations": [], "categories": []})
FILES = {
    "yolo": [("data.yaml", "train: ../train/images\nnc: 1\nnames: ['a']")],
    "yolo by labels": [("labels/classes.txt", "dog"), ("labels/a.txt", ""), ("labels/b.txt", "0 0.5 0.5 0.1 0.1\r\n")],
    "yolo by obj.data": [("obj.data", "classes = 1\nnames = data/obj.names")],
    "coco": [("annotations/instances_default.json", COCO)],
    "coco by its ends": [("result.json", COCO.replace("[]", json.dumps(["x" * 70_000]), 1))],
    "cvat": [("annotations.xml", '<?xml version="1.0"?>\n<annotations><version>1.1</version></annotations>')],
    "label_studio": [("project.json", '[{"id": 1, "annotations": [], "data": {"image": "a.jpg"}}]')],
    "label_studio by its sizes": [("project.json", '[{"image": "a.jpg", "label": [{"original_width": 1}]}]')],
    "voc": [("Annotations/a.xml", "<annotation><object/></annotation>")],
    "masks": [("PedMasks/a_mask.png", "")],
}
NONE = [("notes.txt", "0 1 2"), ("settings.json", '{"images": []}'), ("a.yaml", "x: 1"), ("predictions.json", "[]")]


@pytest.mark.parametrize("kind", FILES)
def test_formats_are_told_by_their_files(tmp_path: Path, kind: str):
    for name, text in [*FILES[kind], *NONE]:
        write_text(tmp_path / "set" / name, text)
    assert detect(tmp_path / "set") == (tmp_path / "set", [kind.split()[0]], set())
    (tmp_path / ".hidden").touch()
    assert detect(tmp_path).folder == tmp_path / "set"  # as archives are unpacked


def test_other_files_tell_nothing(tmp_path: Path):
    for name, text in NONE:
        write_text(tmp_path / name, text)
    assert detect(tmp_path).formats == []


@pytest.mark.parametrize("name", ["valid/labels/a.txt", "labels/Validation/a.txt", "instances_val2017.json"])
def test_a_validation_split_is_seen(tmp_path: Path, name: str):
    write_text(tmp_path / "x.txt")
    write_text(tmp_path / name, "0 0.5 0.5 0.1 0.1" if name.endswith("txt") else COCO)
    assert detect(tmp_path).splits == {"val"}
    write_text(tmp_path / "train.txt")
    assert "--val" not in next(iter(conversions(tmp_path).values()))


def test_what_is_said_can_be_typed(tmp_path: Path):
    """The line goes through the shell and through Hydra."""
    folder = tmp_path / "my photos, it's 1=2"
    write_text(folder / "data.yaml", "names: [a]", "train: x")
    (command,) = conversions(folder).values()
    convert, train = command.split(" && ")
    assert shlex.split(convert)[2:] == ["tradeoffs.data.convert", "yolo", str(folder), f"{folder}_coco", "--val", "0.2"]
    (override,) = OverridesParser.create().parse_overrides([shlex.split(train)[-1]])
    assert override.value() == f"{folder}_coco"


@pytest.mark.parametrize("text", ["../a_b-c.d", "12", 'a "b"', "a\\b", "ä", "a:b"])
def test_values_of_hydra(text: str):
    (override,) = OverridesParser.create().parse_overrides([f"x={hydra_value(text)}"])
    assert override.value() == text


def test_a_folder_is_converted_without_its_format(tmp_path: Path, capsys: pytest.CaptureFixture):
    for name in "ab":
        write_photo(tmp_path / "set" / f"{name}.jpg")
        write_text(tmp_path / "set" / f"{name}.txt", "0 0.5 0.5 0.2 0.4")
    assert main([str(tmp_path / "set"), str(tmp_path / "dest"), "--val", "0.5"]) == 0
    assert capsys.readouterr().out.startswith(f"{tmp_path / 'set'}: YOLO text files")
    assert (tmp_path / "dest" / "annotations" / "val.json").is_file()


def test_no_format_and_several(tmp_path: Path, capsys: pytest.CaptureFixture):
    (tmp_path / "set").mkdir()
    assert main([str(tmp_path / "set"), str(tmp_path / "dest")]) == 2
    assert f"{tmp_path / 'set'} is in no format that is known here: yolo, coco, cvat, " in capsys.readouterr().err
    for kind in ("yolo", "coco"):
        write_text(tmp_path / "set" / FILES[kind][0][0], FILES[kind][0][1])
    assert main([str(tmp_path / "set"), str(tmp_path / "dest")]) == 2
    assert "may be yolo or coco; put one of these words before the folder" in capsys.readouterr().err
    assert main([str(tmp_path / "nowhere"), str(tmp_path / "dest")]) == 2
    assert "nowhere is not there" in capsys.readouterr().err
