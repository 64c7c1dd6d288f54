"""The store as a process sees it that may die at any named boundary.

How this works: a ``Trap`` belongs to one process. Its backend names every call that changes the store,
its bodies name themselves, and each name is compared with the boundary at which the process shall
die. Without such a boundary the trap only notes which ones there are: that is the rehearsal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from threading import Lock, RLock
from typing import Any, Final, NoReturn, Protocol, TypeVar, cast

from sayiir_core.authoring.context import TaskContext
from sayiir_core.errors import BackendError
from sayiir_core.snapshot.answer import Claim, Committed
from sayiir_core.snapshot.effect import Checkpoint, Record
from sayiir_core.snapshot.head import Head
from sayiir_core.snapshot.reference import StepRef, encode_ref
from sayiir_core.snapshot.step import StepStatus
from sayiir_pytest.crash import CrashingBackend, SimulatedCrash
from sayiir_pytest.recovery.boundary import CANCELS, Boundary, Event, Kind, around_body
from sayiir_pytest.recovery.naming import Naming, checkpoints_of, name_of_call

T = TypeVar("T")

_CLAIMS: Final = frozenset({"claims.claim", "ownership.claim_owned"})
_BEFORE: Final = (Kind.BEFORE_CALL, Kind.CANCEL_BEFORE)
_AFTER: Final = (Kind.ANSWER_LOST, Kind.SIGNAL_BEFORE_PARK, Kind.CANCEL_AFTER)


class StuckError(AssertionError):
    """Report that a process goes on without getting anywhere."""


class World(Protocol):
    """What is around a process and outlives it.

    Whoever changes the store, and whoever has others take over, holds ``lock`` meanwhile: so a signal
    reaches what has just parked before time passes.
    """

    lock: RLock

    def head(self) -> Head | None:
        """Return the head of the instance, None before it exists."""
        ...

    def send_due(self) -> bool:
        """Send the next signal that the instance waits for; tell whether one was sent."""
        ...

    def send(self, name: str) -> None:
        """Send the next signal of a name, if one is left."""
        ...

    def cancel(self) -> None:
        """Ask for a cancel."""
        ...

    def lose_lease(self) -> None:
        """Have others take over what the process runs."""
        ...

    def acknowledge(self, steps: Iterable[str]) -> None:
        """Note steps that the store has told the process are stored."""
        ...


class Trap:
    """The boundaries that one process meets, and the one at which it dies.

    ``most_calls`` is how many changing calls a process may make that gets anywhere at all.
    """

    def __init__(
        self, naming: Naming, world: World, target: Boundary | None = None, *, most_calls: int
    ) -> None:
        self.naming = naming
        self.world = world
        self.target = target
        self.most_calls = most_calls
        self.met: dict[Boundary, None] = {}
        self.is_sprung = False
        self.late: Callable[[], Any] | None = None
        self._lock = Lock()

    def meets(self, *boundaries: Boundary) -> Boundary | None:
        """Note boundaries, and return the one of them at which the process dies, if any."""
        with self._lock:
            self.met.update(dict.fromkeys(boundaries))
        return self.target if self.target in boundaries else None

    def is_at(self, kind: Kind, place: str) -> bool:
        """Tell whether the process dies at a place in a certain way."""
        target = self.target
        return target is not None and target.kind is kind and target.place == place


def steps_of(checkpoint: Checkpoint) -> list[str]:
    """Return the idempotency keys of the steps that a checkpoint records as succeeded."""
    records = [it.step for it in checkpoint.effects if isinstance(it, Record)]
    return [
        f"{checkpoint.lease.run_id}/{encode_ref(StepRef(step.node, step.turns))}"
        for step in records
        if step.status is StepStatus.SUCCEEDED
    ]


class TrappedBackend(CrashingBackend):
    """A backend that dies at the boundary of its trap.

    ``late`` is a call that a dead process has made and that reaches the store only now, when this
    process has taken over: in front of its first commit. Its answer is ``late_answer``.
    """

    def __init__(self, backend: Any, trap: Trap, late: Callable[[], Any] | None = None) -> None:
        super().__init__(backend)
        self._trap = trap
        self.late = late
        self.late_answer: Any = None

    def changing_call(self, name: str, call: Callable[[], T], arguments: tuple[Any, ...]) -> T:
        """Make a changing call, and die at it if that is the boundary."""
        with self._trap.world.lock:
            if self.dead:
                # It died while this call waited for its turn.
                raise SimulatedCrash(name)
            return self._changing_call(name, call, arguments)

    def _changing_call(self, name: str, call: Callable[[], T], arguments: tuple[Any, ...]) -> T:
        self.calls += 1
        if self.calls > self._trap.most_calls:
            raise StuckError(f"it has called the store {self.calls} times and gets nowhere")
        batch = checkpoints_of(name, arguments)
        if batch:
            self.deliver_late()
        events = self._events(name, batch)
        self._before(events, call)
        answer = call()
        if name in _CLAIMS:
            claimed = self._trap.naming.claims(cast("list[Claim]", answer))
            events = [claimed] if claimed else []
        signals = [event.signal for event in events if event.signal]
        if self._dies_after(events):
            self._trap.is_sprung = True
            self.die(name)
        if signals:
            self._trap.world.send_due()
        if batch:
            self._acknowledge(batch, answer)
        return answer

    def deliver_late(self) -> None:
        """Let the late call reach the store."""
        late, self.late = self.late, None
        if late is not None:
            try:
                self.late_answer = late()
            except BackendError as error:
                self.late_answer = error

    def die(self, name: str) -> NoReturn:
        """Be dead from now on; in a child process this is a real death."""
        self.dead = True
        raise SimulatedCrash(name)

    def kill_during(self, call: Callable[[], Any]) -> NoReturn:
        """Die with a call on its way: it reaches the store after somebody else has taken over."""
        self._trap.late = call
        self.die("a call on its way")

    def body_starts(self, context: TaskContext) -> None:
        """Note that a body is about to be called, and die here if that is the boundary."""
        if self.dead:
            raise SimulatedCrash(context.task_path)
        step = self._trap.naming.step(context.task_path, context.turns, context.attempt)
        target = self._trap.meets(*around_body(step))
        if target is None or self._trap.is_sprung:
            return
        if target.kind in CANCELS:
            self._trap.world.cancel()
            return
        self._trap.is_sprung = True
        if target.kind is Kind.LEASE_LOST:
            self._trap.world.lose_lease()
        else:
            self.die(step)

    def _events(self, name: str, batch: list[Checkpoint]) -> list[Event]:
        naming = self._trap.naming
        if batch:
            return [naming.commit(each, self._cursor(each)) for each in batch]
        if name == "instances.create":
            return [naming.create()]
        if name in _CLAIMS:
            return []
        head = self._trap.world.head()
        where = "before the start" if head is None else naming.rest(head)
        return [naming.call(name_of_call(name, where))]

    def _cursor(self, checkpoint: Checkpoint) -> Any:
        head = self._trap.world.head()
        return None if head is None else head.cursors.get(checkpoint.lease.key)

    def _before(self, events: list[Event], call: Callable[[], Any]) -> None:
        trap = self._trap
        for event in events:
            trap.meets(*event.boundaries())
            if any(trap.is_at(kind, event.place) for kind in _BEFORE):
                trap.is_sprung = True
                self.die(event.place)
            if trap.is_at(Kind.DURING_CALL, event.place):
                trap.is_sprung = True
                self.kill_during(call)
            if trap.is_at(Kind.SIGNAL_BEFORE_PARK, event.place) and event.signal is not None:
                trap.world.send(event.signal)

    def _dies_after(self, events: list[Event]) -> bool:
        trap = self._trap
        trap.meets(*(event.after for event in events))
        return any(trap.is_at(kind, event.place) for kind in _AFTER for event in events)

    def _acknowledge(self, batch: list[Checkpoint], answers: Any) -> None:
        for checkpoint, answer in zip(batch, answers, strict=True):
            if isinstance(answer, Committed):
                self._trap.world.acknowledge(steps_of(checkpoint))
