"""Policies: what may be tuned without changing what a definition is."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from hashlib import blake2b
from typing import Final, cast

from sayiir_core.duration import MAX_DURATION, Duration, to_timedelta

DEFAULT_JITTER: Final = 0.5
_HASH_RANGE: Final = float(1 << 64)


class OnMax(StrEnum):
    """Say what a loop does at its cap."""

    FAIL = "fail"
    EXIT_WITH_LAST = "exit_with_last"


class ConflictPolicy(StrEnum):
    """Say what happens if the instance id is taken."""

    FAIL = "fail"
    USE_EXISTING = "use_existing"
    TERMINATE_EXISTING = "terminate_existing"

    @classmethod
    def _missing_(cls, value: object) -> None:
        words = ", ".join(repr(policy.value) for policy in cls)
        raise ValueError(f"conflict_policy must be one of {words}, not {value!r}")


@dataclass(frozen=True, slots=True, init=False)
class RetryPolicy:
    """How often a failed task is tried again, after which delays, and for which errors.

    The delay before retry ``k`` is ``initial_delay_secs × backoff_multiplier^(k-1)``, at most
    ``max_delay``. ``jitter`` is the largest part of it that may be taken off, 0 to 1. ``retry_on``
    and ``give_up_on`` are given as exception classes and kept as their qualified names, so that a
    policy is plain data; both cover subclasses. With ``retry_on`` only those errors are retried;
    ``give_up_on`` wins over it. ``max_retries=0`` means exactly one attempt.
    """

    max_retries: int
    initial_delay_secs: float
    backoff_multiplier: float
    max_delay: timedelta | None
    jitter: float
    retry_on: tuple[str, ...]
    give_up_on: tuple[str, ...]

    def __init__(
        self,
        max_retries: int = 2,
        initial_delay_secs: float = 1.0,
        backoff_multiplier: float = 2.0,
        *,
        max_delay: Duration | None = None,
        jitter: bool | float = False,
        retry_on: Iterable[type[BaseException] | str] = (),
        give_up_on: Iterable[type[BaseException] | str] = (),
    ) -> None:
        """Check every setting; raises ``ValueError`` that names a bad one."""
        put = object.__setattr__
        put(self, "max_retries", _count(max_retries))
        put(self, "initial_delay_secs", _initial_delay(initial_delay_secs))
        put(self, "backoff_multiplier", _number(backoff_multiplier, "backoff_multiplier"))
        put(self, "max_delay", None if max_delay is None else to_timedelta(max_delay))
        put(self, "jitter", _fraction(jitter))
        put(self, "retry_on", _error_names(retry_on, "retry_on"))
        put(self, "give_up_on", _error_names(give_up_on, "give_up_on"))

    def delay_before(self, retry: int, *, salt: str) -> timedelta:
        """Return the wait before the ``retry``-th retry, counted from 1.

        The same salt gives the same jitter, so a recomputed delay is the same delay.
        """
        cap = MAX_DURATION if self.max_delay is None else self.max_delay
        try:
            seconds = self.initial_delay_secs * self.backoff_multiplier ** (retry - 1)
        except OverflowError:
            seconds = math.inf if self.initial_delay_secs else 0.0
        seconds = min(seconds, cap.total_seconds())
        if self.jitter:
            seconds *= 1.0 - self.jitter * _spread(salt)
        return timedelta(seconds=seconds)

    def retries(self, error: BaseException) -> bool:
        """Say whether an error of this class is worth another attempt."""
        if not self.retry_on and not self.give_up_on:
            return True
        names = {error_name(cls) for cls in type(error).__mro__}
        if not names.isdisjoint(self.give_up_on):
            return False
        return not self.retry_on or not names.isdisjoint(self.retry_on)


def error_name(cls: type) -> str:
    """Return the qualified name of a class; built-in ones go without their module."""
    if cls.__module__ == "builtins":
        return cls.__qualname__
    return f"{cls.__module__}.{cls.__qualname__}"


def _spread(salt: str) -> float:
    digest = blake2b(salt.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest) / _HASH_RANGE


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"max_retries must be a whole number from 0, not {value!r}")
    return value


def _initial_delay(value: object) -> float:
    seconds = _number(value, "initial_delay_secs")
    if seconds > MAX_DURATION.total_seconds():
        raise ValueError(f"initial_delay_secs {value!r} is longer than {MAX_DURATION.days} days")
    return seconds


def _fraction(value: object) -> float:
    if isinstance(value, bool):
        return DEFAULT_JITTER if value else 0.0
    fraction = _number(value, "jitter")
    if fraction > 1:
        raise ValueError(f"jitter must be True, False, or a fraction from 0 to 1, not {value!r}")
    return fraction


def _number(value: object, name: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ValueError(f"{name} must be a number, not {value!r}")
    if not 0 <= value <= sys.float_info.max:
        raise ValueError(f"{name} must be finite and not negative, not {value!r}")
    return float(value)


def _error_names(classes: object, name: str) -> tuple[str, ...]:
    if not isinstance(classes, Iterable) or isinstance(classes, str):
        raise ValueError(f"{name} must be a tuple of exception classes, not {classes!r}")
    names: list[str] = []
    for cls in cast("Iterable[object]", classes):
        if isinstance(cls, type) and issubclass(cls, BaseException):
            names.append(error_name(cls))
        elif isinstance(cls, str) and cls:
            names.append(cls)
        else:
            raise ValueError(f"{name} must hold exception classes, not {cls!r}")
    return tuple(names)
