"""Fixtures for all tests. Shape annotations of the package are checked while tests run."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import jaxtyping
import pytest
from jaxtyping import install_import_hook

install_import_hook("tradeoffs", "shape_checks.check")

PROJECT = Path(__file__).resolve().parent.parent
WHOLE_COMMANDS = ("commands", "dashboard", "results", "settings", "sweeps")


@pytest.fixture(scope="session")
def project() -> Path:
    return PROJECT


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Real photos with annotations, kept outside the project."""
    folder = Path(os.environ.get("TRADEOFFS_REAL_DATA", PROJECT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real photos at {folder}; set TRADEOFFS_REAL_DATA to their folder")
    return folder


@pytest.fixture(scope="module", autouse=True)
def shape_checks(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whole commands run as users run them, which saves a fifth of the time; those of each task are checked, though."""
    with pytest.MonkeyPatch.context() as patch:
        if request.path.parent.name in WHOLE_COMMANDS and request.path.stem != "test_every_task":
            patch.setattr(jaxtyping.config, "jaxtyping_disable", True)
        yield


@pytest.fixture(scope="session", autouse=True)
def few_threads() -> None:
    """Before the runs that tests share, too."""
    from threads import use_test_threads

    use_test_threads()


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set in COCO format, on which `finished_run` was trained."""
    import small_runs

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
    import small_runs

    folder = tmp_path_factory.mktemp("runs") / "finished"
    small_runs.run(photos, folder)
    return folder
