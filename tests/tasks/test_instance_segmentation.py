"""The task with a model that finds the true masks."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest
import small_runs
import torch
from pycocotools import mask as rle
from pytorch_lightning import Trainer
from torch import Tensor, nn

from tradeoffs.data.module import CocoDataModule
from tradeoffs.data.sources import coco_folder
from tradeoffs.errors import UserError
from tradeoffs.ops.masks import cut_out
from tradeoffs.structures import Instances, Targets
from tradeoffs.tasks.instance_segmentation import InstanceSegmentationTask


class Oracle(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images

    def criterion(self, output: Tensor, targets: Targets) -> dict[str, Tensor]:
        self.targets = targets
        return {"none": torch.zeros(())}

    def postprocess(self, output: Tensor, image_size: tuple[int, int], pasted: bool) -> Instances:
        true = self.targets
        places = torch.arange(true.labels.shape[1]).expand_as(true.labels)
        masks = cut_out(true.masks, places, true.boxes, image_size[1], side=28)
        scores = torch.full(true.labels.shape, 0.9)
        return Instances(true.boxes, scores, true.labels, true.valid, masks.unflatten(0, true.labels.shape))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_runs.write_data(tmp_path_factory.mktemp("data"))


def data_of(root: Path, resize: str = "warp") -> CocoDataModule:
    settings = {"image_size": 48, "batch_size": 4, "workers": 0, "augmentation": "none", "photometric": False}
    annotations = {"annotations": ("boxes", "masks")}
    return CocoDataModule("tiny", partial(coco_folder, root=root), resize=resize, **settings, **annotations)


def validated(root: Path, folder: Path, resize: str = "warp", **options) -> InstanceSegmentationTask:
    quiet = dict.fromkeys(("logger", "enable_progress_bar", "enable_model_summary", "enable_checkpointing"), False)
    task = InstanceSegmentationTask(Oracle(), **options)
    Trainer(accelerator="cpu", default_root_dir=folder, num_sanity_val_steps=0, **quiet).validate(
        task, datamodule=data_of(root, resize), verbose=False
    )
    return task


@pytest.mark.parametrize("resize", ["warp", "letterbox", "shorter_edge"])
def test_true_masks_find_back_into_the_originals(root, tmp_path, resize):
    """Images of several widths, in a batch that is padded; masks are of 28 x 28 parts, boxes are exact."""
    task = validated(root, tmp_path, resize, boundary_ap=True)
    summary = task.scores.summary
    assert summary["box_mAP"] == pytest.approx(1) and summary["mask_AP75"] == pytest.approx(1)
    assert summary["mask_mAP"] > 0.75 and summary["boundary_mAP"] > 0.2
    for each in task.metric.predictions():
        x, y, width, height = rle.toBbox(each["segmentation"]).tolist()
        left, top, box_width, box_height = each["bbox"]
        assert (
            abs(x - left) <= 2 and abs(y - top) <= 2 and abs(width - box_width) <= 3 and abs(height - box_height) <= 3
        )


def test_pictures_show_the_masks(root, tmp_path):
    task = validated(root, tmp_path)
    batch = next(iter(task.trainer.datamodule.val_dataloader()))
    task.model.criterion(batch.images, batch.targets)
    found = task.postprocess(batch.images, (48, 48))
    empty = Instances(found.boxes, found.scores, found.labels, found.valid, torch.zeros_like(found.masks))
    (drawn, caption), (without, _) = (task.draw([(batch, each)], 120) for each in (found, empty))
    assert len(drawn) == len(batch) and "dashed" in caption
    for row, (one, other) in enumerate(zip(drawn, without, strict=True)):
        changed = (one != other).any(dim=0).float().mean()
        boxes = batch.targets.boxes[row][batch.targets.valid[row]]
        area = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1).sum() / 48**2
        assert 0.5 * area < changed <= 1.2 * area


def test_a_headline_that_is_not_computed_is_refused():
    with pytest.raises(UserError, match=r"needs task\.boundary_ap=true"):
        InstanceSegmentationTask(Oracle(), headline="boundary_mAP")


def test_objects_without_masks_are_said_before_training(tmp_path):
    root = small_runs.write_data(tmp_path)
    file = small_runs.annotation_file(root, "train")
    content = json.loads(file.read_text())
    content["annotations"][3].pop("segmentation")
    content["annotations"][4]["segmentation"] = [[1, 1, 2, 2]]
    file.write_text(json.dumps(content))
    with pytest.raises(UserError) as caught:
        data_of(root).setup()
    said = "\n".join([str(caught.value), *caught.value.details])
    assert "has no mask (segmentation)" in said and "no polygon of its segmentation has three points" in said
