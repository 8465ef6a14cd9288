import logging
import zipfile
from pathlib import Path

import pytest
import torch

from tradeoffs.errors import UserError
from tradeoffs.training.checkpoint_files import SafeCheckpointIO, drop_training_state, find_checkpoint, is_whole

IO = SafeCheckpointIO()


def save(folder: Path, step: int, name: str = "last.ckpt") -> Path:
    IO.save_checkpoint({"step": step, "weights": torch.arange(1000.0)}, folder / name)
    return folder / name


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def step_of(path: Path) -> int:
    return IO.load_checkpoint(path)["step"]


def test_the_former_last_is_kept_and_best_is_replaced(tmp_path):
    for step in (1, 2, 3):
        save(tmp_path, step)
        save(tmp_path, step, "best.ckpt")
    steps = {path.name: step_of(path) for path in tmp_path.iterdir()}
    assert steps == {"last.ckpt": 3, "last-previous.ckpt": 2, "best.ckpt": 3}


def whole(step: int) -> dict:
    """A checkpoint with an optimizer that has moments, and with an average of the weights."""
    weights = {"weight": torch.full((1000,), float(step))}
    optimizer = {"state": {0: {"exp_avg": torch.ones(1000)}}, "param_groups": [{"lr": 0.5, "params": [0]}]}
    return {
        "global_step": step,
        "state_dict": weights,
        "training_weights": weights,
        "optimizer_states": [optimizer],
    }


@pytest.mark.parametrize("best", [2, 3])
def test_what_is_left_of_a_training_that_is_over(tmp_path, best):
    """Weights and learning rates; one file with two names if the best weights are the last."""
    for step in (1, 2, 3):
        IO.save_checkpoint(whole(step), tmp_path / "last.ckpt")
    IO.save_checkpoint(whole(best), tmp_path / "best.ckpt")
    for _ in range(2):
        drop_training_state(tmp_path)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["best.ckpt", "last.ckpt"]
        for name, step in (("best.ckpt", best), ("last.ckpt", 3)):
            content = IO.load_checkpoint(tmp_path / name)
            assert content["state_dict"]["weight"][0] == content["global_step"] == step
            assert "training_weights" not in content
            assert content["optimizer_states"] == [{"state": {}, "param_groups": [{"lr": 0.5, "params": [0]}]}]
        assert (tmp_path / "best.ckpt").samefile(tmp_path / "last.ckpt") == (best == 3)


@pytest.mark.parametrize("name", ["last.ckpt", "best.ckpt"])
def test_a_full_disk_leaves_what_was_there(tmp_path, name):
    path = save(tmp_path, 1, name)
    (tmp_path / f"{name}.partial").symlink_to("/dev/full")  # the kernel's own full disk
    with pytest.raises(UserError, match=rf"no space for .*{name}.*{name} is whole.*resume=auto"):
        save(tmp_path, 2, name)
    assert [p.name for p in tmp_path.iterdir()] == [name]
    assert step_of(path) == 1


def test_a_full_disk_at_the_first_checkpoint(tmp_path):
    (tmp_path / "last.ckpt.partial").symlink_to("/dev/full")
    with pytest.raises(UserError, match="there is no earlier checkpoint"):
        save(tmp_path, 1)


def test_other_errors_are_not_taken_for_a_full_disk(tmp_path):
    (tmp_path / "last.ckpt.partial").mkdir()
    with pytest.raises(IsADirectoryError):
        save(tmp_path, 1)


@pytest.mark.parametrize("renames", [0, 1])
def test_a_crash_between_the_renames_leaves_a_whole_file(tmp_path, monkeypatch, renames):
    save(tmp_path, 1)
    save(tmp_path, 2)
    calls = []
    replace = Path.replace

    def crash(path: Path, target: Path) -> Path:
        if len(calls) == renames:
            raise KeyboardInterrupt
        calls.append(path)
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", crash)
    with pytest.raises(KeyboardInterrupt):
        save(tmp_path, 3)
    assert step_of(find_checkpoint(tmp_path)) == 2


def test_nothing_to_find(tmp_path):
    assert find_checkpoint(tmp_path) is None
    assert find_checkpoint(tmp_path / "missing") is None


def test_a_damaged_last_gives_way_to_the_previous_and_says_so(tmp_path, caplog):
    save(tmp_path, 1)
    last = save(tmp_path, 2)
    cut_off(last)
    with caplog.at_level(logging.WARNING):
        found = find_checkpoint(tmp_path)
    assert found == tmp_path / "last-previous.ckpt"
    assert caplog.messages == [f"{last} is cut off or damaged; going on from {found}"]


def test_one_flipped_bit_is_damage(tmp_path):
    path = save(tmp_path, 1)
    with zipfile.ZipFile(path) as archive:
        largest = max(archive.infolist(), key=lambda info: info.file_size)
    content = bytearray(path.read_bytes())
    content[largest.header_offset + 500] ^= 1
    path.write_bytes(content)
    assert not is_whole(path)
    with pytest.raises(UserError, match=r"last\.ckpt in .* cannot be read"):
        find_checkpoint(tmp_path)


def test_a_cut_off_file_is_not_loaded(tmp_path):
    path = save(tmp_path, 1)
    cut_off(path)
    with pytest.raises(UserError, match="cut off or damaged"):
        IO.load_checkpoint(path)


@pytest.mark.parametrize("content", [b"", b"no checkpoint at all"])
def test_another_file_is_not_loaded(tmp_path, content):
    path = tmp_path / "x.ckpt"
    path.write_bytes(content)
    with pytest.raises(UserError, match="cut off"):
        IO.load_checkpoint(path)


def test_a_missing_file(tmp_path):
    with pytest.raises(UserError, match="no checkpoint at"):
        IO.load_checkpoint(tmp_path / "x.ckpt")


class Evil:
    def __reduce__(self):
        return (print, ("code ran",))


def test_no_code_runs_even_if_lightning_allows_it(tmp_path, capsys):
    torch.save({"x": Evil()}, tmp_path / "x.ckpt")
    with pytest.raises(UserError, match="more than tensors and plain values"):
        IO.load_checkpoint(tmp_path / "x.ckpt", weights_only=False)
    assert "code ran" not in capsys.readouterr().out
