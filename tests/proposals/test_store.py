"""What was proposed, on the disk: whole or not there, and nobody else's."""

import json
import time

import numpy as np
import pytest

from tradeoffs import files
from tradeoffs.proposals import store as store_module
from tradeoffs.proposals.proposer import Proposed
from tradeoffs.proposals.store import ProposalStore

IDENTITY = {"name": "some", "count": 3}
DIGEST, SIZE = "ab" + "0" * 30, (24, 32)


def some(count: int = 3) -> Proposed:
    rng = np.random.default_rng(count)
    return Proposed(rng.random((count, 4), dtype=np.float32), np.linspace(1, 0, count, dtype=np.float32))


@pytest.fixture
def store(tmp_path) -> ProposalStore:
    store = ProposalStore(tmp_path, IDENTITY)
    store.prepare()
    return store


@pytest.mark.parametrize("count", [0, 1, 2000])
def test_what_was_written_is_read(store, count):
    assert store.read(DIGEST, SIZE) is None
    store.write(DIGEST, SIZE, some(count))
    found = store.read(DIGEST, SIZE)
    assert all(map(np.array_equal, found, some(count))) and found.boxes.dtype == np.float32


def test_the_folder_says_what_it_is(store, tmp_path):
    store.write(DIGEST, SIZE, some())
    assert store.path(DIGEST) == store.folder / "ab" / f"{DIGEST}.npz"
    assert store.folder.parent == tmp_path and store.folder.name == f"some-{store.hash}"
    assert json.loads((store.folder / "identity.json").read_text()) == {**IDENTITY, "format": 1}


def test_options_have_folders_of_their_own(store, tmp_path):
    assert ProposalStore(tmp_path, {"count": 3, "name": "some"}).folder == store.folder
    assert ProposalStore(tmp_path, {**IDENTITY, "count": 4}).folder != store.folder


def test_what_belongs_to_another_image_or_algorithm_counts_as_missing(store, tmp_path, monkeypatch):
    store.write(DIGEST, SIZE, some())
    content = store.path(DIGEST).read_bytes()
    other_digest = "cd" + "0" * 30
    other = ProposalStore(tmp_path, {**IDENTITY, "count": 4})
    monkeypatch.setattr(store_module, "FORMAT", 2)
    newer = ProposalStore(tmp_path, IDENTITY)
    for place, digest in ((store, other_digest), (other, DIGEST), (newer, DIGEST)):
        place.path(digest).parent.mkdir(parents=True)
        place.path(digest).write_bytes(content)
        assert place.read(digest, SIZE) is None
    assert store.read(DIGEST, (32, 24)) is None and store.read(DIGEST, SIZE) is not None


def test_any_damage_is_noticed(store):
    """A byte changed, or the file cut off, anywhere: nothing, or what was written."""
    store.write(DIGEST, SIZE, some())
    path = store.path(DIGEST)
    whole = path.read_bytes()
    for place in range(0, len(whole), 3):
        spoilt = bytearray(whole)
        spoilt[place] ^= 0xFF
        path.write_bytes(spoilt)
        found = store.read(DIGEST, SIZE)
        assert found is None or all(map(np.array_equal, found, some()))
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place])
        assert store.read(DIGEST, SIZE) is None


def test_other_arrays_are_refused(store):
    store.write(DIGEST, SIZE, some())
    key, path = np.load(store.path(DIGEST))["image"], store.path(DIGEST)
    boxes, scores = some()
    for wrong in (
        {"boxes": boxes[:2], "scores": scores},
        {"boxes": boxes.astype(np.float64), "scores": scores},
        {"boxes": boxes, "scores": scores[:, None]},
        {"boxes": np.array(["a", None], dtype=object), "scores": scores},
        {"boxes": boxes},
    ):
        np.savez(path, image=key, **wrong)
        assert store.read(DIGEST, SIZE) is None
    np.savez(path, image=[key, key], boxes=boxes, scores=scores)
    assert store.read(DIGEST, SIZE) is None


def test_a_write_that_fails_leaves_the_earlier_file(store, monkeypatch):
    store.write(DIGEST, SIZE, some())

    def fail(path, content):
        path.write_bytes(bytes(content)[:50])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "write_through", fail)
    with pytest.raises(OSError, match="No space left"):
        store.write(DIGEST, SIZE, some(7))
    assert len(store.read(DIGEST, SIZE).boxes) == 3
    assert [path.name for path in store.path(DIGEST).parent.iterdir()] == [f"{DIGEST}.npz"]


def test_reading_is_fast(store):
    """A hundredth of what decoding a photo takes; the limit leaves room for a busy machine."""
    store.write(DIGEST, SIZE, some(2000))
    times = []
    for _ in range(50):
        began = time.perf_counter()
        store.read(DIGEST, SIZE)
        times.append(time.perf_counter() - began)
    assert min(times) < 2e-3
