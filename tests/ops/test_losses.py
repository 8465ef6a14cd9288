import math

import torch
import torch.nn.functional as F
from torch.testing import assert_close
from torchvision.ops import generalized_box_iou_loss, sigmoid_focal_loss

from tradeoffs.ops.losses import dice_loss, focal_loss, giou_loss, pixel_cross_entropy
from tradeoffs.structures import IGNORED


def test_focal_loss_by_hand():
    """At logit 0 the cross entropy is log 2 and is halved twice: 0.25 and 0.75 are the weights."""
    loss = focal_loss(torch.zeros(1, 2, 3), torch.tensor([[1, 3]]))
    present, absent = 0.25 * 0.25 * math.log(2), 0.75 * 0.25 * math.log(2)
    assert_close(loss, torch.tensor([[present + 2 * absent, 3 * absent]]))


def test_focal_loss_equals_torchvision_on_one_hot_labels():
    generator = torch.Generator().manual_seed(0)
    logits = 8 * torch.randn(2, 50, 4, generator=generator)
    labels = torch.randint(0, 5, (2, 50), generator=generator)
    one_hot = torch.nn.functional.one_hot(labels, 5)[..., :4].float()
    ours, theirs = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    loss = focal_loss(ours, labels, alpha=0.4, gamma=1.5)
    expected = sigmoid_focal_loss(theirs, one_hot, alpha=0.4, gamma=1.5).sum(dim=-1)
    assert_close(loss, expected, atol=1e-5, rtol=1e-4)
    loss.sum().backward(), expected.sum().backward()
    assert_close(ours.grad, theirs.grad, atol=1e-5, rtol=1e-4)


def test_focal_loss_of_extreme_logits_is_finite():
    logits = torch.tensor([[[1000.0, -1000.0]]], requires_grad=True)
    loss = focal_loss(logits, torch.tensor([[1]]))
    loss.sum().backward()
    assert_close(loss, torch.tensor([[0.75 * 1000 + 0.25 * 1000]]))
    assert logits.grad.isfinite().all()


def test_giou_loss_by_hand():
    """A box of 2 x 2 and one of the same size, two to the right: no overlap, union 8 in a hull of 12."""
    boxes = torch.tensor([[0.0, 0, 2, 2], [0, 0, 2, 2], [0, 0, 2, 2]])
    targets = torch.tensor([[0.0, 0, 2, 2], [4, 0, 6, 2], [1, 0, 3, 2]])
    assert_close(giou_loss(boxes, targets), torch.tensor([0.0, 1 + 4 / 12, 1 - 2 / 6]))


def test_giou_loss_equals_torchvision():
    corners = 10 * torch.rand(2, 40, 4, generator=torch.Generator().manual_seed(0))
    boxes, targets = torch.cat([corners[..., :2], corners[..., :2] + corners[..., 2:]], dim=-1)
    boxes[0], targets[0] = 5.0, 5.0  # without area
    ours, theirs = boxes.clone().requires_grad_(), boxes.clone().requires_grad_()
    loss, expected = giou_loss(ours, targets), generalized_box_iou_loss(theirs, targets)
    assert_close(loss, expected)
    loss.sum().backward(), expected.sum().backward()
    assert_close(ours.grad[1:], theirs.grad[1:])
    assert ours.grad.isfinite().all()


def test_the_gradient_of_giou_looks_at_no_value():
    """On the meta device there is none, and on a GPU looking means waiting."""
    boxes = torch.zeros(2, 3, 4, device="meta", requires_grad=True)
    giou_loss(boxes, torch.zeros(2, 3, 4, device="meta")).sum().backward()
    assert boxes.grad.shape == boxes.shape


def test_pixel_cross_entropy_is_torchs_mean_over_what_is_not_ignored():
    torch.manual_seed(0)
    logits, labels = torch.randn(2, 3, 4, 5), torch.randint(0, 3, (2, 4, 5))
    labels[0, :2] = IGNORED
    for weights in (None, torch.tensor([1.0, 0.5, 2.0])):
        expected = F.cross_entropy(logits, labels, weight=weights, ignore_index=IGNORED)
        assert_close(pixel_cross_entropy(logits, labels, weights), expected)


def test_dice_by_hand():
    """Four pixels, one ignored. Class 0: 2 * 1.0 / (1.4 + 2); class 1: 2 * 0.6 / (1.2 + 1); class 2 is not there."""
    said = torch.tensor([[0.8, 0.1, 0.1], [0.2, 0.5, 0.3], [0.4, 0.6, 0.0], [1.0, 0.0, 0.0]]).T.view(1, 3, 2, 2)
    labels = torch.tensor([[[0, 0], [1, IGNORED]]])
    expected = 1 - (2 * 1.0 / 3.4 + 2 * 0.6 / 2.2) / 2
    assert_close(dice_loss(said, labels), torch.tensor(expected))


def test_dice_of_certainty():
    """0 where all is right, 1 where nothing is, whatever absent classes get; 0 where nothing is there."""
    labels = torch.tensor([[[0, 1], [1, 0]]])
    right = F.one_hot(labels, 3).movedim(-1, 1).float()
    assert dice_loss(right, labels) == 0
    assert dice_loss(right, 1 - labels) == 1
    assert dice_loss(right, torch.full_like(labels, IGNORED)) == 0
