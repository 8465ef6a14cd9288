"""Folders of images of 8 x 6 pixels."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

Put = Callable[..., Path]


@pytest.fixture
def put(tmp_path: Path) -> Put:
    """Writes files below `tmp_path/data`, which it returns: images, and texts where `texts` says what is in them."""
    root = tmp_path / "data"

    def write(*images: str, **texts: str) -> Path:
        for name in images:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 6)).save(root / name)
        for name, text in texts.items():
            file = root / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return root

    return write
