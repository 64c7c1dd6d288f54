"""The native codec where it is installed; elsewhere its tests skip, or fail if they must not."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from sayiir_rkyv import RkyvCodec


@pytest.fixture(scope="session")
def codec() -> RkyvCodec:
    """Return the native codec."""
    try:
        from sayiir_rkyv import RkyvCodec

        return RkyvCodec()
    except ImportError as error:
        reason = f"the native codec is not installed ({error}): run 'python3 dev.py native'"
        if os.environ.get("SAYIIR_REQUIRE_NATIVE"):
            pytest.fail(reason)
        pytest.skip(reason)
