"""New run ids."""

from __future__ import annotations

import os
import time

from sayiir_core.ids import RunId


def new_run_id() -> RunId:
    """Return a UUID of version 7 (RFC 9562) as text: milliseconds of the wall clock, 72 random bits.

    What is stored of a run begins with its id. Ids that grow with time are appended to an index,
    random ones change another page of it each (ADR 19). Nothing else relies on their order, so
    clocks may disagree. Spelled out: one is made per run.
    """
    digits = f"{time.time_ns() // 1_000_000:012x}{os.urandom(10).hex()}"
    return RunId(f"{digits[:8]}-{digits[8:12]}-7{digits[13:16]}-a{digits[17:20]}-{digits[20:]}")
