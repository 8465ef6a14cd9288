"""Regions of a split: computed once, whatever happens meanwhile."""

import errno
import os
import pickle
import shutil
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from forked import processes
from torch.utils.data import DataLoader

from tradeoffs import files
from tradeoffs.data import content_digests as digests_module
from tradeoffs.data.coco import CocoDataset
from tradeoffs.data.content_digests import content_digests
from tradeoffs.data.regions import regions_of
from tradeoffs.errors import UserError
from tradeoffs.proposals.proposer import Proposed, ranked


@dataclass
class Counting:
    """Four boxes by the image's first pixels; it counts how often it is asked, in a folder that processes share."""

    folder: Path
    seconds: float = 0.0
    fails_at: int = 10**9
    failure: BaseException | None = None

    name = "counting"
    device = "cpu"
    identity = {"name": "counting"}  # noqa: RUF012

    @property
    def calls(self) -> int:
        return len(list(self.folder.glob("call-*")))

    def __call__(self, image: torch.Tensor) -> Proposed:
        if self.calls >= self.fails_at:
            raise self.failure
        (self.folder / f"call-{time.monotonic_ns()}-{threading.get_ident()}").touch()
        time.sleep(self.seconds)
        return expected(image)


def expected(image: torch.Tensor) -> Proposed:
    corner = image[:, 0, :4].T.numpy().astype(np.float32) / 255
    return ranked(np.concatenate([corner[:, :2], corner[:, :2] + 8], axis=1))


@pytest.fixture
def dataset(own_coco_file) -> CocoDataset:
    return CocoDataset(own_coco_file.parent, own_coco_file)


@pytest.fixture
def proposer(tmp_path) -> Counting:
    (tmp_path / "calls").mkdir()
    return Counting(tmp_path / "calls")


@pytest.fixture
def store(tmp_path) -> Path:
    return tmp_path / "proposals"


def files_in(store: Path) -> list[Path]:
    return sorted(store.rglob("*.npz"))


def check(regions, dataset: CocoDataset) -> None:
    assert len(regions) == len(dataset)
    for place in range(len(dataset)):
        assert all(map(np.array_equal, regions[place], expected(dataset.read_image(place))))


def test_they_are_computed_once(dataset, proposer, store, capsys):
    regions = regions_of(dataset, proposer, store)
    assert regions.computed == proposer.calls == 4
    check(regions, dataset)
    said = capsys.readouterr().out
    assert said == f"counting proposes regions of 4 images, once; they are kept in {regions.store.folder}\n"
    again = regions_of(dataset, proposer, store)
    assert again.computed == 0 and proposer.calls == 4 and capsys.readouterr().out == ""
    check(again, dataset)


def test_only_the_first_of_an_image_and_of_a_split(dataset, proposer, store):
    regions = regions_of(dataset, proposer, store, most=2, images=3)
    assert len(regions) == proposer.calls == 3
    boxes, scores = expected(dataset.read_image(1))
    assert all(map(np.array_equal, regions[1], (boxes[:2], scores[:2])))
    assert len(regions_of(dataset, proposer, store, images=99)) == proposer.calls == 4


def test_workers_read_them(dataset, proposer, store):
    regions = regions_of(dataset, proposer, store)
    check(pickle.loads(pickle.dumps(regions)), dataset)
    loader = DataLoader(regions, batch_size=None, num_workers=1, multiprocessing_context=processes)
    for place, found in enumerate(loader):
        np.testing.assert_array_equal(found.boxes, regions[place].boxes)


def test_equal_photos_share_a_file(dataset, proposer, store):
    shutil.copy(dataset.images_dir / "0.png", dataset.images_dir / "1.png")
    check(regions_of(dataset, proposer, store), dataset)
    assert proposer.calls == len(files_in(store)) == 3


def test_a_photo_that_changes_gets_regions_of_its_own(dataset, proposer, store):
    regions_of(dataset, proposer, store)
    shutil.copy(dataset.images_dir / "2.png", dataset.images_dir / "spare.png")
    (dataset.images_dir / "2.png").write_bytes((dataset.images_dir / "3.png").read_bytes() + b"more")
    check(regions_of(dataset, proposer, store), dataset)
    assert proposer.calls == 5
    (dataset.images_dir / "spare.png").replace(dataset.images_dir / "2.png")  # as it was
    check(regions_of(dataset, proposer, store), dataset)
    assert proposer.calls == 5


def test_damaged_files_are_made_anew_with_one_warning(dataset, proposer, store, caplog):
    regions = regions_of(dataset, proposer, store)
    first, second, *_ = files_in(store)
    first.write_bytes(first.read_bytes()[:100])
    second.write_bytes(b"")
    with pytest.raises(UserError, match="is gone or damaged since the start; the same command makes it anew"):
        [regions[place] for place in range(4)]
    check(regions_of(dataset, proposer, store), dataset)
    assert proposer.calls == 6
    assert [record.message.partition(",")[0] for record in caplog.records] == [
        "warning: 2 files of regions are damaged and made anew"
    ]


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), RuntimeError("crash")])
def test_what_was_written_before_it_broke_off_stays(dataset, proposer, store, failure, monkeypatch):
    monkeypatch.setattr("tradeoffs.data.regions.available_cores", lambda: 1)
    broken = Counting(proposer.folder, fails_at=2, failure=failure)
    with pytest.raises(type(failure)):
        regions_of(dataset, broken, store)
    assert len(files_in(store)) == 2
    check(regions_of(dataset, proposer, store), dataset)
    assert proposer.calls == 4


def test_a_full_disk_is_one_line(dataset, proposer, store, monkeypatch):
    monkeypatch.setattr("tradeoffs.data.regions.available_cores", lambda: 1)
    write = files.write_through

    def fill(path, content):
        if len(files_in(store)) == 3 and ".npz" in path.name:
            path.write_bytes(bytes(content)[:10])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(files, "write_through", fill)
        with pytest.raises(UserError, match="is full: 3 of 4 images are done; make room, and the same command goes on"):
            regions_of(dataset, proposer, store)
    assert len(files_in(store)) == 3 and not list(store.rglob("*.tmp"))
    check(regions_of(dataset, proposer, store), dataset)


def test_a_folder_that_cannot_be_made_is_one_line(dataset, proposer, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"file/.* cannot be written: Not a directory; give another data_dir="):
        regions_of(dataset, proposer, tmp_path / "file")


def test_a_photo_that_is_gone_is_one_line(dataset, proposer, store):
    (dataset.images_dir / "2.png").unlink()
    with pytest.raises(UserError, match=r"2\.png cannot be read: No such file"):
        regions_of(dataset, proposer, store)


def compute(file: Path, proposer: Counting, store: Path, said: Path) -> None:
    os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT), 1)
    regions_of(CocoDataset(file.parent, file), proposer, store)


def start(dataset: CocoDataset, proposer: Counting, store: Path, said: Path):
    process = processes.Process(target=compute, args=(dataset.annotations_path, proposer, store, said))
    process.start()
    return process


def wait_for(condition) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_two_processes_share_the_work(dataset, proposer, store, tmp_path):
    slow = Counting(proposer.folder, seconds=0.5)
    first = start(dataset, slow, store, tmp_path / "first")
    wait_for(lambda: proposer.calls)
    second = start(dataset, slow, store, tmp_path / "second")
    for process in (first, second):
        process.join(60)
        assert process.exitcode == 0
    assert proposer.calls == 4
    assert (tmp_path / "second").read_text().startswith("another process proposes these regions; waiting for it (")
    check(regions_of(dataset, proposer, store), dataset)


def test_after_a_kill_the_next_one_goes_on(dataset, proposer, store, tmp_path):
    killed = start(dataset, Counting(proposer.folder, seconds=0.4), store, tmp_path / "said")
    wait_for(lambda: files_in(store))
    os.kill(killed.pid, signal.SIGKILL)
    killed.join(60)
    kept = len(files_in(store))
    assert killed.exitcode == -signal.SIGKILL and 0 < kept < 4
    regions = regions_of(dataset, proposer, store)
    check(regions, dataset)
    assert regions.computed == 4 - kept


def test_digests_are_remembered_until_a_photo_changes(dataset, monkeypatch):
    read = []
    digest = digests_module._digest
    monkeypatch.setattr(digests_module, "_digest", lambda path: read.append(path.name) or digest(path))
    names = ["0.png", "1.png", "2.png"]

    def digests() -> list[str]:
        read.clear()
        return content_digests(dataset.images_dir, names, dataset.annotations_path)

    before = digests()
    assert sorted(read) == names and len({*before}) == 3
    assert digests() == before and read == []
    (dataset.images_dir / "1.png").write_bytes(b"other")
    after = digests()
    assert read == ["1.png"] and [a == b for a, b in zip(before, after, strict=True)] == [True, False, True]
    kept = dataset.annotations_path.parent / ".checked" / f"{dataset.annotations_path.name}.photos"
    for damaged in ("{", "[]", '{"images": 1}', kept.read_text().replace(str(dataset.images_dir), "/elsewhere")):
        kept.write_text(damaged)
        assert digests() == after and sorted(read) == names
