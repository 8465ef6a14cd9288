import pickle
from pathlib import Path

import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file

from tradeoffs.backbones.mobilenet import mobilenet
from tradeoffs.backbones.timm import timm_backbone
from tradeoffs.errors import UserError


@pytest.fixture(scope="module")
def classifier() -> torch.nn.Module:
    torch.manual_seed(0)
    return timm.create_model("resnet18", num_classes=3).eval()


def features(classifier: torch.nn.Module, images: torch.Tensor) -> torch.Tensor:
    mean, std = (torch.tensor(classifier.default_cfg[key]).view(3, 1, 1) for key in ("mean", "std"))
    return classifier.forward_features((images / 255 - mean) / std)


@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_a_classifiers_file_gives_its_features(tmp_path, classifier, suffix):
    path = tmp_path / f"weights.{suffix}"
    (save_file if suffix == "safetensors" else torch.save)(classifier.state_dict(), path)
    images = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8)
    with torch.no_grad():
        ours = timm_backbone("resnet18", weights=str(path)).eval()(images)[-1]
        torch.testing.assert_close(ours, features(classifier, images), atol=1e-4, rtol=1e-4)


def test_a_file_fits_a_network_that_gives_all_its_maps_at_once(tmp_path):
    path = tmp_path / "vit.safetensors"
    transformer = timm.create_model("vit_tiny_patch16_224", img_size=32)
    save_file(transformer.state_dict(), path)
    loaded = timm_backbone("vit_tiny_patch16_224", weights=str(path), img_size=32).stages[0].model.state_dict()
    assert loaded and all(
        torch.equal(loaded[name], value) for name, value in transformer.state_dict().items() if name in loaded
    )


def test_another_architecture_is_named_with_what_does_not_fit(tmp_path, classifier):
    path = tmp_path / "resnet18.safetensors"
    save_file(classifier.state_dict(), path)
    with pytest.raises(UserError) as error:
        timm_backbone("resnet50", weights=str(path))
    assert str(error.value) == (  # short, though 188 tensors do not fit
        f"backbone.weights={path} is of another architecture: "
        "missing 165 (layer1.0.conv3.weight, layer1.0.bn3.weight, layer1.0.bn3.bias, ...); "
        "other shapes 23 (layer1.0.conv1.weight is (64, 64, 3, 3) instead of (64, 64, 1, 1), ...)"
    )
    with pytest.raises(UserError, match=r"unexpected 96 \((layer\d\.\d\.[\w.]+, ){3}\.\.\.\)$"):
        save_file(timm.create_model("resnet34").state_dict(), path)
        timm_backbone("resnet18", weights=str(path))


@pytest.mark.parametrize("content", [b"", b"not weights", b"\x80\x04garbage"])
@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_a_damaged_file_is_one_line(tmp_path, content, suffix):
    path = tmp_path / f"weights.{suffix}"
    path.write_bytes(content)
    with pytest.raises(UserError, match="cannot be read as weights"):
        timm_backbone("resnet18", weights=str(path))


def test_missing_file_and_unknown_format(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        timm_backbone("resnet18", weights=str(tmp_path / "none.pth"))
    (tmp_path / "weights.zip").touch()
    with pytest.raises(UserError, match="unknown format"):
        timm_backbone("resnet18", weights=str(tmp_path / "weights.zip"))


class Bomb:
    def __init__(self, trace: Path):
        self.trace = trace

    def __reduce__(self):
        return (Path.touch, (self.trace,))


def test_a_file_never_runs_code(tmp_path):
    path, trace = tmp_path / "weights.pth", tmp_path / "trace"
    torch.save({"state_dict": Bomb(trace)}, path)
    with pytest.raises(UserError, match="cannot be read as weights"):
        timm_backbone("resnet18", weights=str(path))
    path.write_bytes(pickle.dumps(Bomb(trace)))
    with pytest.raises(UserError):
        timm_backbone("resnet18", weights=str(path))
    assert not trace.exists()


def test_real_weights_tell_photos_apart(real_data):
    """MobileNet's features of photos of one class are alike; with wrong padding or scaling they are much less so."""
    path = real_data / "weights" / "mobilenetv1_100.safetensors"
    classes = sorted((real_data / "coco" / "val2017").glob("*.jpg"))[:4]
    photos = [Image.open(file).convert("RGB").resize((224, 224)) for file in classes]
    import numpy as np

    images = torch.stack([torch.from_numpy(np.array(photo)).permute(2, 0, 1) for photo in photos])
    ours = mobilenet(weights=str(path)).eval()
    reference = timm.create_model("mobilenetv1_100", pad_type="same").eval()
    from safetensors.torch import load_file

    reference.load_state_dict(load_file(path))
    with torch.no_grad():
        expected = reference.forward_features(images / 127.5 - 1)
        torch.testing.assert_close(ours(images)[-1], expected, atol=1e-3, rtol=1e-3)
