"""What must hold of a run that a process died in: the same end, and nothing done twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from sayiir_core.ports.instances import Created
from sayiir_core.snapshot.answer import Committed
from sayiir_core.snapshot.head import Head, InstanceState
from sayiir_core.snapshot.status import status_of
from sayiir_core.snapshot.step import StepRow, StepStatus
from sayiir_pytest.recovery.journal import BodyCall
from sayiir_pytest.recovery.scene import Scene
from sayiir_runtime.observe import Observer
from sayiir_runtime.payloads import default_codec

Same = Callable[[Any, Any], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a run ended, as its user sees it: the status word, its output or its error."""

    status: str
    output: Any = None
    error: str | None = None
    failed_task: str | None = None

    def __str__(self) -> str:
        if self.error is not None:
            return f"{self.status}: {self.error.splitlines()[0][:60]}"
        return self.status if self.output is None else f"{self.status}: {self.output!r:.60}"


def outcome_of(scene: Scene) -> Outcome:
    """Return the outcome of a scene's instance."""
    head = scene.head()
    if head is None:
        return Outcome(status="absent")
    try:
        status = Observer(scene.world.store, default_codec()).status(scene.instance_id)
    except Exception as error:  # noqa: BLE001 - a broken store may hold what no reader expects
        return Outcome(status=status_of(head), error=f"unreadable, {error!r}")
    return Outcome(
        status=status.status,
        output=status.output,
        error=status.error,
        failed_task=status.failed_task,
    )


def differences(scene: Scene, expected: Outcome, found: Outcome, same: Same) -> Iterable[str]:
    """Yield how an outcome differs from the expected one.

    Of a run that fails, which failure is the first may depend on timing; but it must be one that
    the run's own records tell of.
    """
    if expected.status != found.status:
        yield f"it is {found}, expected {expected} ({_explained(scene)})"
    elif found.status == "failed":
        if found.failed_task != expected.failed_task and not _has_failed(scene, found):
            yield f"it failed with {found.error!r}, which no record tells of"
        if found.failed_task == expected.failed_task and found.error != expected.error:
            yield f"it failed with {found.error!r}, expected {expected.error!r}"
    elif not same(expected.output, found.output):
        yield f"it gave {found.output!r}, expected {expected.output!r}"


def record_faults(rows: Sequence[StepRow]) -> Iterable[str]:
    """Yield what is wrong with the records of a run: doubles, and gaps in attempts."""
    attempts: dict[Any, list[int]] = {}
    succeeded: Counter[Any] = Counter()
    for row in rows:
        step = (row.record.node, row.record.turns)
        attempts.setdefault(step, []).append(row.record.attempt)
        succeeded[step] += row.record.status is StepStatus.SUCCEEDED
    for step, number in succeeded.items():
        if number > 1:
            yield f"step {step} is recorded as succeeded {number} times"
    for step, numbers in attempts.items():
        if numbers != list(range(1, len(numbers) + 1)):
            yield f"the attempts at step {step} are numbered {numbers}"


def repetition_faults(
    calls: Sequence[BodyCall], stored: Collection[str], successor: int, deaths: int
) -> Iterable[str]:
    """Yield what ran that must not: recorded steps, and attempts more often than processes died.

    ``stored`` are the steps that were recorded when the process ``successor`` took over.
    """
    for call in calls:
        if call.engine == successor and call.key in stored:
            yield f"the recorded step {call.step} ran again"
    counted = Counter((call.step, call.attempt) for call in calls)
    for (step, attempt), number in counted.items():
        if number > 1 + deaths:
            yield f"attempt {attempt} at {step} ran {number} times with {deaths} deaths"


def rest_faults(scene: Scene) -> Iterable[str]:
    """Yield what a run that rests leaves in somebody's hands."""
    head = scene.head()
    if head is None:
        yield "the run does not exist"
        return
    for cursor in head.cursors.values():
        if cursor.session is not None:
            yield f"cursor {tuple(cursor.key)} is left claimed by session {cursor.session}"
    if head.header.owner is not None and head.header.state is InstanceState.RUNNING:
        yield f"it is left owned by session {head.header.owner}"
    for view in scene.world.store.sessions.live():
        yield f"session {view.session_id} of {view.worker_id} is left alive"


def death_faults(before: Head, after: Head) -> Iterable[str]:
    """Yield what is wrong with how a death was counted: one delivery for what the dead held."""
    for key, cursor in before.cursors.items():
        now = after.cursors.get(key)
        if now is None or (now.fence, now.seq) != (cursor.fence, cursor.seq):
            # A process that has only lost its lease writes until it finds that out.
            continue
        charged = len(now.deaths) - len(cursor.deaths)
        held = cursor.session is not None
        due = held and (cursor.started_at is not None or not cursor.deaths)
        if charged != due:
            yield f"cursor {tuple(key)} counts {charged} deaths for one of its session"
        if held and now.session is not None:
            yield f"cursor {tuple(key)} is still claimed by the dead"


def late_faults(answer: Any) -> Iterable[str]:
    """Yield that a write of the dead was accepted although others had taken over."""
    answers = cast("list[object]", answer) if isinstance(answer, list) else []
    for each in answers:
        if isinstance(each, Committed | Created):
            yield f"a late write of the dead process was accepted: {each}"


def _explained(scene: Scene) -> str:
    """Return where an instance stands, in the words that its users get."""
    try:
        told = Observer(scene.world.store, default_codec()).explain(scene.instance_id)
    except Exception as error:  # noqa: BLE001 - as above
        return f"and nothing explains it: {error!r}"
    return "; ".join(f"{it.path}: {it.sentence}" if it.path else it.sentence for it in told)


def _has_failed(scene: Scene, found: Outcome) -> bool:
    nodes = scene.case.workflow.definition.nodes
    return any(
        nodes[row.record.node].path == found.failed_task
        and row.record.status is not StepStatus.SUCCEEDED
        for row in scene.world.steps(scene.instance_id)
    )
