"""How a runner counts and lets pass the seconds in which it waits for others."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """The seconds of a runner: ``monotonic`` counts them, ``sleep`` lets them pass."""

    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


REAL: Final = Waiting()
"""Those of the machine."""
