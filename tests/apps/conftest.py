"""One finished run for all tests of what is done with a run."""

import shutil
from pathlib import Path

import pytest
import small_runs


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set in COCO format, on which `finished_run` was trained."""
    return small_runs.write_data(tmp_path_factory.mktemp("photos", numbered=False))


@pytest.fixture
def broken_photos(photos: Path, tmp_path: Path) -> Path:
    """The same, with annotations that cannot be read."""
    data = shutil.copytree(photos, tmp_path / "broken")
    (data / "annotations/val.json").write_text("{")
    return data


@pytest.fixture(scope="session")
def finished_run(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run. Tests must not change it."""
    folder = tmp_path_factory.mktemp("runs") / "finished"
    small_runs.run(photos, folder)
    return folder
