"""What each setting may be by itself."""

from __future__ import annotations

import math
from dataclasses import dataclass

from omegaconf import DictConfig, OmegaConf

from tradeoffs.errors import UserError
from tradeoffs.model_facts import operating_points
from tradeoffs.settings.compose import leaves


@dataclass(frozen=True)
class Number:
    """A number from `least` to `most`, or one of the values in `also`."""

    least: float = -math.inf
    most: float = math.inf
    above: float = -math.inf  # itself excluded
    whole: bool = False
    also: tuple = ()

    def allows(self, value: object) -> bool:
        if value in self.also and not isinstance(value, bool):
            return True
        if isinstance(value, bool) or not isinstance(value, int if self.whole else int | float):
            return False
        return self.least <= value <= self.most and value > self.above

    def __str__(self) -> str:
        kind = "a whole number" if self.whole else "a number"
        return f"{kind}{self._range()}" + "".join(f", or {shown(value)}" for value in self.also)

    def _range(self) -> str:
        match self.least > -math.inf, self.most < math.inf:
            case True, True:
                return f" from {self.least} to {self.most}"
            case True, False:
                return f", {self.least} or more"
            case _:
                return f" above {self.above}" if self.above > -math.inf else ""


@dataclass(frozen=True)
class OneOf:
    """One of a few values."""

    choices: tuple

    def allows(self, value: object) -> bool:
        return any(type(value) is type(choice) and value == choice for choice in self.choices)

    def __str__(self) -> str:
        return "one of " + ", ".join(map(shown, self.choices))


@dataclass(frozen=True)
class ListOf:
    """One or more values, each as `rule` says; a single one may stand without a list."""

    rule: Number | OneOf
    also: tuple = ()  # instead of a list

    def allows(self, value: object) -> bool:
        if value in self.also:
            return True
        values = value if isinstance(value, list) else [value]
        return bool(values) and all(map(self.rule.allows, values))

    def __str__(self) -> str:
        return f"{self.rule}, or a list of such"


SWITCH = OneOf((True, False))
FRACTION = Number(0, 1)
COUNT = Number(1, whole=True)
AUTO = OneOf(("auto", True, False))

RULES = {
    "image_size": Number(32, 4096, whole=True),
    "resize": OneOf(("warp", "centre", "letterbox", "shorter_edge", "torchvision")),
    "batch_size": Number(1, whole=True, also=("auto",)),
    "epochs": Number(0, whole=True),
    "jobs": Number(1, whole=True, also=("auto",)),
    "trials": COUNT,
    "stop_hopeless": AUTO,
    "seed": Number(0, 2**32 - 1, whole=True),
    "port": Number(0, 65535, whole=True),
    "workers": Number(0, 1024, whole=True, also=("auto",)),
    "ema": Number(0, 1, also=(None,)),
    "channels_last": AUTO,
    "checkpoint_minutes": Number(above=0),
    "overwrite": SWITCH,
    "keep_last": SWITCH,
    "measure": SWITCH,
    "num_classes": Number(1, whole=True, also=(None,)),
    "batch_sizes": ListOf(COUNT),
    "precision": OneOf(("float32", "tf32", "bfloat16", "float16")),
    "compile": SWITCH,
    "cuda_graphs": SWITCH,
    "device": OneOf(("auto", "cpu", "cuda")),
    "video": OneOf(("mp4", "webm")),
    "seconds": Number(above=0),
    "minutes": Number(above=0),
    "attempts": COUNT,
    "operating_points": ListOf(COUNT, also=(None,)),
    "min_score": Number(0, 1, also=("auto",)),
    "data.source.years": OneOf(([2007], [2007, 2012])),
    "task.layer_decay": FRACTION,
    "task.pck_length": OneOf(("auto", "torso", "box")),
    "task.sigmas": ListOf(Number(above=0), also=("auto",)),
    "task.max_detections": Number(100, whole=True),
    "task.boundary_ap": SWITCH,
    "model.score_threshold": FRACTION,
    "model.nms_threshold": Number(0, 1, also=(None,)),
    "model.max_detections": COUNT,
    "model.train_proposals": COUNT,
    "model.neck": OneOf(("c4", "fpn")),
    "model.pooling": OneOf(("roi_align", "roi_align_half_pixel", "roi_pool")),
    "model.masks": OneOf(("sigmoid", "softmax")),
    "model.mask_weight": Number(0),
    "model.mask_channels": COUNT,
    "model.bins": COUNT,
    "model.crop_size": COUNT,
    "model.sampled": Number(1, whole=True, also=(None,)),
    "model.rpn_sampled": COUNT,
    "model.background_from": FRACTION,
    "model.ohem": SWITCH,
    "model.svd": ListOf(COUNT, also=(None,)),
    "model.rpn_channels": COUNT,
    "model.pyramid.channels": COUNT,
    "model.pyramid.sizes_per_map": COUNT,
    "model.pyramid.widths": ListOf(COUNT),
    "model.tower_depth": Number(0, whole=True),
    "model.focal_alpha": FRACTION,
    "model.focal_gamma": Number(0),
    "model.match_low": FRACTION,
    "model.match_high": FRACTION,
    "model.center_radius": Number(above=0),
    "model.localization_weight": Number(0, also=(None,)),
    "model.classification_weight": Number(0),
    "model.dropout": Number(0, 1, also=(None,)),
    "model.head": OneOf(("auto", "pool", "fully_connected")),
    "model.loss": OneOf(("cross_entropy", "binary_cross_entropy")),
    "model.label_smoothing": FRACTION,
    "model.whole": OneOf((True,)),
    "model.layers": COUNT,
    "model.stacks": COUNT,
    "model.depth": Number(1, 6, whole=True),
    "model.shared": SWITCH,
    "model.step": Number(1, whole=True, also=(None,)),
    "model.chunk": COUNT,
    "model.scales": ListOf(Number(above=0)),
    "model.hidden": Number(1, whole=True, also=(None,)),
    "model.sigma": Number(above=0),
    "model.decoding": OneOf(("quarter", "dark")),
    "model.flip_test": SWITCH,
    "model.boxes": OneOf(("one", "per_class")),
    "model.box_coding": OneOf(("corners", "center_size")),
    "model.box_loss": OneOf(("l2", "smooth_l1", "iou")),
    "data.source.num_train": COUNT,
    "data.source.num_val": COUNT,
    "data.source.seed": Number(0, whole=True),
    "data.source.val": Number(0.01, 0.99),
    "data.on_fault": OneOf(("stop", "drop")),
    "backbone.output_stride": OneOf((None, 8, 16, 32)),
    "backbone.frozen_stages": Number(0, whole=True),
    "backbone.width": Number(0.05, 4, also=(None,)),
    "backbone.freeze_norm": SWITCH,
    "augmentation.geometry": OneOf(("none", "flip", "ssd", "crop", "person")),
    "augmentation.scale": Number(0, 0.9),
    "augmentation.rotation": Number(0, 180),
    "augmentation.smallest_crop": Number(0.01, 1),
    "augmentation.strength": Number(0, 30, whole=True),
    "augmentation.erasing": FRACTION,
    "task.mixup": Number(0),
    "task.cutmix": Number(0),
    "task.mix_until": FRACTION,
    "backbone.drop_path": FRACTION,
    "augmentation.photometric": SWITCH,
    "split": OneOf(("train", "val")),
    "images": Number(1, whole=True, also=(None,)),
    "proposals.mode": OneOf(("fast", "quality")),
    "proposals.longest_side": COUNT,
    "proposals.count": COUNT,
    "proposals.alpha": Number(0.01, 0.99),
    "proposals.beta": FRACTION,
    "proposals.min_score": Number(0),
    "proposals.least_area": Number(0),
    "proposals.scales": ListOf(Number(0.01, 1)),
    "proposals.ratios": ListOf(Number(0.01, 100)),
    "proposals.stride": Number(0.01, 1),
    "proposals.seed": Number(0, whole=True),
    "proposals.smallest": Number(0.000001, 1),
    "proposals.longest": Number(1),
    "optimizer.lr": Number(above=0),
    "optimizer.momentum": FRACTION,
    "optimizer.weight_decay": Number(0),
    "optimizer.fused": OneOf((None, True, False)),
    "schedule.warmup": FRACTION,
    "schedule.final": FRACTION,
    "schedule.gamma": Number(above=0),
    "trainer.accelerator": OneOf(("auto", "cpu", "gpu", "cuda", "mps", "tpu")),
    "trainer.devices": Number(1, whole=True, also=("auto", -1)),
    "trainer.num_nodes": COUNT,
    "trainer.precision": OneOf(("32-true", "bf16-mixed", "16-mixed")),
    "trainer.accumulate_grad_batches": COUNT,
    "trainer.gradient_clip_val": Number(above=0, also=(None,)),
    "trainer.check_val_every_n_epoch": COUNT,
    "trainer.log_every_n_steps": COUNT,
    "trainer.limit_train_batches": Number(above=0, also=(None,)),
    "trainer.limit_val_batches": Number(above=0, also=(None,)),
    **{name: ListOf(COUNT, also=(None,)) for name in operating_points()},
    **{f"model.{name}": COUNT for name in operating_points()},
}

# Of models of one task, whose names others give to something else.
OF_TASK = {
    "detection": {
        "model.context": Number(0, whole=True),
        "model.levels": ListOf(COUNT),
        "model.widths": ListOf(COUNT),
        "model.svms": SWITCH,
        "model.cached_negatives": COUNT,
        "model.distinct_negatives": SWITCH,
        "model.box_regression": SWITCH,
        "model.box_bins": COUNT,
        "model.ridge": Number(0),
        "model.pairs_from": FRACTION,
    },
    "semantic_segmentation": {
        "model.loss": OneOf(("cross_entropy", "dice", "cross_entropy_dice")),
        "model.class_weights": ListOf(Number(0), also=(None,)),
        "model.window": Number(16, whole=True, also=(None,)),
        "model.overlap": Number(0, 0.9),
        "model.stride": OneOf((8, 16, 32)),
        "model.fully_connected": AUTO,
        "model.channels": COUNT,
        "model.most_channels": COUNT,
        "model.depth": ListOf(COUNT),
        "model.rates": ListOf(COUNT, also=(None,)),
        "model.stages": COUNT,
    },
}


def check_values(config: DictConfig) -> None:
    values = dict(leaves(OmegaConf.create(OmegaConf.to_container(config, resolve=True))))
    for key, rule in {**RULES, **OF_TASK.get(values.get("model.task"), {})}.items():
        if key in values and not rule.allows(values[key]):
            raise UserError(f"{key}={shown(values[key])} is impossible; {key} is {rule}")


def shown(value: object) -> str:
    """As it is written on the command line."""
    return str(value).lower() if isinstance(value, bool) else "null" if value is None else str(value)
