"""Processes that really die: each is a fork of this one, and ends by SIGKILL at its boundary.

How this works: a child opens the store anew, runs the instance with the real runner or the real
pooled worker, and kills itself where the trap says so, with no chance to tidy up; inside a commit another
thread of it does, so that the kill hits the call on its way. What it had noted is in a file. A lease is lost
by stopping the child (SIGSTOP) until another one has taken over, which then goes on with a result
that nobody wants any more. The clock stands in memory that all of them share.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
import time
import traceback
import uuid
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NoReturn, Self, TypeVar

from sayiir_core.ids import SessionId
from sayiir_core.ports.sessions import NewSession
from sayiir_pytest.crash import SimulatedCrash, as_backend
from sayiir_pytest.process import TTL
from sayiir_pytest.recovery.bindings import Bindings
from sayiir_pytest.recovery.boundary import Boundary, Kind
from sayiir_pytest.recovery.engine import Late, new_trap
from sayiir_pytest.recovery.journal import Effects, FileJournal, Journal
from sayiir_pytest.recovery.runner_engine import RunnerEngine
from sayiir_pytest.recovery.scene import Scene, due_of
from sayiir_pytest.recovery.trap import StuckError, TrappedBackend
from sayiir_runtime.client import WorkflowClient
from sayiir_runtime.worker import PooledWorker

T = TypeVar("T")

_DEADLINE_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.005
_LOST: Final = -signal.SIGKILL
_SIMULATED_ONLY: Final = {
    "runner": frozenset[Kind](),
    # Its other threads may be inside a transaction when it is stopped, and block everybody.
    "pool": frozenset({Kind.LEASE_LOST}),
}


class KillingBackend(TrappedBackend):
    """A backend whose process really dies."""

    def __init__(self, backend: Any, trap: Any, late: Late | None = None) -> None:
        super().__init__(backend, trap, late)
        self._seconds = [0.001]

    def changing_call(self, name: str, call: Callable[[], T], arguments: tuple[Any, ...]) -> T:
        """Make a changing call, and note how long it takes."""

        def timed() -> T:
            began = time.monotonic()
            answer = call()
            self._seconds.append(time.monotonic() - began)
            return answer

        return super().changing_call(name, timed, arguments)

    def die(self, name: str) -> NoReturn:
        """End this process as ``kill -9`` does."""
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError(f"a killed process goes on: {name}")

    def kill_during(self, call: Callable[[], Any]) -> NoReturn:
        """Make a call, and be killed half-way, as far as that can be foreseen."""
        half = sorted(self._seconds)[len(self._seconds) // 2] / 2
        killer = threading.Thread(target=self._kill_after, args=(half,), daemon=True)
        killer.start()
        call()
        killer.join()
        self.die("a call that was too quick")

    def _kill_after(self, seconds: float) -> None:
        threading.Event().wait(seconds)
        self.die("a call on its way")


class BySigkill:
    """Die by SIGKILL. The store must outlive its processes, and others must reach it."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="sayiir-proof-")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def journal(self, effects: Effects | None) -> Journal:
        """Return a journal in a file."""
        return FileJournal(Path(self._folder.name, uuid.uuid4().hex), effects)

    def fits(self, driver: str, boundary: Boundary) -> bool:
        """Tell whether a child can die there; what only moves a pool's claims about is left out."""
        is_handover = driver == "pool" and boundary.is_handover
        return not is_handover and boundary.kind not in _SIMULATED_ONLY[driver]

    def engine(
        self,
        driver: str,
        scene: Scene,
        target: Boundary | None = None,
        late: Late | None = None,  # noqa: ARG002 - what is dead has nothing on its way
    ) -> ForkedEngine:
        """Return a process that is not started yet."""
        make = {"runner": ForkedRunner, "pool": ForkedWorker}[driver]
        return make(scene, target)

    def bury(self, scene: Scene) -> None:
        """Have the store find out that the process is gone; where it cannot, let its lease run out."""
        store = scene.world.store
        reaper = SessionId(uuid.uuid4().hex)
        store.sessions.register(NewSession(session_id=reaper, worker_id="gravedigger", ttl=TTL))
        store.sessions.reap(reaper)
        store.sessions.end(reaper)
        if store.sessions.live():
            scene.bury()


class ForkedEngine:
    """A child process, seen from its parent."""

    def __init__(self, scene: Scene, target: Boundary | None = None) -> None:
        self.scene = scene
        self.trap = new_trap(scene, target)
        self.late_answer = None
        self.calls = 0
        self._target = target

    def run(self) -> None:
        """Fork, and wait for the end of the child.

        Raises ``SimulatedCrash`` if it was killed, ``StuckError`` if it failed or does not end.
        """
        self.prepare()
        reading, writing = os.pipe()
        with warnings.catch_warnings():
            # The child uses nothing of the parent's threads and locks but what this module calls.
            warnings.simplefilter("ignore", DeprecationWarning)
            # Blocked until the child waits for it.
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
            pid = os.fork()
        if pid == 0:
            os.close(reading)
            self._be_child(writing)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        os.close(writing)
        with os.fdopen(reading, encoding="utf-8") as report:
            code = self._wait(pid)
            told = report.read() if code != _LOST else ""
        self.trap.is_sprung = self.trap.is_sprung or code == _LOST
        if code == _LOST:
            raise SimulatedCrash("a child")
        if code != 0:
            raise StuckError(f"a child ended with {code}:\n{told}")

    def exit(self) -> None:
        """The child has ended already."""

    def prepare(self) -> None:
        """Do what another process does before this one starts."""

    def look(self, pid: int) -> None:
        """Do what the world does while the child runs."""

    def work(self, scene: Scene, target: Boundary | None) -> None:
        """Be the child, with a scene of its own."""
        raise NotImplementedError

    def _be_child(self, writing: int) -> NoReturn:
        code = 1
        try:
            scene = self.scene.reopened()
            scene.engines = self.scene.engines - 1
            scene.take_over = lambda: os.kill(os.getpid(), signal.SIGSTOP)
            self.work(scene, self._target)
            scene.world.store.close()
            code = 0
        except BaseException:  # noqa: BLE001 - the parent raises it
            os.write(writing, traceback.format_exc().encode())
        finally:
            sys.stdout.flush()
            os._exit(code)

    def _wait(self, pid: int) -> int:
        deadline = time.monotonic() + _DEADLINE_SECONDS
        while True:
            ended, status = os.waitpid(pid, os.WNOHANG | os.WUNTRACED)
            if ended and not os.WIFSTOPPED(status):
                return os.waitstatus_to_exitcode(status)
            if ended:
                self.trap.is_sprung = True
                try:
                    self.scene.take_over()
                finally:
                    os.kill(pid, signal.SIGCONT)
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                raise StuckError(f"a child did not end within {_DEADLINE_SECONDS:.0f} s")
            self.look(pid)
            time.sleep(_POLL_SECONDS)


class ForkedRunner(ForkedEngine):
    """A child with a runner, which moves the clock itself when it has nothing else to do."""

    def work(self, scene: Scene, target: Boundary | None) -> None:
        """Run the instance to its end or rest."""
        engine = RunnerEngine(scene, target, trapped=KillingBackend)
        engine.run()
        engine.exit()


class ForkedWorker(ForkedEngine):
    """A child with a real pooled worker, in real time but for the store's clock."""

    _is_told = False

    def prepare(self) -> None:
        """Submit the instance, if it does not exist, by a client that lives on."""
        scene = self.scene
        if scene.head() is None:
            client = WorkflowClient(scene.world.store)
            client.submit(scene.case.workflow, scene.instance_id, scene.case.input)

    def look(self, pid: int) -> None:
        """Send signals, move the clock to what is due, and end a worker with nothing to do."""
        scene = self.scene
        if self._is_told or scene.send_due():
            return
        # One look for all questions: the worker does not wait while they are answered.
        head = scene.head()
        if head is None or head.executing or scene.awaits_signal(head):
            return
        due = due_of(head)
        if due is not None and due > scene.world.clock.now():
            scene.world.clock.advance_to(due)
        elif due is None:
            self._is_told = True
            os.kill(pid, signal.SIGTERM)

    def work(self, scene: Scene, target: Boundary | None) -> None:
        """Work until told to stop; the parent is who sends signals and moves the clock."""
        scene.is_watched = True
        trap = new_trap(scene, target)
        backend = KillingBackend(scene.world.store, trap)
        bindings = Bindings(scene.journal, backend.body_starts, engine=scene.engines)
        worker = PooledWorker("worker", as_backend(backend), poll_interval=0.01, concurrency=8)
        with worker.start([bindings.bind(scene.case.workflow)]):
            signal.sigwait({signal.SIGTERM})
