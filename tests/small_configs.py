"""Small trees of config files for the tests of command lines."""

from pathlib import Path


def write_files(folder: Path, texts: dict[str, str]) -> Path:
    """Writes each text to its name in the folder, which is returned."""
    for name, text in texts.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder
