"""Networks that torchvision has trained on COCO: found, equal, scored by name, trained further. Weights are random."""

import json
from pathlib import Path

import pytest
import small_runs
import torch
import torchvision_faster_rcnn
import torchvision_retinanet
from omegaconf import OmegaConf
from torch import nn
from torchvision.models import get_model
from torchvision_checks import assert_same_detections, check_detections, random_images, same_people

import tradeoffs
from tradeoffs.commands.evaluate import evaluate
from tradeoffs.commands.predict import predict
from tradeoffs.commands.train import train
from tradeoffs.errors import UserError
from tradeoffs.models.detection.published import put
from tradeoffs.runs.build import build_model
from tradeoffs.runs.published_files import categories, published, published_file, published_tensors
from tradeoffs.runs.weights import published_weights, start_from_published
from tradeoffs.settings.compose import compose
from tradeoffs.settings.published import as_group, as_run, published_models
from tradeoffs.settings.rules import check

FIRST_LABELS = {"faster_rcnn": 1, "mask_rcnn": 1, "keypoint_rcnn": 1, "retinanet": 0, "fcos": 0}
OLD_NAMES = {"inner_blocks.0.0.": "inner_blocks.0.", "layer_blocks.1.0.": "layer_blocks.1.", "conv.0.0.": "conv."}


@pytest.fixture(scope="module")
def theirs() -> nn.Module:
    torch.manual_seed(0)
    network = get_model("ssd300_vgg16", weights=None, weights_backbone=None)
    with torch.no_grad():
        for parameter in network.head.parameters():
            parameter *= 0.05
        network.head.classification_head.module_list[-1].bias.view(4, -1)[:, 12] += 2  # which is no class
        network.head.classification_head.module_list[-2].bias.view(4, -1)[:, [1, 24]] += 2  # person, zebra
    return network.half().float().eval()


@pytest.fixture(scope="module")
def file(theirs, tmp_path_factory) -> Path:
    """Of the form of torchvision's, but for half its size."""
    path = tmp_path_factory.mktemp("weights") / "ssd.pth"
    torch.save({name: tensor.half() for name, tensor in theirs.state_dict().items()}, path)
    return path


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Published runs are made where they are asked for."""
    monkeypatch.chdir(tmp_path)


def settings(model: str, *overrides: str):
    return compose("train", [f"model={model}", "weights=coco", *overrides])


@pytest.mark.parametrize("model", FIRST_LABELS)
def test_settings_are_those_of_torchvision(model):
    """Whole networks are equal where sides are no multiples of all strides, and with each one's own norms."""
    config = settings(model, "image_size=160")
    torch.manual_seed(0)
    name, sizes = config.weights.torchvision, {"min_size": 160, "max_size": 224}
    counts = {"num_classes": 2, "num_keypoints": 5} if model == "keypoint_rcnn" else {"num_classes": 6}
    network = get_model(name, weights=None, weights_backbone=None, **counts, **sizes)
    torchvision_retinanet.randomize(network)
    if model in ("faster_rcnn", "mask_rcnn", "keypoint_rcnn"):
        torchvision_faster_rcnn.randomize(network)
    if model != "fcos":
        for norm in network.modules():
            if isinstance(norm, nn.BatchNorm2d):
                norm.eps = 0.0
    first = FIRST_LABELS[model]
    ours = build_model(config, 6 - first).eval()
    put(model, ours, network.state_dict(), range(first, 6))
    if model == "fcos":  # random centres score little
        ours.score_threshold = network.score_thresh = 0.05
    wide = random_images(2, 224)[..., :160, :].contiguous()
    if model == "keypoint_rcnn":  # of which each person takes a tenth of a second
        network.roi_heads.detections_per_img = ours.max_detections = 8
        check_people(network.eval(), ours, wide)
    check_detections(network.eval(), ours, wide, first_label=first)


@torch.no_grad()
def check_people(theirs: nn.Module, ours: nn.Module, images: torch.Tensor):
    found, reference = ours.predict(images), theirs(list(images / 255))
    for row, expected in enumerate(reference):
        same_people(found, row, expected, least=4)


def test_found_is_what_torchvision_finds(theirs, file):
    model = tradeoffs.load("coco/ssd", checkpoint=str(file), min_score=0, device="cpu")
    image = random_images(1, 300)
    found = model(image[0])
    with torch.no_grad():
        (expected,) = theirs(list(image / 255))
    names = categories("ssd300_vgg16")
    real = torch.tensor([names[label] != "N/A" for label in expected["labels"].tolist()])
    assert 0 < real.sum() < len(real)
    expected = {key: values[real] for key, values in expected.items()}
    expected["labels"] -= 1
    mine = {"boxes": found.boxes, "scores": found.scores, "labels": found.labels}
    assert_same_detections(mine, expected, model.network.score_threshold, model.network.nms_threshold)
    assert set(found.names) <= set(names) - {"N/A", "__background__"}


def test_predictions_have_the_ids_of_coco(file, photos):
    predict(compose("predict", [*as_run(["model=ssd", f"weights={file}"]), f"source={photos}/val", "min_score=0.01"]))
    content = json.loads(Path("runs/coco/ssd/predictions/predictions.json").read_text())
    ids = {category["name"]: category["id"] for category in content["categories"]}
    assert len(ids) == 80 and ids["person"] == 1 and ids["toothbrush"] == 90
    assert {found["category_id"] for found in content["annotations"]} <= set(ids.values())


def test_it_is_scored_by_the_names_of_classes(file, tmp_path, capsys):
    """Of data with two of the classes, in another order and with other ids."""
    root = small_runs.write_data(tmp_path / "photos", [{"id": 3, "name": "Zebra"}, {"id": 10, "name": "person"}])
    data = ["data=coco_folder", f"data.root={root}", "image_size=64", "workers=0"]
    evaluate(compose("evaluate", ["run=coco/ssd", f"checkpoint={file}", *data]))
    assert "has 2 of the 80 classes that the model knows; what it finds of the other 78" in capsys.readouterr().out
    (folder,) = Path("runs/coco/ssd/evaluations").iterdir()
    record = json.loads((folder / "result.json").read_text())
    assert record["status"] == "finished" and record["training"] == {}
    assert record["config"]["weights"]["torchvision"] == "ssd300_vgg16"
    written = json.loads((folder / "predictions.json").read_text())
    model = tradeoffs.load("coco/ssd", checkpoint=str(file), min_score=0.01, device="cpu", image_size=64)
    found = model(root / "val/1.png")
    for name, category in (("zebra", 3), ("person", 10)):
        scores = [row["score"] for row in written if row["category_id"] == category and row["image_id"] == 10]
        wanted = [score for score, each in zip(found.scores.tolist(), found.names, strict=True) if each == name]
        assert len(wanted) > 0 and sorted(scores) == pytest.approx(sorted(wanted), abs=1e-4)


def test_data_with_a_class_that_it_does_not_know(file, photos):
    with pytest.raises(UserError, match=r"ssd\.pth does not know 2 classes \(bright, dark\) of data=coco_folder"):
        evaluate(compose("evaluate", ["run=coco/ssd", f"checkpoint={file}", "data=coco_folder", f"data.root={photos}"]))


def test_training_goes_on_with_other_classes(file, photos, capsys):
    data = ["data=coco_folder", f"data.root={photos}", "image_size=64", "batch_size=4", "workers=0", "measure=false"]
    steps = ["epochs=1", "trainer=cpu", "optimizer.lr=1e-9", "ema=null", "trainer.limit_train_batches=1"]
    config = compose("train", ["model=ssd", *as_group([f"weights={file}"]), *data, *steps, "name=tuned"])
    check(config)
    train(config)
    line = "torchvision's weights for COCO; the layers of the classes are new, since COCO does not have bright, dark"
    assert line in capsys.readouterr().out
    tuned = torch.load("runs/tuned/checkpoints/best.ckpt", weights_only=True)
    state = published_weights(settings("ssd"), file).model
    assert tuned["class_names"] == ["bright", "dark"]
    assert torch.allclose(tuned["state_dict"]["model.neck.fc.1.weight"], state["neck.fc.1.weight"].float(), atol=1e-6)
    heads = tuned["state_dict"]["model.heads.0.bias"].unflatten(0, (4, -1)), state["heads.0.bias"].unflatten(0, (4, -1))
    assert torch.allclose(heads[0][:, :4], heads[1][:, :4].float(), atol=1e-6)  # of boxes, that know no classes
    assert OmegaConf.load("runs/tuned/config.yaml").weights.file == str(file)
    settings_file = Path("runs/tuned/config.yaml")
    settings_file.write_text(settings_file.read_text().replace(str(file), "gone.pth"))  # is needed no more
    assert tradeoffs.load("runs/tuned", device="cpu").class_names == ["bright", "dark"]


def test_classes_that_coco_has_keep_their_outputs(theirs, file):
    config = settings("ssd", f"weights.file={file}")
    network = build_model(config, 2)
    assert start_from_published(config, network, ["Zebra", "person"]).endswith("are kept, by name")
    rows = theirs.head.classification_head.module_list[0].bias.view(4, -1)
    ours = network.heads[0].bias.view(4, -1)[:, 4:]
    assert torch.equal(ours, rows[:, [24, 1, 0]])


def test_files_of_several_versions(tmp_path):
    """torchvision's own files have the names of before version 0.13."""
    state = get_model("fasterrcnn_resnet50_fpn", weights=None, weights_backbone=None).half().state_dict()
    old = {}
    for name, tensor in state.items():
        new = next((name.replace(*pair) for pair in OLD_NAMES.items() if pair[0] in name), name)
        if not new.endswith("num_batches_tracked"):
            old[new] = tensor
    torch.save(old, path := tmp_path / "old.pth")
    renewed = published_tensors("fasterrcnn_resnet50_fpn", path)
    assert old.keys() != state.keys()
    assert all(torch.equal(renewed[name], tensor) for name, tensor in state.items() if "num_batches" not in name)


def test_files_of_other_networks(file, tmp_path):
    with pytest.raises(UserError, match=r"ssd\.pth is no file of torchvision's fcos_resnet50_fpn for COCO: it lacks"):
        published_tensors("fcos_resnet50_fpn", file)
    state = torch.load(file, weights_only=True)
    state["head.classification_head.module_list.0.bias"] = torch.zeros(8)
    torch.save(state, tmp_path / "other.pth")
    with pytest.raises(UserError, match=r"for COCO: size mismatch for head\.classification_head\.module_list\.0\.bias"):
        published_tensors("ssd300_vgg16", tmp_path / "other.pth")
    (tmp_path / "text.pth").write_text("no weights")
    with pytest.raises(UserError, match=r"weights=.*text\.pth: cannot be read as weights"):
        published_tensors("ssd300_vgg16", tmp_path / "text.pth")


def test_without_network(tmp_path, monkeypatch):
    def unreachable(*args, **options):
        raise OSError("no route")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", unreachable)
    weights = settings("fcos").weights
    place = tmp_path / "hub" / "checkpoints" / published("fcos_resnet50_fpn").url.rpartition("/")[2]
    with pytest.raises(UserError) as caught:
        published_file(weights)
    assert "no route" in str(caught.value) and f"lay it at {place}, or give weights=FILE" in str(caught.value)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.touch()
    assert published_file(weights) == place


def test_published_runs_are_commands_like_others():
    assert published_models() == ["faster_rcnn", "fcos", "keypoint_rcnn", "mask_rcnn", "retinanet", "ssd"]
    assert as_run(["weights=coco", "source=x.jpg", "model=fcos"]) == ["run=coco/fcos", "source=x.jpg"]
    assert as_run(["weights=a.pth", "model=fcos"]) == ["run=coco/fcos", "checkpoint=a.pth"]
    assert as_run(["model=[ssd,fcos]", "weights=coco"]) == ["run=[coco/ssd,coco/fcos]"]
    assert as_run(["model=[ssd,fcos]"]) == ["model=[ssd,fcos]"]
    assert as_group(["weights=coco", "model=ssd"]) == ["weights=coco", "model=ssd"]
    with pytest.raises(UserError, match="weights=coco: model=yolo has none; add model= and one of faster_rcnn, fcos,"):
        as_run(["weights=coco", "model=yolo"])
    with pytest.raises(UserError, match="weights=coco and run=mine are two networks"):
        as_run(["weights=coco", "run=mine"])
    with pytest.raises(UserError, match="weights=coco: of which model"):
        as_run(["weights=coco"])


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (["model=yolo"], "weights=coco are not for this model; choose model= and one of faster_rcnn, fcos,"),
        (
            ["model=fcos", "backbone=resnet101"],
            "weights=coco are of backbone=resnet50, not of resnet101",
        ),
        (["model=fcos", "backbone.name=resnet18"], "weights=coco are of backbone=resnet50; leave backbone= out"),
        (["model=ssd", "backbone.weights=pretrained"], "fill the backbone, too; leave backbone.weights= out"),
        (["model=ssd", "weights.file=zzz.pth"], "weights=zzz.pth does not exist; give coco or"),
    ],
)
def test_mistakes(overrides, line):
    with pytest.raises(UserError, match=line):
        check(compose("train", ["weights=coco", *overrides]))
