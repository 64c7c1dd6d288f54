"""One run of a case, in which a process dies at one boundary, or none does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from threading import Lock

from sayiir_pytest.crash import SimulatedCrash
from sayiir_pytest.process import World
from sayiir_pytest.recovery.boundary import SIGNALS_FIRST, Boundary
from sayiir_pytest.recovery.engine import Engine
from sayiir_pytest.recovery.journal import BodyCall, Effects, Journal
from sayiir_pytest.recovery.manner import Manner
from sayiir_pytest.recovery.report import Doubled, Trial
from sayiir_pytest.recovery.scene import Case, Scene
from sayiir_pytest.recovery.verdict import (
    Outcome,
    Same,
    death_faults,
    differences,
    late_faults,
    outcome_of,
    record_faults,
    repetition_faults,
    rest_faults,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What all attempts of a proof share."""

    world: World
    case: Case
    manner: Manner
    expected: Outcome
    effects: Effects | None
    same: Same


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a driver is put to the test: the boundaries of a run, and the calls that it takes."""

    driver: str
    boundaries: Sequence[Boundary] = ()
    calls: int = 10_000

    @property
    def most_calls(self) -> int:
        """Return the calls above which a process gets nowhere: many times what is usual."""
        return 200 + 10 * self.calls


class Attempt:
    """One run; ``usual`` is the undisturbed one that its effects are compared with."""

    def __init__(
        self, bench: Bench, plan: Plan, boundary: Boundary, usual: Attempt | None = None
    ) -> None:
        self._bench = bench
        self._driver = plan.driver
        self._boundary = boundary
        self._usual = usual
        self._faults: list[str] = []
        self._deaths = 0
        self._successor = 0
        self._stored: set[str] = set()
        self._taking_over = Lock()
        self.journal = bench.manner.journal(bench.effects)
        self._scene = Scene(bench.world, bench.case, self.journal)
        self._scene.take_over = self._lose_lease
        self._scene.most_calls = plan.most_calls
        self.met: Sequence[Boundary] = ()
        self.made = 0
        self.calls = 0

    def trial(self) -> Trial:
        """Run, and judge."""
        before = self.journal.effects()
        if self._boundary is SIGNALS_FIRST:
            self._scene.send_all()
        first = self._bench.manner.engine(self._driver, self._scene, self._boundary)
        self._run(first)
        self.met, self.calls = tuple(first.trap.met), first.calls
        self.made = self.journal.effects() - before
        trial = self._judge(is_reached=first.trap.is_sprung or not self._boundary.place)
        self._scene.clean_up()
        return trial

    # Running.

    def _run(self, engine: Engine) -> None:
        """Run a process to its end, or to its death and that of its successor."""
        try:
            engine.run()
            with self._taking_over:
                engine.exit()
        except SimulatedCrash:
            self._take_over(engine)
        except Exception as error:  # noqa: BLE001 - whatever a broken store makes of a driver
            self._faults.append(f"the process ended by {type(error).__name__}: {error}")

    def _lose_lease(self) -> None:
        """Have another process go on beside one that still runs; on the thread of any body."""
        with self._taking_over:
            self._take_over(None)

    def _take_over(self, dead: Engine | None) -> None:
        """Have another process go on after the death of one, or of its lease alone (None)."""
        scene = self._scene
        self._deaths += 1
        with scene.lock:
            while scene.send_due():
                pass
            before = scene.head()
            if dead is None:
                scene.bury()
            else:
                self._bench.manner.bury(scene)
            after = scene.head()
        if before is not None and after is not None:
            self._faults.extend(death_faults(before, after))
        self._note_stored()
        late = None if dead is None else dead.trap.late
        successor = self._bench.manner.engine(self._driver, scene, late=late)
        self._successor = scene.engines
        try:
            successor.run()
            successor.exit()
        except Exception as error:  # noqa: BLE001 - as above
            self._faults.append(f"its successor ended by {type(error).__name__}: {error}")
        self._faults.extend(late_faults(successor.late_answer))

    def _note_stored(self) -> None:
        """Note what is stored when another process begins, and what should be."""
        acknowledged, stored = self.journal.acknowledged, self._scene.recorded()
        lost = sorted(acknowledged - stored)
        self._faults.extend(f"step {key} was acknowledged and is not stored" for key in lost)
        self._stored = stored | acknowledged

    # Judging.

    def _judge(self, *, is_reached: bool) -> Trial:
        scene, bench, calls = self._scene, self._bench, self.journal.calls
        found, is_cancelled = outcome_of(scene), scene.is_cancelled
        expected = Outcome(status="cancelled") if is_cancelled else bench.expected
        faults = [
            *self._faults,
            *differences(scene, expected, found, bench.same),
            *record_faults(scene.world.steps(scene.instance_id)),
            *repetition_faults(calls, self._stored, self._successor, self._deaths),
            *rest_faults(scene),
        ]
        if is_cancelled and any(call.engine > 1 for call in calls):
            faults.append("a body was called after the cancel and the death")
        again = _repeated(calls)
        return Trial(
            driver=self._driver,
            boundary=self._boundary,
            outcome=found,
            again=tuple(dict.fromkeys(call.step for call in again)),
            doubled=tuple(self._doubled(again)),
            faults=tuple(dict.fromkeys(faults)),
            is_reached=is_reached,
        )

    def _doubled(self, again: Sequence[BodyCall]) -> Iterable[Doubled]:
        """Return the tasks that ran again and did something to the world again."""
        usual = self._usual
        if usual is None or self.made <= usual.made:
            return
        mine, theirs = _made_by_step(self.journal), _made_by_step(usual.journal)
        guilty = [call for call in again if mine[call.step] > theirs[call.step]]
        for call in {call.key: call for call in guilty or again}.values():
            yield Doubled(task=call.step, idempotency_key=call.key, boundary=self._boundary.text)


def _repeated(calls: Sequence[BodyCall]) -> list[BodyCall]:
    """Return one call of each attempt that was made more than once."""
    counted = Counter((call.key, call.attempt) for call in calls)
    first = {(call.key, call.attempt): call for call in reversed(calls)}
    return [first[each] for each, number in counted.items() if number > 1]


def _made_by_step(journal: Journal) -> Counter[str]:
    """Return how many effects came into being in the bodies of each step."""
    made: Counter[str] = Counter()
    for call in journal.calls:
        made[call.step] += call.made
    return made
