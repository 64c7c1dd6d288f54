"""What the last task of a loop's body returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeGuard, TypeVar, cast

from sayiir_core.snapshot.step import Verdict

T = TypeVar("T")
V = TypeVar("V")


@dataclass(frozen=True, slots=True, init=False, repr=False)
class LoopResult(Generic[T]):
    """Say whether a loop goes on, and with which value.

    Return ``LoopResult.again(value)`` for another turn that receives the value, or
    ``LoopResult.done(value)`` to leave the loop with it.
    """

    verdict: Verdict
    value: T

    def __init__(self, tag: str, value: T) -> None:
        """Take ``"again"`` or ``"done"``; ``ValueError`` for anything else."""
        object.__setattr__(self, "verdict", Verdict(tag))
        object.__setattr__(self, "value", value)

    @staticmethod
    def again(value: V) -> LoopResult[V]:
        """Ask for another turn with this value."""
        return LoopResult(Verdict.AGAIN, value)

    @staticmethod
    def done(value: V) -> LoopResult[V]:
        """Leave the loop with this value."""
        return LoopResult(Verdict.DONE, value)

    @staticmethod
    def from_value(value: object) -> LoopResult[Any] | None:
        """Return what a task returned as a ``LoopResult``, None if it is none.

        A ``LoopResult`` and a dict of exactly ``_loop`` (``"again"`` or ``"done"``) and ``value``
        are equal.
        """
        if _is_loop_result(value):
            return value
        if not isinstance(value, dict):
            return None
        fields = cast("dict[object, Any]", value)
        if fields.keys() != _KEYS or fields["_loop"] not in _WORDS:
            return None
        return LoopResult(fields["_loop"], fields["value"])

    @property
    def is_done(self) -> bool:
        """Say whether the loop is left."""
        return self.verdict is Verdict.DONE

    @property
    def is_again(self) -> bool:
        """Say whether another turn follows."""
        return self.verdict is Verdict.AGAIN

    def to_dict(self) -> dict[str, Any]:
        """Return the dict form, which a task may return as well."""
        return {"_loop": self.verdict.value, "value": self.value}

    def __repr__(self) -> str:
        return f"LoopResult.{self.verdict.value}({self.value!r})"


def _is_loop_result(value: object) -> TypeGuard[LoopResult[Any]]:
    return isinstance(value, LoopResult)


_KEYS = {"_loop", "value"}
_WORDS = (Verdict.AGAIN, Verdict.DONE)
