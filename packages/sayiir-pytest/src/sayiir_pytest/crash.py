"""A process that dies at a chosen store call, simulated inside the test's own process.

How this works: ``CrashingBackend`` stands between a driver and a store and counts the calls that
change the store. At the chosen one it raises ``SimulatedCrash``, either before the store sees the
call or after the store has done it (its answer is lost), and from then on every call through it
raises too: a dead process cannot tidy up. The store itself lives on, as a server or a file does.
Only the death of the session has to be told to the store, which ``bury`` does through the lease.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final, NoReturn, TypeVar, cast

from sayiir_core.ids import SessionId
from sayiir_core.ports.backend import Backend
from sayiir_core.ports.sessions import NewSession
from sayiir_core.ports.wakeup import HintKind, Subscription, Wakeup
from sayiir_pytest.clock import VirtualClock

T = TypeVar("T")


class SimulatedCrash(BaseException):
    """The process is dead. Not an ``Exception``: nothing may handle it."""


class Moment(StrEnum):
    """When the process dies, seen from the store call."""

    BEFORE = "before the store saw the call"
    AFTER = "after the store did it, answer lost"


@dataclass(frozen=True, slots=True)
class CrashPoint:
    """Die at the ``call``-th changing store call, counted from 1."""

    call: int
    moment: Moment


_CHANGING: Final = {
    "instances": frozenset({"create"}),
    "checkpoints": frozenset({"commit"}),
    "claims": frozenset({"claim", "release", "release_claim"}),
    "ownership": frozenset({"own", "claim_owned", "disown"}),
}
"""The calls of a driver at which a death leaves the store in a state of its own."""


class CrashingBackend:
    """A backend whose process dies at a crash point, or never (None), counting its calls.

    ``before_call`` is called before each changing call, with its number: a place for requests
    from outside that meet the process at just that boundary.
    """

    def __init__(self, backend: Backend, point: CrashPoint | None = None) -> None:
        self._backend = backend
        self._point = point
        self.before_call: Callable[[int], None] | None = None
        self.calls: int = 0
        self.trace: list[str] = []
        self.dead = False

    def __getattr__(self, name: str) -> Any:
        if self.dead:
            raise SimulatedCrash(name)
        value = getattr(self._backend, name)
        if name == "wakeup" and value is not None:
            return _CrashingWakeup(self, value)
        return _CrashingPort(self, name, value) if name in _PORTS else value

    def changing_call(self, name: str, call: Callable[[], T], _arguments: tuple[Any, ...]) -> T:
        """Make a changing call, dying at it if it is the chosen one.

        A subclass may choose by the name of the call and by its arguments instead.
        """
        self.calls += 1
        self.trace.append(name)
        if self.before_call is not None:
            self.before_call(self.calls)
        chosen = self._point is not None and self._point.call == self.calls
        if chosen and self._point is not None and self._point.moment is Moment.BEFORE:
            self.die(name)
        answer = call()
        if chosen:
            self.die(name)
        return answer

    def die(self, name: str) -> NoReturn:
        """Be dead from now on."""
        self.dead = True
        raise SimulatedCrash(name)


_PORTS: Final = frozenset(
    {
        "instances",
        "definitions",
        "checkpoints",
        "claims",
        "ownership",
        "sessions",
        "signals",
        "control",
        "results",
    }
)


class _CrashingPort:
    def __init__(self, owner: CrashingBackend, name: str, port: Any) -> None:
        self._owner = owner
        self._name = name
        self._port = port

    def __getattr__(self, method: str) -> Any:
        call = getattr(self._port, method)
        if not callable(call):
            return call
        owner, changing = self._owner, method in _CHANGING.get(self._name, ())

        def guarded(*args: Any, **kwargs: Any) -> Any:
            if owner.dead:
                raise SimulatedCrash(method)
            if not changing:
                return call(*args, **kwargs)
            label = f"{self._name}.{method}"
            return owner.changing_call(label, lambda: call(*args, **kwargs), args)

        return guarded


class _CrashingWakeup:
    """Hints that a dead process does not hear."""

    def __init__(self, owner: CrashingBackend, wakeup: Wakeup) -> None:
        self._owner = owner
        self._wakeup = wakeup

    def subscribe(self, kind: HintKind, hint: Callable[[], None]) -> Subscription:
        def hint_the_living() -> None:
            if not self._owner.dead:
                hint()

        return self._wakeup.subscribe(kind, hint_the_living)


def as_backend(crashing: CrashingBackend) -> Backend:
    """Return the crashing backend under the type that drivers expect."""
    return cast(Backend, crashing)


def bury(backend: Backend, clock: VirtualClock, ttl: timedelta) -> list[SessionId]:
    """Let the leases of all dead sessions run out, and have a fresh steady session reap them.

    Returns the sessions that were reaped. The clock moves by two leases and a second.
    """
    reaper = SessionId(uuid.uuid4().hex)
    backend.sessions.register(NewSession(session_id=reaper, worker_id="gravedigger", ttl=ttl))
    for _ in range(4):
        clock.advance(ttl / 2)
        backend.sessions.renew(reaper)
    clock.advance(timedelta(seconds=1))
    backend.sessions.renew(reaper)
    reaped = backend.sessions.reap(reaper)
    backend.sessions.end(reaper)
    return reaped
