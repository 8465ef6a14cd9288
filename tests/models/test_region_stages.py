"""What R-CNN and SPP-net learn after descent, against scikit-learn; vectors are told by the boxes of regions alone."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge
from sklearn.svm import LinearSVC
from torch.testing import assert_close
from torchvision.ops import box_iou, nms

from tradeoffs.models.detection import region_svms
from tradeoffs.models.detection.region_boxes import PairSums, regress_boxes
from tradeoffs.models.detection.region_svms import MinedSVMs, negatives, train_svms
from tradeoffs.models.detection.rpn import Proposals
from tradeoffs.structures import Batch, Regions, Targets

# To four digits ten thousand rounds are too few here, for both alike.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
CLASSES, CHANNELS, COUNT = 3, 12, 40


def describe(images: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
    """Vectors that tell the shape, the size and the place of boxes."""
    sides = (boxes[..., 2:] - boxes[..., :2]).clamp(min=1)
    shape, size = (sides[..., :1] / sides[..., 1:]).log(), sides.prod(dim=-1, keepdim=True).log() - 5
    seen = torch.cat([3 * shape, shape.abs(), size, boxes[..., :2] / 30 - 1], dim=-1)
    return seen @ torch.randn(5, CHANNELS, generator=torch.Generator().manual_seed(5))


def batch(seed: int, count: int = COUNT) -> Batch:
    """Two images. Objects of class 0 are wide, those of class 1 high; class 2 has none.

    Some regions lie at objects, the others are almost square.
    """
    generator = torch.Generator().manual_seed(seed)
    corners = 60 * torch.rand(2, 2, 2, generator=generator)
    boxes = torch.cat([corners, corners + torch.tensor([[30.0, 10], [10, 30]])], dim=2)
    boxes[1, 1] = boxes[1, 0]
    near = boxes.repeat(1, 4, 1) + 2 * torch.randn(2, 8, 4, generator=generator)
    corners = 60 * torch.rand(2, count - 8, 2, generator=generator)
    sides = (8 + 20 * torch.rand(2, count - 8, 1, generator=generator)) * (
        1 + 0.6 * torch.rand(2, count - 8, 2, generator=generator)
    )
    anywhere = torch.cat([corners, corners + sides], dim=2)
    valid = torch.ones(2, count, dtype=torch.bool)
    valid[1, -3:] = False
    regions = Regions(torch.cat([near, anywhere], dim=1) * valid[..., None], torch.ones(2, count), valid)
    targets = Targets(boxes, torch.tensor([[0, 1], [0, 1]]), torch.tensor([[True, True], [True, False]]))
    targets.boxes[1, 1] = 0
    zeros = torch.zeros(2, 2, dtype=torch.int64)
    images = torch.zeros(2, 3, 100, 100, dtype=torch.uint8)
    return Batch(images, targets, zeros.repeat(1, 2).float(), zeros, zeros[:, 0], torch.zeros(2, 3).long(), regions)


BATCHES = [batch(seed) for seed in range(6)]


def single_images(batches: list[Batch] = BATCHES) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Objects, labels, regions: what is real of each image."""
    for each in batches:
        for row in range(len(each)):
            seen, valid, given = each.targets, each.targets.valid[row], each.regions
            yield seen.boxes[row][valid], seen.labels[row][valid], given.boxes[row][given.valid[row]]


def examples(label: int, distinct: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of a class's objects and of its negatives, scaled as in the paper, one image after the other."""
    positives, rejected, norms = [], [], []
    for boxes, labels, regions in single_images():
        own = boxes[labels == label]
        free = torch.ones(len(regions), dtype=torch.bool)
        if len(own):
            free = box_iou(own, regions).amax(dim=0) < 0.3
        chosen = regions[free]
        if distinct:
            chosen = chosen[nms(chosen, torch.arange(len(chosen), 0, -1.0), 0.7)]
        positives.append(describe(None, own))
        rejected.append(describe(None, chosen))
        norms.append(describe(None, regions).norm(dim=1))
    scale = 20 / torch.cat(norms).mean()
    return (scale * torch.cat(positives)).numpy(), (scale * torch.cat(rejected)).numpy()


def margins_of_everything(label: int, distinct: bool = False, cost: float = 0.01) -> torch.Tensor:
    """What scikit-learn says of all regions, having seen all of them."""
    positives, rejected = examples(label, distinct)
    machine = LinearSVC(
        C=cost, loss="hinge", intercept_scaling=10, class_weight={1: 2}, max_iter=10_000, random_state=0
    )
    machine.fit(np.concatenate([positives, rejected]), [1] * len(positives) + [-1] * len(rejected))
    regions = all_vectors()
    return torch.from_numpy(machine.decision_function((20 / regions.norm(dim=1).mean() * regions).numpy())).float()


def all_vectors() -> torch.Tensor:
    return torch.cat([describe(None, regions) for *_, regions in single_images()])


@pytest.fixture(autouse=True)
def exact(monkeypatch) -> None:
    """With the paper's tolerance, what is learnt depends on rounding."""
    monkeypatch.setattr(region_svms, "TOLERANCE", 1e-4)


@pytest.fixture
def costly(monkeypatch) -> None:
    """With the paper's cost, a few objects are not worth a weight."""
    monkeypatch.setattr(region_svms, "COST", 0.01)


@pytest.mark.parametrize("distinct", [False, True])
def test_machines_are_scikit_learns_where_the_cache_holds_all_negatives(distinct, costly):
    weight, bias = train_svms(describe, BATCHES, CLASSES, COUNT, 4000, distinct)
    for label in (0, 1):
        expected = margins_of_everything(label, distinct)
        assert_close(all_vectors() @ weight[label] + bias[label], expected, atol=1e-3, rtol=1e-3)
        assert expected.std() > 0.3


def test_the_cost_is_the_papers():
    weight, bias = train_svms(describe, BATCHES, CLASSES, COUNT, 4000, False)
    expected = margins_of_everything(0, cost=1e-3)
    assert_close(all_vectors() @ weight[0] + bias[0], expected, atol=1e-4, rtol=1e-4)


def test_a_class_without_objects_is_never_found():
    weight, bias = train_svms(describe, BATCHES, CLASSES, COUNT, 4000, False)
    assert not weight[2].any() and bias[2] < -10


def test_mining_comes_close_to_training_on_everything(monkeypatch, costly):
    """With few negatives in the cache, and a training on the way."""
    monkeypatch.setattr(region_svms, "RETRAIN", 60)
    trainings, train = [], MinedSVMs.train
    monkeypatch.setattr(MinedSVMs, "train", lambda self, label: (trainings.append(label), train(self, label)))
    weight, bias = train_svms(describe, BATCHES, CLASSES, COUNT, 110, False)
    for label in (0, 1):
        assert trainings.count(label) >= 2
        mined = all_vectors() @ weight[label] + bias[label]
        assert torch.corrcoef(torch.stack([mined, margins_of_everything(label)]))[0, 1] > 0.95


def test_machines_are_the_same_each_time(monkeypatch):
    monkeypatch.setattr(region_svms, "RETRAIN", 60)
    first, again = (train_svms(describe, BATCHES, CLASSES, COUNT, 50, True) for _ in range(2))
    assert all(torch.equal(*pair) for pair in zip(first, again, strict=True))


@pytest.mark.parametrize("times", [1, 10])
def test_what_is_kept_does_not_grow_with_the_regions(times, monkeypatch):
    """Negatives that look like the objects are all hard."""
    monkeypatch.setattr(region_svms, "RETRAIN", 100)
    generator, most = torch.Generator().manual_seed(0), []
    machines = MinedSVMs([torch.randn(20, 4, generator=generator) for _ in range(2)], cached=150)
    train = MinedSVMs.train

    def watched(self, label):
        most.append(sum(part.untyped_storage().nbytes() for part in self.negatives[label]))
        train(self, label)
        most.append(sum(part.untyped_storage().nbytes() for part in self.negatives[label]))

    monkeypatch.setattr(MinedSVMs, "train", watched)
    for _ in range(3):
        machines.add(torch.randn(1000 * times, 4, generator=generator), torch.ones(1000 * times, 2, dtype=torch.bool))
    machines.finish()
    rows = max(most) / (4 * 4)
    assert 150 < rows <= 150 + 2 * 100
    assert all(sum(map(len, parts)) == 150 for parts in machines.negatives)


def test_the_cache_keeps_the_hardest_and_drops_the_easy():
    """Along one axis, with objects at 20: the hardest negatives are those next to them, those far away are easy."""
    places = torch.cat([torch.linspace(-30, 10, 401), torch.full((50,), -200.0)])[:, None]
    for cached in (30, 4000):
        machines = MinedSVMs([torch.full((200, 1), 20.0)], cached)
        machines.add(places, torch.ones(len(places), 1, dtype=torch.bool))
        machines.finish()
        margins = (places @ machines.weight[0] + machines.bias[0]).double()
        best = margins.sort(descending=True).values[:cached]
        assert_close(torch.cat(machines.negatives[0]), places[margins >= max(best[-1].item(), -1.2)])
        assert margins[-1] < -1.2 < margins[400]


def test_negatives_by_hand():
    """IoU with the object of class 1: 1, 0.4, 0.2, 0; the last is padding. The third overlaps the second by 0.75."""
    boxes = torch.tensor(
        [[[0.0, 0, 10, 10], [0, 0, 4, 10], [0, 0, 2, 10], [50, 0, 60, 10], [50, 0, 60, 8], [0, 0, 0, 0]]]
    )
    regions = Proposals(boxes, torch.tensor([[True] * 5 + [False]]))
    target = Targets(torch.tensor([[[0.0, 0, 10, 10]]]), torch.tensor([[1]]), torch.tensor([[True]]))
    assert negatives(regions, target, 2, distinct=False)[0].int().tolist() == [[1, 1, 1, 1, 1, 0], [0, 0, 1, 1, 1, 0]]
    assert negatives(regions, target, 2, distinct=True)[0].int().tolist() == [[1, 1, 1, 1, 0, 0], [0, 0, 1, 1, 0, 0]]


def test_regression_is_scikit_learns_of_scaled_vectors_however_they_come():
    generator = torch.Generator().manual_seed(0)
    vectors = torch.randn(90, 6, generator=generator) + 1
    offsets = vectors @ torch.randn(6, 4, generator=generator) + torch.randn(90, 4, generator=generator) + 3
    labels = torch.arange(90) % 2 * 2  # no pairs of class 1
    sums = PairSums(3, 6)
    for part in torch.arange(90).split(25):
        sums.add(vectors[part], offsets[part], labels[part])
    weight, bias = sums.solve(ridge=1000.0)
    scaled = 20 / vectors.norm(dim=1).mean() * vectors
    for label in (0, 2):
        own = labels == label
        expected = Ridge(alpha=1000.0).fit(scaled[own].double().numpy(), offsets[own].double().numpy())
        found = vectors[own].double() @ weight[4 * label : 4 * label + 4].T + bias[4 * label : 4 * label + 4]
        assert_close(found.float(), torch.from_numpy(expected.predict(scaled[own].double().numpy())).float())
    assert not weight[4:8].any() and not bias[4:8].any()


def test_pairs_are_regions_and_the_objects_that_they_overlap_most():
    weight, bias = regress_boxes(describe, BATCHES, CLASSES, COUNT, 10.0, 0.6)
    sums = PairSums(CLASSES, CHANNELS)
    for boxes, labels, regions in single_images():
        overlap, nearest = box_iou(boxes, regions).max(dim=0)
        pairs = overlap >= 0.6
        own, wanted = regions[pairs], boxes[nearest[pairs]]
        side, shift = own[:, 2:] - own[:, :2], (wanted[:, :2] + wanted[:, 2:] - own[:, :2] - own[:, 2:]) / 2
        ratio = (wanted[:, 2:] - wanted[:, :2]) / side
        offsets = torch.cat([10 * shift / side, 5 * ratio.log()], dim=1)
        sums.add(describe(None, own), offsets, labels[nearest[pairs]])
    assert {label: int(products[-1, -1]) for label, products in sums.products.items()}.keys() == {0, 1}
    expected = sums.solve(10.0)
    assert_close((weight, bias), expected, atol=1e-5, rtol=1e-4)
    assert weight[:8].abs().max() > 0.01


def test_without_any_pair_nothing_is_regressed():
    weight, bias = regress_boxes(describe, BATCHES, CLASSES, COUNT, 10.0, 1.0)
    assert weight.shape == (4 * CLASSES, CHANNELS) and not weight.any() and not bias.any()
