"""A state machine that does to instances of a workflow whatever can be done to them.

Subclass it with your workflow and what must always hold::

    class Orders(WorkflowMachine):
        workflow = order
        inputs = payloads(Order)
        signals = {"approval": payloads(Approval)}

        @invariant()
        def nobody_pays_twice(self):
            for one in self.instances:
                assert bank.payments(one.instance_id) <= 1

    TestOrders = Orders.TestCase

Hypothesis then starts instances, sends signals, lets time pass, cancels, pauses, unpauses and retries, and
kills the process that runs them at any call of the store, in any order, and looks for the shortest story
in which an invariant does not hold. The laws of the library are invariants, too. A failure shows what
each instance did, where it stands and what it waits for.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, ClassVar, Final

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from hypothesis.strategies import SearchStrategy

from sayiir_core.authoring import TaskContext, Workflow
from sayiir_core.duration import parse_duration
from sayiir_core.errors import InstanceStateError
from sayiir_core.ports.backend import Backend
from sayiir_core.snapshot.head import Head, InstanceState
from sayiir_pytest.clock import VirtualClock
from sayiir_pytest.crash import CrashPoint, Moment, SimulatedCrash
from sayiir_pytest.process import Process, World
from sayiir_pytest.recovery.bindings import Bindings
from sayiir_pytest.recovery.journal import BodyCall, Journal
from sayiir_pytest.recovery.scene import due_of
from sayiir_pytest.recovery.verdict import record_faults
from sayiir_pytest.strategies.payloads import payloads
from sayiir_runtime.memory import InMemoryBackend
from sayiir_runtime.operations import Operations
from sayiir_runtime.status import WorkflowStatus

_MOST_CALLS: Final = 20
_SPANS: Final = ("1s", "1m", "1h", "1d", "30d", "next")
_ENDS: Final = frozenset({InstanceState.COMPLETED, InstanceState.CANCELLED})


class MachineInstance:
    """One instance of a machine: its id, its input, and what became of it so far."""

    def __init__(self, machine: WorkflowMachine, instance_id: str, value: Any) -> None:
        self.instance_id = instance_id
        self.input = value
        self._machine = machine

    @property
    def status(self) -> WorkflowStatus:
        """Return the status."""
        return self._machine.operations.status(self.instance_id)

    @property
    def calls(self) -> list[BodyCall]:
        """Return the calls of its tasks, in order, those of dead processes included."""
        run_id = f"{self.head.header.run_id}/"
        return [call for call in self._machine.journal.calls if call.key.startswith(run_id)]

    @property
    def history(self) -> list[str]:
        """Return its records, as ``charge, attempt 2: failed, ValueError: no``."""
        nodes = self._machine.workflow.definition.nodes
        lines: list[str] = []
        for row in self._machine.world.steps(self.instance_id):
            record = row.record
            where = nodes[record.node].path + "".join(f"[{turn}]" for turn in record.turns)
            error = "" if record.error is None else f", {record.error.text}"
            lines.append(f"{where}, attempt {record.attempt}: {record.status.value}{error}")
        return lines

    @property
    def head(self) -> Head:
        """Return what is live of it."""
        return self._machine.world.head(self.instance_id)

    def __str__(self) -> str:
        explained = self._machine.operations.explain(self.instance_id)
        lines = [f"{self.status!r} of input {self.input!r}"]
        lines.extend(f"  {line}" for line in self.history)
        lines.extend(f"  {it.path or 'it'}: {it.sentence} {it.action}" for it in explained)
        return "\n".join(lines)


class WorkflowMachine(RuleBasedStateMachine):
    """Start, signal, crash, advance, cancel, pause, unpause and retry; see the module.

    A subclass sets ``workflow``, and may set ``inputs``, ``signals`` (a strategy of payloads by name),
    ``most_instances`` and ``make_backend``, which is given the clock of the machine.
    """

    workflow: ClassVar[Workflow[Any, Any]]
    inputs: ClassVar[SearchStrategy[Any]] = payloads()
    signals: ClassVar[Mapping[str, SearchStrategy[Any]]] = {}
    most_instances: ClassVar[int] = 3

    def __init__(self) -> None:
        super().__init__()
        self.world = World(self.make_backend)
        self.operations = Operations(self.world.store)
        self.journal = Journal()
        self.instances: list[MachineInstance] = []
        self._armed: CrashPoint | None = None
        self._ended: dict[str, WorkflowStatus] = {}
        self._processes = 0

    def make_backend(self, clock: VirtualClock) -> Backend:
        """Return the store of one story; by default an empty one in memory."""
        return InMemoryBackend(clock=clock)

    def teardown(self) -> None:
        """Close the store."""
        self.world.store.close()

    # What can be done.

    def _has_room(self) -> bool:
        return len(self.instances) < self.most_instances

    def _has_instances(self) -> bool:
        return bool(self.instances)

    def _can_signal(self) -> bool:
        return bool(self.instances and self.signals)

    @precondition(_has_room)
    @rule(data=st.data())
    def start(self, data: st.DataObject) -> None:
        """Start an instance with some input, and run it as far as it goes."""
        value = data.draw(self.inputs, "input")
        one = MachineInstance(self, f"it-{len(self.instances)}", value)
        with self._telling():
            self._run(one, is_new=True)
            self.instances.append(one)

    @precondition(_can_signal)
    @rule(data=st.data())
    def signal(self, data: st.DataObject) -> None:
        """Send a signal, whether anybody waits for it or not."""
        one = self._drawn(data)
        name = data.draw(st.sampled_from(sorted(self.signals)), "signal")
        self.operations.send_signal(one.instance_id, name, data.draw(self.signals[name], "payload"))
        self._settle()

    @rule(call=st.integers(1, _MOST_CALLS), moment=st.sampled_from(Moment))
    def crash(self, call: int, moment: Moment) -> None:
        """Let the process that runs next die at one of its calls of the store."""
        self._armed = CrashPoint(call, moment)

    @rule(span=st.sampled_from(_SPANS))
    def advance(self, span: str) -> None:
        """Let time pass: a while, or until something is due."""
        now = self.world.clock.now()
        if span == "next":
            due = [at for one in self.instances if (at := due_of(one.head)) is not None]
            self.world.clock.advance_to(max(now, min(due, default=now)))
        else:
            self.world.clock.advance(parse_duration(span))
        self._settle()

    @precondition(_has_instances)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        """Ask for a cancel."""
        self._ask(data, self.operations.cancel)

    @precondition(_has_instances)
    @rule(data=st.data())
    def pause(self, data: st.DataObject) -> None:
        """Ask for a pause."""
        self._ask(data, self.operations.pause)

    @precondition(_has_instances)
    @rule(data=st.data())
    def unpause(self, data: st.DataObject) -> None:
        """Lift a pause."""
        self._ask(data, self.operations.unpause)

    @precondition(_has_instances)
    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        """Revive what has failed."""
        self._ask(data, self.operations.retry)

    def _drawn(self, data: st.DataObject) -> MachineInstance:
        position = data.draw(st.integers(0, len(self.instances) - 1), "instance")
        return self.instances[position]

    def _ask(self, data: st.DataObject, request: Callable[[str], None]) -> None:
        one = self._drawn(data)
        with suppress(InstanceStateError):
            request(one.instance_id)
        self._settle()

    # Running.

    def _settle(self) -> None:
        """Run whatever can go on now."""
        with self._telling():
            for one in self.instances:
                due = due_of(one.head)
                if due is not None and due <= self.world.clock.now():
                    self._run(one)

    def _run(self, one: MachineInstance, *, is_new: bool = False) -> None:
        """Run an instance in a process, and in another one if that dies."""
        point, self._armed = self._armed, None
        recorded: set[str] = set() if is_new else set(self.world.succeeded(one.instance_id))
        try:
            self._run_in(self.world.process(point), one)
        except SimulatedCrash:
            self.world.bury()
            recorded = set(self.world.succeeded(one.instance_id))
            self._run_in(self.world.process(), one)
        again = [it for it in self.journal.calls if it.engine == self._processes]
        for call in again:
            assert call.key not in recorded, f"the recorded step {call.step} ran again"

    def _run_in(self, process: Process, one: MachineInstance) -> None:
        self._processes += 1

        def starts(context: TaskContext) -> None:
            if process.backend.dead:
                raise SimulatedCrash(context.task_path)

        bindings = Bindings(self.journal, starts, engine=self._processes)
        workflow = bindings.bind(self.workflow)
        if self.world.steps(one.instance_id) or one in self.instances:
            process.runner.resume(workflow, one.instance_id)
        else:
            process.runner.run(workflow, one.instance_id, one.input, conflict_policy="use_existing")
        process.exit()

    # What must always hold.

    @invariant()
    def the_laws_hold(self) -> None:
        """Check that records are sound, that nothing is left claimed, and that an end is an end."""
        for one in self.instances:
            head = one.head
            faults = list(record_faults(self.world.steps(one.instance_id)))
            assert not faults, f"{one.instance_id}: {'; '.join(faults)}"
            held = [cursor for cursor in head.cursors.values() if cursor.session is not None]
            assert not held, f"{one.instance_id} is at rest, and {held} is held"
            known = self._ended.get(one.instance_id)
            assert known is None or known == one.status, f"{known} has become {one.status}"
            if head.header.state in _ENDS:
                self._ended[one.instance_id] = one.status

    def check_invariants(self, *args: Any, **kwargs: Any) -> None:
        """Check them, and tell of every instance if one does not hold."""
        with self._telling():
            super().check_invariants(*args, **kwargs)

    def told(self) -> str:
        """Return what every instance did, where it stands and what it waits for."""
        return "\n".join(f"{one}" for one in self.instances) or "there is no instance yet"

    @contextmanager
    def _telling(self) -> Generator[None, None, None]:
        try:
            yield
        except Exception as error:
            error.add_note(self.told())
            raise
