"""XML files as they come: in any encoding, never with a document type."""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from xml.etree import ElementTree

from tradeoffs.data.convert.findings import Findings
from tradeoffs.errors import UserError

BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
)
DECLARED = re.compile(rb"""^\s*<\?xml[^>]*?encoding\s*=\s*["']([\w.:-]+)["']""")
UNREADABLE = "\ufffd"  # what stands for bytes that are none of the encoding


def read_root(path: Path, findings: Findings) -> ElementTree.Element:
    """The root element, with all tags in small letters and without namespaces.

    Bytes that are not of the file's encoding become `UNREADABLE`, with a note. Raises UserError naming the file where
    it is no XML, or has a document type.
    """
    parser = ElementTree.XMLParser(target=_WithoutDoctype())
    try:
        parser.feed(_text(path, findings))
        root = parser.close()
    except ElementTree.ParseError as error:
        raise UserError(f"{path} is broken XML: {error}") from None
    except _DoctypeError:
        raise UserError(f"{path} has a document type (<!DOCTYPE), which is not read; remove it") from None
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2].lower()
    return root


class _DoctypeError(Exception):
    pass


class _WithoutDoctype(ElementTree.TreeBuilder):
    """Entities, with which a small file can fill the memory or read others, are declared in a document type only."""

    def doctype(self, name: str, public: str | None, system: str | None) -> None:
        raise _DoctypeError


def _text(path: Path, findings: Findings) -> str:
    """Python decodes, because its XML parser knows neither GB2312 nor most other encodings of several bytes."""
    data = path.read_bytes()
    encoding = next((name for mark, name in BYTE_ORDER_MARKS if data.startswith(mark)), None)
    if encoding is None:
        found = DECLARED.match(data)
        encoding = found[1].decode() if found else "utf-8"
        if encoding.lower().startswith(("utf-16", "utf16", "utf-32", "ucs")):  # could not have been read so far
            encoding = "utf-8"
    try:
        text = data.decode(encoding, "replace")
    except (LookupError, UnicodeError):
        findings.note(f"XML of the unknown encoding {encoding}, read as UTF-8", path.name)
        text = data.decode("utf-8", "replace")
    if UNREADABLE in text:
        findings.note("XML with bytes that are not of its encoding, but in no name that is used", path.name)
    return text.strip()
