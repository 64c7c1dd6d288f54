"""A fleet and its story."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from sayiir_core.authoring import Workflow
from sayiir_core.authoring.context import TaskContext
from sayiir_core.engine.explain import Explanation, SessionFacts
from sayiir_core.ids import InstanceId, SessionId
from sayiir_core.snapshot.effect import Checkpoint
from sayiir_core.snapshot.head import Head
from sayiir_core.snapshot.step import StepRecord, StepStatus
from sayiir_pytest.fleet.bounds import Bounds
from sayiir_pytest.fleet.faults import ROUGH, Faults
from sayiir_pytest.fleet.instance import ENDS, Submitted
from sayiir_pytest.fleet.operator import Operator
from sayiir_pytest.fleet.parts import REAL, Parts
from sayiir_pytest.fleet.plans import TIMEOUTS, draw_plan
from sayiir_pytest.fleet.process import Process
from sayiir_pytest.fleet.reasons import fault_of_reasons
from sayiir_pytest.fleet.runner import VirtualRunner
from sayiir_pytest.fleet.watch import Violation, Watch
from sayiir_pytest.fleet.watched import WatchedBackend
from sayiir_pytest.fleet.worker import VirtualWorker
from sayiir_pytest.fleet.world import World
from sayiir_pytest.strategies.build import build
from sayiir_pytest.strategies.calls import CallLog
from sayiir_pytest.strategies.expect import Expected, expected

_ROUGH_SECONDS: Final = 90.0
_PATIENCE_SECONDS: Final = 6000.0
_MOST_EVENTS: Final = 400_000
_CHECK_EVERY: Final = 25
_EXPLAIN_EVERY: Final = 200
_SPIN_EVENTS: Final = 5000
_TOLD: Final = 60


@dataclass(slots=True, kw_only=True)
class FleetReport:
    """What happened: how the instances ended, and how often what went wrong.

    ``requests`` counts what came from outside: "replaced", "retried" and "owned" runs, of the
    replaced those "replaced at work"; and what met a limit: bodies that "timed out", "refused
    rows" and "broken rows" (calls that the store failed on for such a row).
    """

    seed: int
    ends: Counter[str] = field(default_factory=Counter[str])
    requests: Counter[str] = field(default_factory=Counter[str])
    events: int = 0
    seconds: float = 0.0
    deaths: int = 0
    refused: int = 0
    late_starts: int = 0
    repeated_bodies: int = 0


class Fleet:
    """Workers over one store, and runners beside them; all that happens follows from the seed.

    Raises ``Violation`` from ``run`` when a law does not hold.
    """

    def __init__(
        self,
        seed: int,
        *,
        workers: int = 3,
        runners: int = 1,
        instances: int = 3,
        faults: Faults = ROUGH,
        parts: Parts = REAL,
    ) -> None:
        self.seed = seed
        self.world = World(seed, faults)
        self.backend = parts.backend(self.world.clock)
        self.watch = Watch(self.backend)
        self.watch.is_calm = faults.lost + faults.late + faults.unanswered + faults.doubled == 0
        self.submitted: dict[InstanceId, Submitted] = {}
        self._watched = WatchedBackend(self.backend, self.watch, lambda: self.submitted, self)
        self._operator = Operator(self.world, self._watched)
        self._parts = parts
        self.deaths = 0
        self._workers: list[VirtualWorker] = []
        self._runners: list[VirtualRunner] = []
        self._bounds = Bounds(faults.slow_seconds)
        self._is_rough = True
        self._sizes = (workers, runners, instances)
        self._numbers = 0

    # What a user may add.

    def submit(
        self, workflow: Workflow[Any, Any], value: Any, outcome: Expected, *, at: float = 0.0
    ) -> Submitted:
        """Submit an instance at a time, with the signals that its outcome names."""
        number = len(self.submitted)
        if workflow.executors:
            # Time is simulated on this thread, so that is where every body runs.
            workflow = replace(workflow, executors={})
        one = Submitted(
            instance_id=InstanceId(f"i{number}"), workflow=workflow, value=value, expected=outcome
        )
        self.submitted[one.instance_id] = one
        self._operator.submit(one, at=at, within=_ROUGH_SECONDS)
        return one

    def run(self) -> FleetReport:
        """Tell the story to its end: rough times, then peace in which everything must end."""
        workers, runners, instances = self._sizes
        if not self.submitted:
            self._submit_plans(instances)
        workflows = [one.workflow for one in self.submitted.values()]
        for position in range(workers):
            # Sometimes two workers believe that they have the same name.
            name = "w0" if self.world.chance(0.1) else f"w{position}"
            # The first serves everything, so that nothing waits for a worker that does not exist.
            is_partial = position > 0 and self.world.chance(0.2)
            self._employ(name, workflows[::2] if is_partial else workflows)
        try:
            for position in range(runners):
                self._engage(f"r{position}")
            self._operator.start()
            self.world.after(1.0, self._misfortune)
            self._tell()
        except Violation as violation:
            raise Violation(self._story_of(violation)) from violation
        finally:
            for runner in self._runners:
                runner.vanish()
        return self._report()

    # The story.

    def _tell(self) -> None:
        world = self.world
        stood_at = -1.0
        while world.step():
            if self.watch.violation is not None:
                raise self.watch.violation
            if world.events % _CHECK_EVERY == 0:
                self._check()
            if world.events % _EXPLAIN_EVERY == 0:
                self._check_reasons()
            if world.events % _SPIN_EVENTS == 0:
                if world.monotonic() == stood_at:
                    raise Violation("somebody spins: the time stands still")
                stood_at = world.monotonic()
            if self._is_rough and world.monotonic() > _ROUGH_SECONDS:
                self._make_peace()
            if not self._is_rough and world.events % 10 == 0 and self._is_over():
                break
            if world.monotonic() > _PATIENCE_SECONDS or world.events > _MOST_EVENTS:
                raise Violation(f"some instances never end:\n{self._explained()}")
        self._check()
        for one in self.submitted.values():
            head = self.backend.instances.load(one.instance_id)
            fault = one.fault(self.backend, head, self.watch)
            if fault is not None:
                raise Violation(f"{one.instance_id} {fault}")

    def _submit_plans(self, number_of_instances: int) -> None:
        random = self.world.random
        for number in range(number_of_instances):
            plan = draw_plan(random, timeouts=TIMEOUTS)
            delay = random.choice([0.1, 5])
            workflow = build(plan, _Calls(self._called), name=f"p{number}", retry_delay=delay)
            value = random.randint(0, 99)
            one = self.submit(workflow, value, expected(plan, value), at=random.uniform(0, 20))
            one.plan = plan
            self._operator.befall(one)

    def _called(self, context: TaskContext) -> None:
        for runner in self._runners:
            runner.calls(context)

    # Those who work.

    def _process(self, name: str) -> tuple[Process, int]:
        self._numbers += 1
        return Process(self.world, f"{name}#{self._numbers}"), self._numbers

    def _employ(self, name: str, workflows: Iterable[Workflow[Any, Any]]) -> None:
        process, number = self._process(name)

        def bury(dead: VirtualWorker) -> None:
            self._workers.remove(dead)
            self.deaths += not dead.is_leaving
            self._bounds.reset()
            self.world.after(self.world.random.uniform(0, 20), again)

        def again() -> None:
            self._employ(name, workflows)

        worker = VirtualWorker(
            process,
            self._watched,
            self.watch,
            workflows,
            worker_id=name,
            number=number,
            concurrency=self.world.random.choice([1, 2, 8]),
            kills=self._kills,
            on_end=bury,
            parts=self._parts,
        )
        self._workers.append(worker)
        worker.start()

    def _engage(self, name: str) -> None:
        process, number = self._process(name)

        def bury(dead: VirtualRunner) -> None:
            self._runners.remove(dead)
            self._bounds.reset()
            self.world.after(self.world.random.uniform(0, 20), lambda: self._engage(name))

        runner = VirtualRunner(
            process,
            self._watched,
            self.watch,
            list(self.submitted.values()),
            number=number,
            kills=self._kills,
            on_end=bury,
            parts=self._parts,
        )
        self._runners.append(runner)
        runner.start()

    def _kills(self, instance_id: InstanceId, node: int) -> bool:
        return self.submitted[instance_id].kills(node)

    def _misfortune(self) -> None:
        world, faults = self.world, self.world.faults
        world.after(1.0, self._misfortune)
        if world.chance(faults.outage):
            seconds = world.random.uniform(0, 2 * faults.pause_seconds)
            world.tell(f"the store is out for {seconds:.1f} s")
            world.begin_outage(seconds)
        everybody: list[VirtualWorker | VirtualRunner] = [*self._workers, *self._runners]
        for one in everybody:
            if world.chance(faults.death):
                one.die()
            elif world.chance(faults.restart):
                one.leave()
            elif world.chance(faults.pause):
                one.process.stand_still(world.random.uniform(0, faults.pause_seconds))
            elif world.chance(faults.partition):
                one.process.cut_off(world.random.uniform(0, faults.pause_seconds))

    def breaks(self, checkpoint: Checkpoint) -> bool:
        """Tell whether the store fails on this row at the moment."""
        one = self.submitted[checkpoint.lease.instance_id]
        if one.broken is None or self.world.monotonic() >= one.broken_until:
            return False
        head = self.backend.instances.load(one.instance_id)
        cursor = head.cursors.get(checkpoint.lease.key)
        return cursor is not None and cursor.node == one.broken

    def refuses(self, checkpoint: Checkpoint, step: StepRecord) -> bool:
        """Tell whether the store can never hold this row."""
        refused = self.submitted[checkpoint.lease.instance_id].refused
        return step.node == refused and step.status is StepStatus.SUCCEEDED

    def _make_peace(self) -> None:
        self._is_rough = False
        self.world.make_peace()
        self.world.tell("peace")

    def _is_over(self) -> bool:
        headers = self.backend.instances.headers(list(self.submitted))
        return all(header is not None and header.state in ENDS for header in headers)

    # Looking at it.

    def _check(self) -> None:
        live = {view.session_id for view in self.backend.sessions.live()}
        heads = list(self._watched.eyes.heads().values())
        for head in heads:
            self.watch.check(head, live)
        if not self._is_rough:
            now, moment = self.world.clock.now(), self.world.monotonic()
            self._bounds.check(heads, self._workers, self._runners, now, moment)

    def _check_reasons(self) -> None:
        sessions = self._sessions()
        now = self.world.clock.now()
        served = {
            lane
            for view in sessions.values()
            if now - view.renewed_at <= view.ttl
            for lane in view.lanes
        }
        for head in self._watched.eyes.heads().values():
            fault = fault_of_reasons(self._reasons(head, sessions), head, sessions, served)
            if fault is not None:
                raise Violation(fault)

    def _sessions(self) -> dict[SessionId, SessionFacts]:
        return {view.session_id: view for view in self.backend.sessions.live()}

    def _reasons(self, head: Head, sessions: dict[SessionId, SessionFacts]) -> list[Explanation]:
        definition = self.submitted[head.header.instance_id].workflow.definition
        now = self.world.clock.now()
        return self._parts.explain(head, definition, now=now, sessions=sessions)

    def _explained(self) -> str:
        sessions = self._sessions()
        return "\n".join(
            f"{head.header.instance_id} {it.path}: {it.sentence} {it.action}"
            for head in self._watched.eyes.heads().values()
            if head.header.state not in ENDS
            for it in self._reasons(head, sessions)
        )

    def _story_of(self, violation: Violation) -> str:
        told = "\n".join(self.world.story[-_TOLD:])
        return f"{violation}\nseed {self.seed}, at {self.world.monotonic():.3f} s:\n{told}"

    def _report(self) -> FleetReport:
        limits = self.watch.limits
        return FleetReport(
            seed=self.seed,
            ends=Counter(one.end for one in self.submitted.values()),
            requests=self.watch.requests.counts
            + Counter(
                {
                    "timed out": limits.late.total(),
                    "refused rows": limits.refused.total(),
                    "broken rows": limits.broken,
                }
            ),
            events=self.world.events,
            seconds=self.world.monotonic(),
            deaths=self.deaths,
            refused=self.watch.stale_writes,
            late_starts=self.watch.late_starts,
            repeated_bodies=sum(n - 1 for n in self.watch.started.values()),
        )


class _Calls(CallLog):
    """The calls of bodies, each told before it is answered."""

    def __init__(self, tell: Any) -> None:
        super().__init__()
        self._tell = tell

    def note(self, context: TaskContext, value: Any) -> None:
        super().note(context, value)
        self._tell(context)
