import numpy as np
import torch

from tradeoffs.data.image_changes import ImageChanges
from tradeoffs.data.resize import MEAN_COLOUR

IMAGE = torch.randint(0, 256, (3, 40, 50), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_nothing_is_changed_by_default():
    assert ImageChanges()(IMAGE, np.random.default_rng(0)) is IMAGE


def test_changes_depend_on_the_generator_alone():
    change, before = ImageChanges(strength=9, erasing=0.5), torch.get_rng_state()
    first, again, other = (change(IMAGE, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first.shape == IMAGE.shape and first.dtype == torch.uint8
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_erasing_paints_a_rectangle():
    erased = ImageChanges(erasing=1.0)(IMAGE, np.random.default_rng(0))
    changed = (erased != IMAGE).any(dim=0)
    rows, columns = changed.any(dim=1).nonzero()[:, 0], changed.any(dim=0).nonzero()[:, 0]
    inside = erased[:, rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    assert (inside == torch.tensor(MEAN_COLOUR, dtype=torch.uint8)[:, None, None]).all()
    assert 0.02 * 0.8 < inside[0].numel() / IMAGE[0].numel() < 0.33 * 1.2
