from pathlib import Path

import pytest
import torch
from PIL import Image

from tradeoffs.data.resize import Resize
from tradeoffs.data.samples import collate, unlabelled
from tradeoffs.metrics.coco import CocoMetric
from tradeoffs.metrics.curves import BestF1
from tradeoffs.structures import Detections
from tradeoffs.training import pictures as module
from tradeoffs.training.pictures import PredictionPictures, draw_predictions, photo_of

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


class KnownF1(CocoMetric):
    """In the place of a metric, once it has scored."""

    def __init__(self, best: BestF1 | None):
        self.best = best

    def quick_best_f1(self) -> BestF1 | None:
        return self.best


@pytest.mark.parametrize(
    ("best", "drawn", "said"),
    [
        (BestF1(0.95, 1, 1, 1), False, "boxes with a score of 0.95 or more (best F1);"),
        (BestF1(0.412, 1, 1, 1), True, "boxes with a score of 0.41 or more (best F1);"),
        (None, True, "boxes with a score of 0.3 or more;"),
    ],
)
def test_boxes_are_drawn_from_the_best_score_on(tmp_path, tiny_train, tiny_task, monkeypatch, best, drawn, said):
    """All that the task finds scores 0.9."""
    sheets = []
    monkeypatch.setattr(module, "contact_sheet", lambda tiles, caption: sheets.append((tiles, caption)) or tiles[0])
    numbers = []
    marks = module.draw_boxes
    monkeypatch.setattr(
        module, "draw_boxes", lambda *given, **more: numbers.append(len(given[1])) or marks(*given, **more)
    )
    task = tiny_task()
    task.metric = KnownF1(best)
    tiny_train(tmp_path, task, callbacks=[PredictionPictures(tmp_path, num=3)], max_epochs=1)
    ((tiles, caption),) = sheets
    assert len(tiles) == 3 and numbers == [int(drawn)] * 3 and said in caption


@pytest.mark.parametrize("mode", ["warp", "letterbox", "shorter_edge"])
def test_a_photo_keeps_its_shape_and_boxes_their_place(mode):
    """A black square on white, beside a larger photo of another shape in the same batch."""
    photo = torch.full((3, 60, 180), 255, dtype=torch.uint8)
    photo[:, 15:45, 105:135] = 0
    resize = Resize(mode, 120)
    batch = collate([unlabelled(image, resize) for image in (photo, photo.mT)], resize.multiple)
    seen, scale = photo_of(batch, 0, TILE)
    assert seen.shape == (3, TILE // 3, TILE) and scale == TILE / 180
    dark = (seen[0] < 128).nonzero()
    assert torch.allclose(dark.float().aminmax(dim=0)[0], torch.tensor([15, 105]) * scale, atol=4)
    assert torch.allclose(dark.float().aminmax(dim=0)[1], torch.tensor([45, 135]) * scale, atol=4)
    scales, offsets = batch.geometry[0].split(2)
    boxes = (torch.tensor([[105.0, 15.0], [135.0, 45.0]]) * scales + offsets).view(1, 1, 4).expand(2, 1, 4)
    found = Detections(boxes, torch.ones(2, 1), torch.ones(2, 1, dtype=torch.int64), torch.tensor([[True], [False]]))
    drawn, empty = draw_predictions(batch, found, ["a", "b"], tile=TILE)
    assert drawn.shape == seen.shape and torch.equal(empty, photo_of(batch, 1, TILE)[0])
    changed = (drawn != seen).any(dim=0)
    line = changed.sum(dim=1).argmax()  # the longest: above or below, at its edge
    assert min(abs(int(line) - 15 * scale), abs(int(line) - 45 * scale)) <= 4
