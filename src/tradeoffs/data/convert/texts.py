"""Text files as people's editors leave them."""

from __future__ import annotations

import codecs
import math
from pathlib import Path

from tradeoffs.errors import UserError


def read_text(path: Path) -> str:
    """UTF-8, with or without a byte order mark, or UTF-16 with one. Raises UserError for anything else."""
    data = path.read_bytes()
    utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return data.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{path} is not a text file in UTF-8") from None


def number_in(text: str) -> float:
    """Raises ValueError where it is no finite number. Python would read `1_0` as 10."""
    value = float(text.replace("_", "?"))
    if not math.isfinite(value):
        raise ValueError(text)
    return value
