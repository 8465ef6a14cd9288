import pytest
import torch

from tradeoffs.ops.mixing import cut_mixed, mix, mixed

IMAGES = torch.tensor([0, 200], dtype=torch.uint8).view(2, 1, 1, 1).expand(2, 3, 8, 10).contiguous()
WEIGHTS = torch.eye(2)


def test_mixup_blends_both_images_and_their_classes():
    images, weights = mixed(IMAGES, WEIGHTS, own=0.75)
    assert images[:, 0, 0, 0].tolist() == [50, 150]
    torch.testing.assert_close(weights, torch.tensor([[0.75, 0.25], [0.25, 0.75]]))


@pytest.mark.parametrize("seed", range(5))
def test_cutmix_weighs_by_the_area_that_was_pasted(seed):
    torch.manual_seed(seed)
    images, weights = cut_mixed(IMAGES, WEIGHTS, own=0.6)
    pasted = (images[0, 0] == 200).float().mean()
    torch.testing.assert_close(weights[0], torch.stack([1 - pasted, pasted]))
    assert (IMAGES[0] == 0).all()  # the batch itself is as it was


def test_one_of_both_is_drawn():
    kinds = set()
    for seed in range(20):
        torch.manual_seed(seed)
        images, weights = mix(IMAGES, WEIGHTS, mixup=0.8, cutmix=1.0)
        torch.testing.assert_close(weights.sum(dim=1), torch.ones(2))
        kinds.add(set(images.unique().tolist()) <= {0, 200})
    assert kinds == {True, False}
    torch.manual_seed(0)
    assert set(mix(IMAGES, WEIGHTS, mixup=0.0, cutmix=1.0)[0].unique().tolist()) <= {0, 200}
