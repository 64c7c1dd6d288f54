"""New run ids."""

from __future__ import annotations

import os

from sayiir_core.ids import RunId


def new_run_id() -> RunId:
    """Return a random UUID (version 4) as text, with 120 random bits.

    Spelled out: one is made per run, and ``uuid.uuid4`` takes three times as long.
    """
    digits = os.urandom(16).hex()
    return RunId(f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}")
