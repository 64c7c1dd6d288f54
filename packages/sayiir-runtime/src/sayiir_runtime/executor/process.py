"""The executor ``process``: each body in a child process, of which a few are kept warm.

Children are fresh programs, never forked, in sessions of their own, so that no signal of a terminal
reaches them. There are as many as bodies run at once. A body that is given up is killed with its child,
and with what it has started in its process group.
"""

from __future__ import annotations

import logging
import os
import pickle
import signal
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any, Final

from sayiir_core.errors import DefinitionError, TaskCrashedError
from sayiir_core.ports.executor import Body
from sayiir_runtime.executor.exchange import (
    ERROR,
    RECORD,
    pack_body,
    unpack_error,
    unpack_value,
)
from sayiir_runtime.executor.worker_process import WorkerProcess

logger = logging.getLogger("sayiir.executor")

MOST_WARM: Final = 4


class ProcessExecutor:
    """Run bodies in child processes.

    ``warm`` children are kept for the next bodies, by default as many as there are processors, up to
    4. A child imports the module of a task at its first call, and keeps it.
    """

    def __init__(self, *, warm: int | None = None) -> None:
        self._warm = min(os.cpu_count() or 1, MOST_WARM) if warm is None else warm
        self._begin()
        _executors.add(self)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[WorkerProcess] = []
        self._children: set[WorkerProcess] = set()
        self._is_closed = False

    def check(self, function: Callable[..., Any]) -> None:
        """Refuse what a fresh interpreter cannot find by its name."""
        module = getattr(function, "__module__", None)
        name = getattr(function, "__qualname__", None)
        if module == "__main__":
            raise DefinitionError(
                f"{name} is defined in the program that was started, which its process must not run "
                f"again; move it to a module of its own and import it from there"
            )
        found: Any = sys.modules.get(module or "")
        for part in (name or "?").split("."):
            found = getattr(found, part, None)
        if found is not function:
            raise DefinitionError(
                f"{name or repr(function)} cannot be found by its name in module {module!r}; a process "
                f"imports what it calls, so let it be a function at the top of a module, no lambda, "
                f"local function, method of an object or partial"
            )

    def start(self, body: Body) -> ProcessExecution:
        """Prepare a call; the child is taken by whoever waits."""
        return ProcessExecution(self, body)

    def close(self) -> None:
        """Kill what still runs, and let idle children end in good order."""
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
            busy, self._children = self._children - set(idle), set()
        for child in busy:
            # Whoever waits for it collects it.
            child.kill()
        for child in idle:
            child.release()
        for child in idle:
            child.retire()

    @property
    def pids(self) -> list[int]:
        """Return the process ids of all children."""
        with self._lock:
            return [child.pid for child in self._children]

    def take(self) -> WorkerProcess:
        """Return an idle child, or a new one."""
        while True:
            with self._lock:
                if self._is_closed:
                    raise RuntimeError("the process executor is closed")
                child = self._idle.pop() if self._idle else None
            if child is None:
                return self._started()
            if child.is_alive():
                return child
            self.bury(child)

    def _started(self) -> WorkerProcess:
        child = WorkerProcess()
        with self._lock:
            if not self._is_closed:
                self._children.add(child)
                return child
        child.kill()
        child.retire()
        raise RuntimeError("the process executor is closed")

    def give_back(self, child: WorkerProcess) -> None:
        """Keep a child for the next body, or let it end if there are enough."""
        with self._lock:
            is_kept = not self._is_closed and len(self._idle) < self._warm
            if is_kept:
                self._idle.append(child)
        if not is_kept:
            self.bury(child)

    def bury(self, child: WorkerProcess) -> int:
        """Forget a child that is dead or not needed; return its exit code."""
        with self._lock:
            self._children.discard(child)
        return child.retire()

    def forget(self) -> None:
        """In a forked copy of this process: leave the children to the one that started them."""
        for child in self._children:
            child.disinherit()
        self._begin()


class ProcessExecution:
    """One body in one child."""

    def __init__(self, executor: ProcessExecutor, body: Body) -> None:
        self._executor = executor
        self._body = body
        self._lock = threading.Lock()
        self._child: WorkerProcess | None = None
        self._is_given_up = False

    def wait(self) -> Any:
        """Send the body to a child, pass on what it logs, and return or raise what comes of it."""
        request = pack_body(self._body)
        kind, payload = self._exchange(request)
        if kind == ERROR:
            raise unpack_error(payload)
        return unpack_value(payload, self._body.path)

    def give_up(self) -> None:
        """Kill the child, if it still runs this body."""
        with self._lock:
            self._is_given_up = True
            if self._child is not None:
                self._child.kill()

    def _exchange(self, request: bytes) -> tuple[bytes, bytes]:
        child = self._executor.take()
        try:
            self._hold(child)
            child.send(_setting(), request)
            while True:
                kind, payload = child.receive()
                if kind != RECORD:
                    break
                _log(payload)
        except (EOFError, OSError):
            self._let_go()
            child.kill()
            raise self._crash(self._executor.bury(child)) from None
        except BaseException:
            self._let_go()
            child.kill()
            self._executor.bury(child)
            raise
        if self._let_go():
            self._executor.bury(child)
        else:
            self._executor.give_back(child)
        return kind, payload

    def _hold(self, child: WorkerProcess) -> None:
        with self._lock:
            self._child = child
            if self._is_given_up:
                child.kill()

    def _let_go(self) -> bool:
        """Leave the child to others; tell whether it was killed meanwhile."""
        with self._lock:
            self._child = None
            return self._is_given_up

    def _crash(self, code: int) -> TaskCrashedError:
        how = f"exit code {code}"
        if code < 0:
            how = f"signal {-code} ({signal.strsignal(-code)})"
        why = ", as the system does where memory runs out," if code == -signal.SIGKILL else ""
        return TaskCrashedError(
            f"the process of task {self._body.path!r} of instance {self._body.instance_id!r} ended "
            f"by {how}{why} before the task did; look at its standard error for what it said",
            task_id=self._body.path,
            instance_id=self._body.instance_id,
        )


def _setting() -> bytes:
    """Return what a child needs to know of this process as it is now: its paths and log levels."""
    known = {
        name: found.level
        for name, found in logging.root.manager.loggerDict.copy().items()
        if isinstance(found, logging.Logger) and found.level
    }
    known[""] = logging.root.level
    return pickle.dumps((sys.path, known, logging.root.manager.disable))


def _log(payload: bytes) -> None:
    """Handle a line of a child's log here, in the context of the task: it waits on this thread."""
    try:
        record: logging.LogRecord = pickle.loads(payload)  # noqa: S301 - of our own child
    except Exception as error:  # noqa: BLE001 - what is attached to a line may be of any class
        logger.warning("a line that a task has logged in its process is lost: %r", error)
        return
    target = logging.getLogger(record.name)
    if target.isEnabledFor(record.levelno):
        target.handle(record)


_executors: Final[weakref.WeakSet[ProcessExecutor]] = weakref.WeakSet()


def _forget_all() -> None:
    for executor in list(_executors):
        executor.forget()


os.register_at_fork(after_in_child=_forget_all)
