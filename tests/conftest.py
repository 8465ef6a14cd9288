"""Fixtures for all tests. Shape annotations of the package are checked while tests run."""

import os
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

install_import_hook("tradeoffs", "shape_checks.check")

PROJECT = Path(__file__).resolve().parent.parent


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


@pytest.fixture(autouse=True)
def few_threads() -> None:
    import torch

    torch.set_num_threads(int(os.environ.get("TRADEOFFS_TEST_THREADS", "1")))
