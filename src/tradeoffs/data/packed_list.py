"""Python values that forked workers share instead of copying them."""

from __future__ import annotations

import pickle
from collections.abc import Iterable
from typing import Any

import numpy as np


class PackedList:
    """A list of Python values, kept as bytes in one array.

    Workers forked from this process share the array's memory. A list of Python objects they would copy page by
    page, merely by counting references.
    """

    def __init__(self, values: Iterable[Any]):
        chunks = [pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL) for value in values]
        self.ends = np.cumsum([len(chunk) for chunk in chunks], dtype=np.int64)
        self.bytes = np.frombuffer(b"".join(chunks), dtype=np.uint8)

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, index: int) -> Any:
        start = self.ends[index - 1] if index else 0
        return pickle.loads(self.bytes[start : self.ends[index]].data)
