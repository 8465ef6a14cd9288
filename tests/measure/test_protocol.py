import json
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn

from tradeoffs.errors import UserError
from tradeoffs.measure.protocol import measure_model

TIMES = ("network_ms", "postprocessing_ms", "total_ms")


class Raw(NamedTuple):
    features: Tensor


class Detector(nn.Module):
    """The least that can be measured; it writes down what it was asked for."""

    def __init__(self):
        super().__init__()
        self.convolution, self.norm = nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)
        self.asked = []

    def __deepcopy__(self, memo):
        copied = Detector()
        copied.load_state_dict(self.state_dict())
        copied.asked = self.asked
        return copied.train(self.training)

    def forward(self, images):
        self.asked.append(("forward", tuple(images.shape), self.training))
        return Raw(self.norm(self.convolution(images / 255)))

    def postprocess(self, raw, image_size):
        self.asked.append(("postprocess", image_size))
        return raw.features.amax(dim=(1, 2, 3))

    def predict(self, images):
        return self.postprocess(self(images), tuple(images.shape[-2:]))

    def num_candidates(self, raw):
        return torch.arange(len(raw.features))


@pytest.fixture
def images() -> Tensor:
    return torch.randint(0, 256, (2, 3, 16, 24), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_cost_of_a_small_detector(images):
    model = Detector()
    cost = measure_model(model, images, trained=False, batch_sizes=(1, 3), repeats=4, warmup=1)
    assert cost["parameters"] == cost["trainable_parameters"] == 4 * 27 + 8
    assert cost["multiply_adds"] == 16 * 24 * 4 * 27  # of one image
    assert cost["image_size"] == [16, 24]
    assert cost["trained"] is False
    assert list(cost["batches"]) == ["1", "3"]
    for batch in cost["batches"].values():
        assert all(len(batch[name]["samples"]) == 4 for name in TIMES)
        assert 1 <= batch["attempts"] <= 3
        assert batch["disturbed"] <= any(batch[name]["disturbed"] for name in TIMES)  # small clocks may jump
    last = cost["batches"]["3"]
    assert last["candidates_per_image"] == 1.0  # 0, 1 and 2
    assert cost["images_per_second"] == pytest.approx(3000 / last["total_ms"]["median"])
    json.dumps(cost, allow_nan=False)


def test_model_is_measured_in_evaluation_mode_and_left_alone(images):
    model = Detector().train()
    measure_model(model, images, trained=True, batch_sizes=(3,), repeats=1, warmup=0)
    assert model.training and isinstance(model.norm, nn.BatchNorm2d)
    forwards = [shape_and_mode for kind, *shape_and_mode in model.asked if kind == "forward"]
    assert {shape for shape, _ in forwards} == {(1, 3, 16, 24), (3, 3, 16, 24)}
    assert not any(training for _, training in forwards)
    assert {asked for asked in model.asked if asked[0] == "postprocess"} == {("postprocess", (16, 24))}


def test_protocol_says_what_was_done(images):
    cost = measure_model(
        Detector(),
        images,
        trained=True,
        precision="bfloat16",
        batch_sizes=(1,),
        repeats=2,
        warmup=1,
        fuse=False,
        channels_last=False,
    )
    protocol = cost["protocol"]
    assert set(protocol["clocks"]) == set(TIMES)
    del protocol["clocks"], protocol["turns"]
    assert protocol == {
        "each_image": "a whole image",
        "statistic": "median",
        "warmup": 1,
        "repeats": 2,
        "threads": torch.get_num_threads(),
        "precision": "bfloat16",
        "memory_format": "contiguous",
        "batch_norm_folded": False,
        "memory": "resident set of the process",
    }


def test_unknown_precision_names_the_known_ones(images):
    with pytest.raises(UserError, match="precision=fp8 is unknown; choose: float32, tf32, bfloat16, float16"):
        measure_model(Detector(), images, trained=True, precision="fp8")
