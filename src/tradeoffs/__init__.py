"""Speed and accuracy of vision models, measured the same way.

model = tradeoffs.load("runs/first_try")
found = model("photo.jpg")
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tradeoffs.runs.load import load

__all__ = ["load"]


def __getattr__(name: str) -> object:
    """`load` brings torch along, which takes seconds: only who asks for it waits."""
    if name == "load":
        from tradeoffs.runs.load import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
