"""The weights that torchvision publishes, under our names: one mapping for each of its detectors that ours equal.

torchvision's outputs are in the order of COCO's 91 category ids. `classes` are the outputs to take, by label: 1 to 90
are all but the background, which is its first one and has a softmax's last place here. Names of tensors and layouts are
those of torchvision 0.13 and newer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import torch
from torch import Tensor, nn

State = Mapping[str, Tensor]

BACKGROUND = 0  # torchvision's
NO_CLASS = "N/A"  # the name of outputs for ids that COCO left out: never trained, but in the softmax
CROP = 7  # side of the crops that Faster R-CNN's second stage looks at

RESNET50_FPN = (
    (r"backbone\.body\.conv1\.", "backbone.stages.0.0."),
    (r"backbone\.body\.bn1\.", "backbone.stages.0.1."),
    (r"backbone\.body\.layer1\.", "backbone.stages.1.1."),
    (r"backbone\.body\.layer([234])\.", r"backbone.stages.\1.0."),
    (r"backbone\.fpn\.", "neck.pyramid."),
)
FCOS = (
    *RESNET50_FPN,
    (r"head\.classification_head\.conv\.", "towers.0."),
    (r"head\.regression_head\.conv\.", "towers.1."),
)
# Without group norm a tower has two layers where torchvision counts one, which has a convolution first.
RETINANET = (
    *RESNET50_FPN,
    *(
        (rf"head\.{head}_head\.conv\.{layer}\.0\.", f"towers.{tower}.{2 * layer}.")
        for tower, head in enumerate(("classification", "regression"))
        for layer in range(4)
    ),
)
FASTER_RCNN = (
    *RESNET50_FPN,
    (r"rpn\.head\.conv\.0\.0\.", "rpn.conv."),
    (r"roi_heads\.box_head\.fc6\.", "head.linear.1."),
    (r"roi_heads\.box_head\.fc7\.", "head.linear.4."),
    *((rf"roi_heads\.mask_head\.{layer}\.0\.", f"mask_head.{2 * layer}.") for layer in range(4)),
    (r"roi_heads\.mask_predictor\.conv5_mask\.", "mask_head.8."),
    (r"roi_heads\.keypoint_head\.", "keypoint_head."),
)
# torchvision counts all layers of VGG16, and its last stage is the first of the extra ones.
VGG16_LAYERS = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21)
VGG16_PLACES = ("0.0", "0.2", "1.1", "1.3", "2.1", "2.3", "2.5", "3.1", "3.3", "3.5")
SSD = (
    (r"backbone\.scale_weight$", "neck.scale"),
    *(
        (rf"backbone\.features\.{layer}\.", f"backbone.stages.{place}.")
        for layer, place in zip(VGG16_LAYERS, VGG16_PLACES, strict=True)
    ),
    (r"backbone\.extra\.0\.([135])\.", r"backbone.stages.4.\1."),
    (r"backbone\.extra\.0\.7\.", "neck.fc."),
    *((rf"backbone\.extra\.{layer}\.", f"neck.extra.{layer - 1}.") for layer in range(1, 5)),
)


def ssd(state: State, classes: Sequence[int]) -> dict[str, Tensor]:
    """Each head gives one row of offsets and logits for every box."""
    tensors = renamed(state, SSD)
    for name, logits in state.items():
        if match := re.fullmatch(r"head\.classification_head\.module_list\.(\d+)\.(weight|bias)", name):
            offsets = state[name.replace("classification", "regression")]
            boxes = len(offsets) // 4
            rows = logits.unflatten(0, (boxes, -1))[:, [*classes, BACKGROUND]]
            tensors[f"heads.{match[1]}.{match[2]}"] = interleaved(offsets.unflatten(0, (boxes, 4)), rows)
    return tensors


def faster_rcnn(state: State, classes: Sequence[int]) -> dict[str, Tensor]:
    """The first stage gives four offsets and a logit for every anchor; background has no box."""
    tensors = renamed(state, FASTER_RCNN)
    for kind in ("weight", "bias"):
        offsets, logits = (state[f"rpn.head.{layer}.{kind}"] for layer in ("bbox_pred", "cls_logits"))
        tensors[f"rpn.head.{kind}"] = interleaved(offsets.unflatten(0, (-1, 4)), logits[:, None])
        logits, offsets = (state[f"roi_heads.box_predictor.{layer}.{kind}"] for layer in ("cls_score", "bbox_pred"))
        tensors[f"classes.{kind}"] = logits[[*classes, BACKGROUND]]
        tensors[f"boxes.{kind}"] = offsets.unflatten(0, (-1, 4))[list(classes)].flatten(0, 1)
    first = tensors["head.linear.1.weight"]  # torchvision's reads crops channel by channel, ours pixel by pixel
    tensors["head.linear.1.weight"] = first.unflatten(1, (-1, CROP**2)).mT.flatten(1)
    return tensors


def mask_rcnn(state: State, classes: Sequence[int]) -> dict[str, Tensor]:
    """The same, and a mask for each class; background has none."""
    tensors = faster_rcnn(state, classes)
    for kind in ("weight", "bias"):
        tensors[f"mask_head.10.{kind}"] = state[f"roi_heads.mask_predictor.mask_fcn_logits.{kind}"][list(classes)]
    return tensors


def keypoint_rcnn(state: State, joints: Sequence[int]) -> dict[str, Tensor]:
    """The same for one class, people, and a map for each joint; joints are counted from 1, as classes are."""
    tensors, outputs = faster_rcnn(state, [1]), [joint - 1 for joint in joints]
    predictor = "roi_heads.keypoint_predictor.kps_score_lowres"
    tensors["keypoint_head.16.weight"] = state[f"{predictor}.weight"][:, outputs]
    tensors["keypoint_head.16.bias"] = state[f"{predictor}.bias"][outputs]
    return tensors


def retinanet(state: State, classes: Sequence[int]) -> dict[str, Tensor]:
    """A sigmoid for each class, for one anchor after the other."""
    tensors, anchors = renamed(state, RETINANET), len(state["head.regression_head.bbox_reg.bias"]) // 4
    for kind in ("weight", "bias"):
        logits = state[f"head.classification_head.cls_logits.{kind}"]
        tensors[f"heads.0.{kind}"] = logits.unflatten(0, (anchors, -1))[:, list(classes)].flatten(0, 1)
        tensors[f"heads.1.{kind}"] = state[f"head.regression_head.bbox_reg.{kind}"]
    return tensors


def fcos(state: State, classes: Sequence[int]) -> dict[str, Tensor]:
    """A sigmoid for each class; one head for distances and centre-ness."""
    tensors = renamed(state, FCOS)
    for kind in ("weight", "bias"):
        tensors[f"heads.0.{kind}"] = state[f"head.classification_head.cls_logits.{kind}"][list(classes)]
        boxes = [state[f"head.regression_head.{layer}.{kind}"] for layer in ("bbox_reg", "bbox_ctrness")]
        tensors[f"heads.1.{kind}"] = torch.cat(boxes)
    return tensors


# By the names that the models have in conf/model.
MAPPINGS: Mapping[str, Callable[[State, Sequence[int]], dict[str, Tensor]]] = MappingProxyType(
    {
        "ssd": ssd,
        "faster_rcnn": faster_rcnn,
        "mask_rcnn": mask_rcnn,
        "keypoint_rcnn": keypoint_rcnn,
        "retinanet": retinanet,
        "fcos": fcos,
    }
)
# What depends on the classes, in tensors of ours. Of SSD's heads it is a part.
CLASS_LAYERS = {
    "faster_rcnn": ("classes.", "boxes."),
    "mask_rcnn": ("classes.", "boxes.", "mask_head.10."),
    "keypoint_rcnn": ("keypoint_head.16.",),
    "retinanet": ("heads.0.",),
    "fcos": ("heads.0.",),
}


def put(model: str, network: nn.Module, state: State, classes: Sequence[int]) -> None:
    """Fills a whole network of ours. Raises RuntimeError where it has other shapes."""
    own = network.state_dict()
    counts = {name: tensor for name, tensor in own.items() if name.endswith("num_batches_tracked")}
    network.load_state_dict(MAPPINGS[model](state, classes) | counts)


def put_all_but_classes(model: str, network: nn.Module, state: State, num_outputs: int) -> None:
    """Fills a network for other classes; what depends on these stays as it is. `state` has `num_outputs` in all."""
    own, tensors = network.state_dict(), MAPPINGS[model](state, range(1, num_outputs))
    kept = {name: tensor for name, tensor in own.items() if name.endswith("num_batches_tracked")}
    if model == "ssd":
        for name in [name for name in tensors if name.startswith("heads.")]:
            boxes = len(tensors[name]) // (4 + num_outputs)
            offsets, logits = (part.unflatten(0, (boxes, -1)) for part in (tensors[name], own[name]))
            kept[name] = interleaved(offsets[:, :4], logits[:, 4:])
    else:
        kept |= {name: tensor for name, tensor in own.items() if name.startswith(CLASS_LAYERS[model])}
    network.load_state_dict(tensors | kept)


def renamed(state: State, names: Sequence[tuple[str, str]]) -> dict[str, Tensor]:
    """The tensors that have an equal one here, under the names of that."""
    patterns = [(re.compile(pattern), name) for pattern, name in names]
    tensors = {}
    for old, tensor in state.items():
        if old.endswith("num_batches_tracked"):  # frozen norms have none, and nobody needs them
            continue
        for pattern, name in patterns:
            if pattern.match(old):
                tensors[pattern.sub(name, old, count=1)] = tensor
                break
    return tensors


def interleaved(first: Tensor, second: Tensor) -> Tensor:
    """Rows of `N n ...` and `N m ...` in turns: `N * (n + m) ...`."""
    return torch.cat([first, second], dim=1).flatten(0, 1)
