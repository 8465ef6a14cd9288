"""Fetches one large file: resumed when broken off, checked by its sum, there only when it is whole."""

from __future__ import annotations

import hashlib
import http.client
import shutil
import urllib.error
import urllib.request
from pathlib import Path

from tqdm import tqdm

from tradeoffs.errors import UserError

CHUNK = 1 << 20
TIMEOUT = 30.0  # seconds without a byte
BROKEN_OFF = (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError)


def fetch(url: str, target: Path, checksum: str | None = None, size: int | None = None) -> Path:
    """Downloads `url` to `target` unless that exists. `checksum` is a hexadecimal MD5 or SHA-256.

    What has come lies in `target.part` until it is whole; the next call goes on from there, if the server can.
    Raises UserError where the address is out of reach, the transfer keeps breaking off, the disk is too small, or
    size or checksum differ (the part is deleted then).
    """
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    _transfer(url, part, target, size)
    _verify(url, part, checksum, size)
    return part.replace(target)


def _transfer(url: str, part: Path, target: Path, size: int | None) -> None:
    """Appends to `part` until it is whole, with one request after the other as long as each brings something."""
    while True:
        before = _size(part)
        if size is not None and before == size:
            return
        try:
            if _receive(url, part, target):
                return
            reason = "the connection was closed early"
        except urllib.error.HTTPError as error:
            if _is_whole(error, before):
                return
            reason = f"the server answers {error.code} {error.reason}"
        except BROKEN_OFF as error:
            reason = str(getattr(error, "reason", error))
        if _size(part) <= before:
            come = f" ({before / 1e6:.1f} MB have come)" if before else ""
            raise UserError(
                f"cannot fetch {url}{come}: {reason}; run the command again, or put the file at {target} yourself"
            )


def _receive(url: str, part: Path, target: Path) -> bool:
    """One request. True if the file is whole now, False if the connection ended before."""
    offset = _size(part)
    request = urllib.request.Request(url, headers={"Range": f"bytes={offset}-"} if offset else {})
    with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
        if response.status != 206:  # the server does not know ranges and begins anew
            offset = 0
        length = response.headers.get("Content-Length")
        total = None if length is None else offset + int(length)
        _require_space(target, int(length or 0))
        progress = tqdm(desc=target.name, total=total, initial=offset, unit="B", unit_scale=True, disable=None)
        with progress, part.open("r+b" if offset else "wb") as file:
            file.seek(offset)
            while chunk := response.read(CHUNK):
                file.write(chunk)
                progress.update(len(chunk))
            return total is None or file.tell() == total


def _is_whole(error: urllib.error.HTTPError, offset: int) -> bool:
    """The server has nothing behind `offset` (416), because that is the file's length."""
    return error.code == 416 and error.headers.get("Content-Range", "").endswith(f"/{offset}")


def _verify(url: str, part: Path, checksum: str | None, size: int | None) -> None:
    if size is not None and _size(part) != size:
        fault = f"{_size(part)} bytes instead of {size}"
    elif checksum is not None and _checksum(part, checksum) != checksum.lower():
        fault = f"its checksum is not {checksum}"
    else:
        return
    part.unlink()
    raise UserError(f"{url} came damaged, {fault}; it was deleted, run the command again")


def _checksum(path: Path, like: str) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, {32: "md5", 64: "sha256"}[len(like)]).hexdigest()


def _require_space(target: Path, needed: int) -> None:
    free = shutil.disk_usage(target.parent).free
    if needed > free:
        missing = f"{needed / 1e9:.1f} GB more, the disk has {free / 1e9:.1f} GB free"
        raise UserError(f"{target} needs {missing}; make room, or choose another folder")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
