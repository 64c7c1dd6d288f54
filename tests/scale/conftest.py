"""How large the tests of size are: SAYIIR_FULL_SIZE=1 makes them as large as the targets say."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest


@pytest.fixture
def size() -> Callable[[int], int]:
    """Give a tenth of a number, or all of it where the full size is asked for."""
    divisor = 1 if os.environ.get("SAYIIR_FULL_SIZE") == "1" else 10
    return lambda full: full // divisor
