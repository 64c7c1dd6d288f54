"""The proof: a workflow is killed at every boundary that it has, and must come to the same end."""

from __future__ import annotations

import operator
import random
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing, nullcontext
from typing import Any, Literal

from sayiir_core.authoring import Workflow
from sayiir_core.ports.backend import Backend
from sayiir_core.workflow.node import SignalNode
from sayiir_pytest.clock import VirtualClock
from sayiir_pytest.process import World
from sayiir_pytest.recovery.attempt import Attempt, Bench, Plan
from sayiir_pytest.recovery.boundary import SIGNALS_FIRST, UNDISTURBED, Boundary
from sayiir_pytest.recovery.journal import Effects, Journal
from sayiir_pytest.recovery.killed import BySigkill
from sayiir_pytest.recovery.manner import SIMULATED, ByException
from sayiir_pytest.recovery.report import RecoveryReport, Trial
from sayiir_pytest.recovery.runner_engine import RunnerEngine
from sayiir_pytest.recovery.scene import Case, Scene
from sayiir_pytest.recovery.shared_clock import SharedClock
from sayiir_pytest.recovery.verdict import Outcome, Same, outcome_of
from sayiir_runtime.gate import built_workflow
from sayiir_runtime.memory import InMemoryBackend

MakeBackend = Callable[[VirtualClock], Backend]
Mode = Literal["exception", "sigkill"]
Driver = Literal["runner", "pool"]


def in_memory(clock: VirtualClock) -> Backend:
    """Return an empty memory store."""
    return InMemoryBackend(clock=clock)


def prove_recovery(
    workflow: Workflow[Any, Any],
    input: Any,  # noqa: A002 - the word of the public contract
    *,
    backend: MakeBackend = in_memory,
    mode: Mode = "exception",
    drivers: Sequence[Driver] = ("runner", "pool"),
    signals: Iterable[tuple[str, Any]] = (),
    effects: Effects | None = None,
    limit: int | None = None,
    seed: int = 0,
    same: Same = operator.eq,
    show: bool = True,
) -> RecoveryReport:
    """Kill a run of a workflow at every boundary that it has, and see how others finish it.

    The workflow runs once per boundary and driver, with its real tasks, in virtual time. ``backend``
    makes a store of its own that tells the time by the clock that it is given. ``mode="sigkill"`` forks processes
    and kills them, on a store that outlives its processes. ``signals`` are names with payloads; each is
    sent when the instance waits for it. ``effects`` returns all that the tasks have done to the world
    so far, as a list that grows: what is then done twice is reported by task. ``limit`` tries that many
    boundaries per driver, chosen by ``seed``. ``same`` compares two outputs. The report is printed
    unless ``show`` is False; its ``check()`` raises if anything was wrong.

    Raises ``ValueError`` for a mode that the store cannot have, a signal that the workflow never waits
    for, no driver or a limit below 1, ``TypeError`` for what is no workflow
    or no function that makes a backend.
    """
    case = Case(workflow=built_workflow(workflow), input=input, signals=tuple(signals))
    _check(case, drivers, limit)
    world = _world(backend, mode)
    is_real = mode == "sigkill"
    with closing(world.store), BySigkill() if is_real else nullcontext(ByException()) as manner:
        expected = undisturbed(case)
        bench = Bench(
            world=world, case=case, manner=manner, expected=expected, effects=effects, same=same
        )
        trials, boundaries = _all_trials(bench, drivers, limit, seed)
    report = RecoveryReport(
        workflow=workflow.workflow_id,
        backend=type(world.store).__name__,
        mode=mode,
        expected=expected,
        trials=trials,
        boundaries=boundaries,
    )
    if show:
        sys.stdout.write(f"{report}\n")
    return report


def _check(case: Case, drivers: Sequence[Driver], limit: int | None) -> None:
    """Raise ``ValueError`` for what would prove less than it seems to."""
    unknown = [driver for driver in drivers if driver not in SIMULATED]
    if unknown or not drivers:
        which = repr(unknown[0]) if unknown else "none"
        raise ValueError(f"drivers are {', '.join(SIMULATED)}, not {which}")
    if limit is not None and limit < 1:
        raise ValueError(f"limit= is how many boundaries are tried, 1 at least, not {limit}")
    awaited = sorted(
        {it.signal_name for it in case.workflow.definition.nodes if isinstance(it, SignalNode)}
    )
    for name, _ in case.signals:
        if name not in awaited:
            raise ValueError(
                f"workflow {case.workflow.workflow_id!r} never waits for a signal {name!r}; it "
                f"waits for {', '.join(map(repr, awaited)) or 'none'}"
            )


def _world(backend: MakeBackend, mode: Mode) -> World:
    """Return the store with its clock, after a look whether both can be had."""
    if not callable(backend):
        raise TypeError(
            "backend is a function from a clock to a backend, such as "
            "lambda clock: SQLiteBackend('proof.db', clock=clock)"
        )
    if mode not in ("exception", "sigkill"):
        raise ValueError(f"mode is 'exception' or 'sigkill', not {mode!r}")
    is_real = mode == "sigkill"
    world = World(backend, SharedClock() if is_real else VirtualClock())
    capabilities = world.store.capabilities
    if is_real and not (capabilities.durable and capabilities.shared):
        raise ValueError(
            f"{type(world.store).__name__} does not outlive its process, so nothing could be "
            f"recovered after a SIGKILL; use mode='exception', or a store in a file or on a server"
        )
    return world


def undisturbed(case: Case) -> Outcome:
    """Run a case once on the memory store, which is the model, to see what must come out."""
    scene = Scene(World(in_memory), case, Journal())
    engine = RunnerEngine(scene)
    engine.run()
    engine.exit()
    return outcome_of(scene)


def _all_trials(
    bench: Bench, drivers: Sequence[Driver], limit: int | None, seed: int
) -> tuple[list[Trial], int]:
    trials: list[Trial] = []
    total = 0
    for driver in drivers:
        plan = _rehearse(bench, driver)
        total += len(plan.boundaries)
        usual = Attempt(bench, plan, UNDISTURBED)
        trials.append(usual.trial())
        chosen = [SIGNALS_FIRST] if bench.case.signals else []
        chosen += _sample(plan.boundaries, limit, seed)
        trials.extend(Attempt(bench, plan, boundary, usual).trial() for boundary in chosen)
    return trials, total


def _rehearse(bench: Bench, driver: Driver) -> Plan:
    """Return the boundaries that a run has, seen in one in memory that nothing disturbs."""
    rehearsal = Bench(
        world=World(in_memory),
        case=bench.case,
        manner=ByException(),
        expected=bench.expected,
        effects=None,
        same=bench.same,
    )
    attempt = Attempt(rehearsal, Plan(driver=driver), UNDISTURBED)
    attempt.trial()
    fitting = [boundary for boundary in attempt.met if bench.manner.fits(driver, boundary)]
    return Plan(driver=driver, boundaries=fitting, calls=attempt.calls)


def _sample(boundaries: Sequence[Boundary], limit: int | None, seed: int) -> Sequence[Boundary]:
    if limit is None or limit >= len(boundaries):
        return boundaries
    chosen = random.Random(seed).sample(range(len(boundaries)), limit)  # noqa: S311 - a sample
    return [boundaries[position] for position in sorted(chosen)]
