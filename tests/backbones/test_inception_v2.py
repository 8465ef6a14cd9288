import pytest
import torch
from safetensors.torch import save_file

from tradeoffs.backbones.inception_v2 import average_pool, inception_v2, max_pool
from tradeoffs.errors import UserError


def test_average_pooling_leaves_the_padding_out():
    corner = average_pool()(torch.tensor([[[[1.0, 2.0], [3.0, 6.0]]]]))
    assert torch.equal(corner, torch.full((1, 1, 2, 2), 3.0))  # not 12 / 9


@pytest.mark.parametrize(("side", "expected"), [(4, [-1, -3]), (5, [-1, -2, -4])])
def test_pooling_pads_as_in_tensorflow(side, expected):
    """Windows of stride 2 start at the first pixel where the side is even, and one before it where it is odd."""
    x = -torch.arange(1.0, side + 1).expand(1, 1, side, side)
    assert max_pool(stride=2)(x)[0, 0, 0].tolist() == expected


def test_stages_end_at_the_layers_detectors_use():
    names = [list(dict(stage.named_children()))[-1] for stage in inception_v2().stages]
    assert names == ["Conv2d_1a_7x7", "Conv2d_2c_3x3", "Mixed_3c", "Mixed_4e", "Mixed_5c"]


def test_weights_come_from_a_file_by_the_names_of_layers(tmp_path):
    path = tmp_path / "weights.safetensors"
    backbone = inception_v2().eval()
    tensors = backbone.state_dict()
    save_file({name.split(".", 2)[2]: tensor for name, tensor in tensors.items()}, path)  # without "stages.0."
    other = inception_v2(weights=str(path)).eval()
    assert all(torch.equal(tensor, tensors[name]) for name, tensor in other.state_dict().items())


def test_pretrained_weights_do_not_exist():
    with pytest.raises(UserError, match="give none or a file's path"):
        inception_v2(weights="pretrained")


def test_untrained_maps_keep_their_scale_even_with_batch_norm_frozen():
    torch.manual_seed(0)
    images = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8)
    with torch.no_grad():
        assert all(0.1 < float(feature.std()) < 10 for feature in inception_v2(freeze_norm=True)(images))
