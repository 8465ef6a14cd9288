from pathlib import Path

import torch

from tradeoffs.data.coco import CocoDataset
from tradeoffs.data.resize import Resize
from tradeoffs.data.samples import Samples, collate

SQUARE = Resize("warp", 64)  # of images 32 wide and 24 high


def test_a_sample_has_the_wanted_objects_in_input_pixels(tiny_coco: CocoDataset):
    sample = Samples(tiny_coco, SQUARE, seed=9, with_masks=True, with_keypoints=True)[4, 2]
    assert sample.image.shape == (3, 64, 64)
    assert sample.labels.tolist() == [1]  # the crowd region of class 0 is left out
    torch.testing.assert_close(sample.boxes, torch.tensor([[16, 4 * 64 / 24, 40, 14 * 64 / 24]]))
    torch.testing.assert_close(sample.keypoints[0, 0], torch.tensor([22, 7 * 64 / 24, 2]))
    assert sample.original_size.tolist() == [24, 32]
    assert sample.image_id.item() == 102
    assert sample.address.tolist() == [9, 4, 2]


def test_masks_lie_on_the_pixels_of_their_object(tiny_coco: CocoDataset):
    samples = Samples(tiny_coco, SQUARE, "ssd", seed=1, with_masks=True)
    for epoch in range(10):
        sample = samples[epoch, 3]
        dark = (sample.image < 64).all(dim=0)  # the object is black; antialiasing greys its border
        wrong = (dark & ~sample.masks[0].bool()).sum()
        assert wrong <= 0.02 * dark.sum()
        rows, columns = sample.masks[0].nonzero().unbind(dim=1)
        found = torch.stack([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
        assert (found - sample.boxes[0]).abs().max() <= 2.5  # a mask's pixel of the original is up to 2.3 pixels here


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
    samples = Samples(tiny_coco, SQUARE, with_masks=True, with_keypoints=True)
    batch = collate([samples[0, 0], samples[0, 1]])  # the first has no object
    assert batch.images.shape == (2, 3, 64, 64)
    assert batch.images.is_contiguous()
    assert batch.targets.valid.tolist() == [[False] * 8, [True] + [False] * 7]
    assert batch.targets.masks.shape == (2, 8, 64, 64)
    assert batch.targets.keypoints.shape == (2, 8, 2, 3)
    assert batch.targets.boxes[~batch.targets.valid].eq(0).all()
    assert batch.targets.labels[1, 0] == 1
    assert batch.image_ids.tolist() == [100, 101]


def test_images_of_different_sizes_share_a_batch(tiny_coco: CocoDataset):
    wide = Samples(tiny_coco, Resize("shorter_edge", 48), with_masks=True)[0, 1]  # 48 x 64
    tall = Samples(tiny_coco, Resize("shorter_edge", 60), with_masks=True)[0, 2]  # 60 x 80
    batch = collate([wide, tall], multiple=32)
    assert batch.images.shape == (2, 3, 64, 96)
    assert torch.equal(batch.images[0, :, :48, :64], wide.image)
    assert batch.images[0, :, 48:].eq(0).all()
    assert batch.images[0, :, :, 64:].eq(0).all()
    assert torch.equal(batch.targets.masks[1, 0, :60, :80], tall.masks[0])


def test_real_photos(real_data: Path):
    folder = real_data / "coco"
    dataset = CocoDataset(folder / "val2017", folder / "annotations" / "person_keypoints_val2017.json")
    samples = Samples(dataset, Resize("letterbox", 160), "ssd", with_masks=True, with_keypoints=True)
    batch = collate([samples[0, index] for index in range(16)])
    boxes = batch.targets.boxes[batch.targets.valid]
    assert len(boxes) > 5
    assert (boxes[:, 2:] > boxes[:, :2]).all()
    assert boxes.min() >= 0
    assert boxes.max() <= 160
    inside = batch.targets.masks[batch.targets.valid].flatten(1).any(dim=1)
    assert inside.float().mean() > 0.9
