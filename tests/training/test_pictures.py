from pathlib import Path

import pytest
from PIL import Image

from tradeoffs.training.pictures import PredictionPictures

TILE = 480


def sheets(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "pictures").glob("*.jpg"))


@pytest.mark.parametrize(
    ("every", "names"),
    [(1, ["epoch_000.jpg", "epoch_001.jpg", "epoch_002.jpg"]), (2, ["epoch_000.jpg", "epoch_002.jpg"])],
)
def test_a_sheet_per_validation(tmp_path, tiny_train, every, names):
    pictures = PredictionPictures(tmp_path, num=3, every_n_validations=every)
    tiny_train(tmp_path, callbacks=[pictures], num_sanity_val_steps=1)
    assert sheets(tmp_path) == names
    with Image.open(tmp_path / "pictures" / names[0]) as sheet:
        assert sheet.size == (3 * TILE + 4 * 8, TILE + 2 * 8 + 36)  # the caption


def test_the_first_sheet_is_announced_while_training_goes_on(tmp_path, tiny_train, capsys):
    tiny_train(tmp_path, callbacks=[PredictionPictures(tmp_path, num=1)], max_epochs=2)
    said = capsys.readouterr().out
    assert said.count(".jpg") == 1 and str(tmp_path / "pictures" / "epoch_000.jpg") in said


def test_only_the_first_process_draws(tmp_path, tiny_train):
    tiny_train(
        tmp_path,
        callbacks=[PredictionPictures(tmp_path, num=9)],
        max_epochs=1,
        strategy="ddp_fork",
        devices=2,
        use_distributed_sampler=False,
    )
    assert sheets(tmp_path) == ["epoch_000.jpg"]
