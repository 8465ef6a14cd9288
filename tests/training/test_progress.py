import re
import sys

import pytest

from tradeoffs.training.checkpoints import Checkpoints
from tradeoffs.training.progress import Progress
from tradeoffs.training.throughput import Throughput

EPOCH = r"epoch 2/2  loss [\d.e+]+ \(classes [\d.e+]+, boxes [\d.e+]+\)  [\d.e+]+ images/s  mAP 0\.\d{3}  \(\d\d:\d\d\)"


def test_a_log_file_gets_a_line_per_epoch(tmp_path, tiny_train, capsys):
    tiny_train(tmp_path, callbacks=[Throughput(), Progress("val/mAP")], max_epochs=2)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert re.fullmatch(EPOCH, lines[1]), lines[1]


def test_a_log_file_gets_lines_within_an_epoch(tmp_path, tiny_train, capsys):
    tiny_train(tmp_path, callbacks=[Progress("val/mAP", seconds=0)], max_epochs=1)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  loss")[0] for line in lines[:7]] == [
        *(f"epoch 1/1  {batch}/5" for batch in range(1, 6)),
        *(f"epoch 1/1 validation  {batch}/2" for batch in (1, 2)),
    ]


def test_a_terminal_gets_a_bar_that_leaves_the_epochs_line(tmp_path, tiny_train, capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("tradeoffs.training.progress.LIVE_SECONDS", 0)
    tiny_train(tmp_path, callbacks=[Progress("val/mAP")], max_epochs=1)
    out = capsys.readouterr().out
    assert re.search(r"\repoch 1/1 .{20} 5/5 \[00:00<00:00\], loss", out)
    assert re.search(r"\repoch 1/1 validation .{20} 2/2 ", out)
    assert re.fullmatch(r"epoch 1/1  loss .* mAP .*", re.split(r"[\r\n]+", out.strip())[-1])


def test_the_last_score_is_known_after_resuming(tmp_path, tiny_train, capsys):
    tiny_train(
        tmp_path, callbacks=[Progress("val/mAP"), Checkpoints(tmp_path / "checkpoints", "val/mAP")], max_epochs=1
    )
    capsys.readouterr()
    callbacks = [Progress("val/mAP", seconds=0), Checkpoints(tmp_path / "checkpoints", "val/mAP")]
    tiny_train(tmp_path, callbacks=callbacks, max_epochs=2, resume=True)
    assert re.match(r"epoch 2/2  1/5  loss .* mAP 0\.", capsys.readouterr().out)


@pytest.mark.parametrize("enabled", [True, False])
def test_can_be_switched_off(tmp_path, tiny_train, capsys, enabled):
    progress = Progress("val/mAP")
    if not enabled:
        progress.disable()
    tiny_train(tmp_path, callbacks=[progress], max_epochs=1)
    assert bool(capsys.readouterr().out) == enabled
