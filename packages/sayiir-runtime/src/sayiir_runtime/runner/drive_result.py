"""How a drive ended."""

from __future__ import annotations

from sayiir_core.snapshot.answer import LostReason
from sayiir_core.snapshot.effect import Finish
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

    def complete(self, finish: Finish, carry: Carry | None) -> None:
        """Note the end of the run; ``carry`` is the last value, which need not be its output."""
        self.completed = True
        if carry is not None and carry.leaf == finish.value:
            self.output = carry
