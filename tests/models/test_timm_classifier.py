"""Whole networks of timm: equal to timm's, with weights from files, for other classes."""

import pytest
import timm
import torch
from model_contracts import CLASSES, images, make
from safetensors.torch import load_file, save_file
from timm.data import ImageNetInfo
from torch.testing import assert_close

from tradeoffs.backbones.imagenet import outputs_of
from tradeoffs.backbones.mobilenet import mobilenet
from tradeoffs.backbones.timm import timm_backbone
from tradeoffs.data.labels.class_names import readable
from tradeoffs.errors import MismatchError, UserError
from tradeoffs.models.classification.timm_classifier import TimmClassifier
from tradeoffs.runs.build import build_task
from tradeoffs.settings.compose import compose

IDS = {  # the two outputs that each list of names means, by its second one
    "tench": ("n01443537", "n01440764"),
    "N01440764": ("n01443537", "n01440764"),
    "crane (n03126707)": ("n01443537", "n03126707"),
}
NETWORKS = ("test_efficientnet", "test_vit3")  # timm's smallest, of two kinds; the second one normalizes otherwise


def normalized(network: torch.nn.Module, pictures: torch.Tensor) -> torch.Tensor:
    mean, std = (torch.tensor(network.default_cfg[key]).view(3, 1, 1) for key in ("mean", "std"))
    return (pictures / 255 - mean) / std


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("num_classes", [1000, 5])
def test_logits_are_those_of_timm(tmp_path, name, num_classes):
    """With the tensors of a file, whatever number of classes it knows."""
    torch.manual_seed(0)
    pictures = torch.randint(0, 256, (2, 3, 160, 160), dtype=torch.uint8)
    theirs = timm.create_model(name, num_classes=num_classes).eval()
    save_file(theirs.state_dict(), tmp_path / "weights.safetensors")
    backbone = timm_backbone(name, str(tmp_path / "weights.safetensors"), whole=True)
    ours = TimmClassifier(backbone, num_classes).eval()
    with torch.no_grad():
        assert_close(ours(pictures).logits, theirs(normalized(theirs, pictures)), atol=1e-5, rtol=0)
    assert not ours.note


def test_published_weights_are_scored_as_they_are(real_data):
    """TensorFlow's MobileNet, padded as there."""
    path = real_data / "weights" / "mobilenetv1_100.safetensors"
    theirs = timm.create_model("mobilenetv1_100", pad_type="same").eval()
    theirs.load_state_dict(load_file(path))
    with torch.no_grad():
        ours = TimmClassifier(mobilenet(str(path), whole=True), 1000).eval()(images()).logits
        assert_close(ours, theirs(images() / 127.5 - 1), atol=1e-4, rtol=1e-4)


def test_for_other_classes_the_last_layer_is_new_and_that_is_said_once(tmp_path, capsys):
    theirs = timm.create_model("resnet18", num_classes=7)
    save_file(theirs.state_dict(), tmp_path / "weights.safetensors")
    words = ["model=timm_classifier", "backbone=resnet18", f"backbone.weights={tmp_path}/weights.safetensors"]
    task = build_task(compose("train", words), CLASSES)
    assert capsys.readouterr().out == "the weights know 7 classes; for 3 the last layer is new\n"
    assert task.model(images()).logits.shape == (2, CLASSES)
    assert torch.equal(task.model.backbone.stages[0].conv1.weight, theirs.conv1.weight)
    build_task(compose("train", words[:2]), CLASSES)
    assert not capsys.readouterr().out  # random weights lose nothing


@pytest.mark.parametrize(
    "names", [["goldfish", "tench"], ["n01443537", "N01440764"], ["goldfish", "crane (n03126707)"]]
)
def test_classes_of_imagenet_keep_their_outputs_by_name(names):
    torch.manual_seed(0)
    backbone = timm_backbone("test_vit3", whole=True)
    backbone.trained = True  # as if its weights came from a file
    all_logits = TimmClassifier(backbone, 1000).eval()(images().repeat(1, 1, 2, 2)[..., :160, :160]).logits
    model = TimmClassifier(backbone, 2, class_names=names).eval()
    places = [ImageNetInfo("imagenet-1k").label_names().index(each) for each in IDS[names[1]]]
    assert_close(model(images().repeat(1, 1, 2, 2)[..., :160, :160]).logits, all_logits[:, places])
    assert model.knows_classes
    assert model.note == "of the 1000 classes that the weights know, the data's 2 are kept, by name"


@pytest.mark.parametrize("names", [["goldfish", "crane"], ["goldfish", "my cat"], ["tench", "n01440764"]])
def test_a_name_of_two_classes_or_of_none_keeps_no_output(names):
    """Nor do two names of one class."""
    backbone = timm_backbone("test_vit3", whole=True)
    backbone.trained = True
    model = TimmClassifier(backbone, 2, class_names=names)
    assert not model.knows_classes
    strange = names[0] if names[0] == "tench" else names[1]
    assert model.note == f"the weights know 1000 classes; for 2 the last layer is new ({strange} is not known for sure)"


def test_all_classes_as_a_word_list_calls_them(tmp_path):
    """`Cardigan` is a dog and `cardigan` is none; two cranes have their ids beside them."""
    info = ImageNetInfo("imagenet-1k")
    lines = [f"{name} {info.index_to_description(place)}" for place, name in enumerate(info.label_names())]
    (tmp_path / "LOC_synset_mapping.txt").write_text("\n".join(lines))
    names = readable(tmp_path, info.label_names())
    assert list(outputs_of(timm.create_model("test_vit3"), names).values()) == list(range(1000))


@pytest.mark.parametrize("name", ["volo_d1_224", "levit_128s"])
def test_networks_with_further_classifiers_keep_no_output(name):
    backbone = timm_backbone(name, whole=True)
    backbone.trained = True
    model = TimmClassifier(backbone, 2, class_names=["goldfish", "tench"]).eval()
    assert not model.knows_classes and "its outputs cannot be had one by one" in model.note
    assert model.backbone.num_classes == 2


def test_a_thousand_other_classes_are_not_those_of_imagenet():
    backbone = timm_backbone("test_vit3", whole=True)
    backbone.trained, before = True, backbone.classifiers[0].weight.clone()
    model = TimmClassifier(backbone, 1000, class_names=[f"class {number}" for number in range(1000)])
    assert not model.knows_classes and not torch.equal(model.heads[0].weight, before)


def test_what_does_not_fit_is_one_line(tmp_path):
    save_file(timm.create_model("test_resnet").state_dict(), tmp_path / "weights.safetensors")
    with pytest.raises(UserError, match=r"is of another architecture: missing"):
        timm_backbone("resnet18", str(tmp_path / "weights.safetensors"), whole=True)
    with pytest.raises(MismatchError, match=r"backbone=inception_v2 has no classifier of its own"):
        make("timm_classifier", "inception_v2")
    with pytest.raises(MismatchError, match=r"there is none with this network's own classifier"):
        make("timm_classifier", "inception_resnet_v2", "backbone.output_stride=16")
    with pytest.raises(MismatchError, match=r"resnet18 cannot be cut into stages; choose backbone.frozen_stages=0"):
        make("timm_classifier", "resnet18", "backbone.frozen_stages=1")


@pytest.mark.parametrize("backbone", ["resnet18", "mobilenetv2", "vgg16", "timm"])
def test_backbones_of_timm_come_whole(backbone):
    with torch.device("meta"):
        model = make("timm_classifier", backbone)
    assert [len(parameter) for parameter in model.heads.parameters()] == [CLASSES, CLASSES]


@pytest.mark.parametrize("model", ["classifier", "timm_classifier"])
def test_drop_path_is_that_of_timm(model):
    network = make(model, "timm", "backbone.name=test_convnext", "backbone.drop_path=0.3")
    found = [module.drop_prob for module in network.modules() if hasattr(module, "drop_prob")]
    assert max(found) == pytest.approx(0.3) and found == sorted(found)
    network = make(model, "timm", "backbone.name=test_convnext")
    assert not any(hasattr(module, "drop_prob") for module in network.modules())
    with pytest.raises(MismatchError, match="timm cannot build it so"):
        make(model, "timm", "backbone.name=vgg11", "backbone.drop_path=0.5")
