"""A fleet and its story."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from sayiir_core.authoring import Workflow
from sayiir_core.engine.explain import explain
from sayiir_core.errors import InstanceNotFoundError, InstanceStateError
from sayiir_core.ids import InstanceId
from sayiir_pytest.fleet.bounds import Bounds
from sayiir_pytest.fleet.faults import ROUGH, Faults
from sayiir_pytest.fleet.instance import ENDS, Submitted
from sayiir_pytest.fleet.parts import REAL, Parts
from sayiir_pytest.fleet.plans import draw_plan
from sayiir_pytest.fleet.watch import Violation, Watch
from sayiir_pytest.fleet.watched import WatchedBackend
from sayiir_pytest.fleet.worker import VirtualWorker
from sayiir_pytest.fleet.world import World
from sayiir_pytest.strategies.build import build
from sayiir_pytest.strategies.calls import CallLog
from sayiir_pytest.strategies.expect import Expected, expected
from sayiir_runtime.payloads import default_codec
from sayiir_runtime.worker.held import Held

_ROUGH_SECONDS: Final = 90.0
_PATIENCE_SECONDS: Final = 6000.0
_MOST_EVENTS: Final = 400_000
_CHECK_EVERY: Final = 25
_TOLD: Final = 60


@dataclass(slots=True, kw_only=True)
class FleetReport:
    """What happened: how the instances ended, and how often what went wrong."""

    seed: int
    ends: Counter[str] = field(default_factory=Counter[str])
    events: int = 0
    seconds: float = 0.0
    deaths: int = 0
    refused: int = 0
    late_starts: int = 0
    repeated_bodies: int = 0


class Fleet:
    """Workers over one store; everything that happens follows from the seed.

    Raises ``Violation`` from ``run`` when a law does not hold.
    """

    def __init__(
        self,
        seed: int,
        *,
        workers: int = 3,
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
        self._watched = WatchedBackend(self.backend, self.watch, lambda: self.submitted)
        self._parts = parts
        self.deaths = 0
        self._workers: list[VirtualWorker] = []
        self._bounds = Bounds()
        self._is_rough = True
        self._size = workers
        self._instances = instances
        self._numbers = 0

    # What a user may add.

    def submit(
        self, workflow: Workflow[Any, Any], value: Any, outcome: Expected, *, at: float = 0.0
    ) -> Submitted:
        """Submit an instance at a time, with the signals that its outcome names."""
        number = len(self.submitted)
        one = Submitted(
            instance_id=InstanceId(f"i{number}"), workflow=workflow, value=value, expected=outcome
        )
        self.submitted[one.instance_id] = one
        self.world.after(at, partial(one.submit, self.backend))
        for name, payload in outcome.signals:
            when = self.world.random.uniform(0, _ROUGH_SECONDS)
            encoded = default_codec().encode(payload)
            self.world.after(
                when, partial(self._watched.signals.send, one.instance_id, name, encoded)
            )
        return one

    def run(self) -> FleetReport:
        """Tell the story to its end: rough times, then peace in which everything must end."""
        if not self.submitted:
            self._submit_plans()
        workflows = [one.workflow for one in self.submitted.values()]
        for position in range(self._size):
            # Sometimes two workers believe that they have the same name.
            name = "w0" if self.world.chance(0.1) else f"w{position}"
            # The first serves everything, so that nothing waits for a worker that does not exist.
            is_partial = position > 0 and self.world.chance(0.2)
            self._employ(name, workflows[::2] if is_partial else workflows)
        self.world.after(1.0, self._misfortune)
        try:
            self._tell()
        except Violation as violation:
            raise Violation(self._story_of(violation)) from violation
        return self._report()

    # The story.

    def _tell(self) -> None:
        world = self.world
        while world.step():
            if self.watch.violation is not None:
                raise self.watch.violation
            if world.events % _CHECK_EVERY == 0:
                self._check()
            if self._is_rough and world.monotonic() > _ROUGH_SECONDS:
                self._make_peace()
            if not self._is_rough and world.events % 10 == 0 and self._is_over():
                break
            if world.monotonic() > _PATIENCE_SECONDS or world.events > _MOST_EVENTS:
                raise Violation(f"some instances never end:\n{self._explained()}")
        self._check()
        for one in self.submitted.values():
            fault = one.fault(self.backend, self.backend.instances.load(one.instance_id))
            if fault is not None:
                raise Violation(f"{one.instance_id} {fault}")

    def _submit_plans(self) -> None:
        random = self.world.random
        for number in range(self._instances):
            plan = draw_plan(random)
            workflow = build(
                plan, CallLog(), name=f"p{number}", retry_delay=random.choice([0.1, 5])
            )
            value = random.randint(0, 99)
            one = self.submit(workflow, value, expected(plan, value), at=random.uniform(0, 20))
            if self.world.chance(self.world.faults.poison):
                self._poison(one)
            if self.world.chance(0.2):
                self.world.after(random.uniform(0, 60), partial(self._pause, one))
            if self.world.chance(0.1):
                self.world.after(random.uniform(0, 80), partial(self._cancel, one))

    def _poison(self, one: Submitted) -> None:
        nodes = [node.ordinal for node in one.workflow.definition.nodes if hasattr(node, "policy")]
        if not nodes:
            return
        one.killer = self.world.random.choice(nodes)
        one.kills_left = self.world.random.choice([1, 2, 3, 99])

    def _pause(self, one: Submitted) -> None:
        if self._ask(
            one, lambda: self.backend.control.pause(one.instance_id, reason=None, by=None)
        ):
            one.is_paused = True
            self.world.after(self.world.random.uniform(0, 40), partial(self._unpause, one))

    def _unpause(self, one: Submitted) -> None:
        self._ask(one, lambda: self.backend.control.unpause(one.instance_id))
        one.is_paused = False

    def _cancel(self, one: Submitted) -> None:
        cancel = self.backend.control.cancel
        if self._ask(one, lambda: cancel(one.instance_id, reason="simulated", by=None)):
            one.is_cancelled = True

    def _ask(self, one: Submitted, request: Callable[[], Any]) -> bool:
        try:
            request()
        except (InstanceNotFoundError, InstanceStateError):
            return False
        self.world.tell(f"a request reaches {one.instance_id}")
        return True

    def _employ(self, name: str, workflows: Iterable[Workflow[Any, Any]]) -> None:
        self._numbers += 1
        worker = VirtualWorker(
            self.world,
            self._watched,
            self.watch,
            workflows,
            worker_id=name,
            number=self._numbers,
            concurrency=self.world.random.choice([1, 2, 8]),
            kills=self._kills,
            on_end=lambda dead: self._bury(dead, name, workflows),
            parts=self._parts,
        )
        self._workers.append(worker)
        worker.start()

    def _bury(
        self, dead: VirtualWorker, name: str, workflows: Iterable[Workflow[Any, Any]]
    ) -> None:
        self.deaths += not dead.is_leaving
        self._bounds.reset()
        self._workers.remove(dead)
        wait = self.world.random.uniform(0, 20)
        self.world.after(wait, lambda: self._employ(name, workflows))

    def _kills(self, held: Held) -> bool:
        one = self.submitted[held.claim.lease.instance_id]
        if one.killer != held.claim.cursor.node or one.kills_left == 0:
            return False
        one.kills_left -= one.kills_left < 99
        return True

    def _misfortune(self) -> None:
        world, faults = self.world, self.world.faults
        self.world.after(1.0, self._misfortune)
        if world.chance(faults.outage):
            seconds = world.random.uniform(0, 2 * faults.pause_seconds)
            world.tell(f"the store is out for {seconds:.1f} s")
            world.begin_outage(seconds)
        for worker in list(self._workers):
            if world.chance(faults.death):
                worker.die()
            elif world.chance(faults.restart):
                worker.leave()
            elif world.chance(faults.pause):
                worker.stand_still(world.random.uniform(0, faults.pause_seconds))
            elif world.chance(faults.partition):
                worker.cut_off(world.random.uniform(0, faults.pause_seconds))

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
            self._bounds.check(heads, self._workers, now, moment)

    def _explained(self) -> str:
        lines: list[str] = []
        sessions = {view.session_id: view for view in self.backend.sessions.live()}
        for one in self.submitted.values():
            head = self.backend.instances.load(one.instance_id)
            if head.header.state in ENDS:
                continue
            definition = one.workflow.definition
            now = self.world.clock.now()
            lines.extend(
                f"{one.instance_id} {it.path}: {it.sentence} {it.action}"
                for it in explain(head, definition, now=now, sessions=sessions)
            )
        return "\n".join(lines)

    def _story_of(self, violation: Violation) -> str:
        told = "\n".join(self.world.story[-_TOLD:])
        return f"{violation}\nseed {self.seed}, at {self.world.monotonic():.3f} s:\n{told}"

    def _report(self) -> FleetReport:
        return FleetReport(
            seed=self.seed,
            ends=Counter(one.end for one in self.submitted.values()),
            events=self.world.events,
            seconds=self.world.monotonic(),
            deaths=self.deaths,
            refused=self.watch.stale_writes,
            late_starts=self.watch.late_starts,
            repeated_bodies=sum(n - 1 for n in self.watch.started.values()),
        )
