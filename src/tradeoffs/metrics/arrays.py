"""Arrays in a file, as all evidence is kept."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy import ndarray

from tradeoffs.errors import UserError
from tradeoffs.files import write_whole


def save_arrays(path: Path, **arrays: ndarray | str) -> None:
    """Compressed; written whole or not at all."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    write_whole(path, buffer.getbuffer())


@contextmanager
def saved_arrays(path: Path) -> Iterator[Mapping[str, ndarray]]:
    """Raises UserError if the file is missing or damaged, or what is made of its arrays within fails."""
    try:
        with np.load(path, allow_pickle=False) as file:
            yield file
    except Exception as error:  # zipfile, numpy and the system each have their own
        raise UserError(f"{path} cannot be read: {error}; score the run again with evaluate.py") from error
