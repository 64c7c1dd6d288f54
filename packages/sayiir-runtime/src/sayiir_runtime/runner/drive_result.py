"""How a drive ended."""

from __future__ import annotations

from sayiir_core.snapshot.answer import LostReason
from sayiir_runtime.runner.input import Carry


class DriveResult:
    """How a drive ended.

    ``output`` is set if this drive completed the run. ``errors`` are the exceptions that bodies
    raised here, by the path of their task, the last one of each.
    """

    __slots__ = ("completed", "errors", "lost", "output")

    def __init__(self) -> None:
        self.completed = False
        self.output: Carry | None = None
        self.lost: LostReason | None = None
        self.errors: dict[str, BaseException] = {}
