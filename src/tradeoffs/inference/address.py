"""Images and videos from the internet, each as a file for as long as it is needed. Imports no torch."""

from __future__ import annotations

import http.client
import mimetypes
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from tradeoffs.errors import UserError

TIMEOUT = 20.0  # seconds without a byte
LONGEST = 600.0  # seconds for the whole file
LARGEST = 1_000_000_000  # bytes
CHUNK = 1 << 18
BROKEN_OFF = (urllib.error.URLError, http.client.HTTPException, OSError, ValueError)  # ValueError: no address at all


def is_address(source: object) -> bool:
    return isinstance(source, str) and "://" in source


@contextmanager
def at_hand(source: str | Path | int) -> Iterator[str | Path | int]:
    """The source itself; of an address a file with what is there, which is gone afterwards.

    Raises UserError where nothing comes from there, for too long, or too much; and it has the address in the place of
    the file in whatever UserError is raised within.
    """
    if not is_address(source):
        yield source
        return
    with tempfile.TemporaryDirectory(prefix="tradeoffs-") as folder:
        path = fetch(str(source), Path(folder))
        try:
            yield path
        except UserError as error:
            details = tuple(line.replace(str(path), str(source)) for line in error.details)
            raise UserError(str(error).replace(str(path), str(source)), details) from error


def fetch(address: str, folder: Path) -> Path:
    """The file there, in `folder`, named as in the address."""
    if urlsplit(address).scheme not in ("http", "https"):
        raise UserError(f"{address} is no address that is read; it begins with http:// or https://")
    until = time.monotonic() + LONGEST
    try:
        request = urllib.request.Request(address, headers={"User-Agent": "tradeoffs"})  # some refuse Python's own
        with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
            path = folder / _name(address, response.headers.get_content_type())
            with path.open("wb") as file:
                while chunk := response.read1(CHUNK):
                    file.write(chunk)
                    _require_little(file.tell(), until)
            if response.length:  # what is still missing of the stated length
                raise UserError("the connection was closed early")
        return path
    except urllib.error.HTTPError as error:
        raise UserError(f"cannot fetch {address}: the server answers {error.code} {error.reason}") from error
    except UserError as error:
        raise UserError(f"cannot fetch {address}: {error}") from None
    except BROKEN_OFF as error:
        raise UserError(f"cannot fetch {address}: {getattr(error, 'reason', error)}") from error


def _name(address: str, content_type: str) -> str:
    """Which ends as the address does, or else as the server's word for the kind of file demands."""
    name = PurePosixPath(unquote(urlsplit(address).path)).name.replace("\0", "")[-100:] or "image"
    if PurePosixPath(name).suffix:
        return name
    return name + (mimetypes.guess_extension(content_type) or "")


def _require_little(size: int, until: float) -> None:
    if size > LARGEST:
        raise UserError(f"it is larger than {LARGEST / 1e9:g} GB; fetch it yourself and give the file")
    if time.monotonic() > until:
        raise UserError(f"it takes longer than {LONGEST / 60:.0f} minutes; fetch it yourself and give the file")
