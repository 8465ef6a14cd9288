"""Predictions for images without annotations."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from pycocotools.coco import COCO

from tradeoffs.commands.evaluate import evaluate
from tradeoffs.commands.predict import predict, progress
from tradeoffs.errors import UserError
from tradeoffs.inference.video import Video, VideoFile
from tradeoffs.settings.compose import CONF, compose
from tradeoffs.settings.help_text import usage
from tradeoffs.settings.rules import check

RIGHT_TOP = 6  # the EXIF orientation of a camera that was turned: a quarter clockwise makes the image upright
VIDEO_CAPTURE = cv2.VideoCapture
BROKEN = ("broken.jpg", "text.png")


@pytest.fixture
def predicted(finished_run: Path, tmp_path: Path):
    """Predicts into `tmp_path/output` and gives what is in the JSON file there."""

    def run(source: Path | str, *overrides: str, run: Path = finished_run) -> dict:
        output = tmp_path / "output"
        config = compose("predict", [f"run={run}", f"source='{source}'", f"output={output}", "min_score=0", *overrides])
        check(config)
        predict(config)
        return json.loads((output / "predictions.json").read_text())

    return run


def noise(width: int, height: int, mode: str = "RGB") -> Image.Image:
    pixels = np.random.default_rng(width).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels).convert(mode)


@pytest.mark.parametrize("resize", ["warp", "letterbox", "shorter_edge"])
def test_an_image_gets_the_boxes_of_validation(finished_run, photos, predicted, tmp_path, resize):
    """Fused, in another memory format and through other code, but the same: in pixels of the file."""
    run = Path(shutil.copytree(finished_run, tmp_path / "run"))
    scores = tmp_path / "scores"
    evaluate(compose("evaluate", [f"run={run}", "trainer.accelerator=cpu", f"resize={resize}", f"output={scores}"]))
    truth = COCO(str(photos / "annotations" / "val.json"))
    expected = json.loads((scores / "predictions.json").read_text())
    content = predicted(photos / "val", f"resize={resize}", "batch_size=4")
    images = {image["file_name"]: image for image in content["images"]}
    for image in truth.imgs.values():
        assert images[image["file_name"]].items() >= {"width": image["width"], "height": image["height"]}.items()
        ours = rows(content["annotations"], images[image["file_name"]]["id"])
        theirs = rows(expected, image["id"])
        assert len(ours) == len(theirs) == 50
        distances = np.abs(theirs[:40, None] - ours).max(axis=-1)  # the last ones may differ where scores are close
        assert distances.min(axis=1).max() < 2e-2


def rows(annotations: list[dict], image_id: int) -> np.ndarray:
    """x, y, width, height, category, score in thousandths."""
    found = [each for each in annotations if each["image_id"] == image_id]
    return np.array([(*each["bbox"], each["category_id"], 1000 * each["score"]) for each in found])


def test_the_file_is_in_coco_format(predicted, photos, tmp_path, capsys):
    predicted(photos / "val" / "1.png")
    coco = COCO(str(tmp_path / "output" / "predictions.json"))
    assert coco.loadCats(coco.getCatIds()) == [{"id": 3, "name": "bright"}, {"id": 10, "name": "dark"}]
    assert [image["file_name"] for image in coco.loadImgs(coco.getImgIds())] == ["1.png"]
    assert len(coco.getAnnIds(imgIds=[1])) == 50
    assert len(coco.loadRes(coco.dataset["annotations"]).anns) == 50
    shown = capsys.readouterr().out
    assert "objects                  50 with a score of 0 or more: " in shown


def test_only_sure_detections_are_kept(predicted, photos):
    scores = sorted(each["score"] for each in predicted(photos / "val" / "1.png")["annotations"])
    sure = predicted(photos / "val" / "1.png", f"min_score={scores[20]:.9f}")["annotations"]
    assert 25 <= len(sure) <= 35
    assert predicted(photos / "val" / "1.png", "min_score=1")["annotations"] == []


def test_by_default_the_threshold_of_best_f1_counts(predicted, finished_run, photos, tmp_path, capsys):
    run = tmp_path / "run"
    shutil.copytree(finished_run, run)
    record = json.loads((run / "result.json").read_text())
    scores = sorted(each["score"] for each in predicted(photos / "val" / "1.png")["annotations"])
    record["accuracy"]["best_f1"] = {"threshold": scores[20], "f1": 0.5, "precision": 0.5, "recall": 0.5}
    (run / "result.json").write_text(json.dumps(record))
    found = predicted(photos / "val" / "1.png", "min_score=auto", run=run)["annotations"]
    assert 25 <= len(found) <= 35
    said = f"{len(found)} with a score of {scores[20]:.3g} or more (best F1 on validation, 0.50)"
    assert f"objects                  {said}" in capsys.readouterr().out


def test_all_kinds_of_files(predicted, tmp_path, capsys):
    """Folders keep their files of one name apart; what cannot be read is named, and the rest is done."""
    source = tmp_path / "photos"
    (source / "sub").mkdir(parents=True)
    noise(60, 40).save(source / "a.jpg")
    noise(40, 50, "L").save(source / "sub" / "a.jpg")
    noise(30, 30, "P").save(source / "sub" / "b.PNG")
    (source / BROKEN[0]).write_bytes((source / "a.jpg").read_bytes()[:500])
    (source / BROKEN[1]).write_text("no image")
    content = predicted(source, "batch_size=2")
    sizes = [(image["file_name"], image["width"], image["height"]) for image in content["images"]]
    assert sizes == [("a.jpg", 60, 40), ("sub/a.jpg", 40, 50), ("sub/b.PNG", 30, 30)]
    assert {each["image_id"] for each in content["annotations"]} == {1, 2, 3}
    shown = capsys.readouterr()
    assert "images                   3 of 5\n" in shown.out
    assert shown.err.splitlines() == [
        *(f"left out: cannot read the image {source}/{name}: it is truncated or not an image" for name in BROKEN),
        "2 of 5 files could not be read and were left out",
    ]
    pictures = tmp_path / "output" / "pictures"
    drawn = sorted(str(path.relative_to(pictures)) for path in pictures.rglob("*.*"))
    assert drawn == ["a.jpg", "sub/a.jpg", "sub/b.PNG.jpg"]
    with Image.open(pictures / "a.jpg") as picture:
        assert picture.size == (480, 320)  # enlarged, so that names can be read


def test_every_photo_has_a_picture_of_its_own(predicted, tmp_path):
    source = tmp_path / "photos"
    (source / "x.png.jpg.png.jpg").mkdir(parents=True)
    names = ["x.jpg", "x.png", "x.png.jpg", "X.PNG", "x.png.jpg.png", "x.png.jpg.png.jpg/y.jpg"]
    for width, name in enumerate(names, 500):
        Image.new("RGB", (width, 30)).save(source / name)
    for _ in range(2):  # and the same names again
        images = predicted(source)["images"]
        drawn = {image["picture"]: image["width"] for image in images}
        assert len(drawn) == len(images) == len({name.lower() for name in drawn}) == len(names)
        pictures = tmp_path / "output" / "pictures"
        assert len([path for path in pictures.rglob("*") if path.is_file()]) == len(names)
        assert {name: Image.open(pictures / name).width for name in drawn} == drawn


def test_videos_in_a_folder_are_left_out_and_said(predicted, photos, tmp_path, capsys):
    shutil.copytree(photos / "val", tmp_path / "mixed")
    shutil.copy(write_clip(tmp_path), tmp_path / "mixed")
    assert len(predicted(tmp_path / "mixed")["images"]) == 5
    line = f"1 video was left out; give one at a time: source={tmp_path}/mixed/clip.avi"
    assert capsys.readouterr().err.splitlines() == [line]
    with pytest.raises(
        UserError, match=r"source=.*/\*\.avi holds no image, but videos; give one of them: source=.*clip"
    ):
        predicted(tmp_path / "mixed" / "*.avi")


@pytest.mark.parametrize("form", ["mp4", "webm"])
def test_a_video(predicted, tmp_path, capsys, form):
    for _ in range(2):  # the second replaces what the first wrote
        content = predicted(write_clip(tmp_path), f"video={form}", "batch_size=4")
        assert [image["file_name"] for image in content["images"]] == [f"clip.avi#00000{number}" for number in range(6)]
        assert [image["seconds"] for image in content["images"]] == [0, 0.2, 0.4, 0.6, 0.8, 1.0]
        assert len({each["image_id"] for each in content["annotations"]}) == 6
        (video,) = (tmp_path / "output" / "pictures").iterdir()
        assert video.name == f"clip.avi.{form}"
        frames = [frame.pixels for frame in Video(video)]
        assert len(frames) == 6 and frames[0].shape == (3, 360, 480)
    assert "frames                   6, " in capsys.readouterr().out
    with pytest.raises(UserError, match=r"source=.* is what predict\.py drew itself; give the video it is of"):
        predicted(video)
    assert video.exists()


def write_clip(folder: Path) -> Path:
    with VideoFile(folder / "clip.mp4", 5.0) as video:
        for number in range(6):
            video.write(torch.full((3, 30, 40), 40 * number, dtype=torch.uint8))
    return (folder / "clip.mp4").rename(folder / "clip.avi")  # formats are known by their content


def test_a_video_that_is_cut_off_and_one_that_is_none(predicted, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(Video, "_next", stopping_after(3, Video._next, None))
    assert len(predicted(write_clip(tmp_path))["images"]) == 3
    assert capsys.readouterr().err == "clip.avi is to have 6 frames, but only 3 could be read\n"
    (tmp_path / "none.mp4").write_text("no video")
    with pytest.raises(UserError, match=r"none\.mp4 is no video that OpenCV reads"):
        predicted(tmp_path / "none.mp4")


def stopping_after(count: int, read, end: object):
    """`read` until `count` frames came, then `end`: no frame, or an exception."""

    def following(video: Video) -> object:
        if video.read < count:
            return read(video)
        if isinstance(end, BaseException):
            raise end
        return end

    return following


def test_ctrl_c_keeps_what_a_camera_has_seen(predicted, tmp_path, monkeypatch, capsys):
    """A file stands for the device."""
    opened = cv2.VideoCapture(str(write_clip(tmp_path)))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cv2, "VideoCapture", lambda *source: opened if source == (0,) else VIDEO_CAPTURE(*source))
    monkeypatch.setattr(Video, "_next", stopping_after(4, Video._next, KeyboardInterrupt()))
    content = predicted("0", "batch_size=1")
    names = [image["file_name"] for image in content["images"]]
    assert names and names == [f"camera_0#00000{number}" for number in range(len(names))]
    assert f"stopped by Ctrl-C; {len(names)} frames are kept" in capsys.readouterr().err
    monkeypatch.undo()
    assert len(list(Video(tmp_path / "output" / "pictures" / "camera_0.mp4"))) >= len(names)


def test_ctrl_c_keeps_the_beginning_of_a_video(predicted, tmp_path, monkeypatch):
    monkeypatch.setattr(Video, "_next", stopping_after(4, Video._next, KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        predicted(write_clip(tmp_path), "batch_size=1")
    assert json.loads((tmp_path / "output" / "predictions.json").read_text())["images"]


def test_boxes_are_those_of_the_upright_image(predicted, tmp_path):
    turned = Image.Exif()
    turned[0x0112] = RIGHT_TOP
    noise(80, 50).save(tmp_path / "turned.jpg", exif=turned)
    with Image.open(tmp_path / "turned.jpg") as image:
        image.transpose(Image.Transpose.ROTATE_270).save(tmp_path / "upright.png", exif=b"")
        image.save(tmp_path / "turned.webp", exif=turned, lossless=True)
    expected = predicted(tmp_path / "upright.png")
    assert (expected["images"][0]["width"], expected["images"][0]["height"]) == (50, 80)
    for name, picture in (("turned.jpg", "turned.jpg"), ("turned.webp", "turned.webp.jpg")):
        content = predicted(tmp_path / name)
        assert content["images"] == [expected["images"][0] | {"file_name": name, "picture": picture}]
        assert content["annotations"] == expected["annotations"]


def test_a_pattern(predicted, photos):
    content = predicted(photos / "val" / "[1-3].png")
    assert [image["file_name"] for image in content["images"]] == ["1.png", "2.png", "3.png"]


def test_pictures_of_an_earlier_call_are_no_source(predicted, photos, tmp_path):
    shutil.copytree(photos / "val", tmp_path / "val")
    for _ in range(2):
        assert len(predicted(tmp_path)["images"]) == 5


def test_links_are_followed(predicted, photos, tmp_path):
    """As the project's own converters make them."""
    (tmp_path / "my_photos").mkdir()
    (tmp_path / "my_photos" / "images").symlink_to(photos / "val", target_is_directory=True)
    assert len(predicted(tmp_path / "my_photos")["images"]) == 5


def test_the_output_holds_what_the_last_call_found(predicted, photos, tmp_path):
    predicted(photos / "val")
    pictures = tmp_path / "output" / "pictures"
    (pictures / "mine.jpg").touch()
    assert len(predicted(photos / "val" / "[12].png")["images"]) == 2
    assert sorted(path.name for path in pictures.iterdir()) == ["1.png.jpg", "2.png.jpg", "mine.jpg"]


def test_a_photo_is_never_overwritten(finished_run, tmp_path):
    photo = tmp_path / "pictures" / "demo.jpg"
    photo.parent.mkdir()
    noise(60, 40).save(photo)
    before = photo.read_bytes()
    for source in (photo, photo.parent):
        with pytest.raises(
            UserError, match=r"output=.* would overwrite .*/pictures/demo\.jpg, which predict\.py did not"
        ):
            predict(compose("predict", [f"run={finished_run}", f"source='{source}'", f"output={tmp_path}"]))
    assert photo.read_bytes() == before
    assert not (tmp_path / "predictions.json").exists()


def test_nothing_is_readable(predicted, tmp_path):
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_text("no image")
    with pytest.raises(UserError) as caught:
        predicted(tmp_path)
    assert str(caught.value) == f"source={tmp_path} has no readable image:"
    assert len(caught.value.details) == 2
    assert not (tmp_path / "output").exists()


def test_the_data_set_is_not_needed(finished_run, photos, predicted, tmp_path):
    run = Path(shutil.copytree(finished_run, tmp_path / "run"))
    config = run / "config.yaml"
    config.write_text(config.read_text().replace(str(photos), "/gone"))
    assert predicted(photos / "val" / "1.png", run=run)["images"]


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("min_score=1.5", "min_score=1.5 is impossible; min_score is a number from 0 to 1, or auto"),
        ("checkpoint=zzz", "checkpoint=zzz does not exist; give best, last or an existing file"),
        ("source='ftp://a/b.jpg'", "ftp://a/b.jpg is no address that is read; it begins with http:// or https://"),
        ("video=avi", "video=avi is impossible; video is one of mp4, webm"),
        ("source=zzz", "source=zzz does not exist; give an image, a folder of images or a pattern like '*.jpg'"),
    ],
)
def test_mistakes(predicted, photos, override, line):
    with pytest.raises(UserError) as caught:
        predicted(photos, override)
    assert str(caught.value) == line


def test_without_source(finished_run):
    with pytest.raises(UserError, match="source is missing; add source=FILE, FOLDER or 'GLOB'"):
        check(compose("predict", [f"run={finished_run}"]))


def test_a_log_file_gets_a_line_now_and_then(capsys):
    assert list(progress("abc", 12, seconds=0)) == list("abc")
    assert capsys.readouterr().out.splitlines() == [f"prediction   {done}/12 images" for done in range(3)]
    assert list(progress("abc", 12)) == list("abc")
    assert capsys.readouterr().out == ""


def test_help():
    lines = usage("predict", CONF).splitlines()
    assert any(line.startswith("  source=SOURCE ") for line in lines)
    assert any(line.startswith("  min_score=auto ") for line in lines)


def test_no_data_set_suggests_a_batch_size(predicted):
    with pytest.raises(UserError, match="batch_size=auto is for training; give a number of images"):
        predicted("conf", "batch_size=auto")
