"""The plain network: its weights from a file, and what there is not."""

import pytest
import torch
from torch.testing import assert_close

from tradeoffs.backbones.convnet import convnet
from tradeoffs.errors import UserError


def test_weights_come_from_a_file(tmp_path):
    saved = convnet(channels=(2, 3))
    torch.save(saved.stages.state_dict(), tmp_path / "weights.pt")
    loaded = convnet(str(tmp_path / "weights.pt"), channels=(2, 3))
    images = torch.randint(0, 256, (1, 3, 30, 30), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    for found, expected in zip(loaded(images), saved(images), strict=True):
        assert_close(found, expected)
    with pytest.raises(UserError, match="of another architecture"):
        convnet(str(tmp_path / "weights.pt"), channels=(2, 3, 4))


def test_there_are_no_pretrained_ones():
    with pytest.raises(UserError, match="there are none of convnet; give none or a file's path"):
        convnet("pretrained")
