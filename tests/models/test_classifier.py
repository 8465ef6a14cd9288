"""Classifiers: losses by hand, the layers before the classes, and sizes as published."""

import math

import pytest
import torch
from model_contracts import images, make
from torch import nn
from torch.testing import assert_close

from tradeoffs.backbones.backbone import Backbone
from tradeoffs.models.classification.classifier import Classifier
from tradeoffs.models.classification.image_classifier import ClassifierOutput
from tradeoffs.runs.build import build_model
from tradeoffs.settings.compose import compose
from tradeoffs.structures import Targets


def small(num_classes: int = 2, **options) -> Classifier:
    return Classifier(Backbone([nn.Conv2d(3, 4, 8, stride=8)], channels=[4], strides=[8]), num_classes, **options)


def loss(model: Classifier, logits: list[list[float]], **targets: torch.Tensor) -> torch.Tensor:
    (value,) = model.criterion(ClassifierOutput(torch.tensor(logits)), Targets(**targets)).values()
    return value


def test_cross_entropy_by_hand():
    """Probabilities 3/4 and 1/4 in the first image, a half each in the second."""
    logits = [[math.log(3), 0.0], [0.0, 0.0]]
    label, half = torch.tensor([0, 1]), -math.log(1 / 2)
    assert_close(loss(small(), logits, label=label), torch.tensor((-math.log(3 / 4) + half) / 2))
    smooth = small(label_smoothing=0.2)  # 0.9 and 0.1 are wanted
    first = -0.9 * math.log(3 / 4) - 0.1 * math.log(1 / 4)
    assert_close(loss(smooth, logits, label=label), torch.tensor((first + half) / 2))
    mixed = torch.tensor([[0.25, 0.75], [1.0, 0.0]])  # counts, whatever the label
    first = -0.25 * math.log(3 / 4) - 0.75 * math.log(1 / 4)
    assert_close(loss(small(), logits, label=label, label_weights=mixed), torch.tensor((first + half) / 2))


def test_binary_cross_entropy_by_hand():
    """Sigmoids of 3/4 and 1/2: the mean of four questions, the last two answered by chance."""
    logits, label, half = [[math.log(3), 0.0], [0.0, 0.0]], torch.tensor([0, 1]), -math.log(1 / 2)
    model = small(loss="binary_cross_entropy")
    assert_close(loss(model, logits, label=label), torch.tensor((-math.log(3 / 4) + 3 * half) / 4))
    mixed = torch.tensor([[0.0, 1.0], [0.1, 0.9]])  # a tenth of a cat is a cat
    assert_close(loss(model, logits, label=label, label_weights=mixed), torch.tensor((-math.log(1 / 4) + 3 * half) / 4))
    smooth = small(loss="binary_cross_entropy", label_smoothing=0.2)
    first = -0.9 * math.log(3 / 4) - 0.1 * math.log(1 / 4)
    assert_close(loss(smooth, logits, label=label), torch.tensor((first + 3 * half) / 4))


@pytest.mark.parametrize(("name", "best"), [("cross_entropy", 0.6), ("binary_cross_entropy", 0.75)])
def test_the_best_five_classes_with_their_probabilities(name, best):
    logits = torch.tensor([[0.0, math.log(3), -1.0, -30, -40, -50, -60]])
    logits[0, 2] = 0  # a softmax of 1, 3 and 1
    found = small(7, loss=name).postprocess(ClassifierOutput(logits), (64, 64))
    assert found.labels.shape == found.scores.shape == (1, 5) and found.labels[0, 0] == 1
    assert_close(found.scores[0, 0], torch.tensor(best))


def test_images_of_any_size_give_the_layers_of_vgg_their_map():
    model = make("classifier", "mobilenet", "backbone.width=0.05", "model.head=fully_connected").eval()
    widths = [(layer.in_features, layer.out_features) for layer in model.modules() if isinstance(layer, nn.Linear)]
    assert widths == [(model.backbone.channels[-1] * 49, 4096), (4096, 4096), (4096, 3)]
    assert [layer.p for layer in model.modules() if isinstance(layer, nn.Dropout)][-2:] == [0.5, 0.5]
    assert model(images()).logits.shape == model(images()[..., :64]).logits.shape == (2, 3)


@pytest.mark.parametrize(
    ("backbone", "millions"),
    [("vgg16", 138.36), ("resnet18", 11.69), ("resnet50", 25.56), ("mobilenet", 4.23), ("inception_v3", 23.83)],
)
def test_sizes_are_those_published_for_1000_classes(backbone, millions):
    """torchvision's and timm's tables. `auto` is the classifier of each architecture."""
    config = compose("train", ["model=classifier", f"backbone={backbone}"])
    with torch.device("meta"):
        model = build_model(config, 1000)
    assert round(sum(parameter.numel() for parameter in model.parameters()) / 1e6, 2) == millions
