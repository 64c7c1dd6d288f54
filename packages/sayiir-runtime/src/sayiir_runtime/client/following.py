"""Following runs to their end: what the clients for threads and for event loops share."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import Final

from sayiir_core.engine.explain import Explanation
from sayiir_core.errors import BackendError, ResultTimeoutError
from sayiir_core.ids import RunKey
from sayiir_core.ports.backend import Backend
from sayiir_runtime.client.end import End, end_of
from sayiir_runtime.client.watcher import Mark, Watcher
from sayiir_runtime.codec import PayloadCodec
from sayiir_runtime.observe import Observer
from sayiir_runtime.status import WorkflowStatus

_SHOWN: Final = 3


class Follower:
    """Wait for runs of a backend, all by one thread."""

    def __init__(self, backend: Backend, codec: PayloadCodec) -> None:
        self.watcher: Final = Watcher(backend)
        self._backend = backend
        self._observer = Observer(backend, codec)

    def wait(
        self, run: RunKey, seconds: float | None, *, unended: Mark | None = None
    ) -> WorkflowStatus:
        """Block until the run has ended, and return its status.

        ``unended`` is a mark of the watcher from before the run was created.
        Raises ``ResultTimeoutError`` if it has not by then, ``RunReplacedError`` if another run
        took its id, ``InstanceNotFoundError`` if it was removed.
        """
        until = deadline(seconds)
        while True:
            ends: SimpleQueue[End] = SimpleQueue()
            settle = ends.put
            self.watcher.watch(run, settle, unended=unended)
            try:
                end = ends.get(timeout=left(until))
            except Empty:
                return self.status_when_late(run, seconds or 0.0)
            finally:
                self.watcher.forget(run, settle)
            with passing_troubles():
                return self.status_at(end)

    def status_at(self, end: End) -> WorkflowStatus:
        """Return the status of an ended run, or raise why it cannot be told."""
        if isinstance(end, Exception):
            raise end
        return self._observer.status_of_head(end, None)

    def status_when_late(self, run: RunKey, seconds: float) -> WorkflowStatus:
        """Look a last time; raises ``ResultTimeoutError`` that says what the run does instead."""
        try:
            head = self._backend.instances.load(run.instance_id)
            end = end_of(run, head)
            doing = "" if end is not None else _in_words(self._observer.explain_head(head))
        except BackendError as error:
            doing, end = f"nor can it be told why: {error}", None
        if end is None:
            raise ResultTimeoutError(run.instance_id, seconds=seconds, doing=doing)
        return self.status_at(end)


def deadline(seconds: float | None) -> float | None:
    """Return the instant after some seconds, of the monotonic clock; None for never."""
    return None if seconds is None else time.monotonic() + seconds


def left(until: float | None) -> float | None:
    """Return the seconds until an instant, at least 0; None for no end."""
    return None if until is None else max(0.0, until - time.monotonic())


@contextmanager
def passing_troubles() -> Generator[None]:
    """Swallow an error of the store that will pass: who waits has the watcher wait it out."""
    try:
        yield
    except BackendError as error:
        if not error.transient:
            raise


def _in_words(explanations: list[Explanation]) -> str:
    shown = [
        f"{each.path or 'it'}: {each.sentence} ({each.action})" for each in explanations[:_SHOWN]
    ]
    more = len(explanations) - len(shown)
    return "; ".join(shown) + (f"; and {more} more places" if more else "")
