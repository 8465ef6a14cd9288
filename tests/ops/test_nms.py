import jaxtyping
import pytest
import torch
from torchvision.ops import batched_nms

from tradeoffs.ops import nms
from tradeoffs.ops.boxes import iou
from tradeoffs.ops.nms import CPU, GPU, Pace, best_first, suppress
from tradeoffs.structures import Detections


def test_by_hand():
    boxes = torch.tensor([[[0.0, 0, 10, 10], [1, 0, 11, 10], [2, 0, 12, 10], [0, 0, 10, 10]]])
    labels = torch.tensor([[0, 0, 0, 1]])
    everything = torch.ones(1, 4, dtype=torch.bool)
    # The second falls to the first; the third, overlapping the first by 8/12, survives; the last is another class.
    assert suppress(boxes, labels, everything, 0.7).tolist() == [[True, False, True, True]]
    # A suppressed or invalid box suppresses nothing.
    assert suppress(boxes, labels, torch.tensor([[False, True, True, True]]), 0.7).tolist() == [
        [False, True, False, True]
    ]


def chain(count: int) -> torch.Tensor:
    """Each box overlaps its neighbours only: every second one falls, which takes the most rounds."""
    x = 3.0 * torch.arange(count)
    return torch.stack([x, torch.zeros(count), x + 10, torch.full((count,), 10.0)], dim=1)


def clusters(count: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(count)
    centers = torch.randint(0, 4, (count, 2), generator=generator) * 60.0
    corner = centers + 20 * torch.rand(count, 2, generator=generator)
    return torch.cat([corner, corner + 20 + 20 * torch.rand(count, 2, generator=generator)], dim=1)


def degenerate(count: int) -> torch.Tensor:
    """Every third box has no area: a line, or a point."""
    boxes = clusters(count)
    boxes[::3, 2] = boxes[::3, 0]
    boxes[::6, 3] = boxes[::6, 1]
    return boxes.repeat(2, 1)


BOXES = [
    chain(CPU.block + 2),
    chain(400),
    clusters(300),
    clusters(1),
    clusters(60).repeat(6, 1),
    clusters(1).repeat(300, 1),
    degenerate(90),
]


# The last takes what is just short of all boxes at once, and asks seldom.
PACES = [CPU, GPU, Pace(block=CPU.block, rounds=5), Pace(block=59, rounds=1), Pace(block=399, rounds=100)]


@pytest.mark.parametrize("boxes", BOXES)
@pytest.mark.parametrize("threshold", [0.0, 0.45, 0.9])
@pytest.mark.parametrize("pace", PACES)
def test_equals_torchvision_on_any_device(boxes, threshold, pace, monkeypatch):
    """Scores descend, so torchvision must keep the same rows in the same order."""
    monkeypatch.setattr(nms, "CPU", pace)
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 3, (2, len(boxes)), generator=generator)
    both = torch.stack([boxes, boxes.flip(0)])
    kept = suppress(both, labels, torch.ones_like(labels, dtype=torch.bool), threshold)
    scores = torch.linspace(1, 0, len(boxes))
    for i in range(2):
        expected = batched_nms(both[i].double(), scores.double(), labels[i], threshold)
        assert kept[i].nonzero().flatten().tolist() == expected.tolist()


@pytest.mark.parametrize("boxes", BOXES)
def test_equal_scores_leave_the_order_as_it_is(boxes):
    kept = suppress(boxes[None], None, torch.ones(1, len(boxes), dtype=torch.bool), 0.45)
    labels = torch.zeros(len(boxes), dtype=torch.int64)
    expected = batched_nms(boxes.double(), torch.ones(len(boxes), dtype=torch.float64), labels, 0.45)
    assert kept[0].nonzero().flatten().tolist() == expected.tolist()


def test_is_the_same_compiled(monkeypatch):
    """In one graph: the number of rounds depends on the data, and a chain takes half as many as it has boxes."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # its checks cannot be compiled
    boxes = torch.stack([chain(300), clusters(300)])
    valid = torch.rand(2, 300, generator=torch.Generator().manual_seed(0)) > 0.1
    torch.compiler.reset()  # other tests of this process may have compiled it as often as torch allows
    compiled = torch.compile(suppress, fullgraph=True, backend="aot_eager")
    assert torch.equal(compiled(boxes, None, valid, 0.45), suppress(boxes, None, valid, 0.45))


def test_compiled_blocks_are_as_good(monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    monkeypatch.setattr(nms, "GPU", Pace(block=70, rounds=8))
    boxes, labels = torch.stack([chain(150), clusters(150)]), torch.arange(150).expand(2, -1) // 50
    valid = torch.ones(2, 150, dtype=torch.bool)
    torch.compiler.reset()  # other tests of this process may have compiled it as often as torch allows
    compiled = torch.compile(suppress, fullgraph=True, backend="aot_eager")
    assert torch.equal(compiled(boxes, labels, valid, 0.45), suppress(boxes, labels, valid, 0.45))


@pytest.mark.parametrize("pace", [CPU, GPU])
def test_nothing_to_suppress(pace, monkeypatch):
    monkeypatch.setattr(nms, "CPU", pace)
    none = torch.zeros(2, 0, dtype=torch.bool)
    assert suppress(torch.zeros(2, 0, 4), None, none, 0.5).shape == (2, 0)
    assert not suppress(torch.rand(2, 3, 4), None, torch.zeros(2, 3, dtype=torch.bool), 0.5).any()


def test_best_first_moves_kept_rows_to_the_front():
    values = Detections(
        boxes=torch.arange(16.0).view(1, 4, 4),
        scores=torch.tensor([[0.9, 0.8, 0.7, 0.6]]),
        labels=torch.tensor([[3, 2, 1, 0]]),
        valid=torch.ones(1, 4, dtype=torch.bool),
    )
    best = best_first(values, torch.tensor([[False, True, False, True]]), 3)
    assert best.labels[0, :2].tolist() == [2, 0]
    assert best.valid.tolist() == [[True, True, False]]
    assert best.boxes[0, 0].tolist() == [4, 5, 6, 7]


@pytest.mark.parametrize("pace", [CPU, GPU])
def test_thousands_are_compared_block_by_block(pace, monkeypatch):
    """No matrix has a row and a column for each of 6000 boxes; as many survive as where a CPU looks at one class."""
    compared = []

    def spy(a, b):
        compared.append((a.shape[1], b.shape[1]))
        return iou(a, b)

    monkeypatch.setattr(nms, "iou", spy)
    monkeypatch.setattr(nms, "CPU", pace)
    boxes, valid = clusters(6000)[None], torch.ones(1, 6000, dtype=torch.bool)
    kept = suppress(boxes, torch.zeros(1, 6000, dtype=torch.int64), valid, 0.7)
    assert compared[0] == (pace.block, 6000) and max(rows for rows, _ in compared) <= pace.block
    compared.clear()
    assert torch.equal(suppress(boxes, None, valid, 0.7), kept) and not compared
