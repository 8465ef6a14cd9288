import torch

from tradeoffs.structures import Batch, Detections, LabelMaps, Targets, to_original


def make_batch() -> Batch:
    targets = Targets(torch.zeros(2, 1, 4), torch.zeros(2, 1, dtype=torch.int64), torch.zeros(2, 1, dtype=torch.bool))
    return Batch(
        images=torch.zeros(2, 3, 8, 8, dtype=torch.uint8),
        targets=targets,
        geometry=torch.tensor([[2.0, 2, 0, 10], [0.5, 0.25, 0, 0]]),
        original_sizes=torch.tensor([[50, 40], [100, 200]]),
        image_ids=torch.tensor([7, 9]),
        addresses=torch.zeros(2, 3, dtype=torch.int64),
    )


def test_to_original_undoes_scale_and_offset_and_cuts_at_the_border():
    found = Detections(
        boxes=torch.tensor([[[20.0, 30, 60, 50]], [[10, 10, 120, 20]]]),
        scores=torch.ones(2, 1),
        labels=torch.zeros(2, 1, dtype=torch.int64),
        valid=torch.ones(2, 1, dtype=torch.bool),
    )
    assert to_original(found, make_batch()).boxes.tolist() == [[[10, 10, 30, 20]], [[20, 40, 200, 80]]]


def test_rows_and_moves_apply_to_all_tensors():
    batch = make_batch()
    part = batch[1:]
    assert len(part) == 1 and part.image_ids.tolist() == [9] and part.targets.masks is None
    assert part.to("cpu").targets.boxes.shape == (1, 1, 4)


def test_label_maps_at_the_size_of_the_original_images():
    """Each pixel has the class of the input's pixel in which its centre lies; mirrored, cropped, padded inputs too."""
    labels = torch.arange(12, dtype=torch.uint8).view(1, 3, 4).expand(3, 3, 4)
    geometry = torch.tensor([[2.0, 1.5, 0.0, 0.0], [-2.0, 1.5, 4.0, 0.0], [1.0, 1.0, 1.0, 1.0]])
    none = torch.zeros(3, 0, dtype=torch.int64)
    batch = Batch(
        torch.zeros(3, 3, 3, 4, dtype=torch.uint8), Targets(), geometry, torch.tensor([[2, 2]] * 3), none, none
    )
    assert [each.tolist() for each in LabelMaps(labels).originals(batch)] == [
        [[1, 3], [9, 11]],
        [[3, 1], [11, 9]],
        [[5, 6], [9, 10]],
    ]
    assert LabelMaps(labels).objects_in(batch).valid.shape == (3, 0)
