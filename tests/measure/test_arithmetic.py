import pytest
import torch

from tradeoffs.measure.arithmetic import computing_in

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("precision", "tf32", "dtype"),
    [
        ("float32", False, torch.float32),
        ("tf32", True, torch.float32),
        ("bfloat16", False, torch.bfloat16),
        ("float16", False, torch.float16),
    ],
)
def test_formats_hold_inside_and_end_outside(precision, tf32, dtype):
    def flags() -> tuple[bool, bool]:
        return torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32

    layer, before = torch.nn.Linear(3, 4), flags()
    with computing_in(precision, CPU):
        assert flags() == (tf32, tf32)
        assert layer(torch.ones(2, 3)).dtype == dtype
    assert flags() == before
    assert layer(torch.ones(2, 3)).dtype == torch.float32
