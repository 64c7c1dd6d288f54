"""What the engine has seen happen: the stored checkpoints, the bodies started, the requests.

How this works: the desk of the engine's worker notes the effects of every checkpoint that the store
has taken, at the virtual time of the commit. A history is made of these notes, and of those stored
records that others (a real worker, a runner) wrote.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sayiir_core.ids import Index, RunId
from sayiir_core.snapshot.effect import (
    AwaitSignal,
    Checkpoint,
    Effect,
    Fail,
    Finish,
    Move,
    Record,
    Retry,
    Sleep,
    Spawn,
)
from sayiir_core.snapshot.step import ErrorRecord, StepRecord, StepStatus
from sayiir_core.workflow.definition import Definition
from sayiir_core.workflow.node import DelayNode, SignalNode
from sayiir_pytest.engine.history import spoken

_LONGEST: Final = 80

StepKey = tuple[int, Index, int]
"""Node, turns and attempt of a record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One thing that happened to a run; ``step`` if it is the record of that attempt."""

    at: datetime
    path: str
    text: str
    step: StepKey | None = None


class Journal:
    """The notes of all runs of one engine."""

    def __init__(self, clock: Callable[[], datetime], decode: Callable[[bytes], Any]) -> None:
        self._clock = clock
        self._decode = decode
        self._notes: dict[RunId, list[Note]] = {}
        self._started: dict[RunId, set[int]] = {}
        self._ended: set[RunId] = set()

    def notes(self, run_id: RunId) -> Sequence[Note]:
        """Return the notes of a run, in order."""
        return self._notes.get(run_id, ())

    def note(self, run_id: RunId, text: str, path: str = "", step: StepKey | None = None) -> None:
        """Note something now."""
        note = Note(at=self._clock(), path=path, text=text, step=step)
        self._notes.setdefault(run_id, []).append(note)

    def note_end(self, run_id: RunId, text: str) -> None:
        """Note that a run has ended, unless it had; of two failing branches the first one counts."""
        if run_id not in self._ended:
            self._ended.add(run_id)
            self.note(run_id, text)

    def note_retry(self, run_id: RunId) -> None:
        """Note that a failed run goes on."""
        self._ended.discard(run_id)
        self.note(run_id, "retried")

    def note_start(self, run_id: RunId, node: int) -> None:
        """Note that a body is called."""
        self._started.setdefault(run_id, set()).add(node)

    def has_run(self, run_id: RunId) -> bool:
        """Tell whether any body of a run was called here."""
        return run_id in self._started

    def has_started(self, run_id: RunId, node: int) -> bool:
        """Tell whether the body of a node was called here."""
        return node in self._started.get(run_id, ())

    def note_checkpoint(
        self, definition: Definition, checkpoint: Checkpoint, *, is_held: bool
    ) -> None:
        """Note what a stored checkpoint says; a run that is held does not complete by it."""
        run_id = checkpoint.lease.run_id
        path = ""
        for effect in checkpoint.effects:
            if isinstance(effect, Record):
                path = place(definition, effect.step.node, effect.step.turns)
                text = self.record(definition, effect.step)
                self.note(run_id, text, path, step_key(effect.step))
            elif isinstance(effect, Move):
                path = "" if effect.node < 0 else place(definition, effect.node, effect.turns)
            elif isinstance(effect, Fail):
                self.note_end(run_id, f"failed: {spoken_error(effect.error)}")
            elif isinstance(effect, Finish) and not is_held:
                self.note_end(run_id, "completed")
            for at, text in _said(effect, path, self._clock()):
                self.note(run_id, text, at)

    def record(self, definition: Definition, step: StepRecord) -> str:
        """Say what a record tells."""
        node = definition.nodes[step.node]
        if isinstance(node, DelayNode):
            return "the delay is over"
        if isinstance(node, SignalNode):
            if step.source is not None:
                return f"took signal {node.signal_name!r}"
            return f"the deadline for signal {node.signal_name!r} has passed"
        if step.status is StepStatus.SUCCEEDED:
            value = "" if step.output is None else f": {self.shown(step.output)}"
            return f"attempt {step.attempt} succeeded{value}"
        word = "timed out" if step.status is StepStatus.TIMED_OUT else "failed"
        error = "" if step.error is None else f": {spoken_error(step.error)}"
        return f"attempt {step.attempt} {word}{error}"

    def shown(self, payload: bytes) -> str:
        """Return the value of a payload as a short text."""
        return shortened(repr(self._decode(payload)))


def step_key(step: StepRecord) -> StepKey:
    """Return what names a record within its run."""
    return step.node, step.turns, step.attempt


def place(definition: Definition, node: int, turns: Index) -> str:
    """Return the path of a node, with the loop turns."""
    return definition.nodes[node].path + "".join(f"[{turn}]" for turn in turns)


def shortened(text: str) -> str:
    """Return a text on one line of bounded length."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


def spoken_error(error: ErrorRecord) -> str:
    """Return an error on one line."""
    return shortened(f"{error.type}: {error.message}" if error.message else error.type)


def _said(effect: Effect, path: str, now: datetime) -> Iterator[tuple[str, str]]:
    match effect:
        case Retry(at):
            yield path, f"again in {spoken(at - now)}"
        case Sleep(until):
            yield path, f"delayed for {spoken(until - now)}"
        case AwaitSignal(name, timeout):
            limit = "" if timeout is None else f", for {spoken(timeout)} at most"
            yield path, f"waits for signal {name!r}{limit}"
        case Spawn(children):
            yield path, f"forks into {len(children)} branches"
        case _:
            return
