"""What a proof has shown, boundary by boundary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sayiir_pytest.recovery.boundary import Boundary
from sayiir_pytest.recovery.verdict import Outcome


class RecoveryError(AssertionError):
    """Report that a workflow does not recover, or does something to the world twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubled:
    """A task whose effect happened twice, at which boundary, and the key that would drop one.

    ``idempotency_key`` is what ``get_task_context().idempotency_key`` gave in both calls.
    """

    task: str
    idempotency_key: str
    boundary: str

    def __str__(self) -> str:
        return f"{self.task}, idempotency key {self.idempotency_key}, {self.boundary}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What came of one boundary.

    ``again`` are the tasks that ran once more because they were in flight; ``doubled`` are those of
    them that did something to the world twice, as far as that was recorded. ``faults`` is all that
    must not be. ``is_reached`` is False if the run did not come to this boundary this time.
    """

    driver: str
    boundary: Boundary
    outcome: Outcome
    again: tuple[str, ...] = ()
    doubled: tuple[Doubled, ...] = ()
    faults: tuple[str, ...] = ()
    is_reached: bool = True

    @property
    def verdict(self) -> str:
        """Return one word."""
        if self.faults:
            return "WRONG"
        if self.doubled:
            return "TWICE"
        return "ok" if self.is_reached else "not met"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryReport:
    """What a proof has shown; printed, it is a table of boundaries and outcomes.

    ``boundaries`` is how many there are, of which ``trials`` may be a sample.
    """

    workflow: str
    backend: str
    mode: str
    expected: Outcome
    trials: Sequence[Trial]
    boundaries: int

    @property
    def ok(self) -> bool:
        """Tell whether every trial came to the same end, and no effect happened twice."""
        return not self.faults and not self.doubled

    @property
    def faults(self) -> list[str]:
        """Return what was wrong, each with its driver and boundary."""
        return [
            f"{trial.driver}, {trial.boundary.text}: {fault}"
            for trial in self.trials
            for fault in trial.faults
        ]

    @property
    def doubled(self) -> list[Doubled]:
        """Return the effects that happened twice."""
        return [doubled for trial in self.trials for doubled in trial.doubled]

    @property
    def again(self) -> list[str]:
        """Return the tasks that ran again, having been in flight, each once."""
        return sorted({task for trial in self.trials for task in trial.again})

    def check(self) -> RecoveryReport:
        """Return the report if all is well; raises ``RecoveryError`` with the table otherwise."""
        if not self.ok:
            raise RecoveryError(str(self))
        return self

    def __str__(self) -> str:
        return "\n".join([self._title(), "", *self._table(), "", *self._summary()])

    def _title(self) -> str:
        shown = len([trial for trial in self.trials if trial.boundary.place])
        return (
            f"{self.workflow} on {self.backend}, killed by {self.mode} at {shown} of "
            f"{self.boundaries} boundaries; undisturbed it is {self.expected}"
        )

    def _table(self) -> list[str]:
        rows = [("driver", "boundary", "outcome", "ran again", "")]
        rows.extend(
            (
                trial.driver,
                trial.boundary.text,
                trial.outcome.status,
                ", ".join(trial.again) or "-",
                trial.verdict,
            )
            for trial in self.trials
        )
        widths = [max(len(row[column]) for row in rows) for column in range(5)]
        return [
            "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]

    def _summary(self) -> list[str]:
        lines = [f"wrong: {fault}" for fault in self.faults]
        by_task = {doubled.task: doubled for doubled in reversed(self.doubled)}
        for task, first in sorted(by_task.items()):
            number = sum(doubled.task == task for doubled in self.doubled)
            lines.append(f"happened twice at {number} boundaries: {first}")
        if not self.ok:
            return lines
        tail = f"; in flight, so run again: {', '.join(self.again)}" if self.again else ""
        return [f"every trial ended the same, no recorded step ran again{tail}"]
