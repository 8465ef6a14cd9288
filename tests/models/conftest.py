import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def compiled_anew() -> Iterator[None]:
    """What others have compiled in this process counts against a limit of torch's."""
    yield
    if dynamo := sys.modules.get("torch._dynamo"):
        dynamo.reset()
