"""The workflows of the chaos runs, the same in every process, and a log of their bodies."""

from __future__ import annotations

import os
import time
from pathlib import Path
from random import Random
from typing import Any

from sayiir_core.authoring import TaskContext, Workflow
from sayiir_pytest.fleet.plans import draw_plan
from sayiir_pytest.strategies import CallLog, Plan, build

KINDS = 12


class BodyLog(CallLog):
    """Append a line per started body to a file that outlives the process, and take some time."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._random = Random()

    def note(self, context: TaskContext, value: Any) -> None:
        """Write the step and the attempt."""
        super().note(context, value)
        os.write(self._file, f"{context.idempotency_key} {context.attempt}\n".encode())
        time.sleep(self._random.choice([0.0, 0.0, 0.002, 0.02]))


def plans(seed: int) -> list[Plan]:
    """Return the plans of a seed."""
    random = Random(seed)
    return [draw_plan(random, delays=(0, 1, 200, 1500)) for _ in range(KINDS)]


def workflows(seed: int, calls: CallLog) -> list[Workflow[Any, Any]]:
    """Return the workflows of a seed."""
    return [
        build(plan, calls, name=f"chaos{number}", retry_delay=0.1)
        for number, plan in enumerate(plans(seed))
    ]
