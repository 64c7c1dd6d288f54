"""The port that runs bodies outside of the process that drives their workflow.

Threads and event loops are none of it: drivers have their own, and a call there costs nothing more.
An executor is for what a thread cannot do: hold the interpreter's lock for long, be stopped, crash
alone, or run on another machine.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol


class Body(Protocol):
    """A call that is ready to be made: a task's function, with its value, in its context.

    It can be pickled if the function and the value can. Calling it is all that has to be done where
    it shall run, from any thread without a running event loop; coroutine functions are run to their end.
    """

    @property
    def path(self) -> str:
        """Return the path of the task, for error texts."""
        ...

    @property
    def instance_id(self) -> str:
        """Return the id of the instance, for error texts."""
        ...

    def __call__(self) -> Any:
        """Return what the function returns; raise what it raises."""
        ...


class Execution(Protocol):
    """One body that was handed to an executor."""

    def wait(self) -> Any:
        """Block until the body has ended, and return the very value that it returned.

        Raises what the body raised: an exception of the same class with the same text, also a
        ``SystemExit``. Raises ``TaskCrashedError`` if what ran the body ended before the body did,
        and ``EncodeError`` if the input or the value cannot be carried. Called once, on the thread
        that called ``start``. After ``give_up`` it ends soon, by raising anything.
        """
        ...

    def give_up(self) -> None:
        """Stop the body, whatever it does, because nobody wants its value any more.

        May be called from any thread, at any time, repeatedly, and after the end, when it does nothing
        to others. Must neither raise nor wait for the body.
        """
        ...


class TaskExecutor(Protocol):
    """Run bodies somewhere else; shared by all drivers of a process, and by all their threads.

    As many bodies are started at once as drivers let run (``concurrency`` of a worker), and each
    one's timeout counts from ``start``; so none should wait in line for long.
    """

    def check(self, function: Callable[..., Any]) -> None:
        """Raise ``DefinitionError`` with the remedy if bodies of this function cannot run here.

        Called when a workflow is made ready to run, before anything of it is claimed.
        """
        ...

    def start(self, body: Body) -> Execution:
        """Hand over a body, to be called at most once; may return before it begins."""
        ...

    def close(self) -> None:
        """Give up what still runs, and free everything; the process is about to end."""
        ...
