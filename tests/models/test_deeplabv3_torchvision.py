"""With the same weights, our DeepLabv3 on ResNet-50 gives the outputs, losses and labels of torchvision's."""

import re

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close
from torchvision.models.segmentation import deeplabv3_resnet50
from torchvision_checks import random_images
from torchvision_retinanet import randomize

from tradeoffs.backbones.timm import timm_backbone
from tradeoffs.models.semantic_segmentation.deeplabv3 import DeepLabV3
from tradeoffs.structures import IGNORED, Targets

NUM_CLASSES, SIZE = 5, 96
NAMES = (
    (r"backbone\.conv1\.", "backbone.stages.0.0."),
    (r"backbone\.bn1\.", "backbone.stages.0.1."),
    (r"backbone\.layer1\.", "backbone.stages.1.1."),
    (r"backbone\.layer([234])\.", r"backbone.stages.\1.0."),
    (r"classifier\.0\.convs\.([0-3])\.", r"pyramid.branches.\1."),
    (r"classifier\.0\.convs\.4\.1\.", "pyramid.image.1.0."),
    (r"classifier\.0\.convs\.4\.2\.", "pyramid.image.1.1."),
    (r"classifier\.0\.project\.", "pyramid.project."),
    (r"classifier\.1\.", "merge.0."),
    (r"classifier\.2\.", "merge.1."),
    (r"classifier\.4\.", "heads.0."),
)


def ours_named(name: str) -> str:
    return next(re.sub(pattern, new, name) for pattern, new in NAMES if re.match(pattern, name))


@pytest.fixture(scope="module")
def pair():
    torch.manual_seed(0)
    theirs = deeplabv3_resnet50(weights=None, weights_backbone=None, num_classes=NUM_CLASSES)
    randomize(theirs)
    backbone = timm_backbone("resnet50", mean=(0, 0, 0), std=(1, 1, 1), output_stride=8)
    ours = DeepLabV3(backbone, NUM_CLASSES)
    ours.load_state_dict({ours_named(name): tensor for name, tensor in theirs.state_dict().items()})
    return theirs.eval(), ours.eval()


@torch.no_grad()
def test_outputs_losses_and_labels_are_equal(pair):
    theirs, ours = pair
    images = random_images(2, SIZE)
    expected, output = theirs(images / 255)["out"], ours(images)
    assert output.logits.shape[-1] == SIZE // 8
    assert_close(F.interpolate(output.logits, size=(SIZE, SIZE), mode="bilinear"), expected, atol=1e-4, rtol=1e-4)
    assert expected.std() > 0.01  # pixels differ
    truth = torch.randint(0, NUM_CLASSES, (2, SIZE, SIZE), generator=torch.Generator().manual_seed(0))
    truth[:, :10] = IGNORED
    reference = F.cross_entropy(expected, truth, ignore_index=IGNORED)  # torchvision's reference script
    losses = ours.criterion(output, Targets(label_map=truth.to(torch.uint8)))
    assert_close(losses["cross_entropy"], reference, atol=1e-5, rtol=1e-5)
    best = expected.topk(2, dim=1).values
    sure = best[:, 0] - best[:, 1] > 1e-3
    assert torch.equal(ours.predict(images).labels[sure].long(), expected.argmax(dim=1)[sure])


@pytest.mark.parametrize(("stride", "rates"), [(8, [12, 24, 36]), (16, [6, 12, 18]), (32, [3, 6, 9])])
def test_rates_follow_the_output_stride(stride, rates):
    model = DeepLabV3(timm_backbone("resnet18", output_stride=stride), NUM_CLASSES, channels=8)
    assert [branch[0].dilation[0] for branch in model.pyramid.branches[1:]] == rates
