import pytest
import timm
import torch
from safetensors.torch import save_file

from tradeoffs.backbones.inception import inception_resnet_v2, inception_v3
from tradeoffs.errors import UserError


def images(size: int) -> torch.Tensor:
    return torch.randint(0, 256, (1, 3, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("build", [inception_v3, inception_resnet_v2])
def test_a_classifiers_file_gives_its_features(tmp_path, build):
    torch.manual_seed(0)
    path = tmp_path / "weights.safetensors"
    extra = {"aux_logits": True} if build is inception_v3 else {}
    classifier = timm.create_model(build.__name__, num_classes=3, **extra).eval()
    save_file(classifier.state_dict(), path)
    with torch.no_grad():
        features = build(weights=str(path)).eval()(images(107))
        expected = classifier.forward_intermediates(images(107) / 127.5 - 1, intermediates_only=True)
    for ours, theirs in zip(features, expected, strict=True):
        torch.testing.assert_close(ours / theirs.std(), theirs / theirs.std(), atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize(("output_stride", "strides"), [(16, (2, 4, 8, 16, 16)), (8, (2, 4, 8, 8, 8))])
def test_dilation_computes_the_same_on_a_finer_grid(output_stride, strides):
    torch.manual_seed(0)
    plain = inception_resnet_v2().eval()
    dense = inception_resnet_v2(output_stride=output_stride).eval()
    dense.load_state_dict(plain.state_dict())
    assert dense.strides == strides
    with torch.no_grad():
        coarse, fine = plain(images(107)), dense(images(107))
    assert fine[-1].shape[-1] > coarse[-1].shape[-1]
    for few, many, stride, denser in zip(coarse, fine, plain.strides, dense.strides, strict=True):
        step = stride // denser
        torch.testing.assert_close(many[..., ::step, ::step], few, atol=1e-3, rtol=1e-3)


def test_unknown_output_stride_says_which_there_are():
    with pytest.raises(UserError, match="output_stride=4: inception_resnet_v2 offers 8 and 16"):
        inception_resnet_v2(output_stride=4)


@pytest.mark.parametrize("build", [inception_v3, inception_resnet_v2])
def test_untrained_maps_keep_their_scale_even_with_batch_norm_frozen(build):
    torch.manual_seed(0)
    with torch.no_grad():
        assert all(0.01 < float(feature.std()) < 10 for feature in build(freeze_norm=True)(images(107)))
