"""What was seen while one instance was run by processes that die: calls, signals, answers.

How this works: every body that a proof calls is bound to one that notes its start, and how many
effects there were before and after. In memory that is a list; where processes are really killed it
is a file, to which each note is appended whole and at once, because a dead process can tell nothing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from sayiir_core.authoring import TaskContext
from sayiir_core.ids import Index

Effects = Callable[[], Collection[Any]]
"""Returns the effects so far of everything that the workflow's tasks have done to the world."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyCall:
    """One call of one body.

    ``key`` is the step's idempotency key, ``engine`` the number of the process that called it, and
    ``made`` the number of effects that came into being meanwhile.
    """

    key: str
    path: str
    turns: Index
    attempt: int
    engine: int
    made: int = 0

    @property
    def step(self) -> str:
        """Return the path with the turns."""
        return self.path + "".join(f"[{turn}]" for turn in self.turns)


class Journal:
    """The notes of all processes of one scene; safe to use from many threads."""

    def __init__(self, effects: Effects | None = None) -> None:
        self._effects = effects
        self._lock = Lock()
        self._started = 0
        self._notes: list[dict[str, Any]] = []

    def effects(self) -> int:
        """Return the number of effects so far."""
        return 0 if self._effects is None else len(self._effects())

    # What processes note.

    def start(self, context: TaskContext, engine: int) -> str:
        """Note a call before it does anything, and return a name for it."""
        with self._lock:
            self._started += 1
            call = f"{os.getpid()}/{self._started}"
        self._note(
            start=call,
            key=context.idempotency_key,
            path=context.task_path,
            turns=context.turns,
            attempt=context.attempt,
            engine=engine,
        )
        return call

    def end(self, call: str, made: int) -> None:
        """Note how many effects a call made."""
        self._note(end=call, made=made)

    def acknowledge(self, steps: Iterable[str]) -> None:
        """Note steps that the store has told a process are stored."""
        for step in steps:
            self._note(acknowledged=step)

    def send(self, position: int) -> None:
        """Note that a signal was sent, by its position among those of the case."""
        self._note(sent=position)

    # What the prover reads.

    @property
    def calls(self) -> Sequence[BodyCall]:
        """Return the calls so far, in the order in which the bodies were called."""
        notes = self._read()
        made = {note["end"]: note["made"] for note in notes if "end" in note}
        return [
            BodyCall(
                key=note["key"],
                path=note["path"],
                turns=tuple(note["turns"]),
                attempt=note["attempt"],
                engine=note["engine"],
                made=made.get(note["start"], 0),
            )
            for note in notes
            if "start" in note
        ]

    @property
    def acknowledged(self) -> set[str]:
        """Return the idempotency keys of the steps that the store has acknowledged."""
        return {note["acknowledged"] for note in self._read() if "acknowledged" in note}

    @property
    def sent(self) -> set[int]:
        """Return the positions of the signals that were sent."""
        return {note["sent"] for note in self._read() if "sent" in note}

    def _note(self, **note: Any) -> None:
        with self._lock:
            self._notes.append(note)

    def _read(self) -> list[dict[str, Any]]:
        with self._lock:
            return list(self._notes)


class FileJournal(Journal):
    """A journal that outlives the processes which write it."""

    def __init__(self, path: Path, effects: Effects | None = None) -> None:
        super().__init__(effects)
        self._path = path

    def _note(self, **note: Any) -> None:
        handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(handle, (json.dumps(note) + "\n").encode())
        finally:
            os.close(handle)

    def _read(self) -> list[dict[str, Any]]:
        if not self._path.exists():
            return []
        return [json.loads(line) for line in self._path.read_text("utf-8").splitlines()]
