import pytest
import torch

from tradeoffs.measure.memory import free_bytes, free_host_bytes, is_out_of_memory


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."), True),
        (
            RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory: you tried"),
            True,
        ),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_what_a_lack_of_memory_looks_like(error, expected):
    assert is_out_of_memory(error) == expected


def test_torch_says_so_on_the_cpu():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)


def test_a_container_may_have_less_than_the_machine(tmp_path):
    meminfo, group = tmp_path / "meminfo", tmp_path / "group"
    meminfo.write_text("MemTotal:       8000 kB\nMemAvailable:   5000 kB\n")
    assert free_host_bytes(meminfo, group) == 5000 * 1024
    group.mkdir()
    (group / "memory.current").write_text("1000\n")
    for limit, free in (("max\n", 5000 * 1024), ("3000\n", 2000), (f"{2**40}\n", 5000 * 1024)):
        (group / "memory.max").write_text(limit)
        assert free_host_bytes(meminfo, group) == free
    assert free_host_bytes(tmp_path / "nothing", group) is None


def test_this_machine_has_memory():
    free = free_bytes(torch.device("cpu"))
    assert free is None or free > 2**20
