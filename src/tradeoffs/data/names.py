"""What the names of files tell, whatever system they come from."""

from __future__ import annotations

import unicodedata

# Of photos, in any case. Their content decides how they are read.
IMAGE_SUFFIXES = frozenset(
    (".bmp", ".gif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
)


def normal(name: str) -> str:
    """Accents are spelt in two ways: that of macOS's files becomes that of most texts."""
    return unicodedata.normalize("NFC", name)


def alike(name: str) -> str:
    """Equal for names that some system takes for one."""
    return normal(name).casefold()
