from pathlib import Path

import numpy as np
import pytest
import torch

from tradeoffs.data.coco import CocoDataset, Objects
from tradeoffs.data.resize import Resize
from tradeoffs.data.samples import Sample, Samples, collate, main_object
from tradeoffs.ops.masks import unpack
from tradeoffs.proposals.proposer import Proposed

SQUARE = Resize("warp", 64)  # of images 32 wide and 24 high
ALL = ("boxes", "masks", "keypoints")


def masks_of(sample: Sample) -> torch.Tensor:
    return unpack(sample.masks, sample.image.shape[-1])


def test_nothing_is_read_that_was_not_asked_for(tiny_coco: CocoDataset):
    sample = Samples(tiny_coco, SQUARE, annotations=("label",))[0, 1]
    assert [
        name for name in ("boxes", "labels", "masks", "keypoints", "label") if getattr(sample, name) is not None
    ] == ["label"]
    targets = collate([sample, sample]).targets
    assert targets.label.tolist() == [1, 1] and targets.boxes is targets.valid is None


def test_the_main_object_is_the_largest_that_is_no_crowd():
    boxes = torch.tensor([[0.0, 0, 9, 9], [0, 0, 2, 2], [0, 0, 5, 4], [3, 3, 8, 7]])
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1)
    objects = Objects(boxes, torch.tensor([0, 1, 2, 3]), torch.tensor([True, False, False, False]), areas)
    assert main_object(objects) == 2  # of two equal ones the first


def test_the_box_of_the_main_object_goes_along(tiny_coco: CocoDataset):
    one = Samples(tiny_coco, SQUARE, annotations=("label", "main_box"))[4, 2]
    torch.testing.assert_close(one.boxes, torch.tensor([[16, 4 * 64 / 24, 40, 14 * 64 / 24]]))
    assert collate([one, one]).targets.boxes.shape == (2, 1, 4)


def test_a_sample_has_the_wanted_objects_in_input_pixels(tiny_coco: CocoDataset):
    sample = Samples(tiny_coco, SQUARE, seed=9, annotations=ALL)[4, 2]
    assert sample.image.shape == (3, 64, 64)
    assert sample.labels.tolist() == [0]  # the only class, since joints are asked for; the crowd region is left out
    torch.testing.assert_close(sample.boxes, torch.tensor([[16, 4 * 64 / 24, 40, 14 * 64 / 24]]))
    torch.testing.assert_close(sample.keypoints[0, 0], torch.tensor([22, 7 * 64 / 24, 2]))
    assert sample.original_size.tolist() == [24, 32]
    assert sample.image_id.item() == 102
    assert sample.address.tolist() == [9, 4, 2]


def test_masks_lie_on_the_pixels_of_their_object(tiny_coco: CocoDataset):
    samples = Samples(tiny_coco, SQUARE, "ssd", seed=1, annotations=ALL)
    for epoch in range(10):
        sample = samples[epoch, 3]
        dark = (sample.image < 64).all(dim=0)  # the object is black; antialiasing greys its border
        wrong = (dark & ~masks_of(sample)[0].bool()).sum()
        assert wrong <= 0.02 * dark.sum()
        rows, columns = masks_of(sample)[0].nonzero().unbind(dim=1)
        found = torch.stack([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
        assert (found - sample.boxes[0]).abs().max() <= 2.5  # a mask's pixel of the original is up to 2.3 pixels here


def test_an_object_of_which_no_pixel_is_seen_is_not_there(tiny_coco: CocoDataset, monkeypatch):
    """Its mask was cut away, or vanished between the pixels of a smaller image; its box alone would be learnt."""
    read = CocoDataset.masks
    assert len(Samples(tiny_coco, SQUARE, annotations=("boxes", "masks"))[0, 1].boxes) == 1
    monkeypatch.setattr(CocoDataset, "masks", lambda self, index: torch.zeros_like(read(self, index)))
    sample = Samples(tiny_coco, SQUARE, annotations=("boxes", "masks"))[0, 1]
    assert len(sample.boxes) == len(sample.labels) == len(sample.masks) == 0
    assert collate([sample]).targets.masks.shape == (1, 8, 64, 8)


def test_a_sample_depends_on_its_address_alone(tiny_coco: CocoDataset):
    samples = Samples(tiny_coco, SQUARE, "ssd", seed=1)
    first = samples[0, 5]
    torch.manual_seed(99)
    samples[1, 4]
    again, other_epoch = samples[0, 5], samples[1, 5]
    assert torch.equal(first.image, again.image)
    assert not torch.equal(first.image, other_epoch.image)
    assert not torch.equal(first.image, Samples(tiny_coco, SQUARE, "ssd", seed=2)[0, 5].image)


def test_global_randomness_is_left_alone(tiny_coco: CocoDataset):
    before = torch.get_rng_state()
    Samples(tiny_coco, SQUARE, "ssd")[0, 1]
    assert torch.equal(torch.get_rng_state(), before)


def test_objects_too_small_to_learn_are_dropped(tiny_coco: CocoDataset):
    assert len(Samples(tiny_coco, Resize("warp", 3))[0, 1].boxes) == 1  # 1.1 by 1.25 pixels
    assert len(Samples(tiny_coco, Resize("warp", 2))[0, 1].boxes) == 0  # 0.75 by 0.83


def test_a_batch_is_padded_and_says_what_is_real(tiny_coco: CocoDataset):
    samples = Samples(tiny_coco, SQUARE, annotations=ALL)
    batch = collate([samples[0, 0], samples[0, 1]])  # the first has no object
    assert batch.images.shape == (2, 3, 64, 64)
    assert batch.images.is_contiguous()
    assert batch.targets.valid.tolist() == [[False] * 8, [True] + [False] * 7]
    assert batch.targets.masks.shape == (2, 8, 64, 8)  # bits
    assert batch.targets.keypoints.shape == (2, 8, 2, 3)
    assert batch.targets.boxes[~batch.targets.valid].eq(0).all()
    assert batch.targets.labels[1, 0] == 0
    assert batch.image_ids.tolist() == [100, 101]


def test_images_of_different_sizes_share_a_batch(tiny_coco: CocoDataset):
    wide = Samples(tiny_coco, Resize("shorter_edge", 48), annotations=("boxes", "masks"))[0, 1]  # 48 x 64
    tall = Samples(tiny_coco, Resize("shorter_edge", 60), annotations=("boxes", "masks"))[0, 2]  # 60 x 80
    batch = collate([wide, tall], multiple=32)
    assert batch.images.shape == (2, 3, 64, 96)
    assert torch.equal(batch.images[0, :, :48, :64], wide.image)
    assert batch.images[0, :, 48:].eq(0).all()
    assert batch.images[0, :, :, 64:].eq(0).all()
    assert torch.equal(unpack(batch.targets.masks, 96)[1, 0, :60, :80], masks_of(tall)[0])


def test_regions_go_along_with_the_image(tiny_coco: CocoDataset):
    """A region that is the object's own box stays that, however the image is cut and mirrored."""
    objects = tiny_coco.objects(3)
    own = objects.boxes[~objects.crowd].numpy()
    regions = [Proposed(own, np.ones(len(own), np.float32))] * 4
    samples = Samples(tiny_coco, SQUARE, "ssd", seed=1, regions=regions)
    found = [samples[epoch, 3] for epoch in range(12)]
    for sample in found:
        assert len(sample.boxes) == len(sample.regions.boxes) == 1
        torch.testing.assert_close(sample.boxes, sample.regions.boxes)
    assert len({tuple(sample.boxes[0].tolist()) for sample in found}) > 8


def test_regions_that_are_not_seen_are_left_out_and_rows_are_padded(tiny_coco: CocoDataset):
    boxes = np.array([[0, 0, 32, 24], [3, 3, 3.2, 20], [8, 6, 16, 12]], np.float32)  # the second is 0.4 pixels wide
    regions = [Proposed(boxes, np.array([0.9, 0.8, 0.7], np.float32)), Proposed(boxes[:1], np.ones(1, np.float32))]
    samples = Samples(tiny_coco, SQUARE, regions=regions)
    batch = collate([samples[0, 0], samples[0, 1]])
    assert batch.inputs[1] is batch.regions
    assert batch.regions.valid.sum(dim=1).tolist() == [2, 1]
    assert batch.regions.scores[0, :2].tolist() == pytest.approx([0.9, 0.7])
    torch.testing.assert_close(batch.regions.boxes[0, 1], torch.tensor([16, 16, 32, 32.0]))
    assert not batch.regions.boxes[1, 1:].any()
    assert collate([Samples(tiny_coco, SQUARE)[0, 0]]).regions is None


def test_real_photos(real_data: Path):
    folder = real_data / "coco"
    dataset = CocoDataset(folder / "val2017", folder / "annotations" / "person_keypoints_val2017.json")
    samples = Samples(dataset, Resize("letterbox", 160), "ssd", annotations=ALL)
    batch = collate([samples[0, index] for index in range(16)])
    boxes = batch.targets.boxes[batch.targets.valid]
    assert len(boxes) > 5
    assert (boxes[:, 2:] > boxes[:, :2]).all()
    assert boxes.min() >= 0
    assert boxes.max() <= 160
    inside = batch.targets.masks[batch.targets.valid].flatten(1).any(dim=1)
    assert inside.float().mean() > 0.9
