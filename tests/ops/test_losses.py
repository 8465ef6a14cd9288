import math

import torch
from torch.testing import assert_close
from torchvision.ops import generalized_box_iou_loss, sigmoid_focal_loss

from tradeoffs.ops.losses import focal_loss, giou_loss


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
