"""One live session per opened backend and process, renewed by one daemon thread.

How this works: a session is registered when the first run needs it and ended when the backend is
closed or the process exits. The thread renews it, takes from the dead what they held, as soon as a
lease runs out, and gives back what a driver could not give back itself. User code never runs on
this thread, so no task can keep it from renewing; only C code that holds the interpreter's lock
longer than the ttl can. A store that no other process can open needs no renewal, and gets no thread.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
import uuid
import weakref
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from sayiir_core.errors import BackendError
from sayiir_core.ids import RunKey, SessionId
from sayiir_core.ports.backend import Backend
from sayiir_core.ports.sessions import NewSession
from sayiir_core.snapshot.head import Lane
from sayiir_core.workflow.definition import Definition
from sayiir_runtime.runner.drives import Drives
from sayiir_runtime.runner.lookout import Lookout
from sayiir_runtime.runner.pool import ThreadPool

logger = logging.getLogger("sayiir.runner")

CLAIM_TTL: Final = timedelta(seconds=30)
HEARTBEAT_INTERVAL: Final = timedelta(seconds=5)
STORE_THREADS: Final = 8
_JUST_AFTER: Final = timedelta(milliseconds=10)


class SessionKeeper:
    """Hold a session of a backend alive.

    With ``heartbeat=None`` there is no thread, and whoever owns the keeper renews the session.
    ``lanes`` are the queues that a pool takes work from; ``on_lost`` is told when the thread finds
    that others have ended the session.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        worker_id: str | None = None,
        ttl: timedelta = CLAIM_TTL,
        heartbeat: timedelta | None = HEARTBEAT_INTERVAL,
        lookout: Lookout | None = None,
        lanes: tuple[Lane, ...] = (),
        on_lost: Callable[[SessionId], None] | None = None,
    ) -> None:
        self.ttl = ttl
        self.heartbeat = heartbeat
        self.drives = Drives()
        self.lookout = lookout or Lookout()
        self._backend = weakref.ref(backend)
        self._worker_id = worker_id or f"{os.uname().nodename}:{os.getpid()}"
        self._lanes = lanes
        self._on_lost = on_lost
        self._lock = threading.Lock()
        self._session: SessionId | None = None
        self._renewed = time.monotonic()
        self._pid = os.getpid()
        self._epoch = backend.epoch
        self._stop = threading.Event()
        # By when each is no longer in doubt, on the monotonic clock.
        self._undone: dict[RunKey, float] = {}
        self._threads: ThreadPool | None = None
        self._saved: set[tuple[str, str, str]] = set()

    def session(self) -> SessionId:
        """Return the live session; registers one, and starts the thread, if there is none."""
        session = self._session
        if session is not None and self._is_current():
            return session
        with self._lock:
            if self._session is not None and self._is_current():
                return self._session
            return self._register()

    @property
    def current(self) -> SessionId | None:
        """Return the session if there is one, without registering any."""
        return self._session

    @property
    def silence(self) -> float | None:
        """Return how many seconds ago the lease was renewed, None without a session.

        Zero for a store that no other process can open, whose leases are not renewed.
        """
        backend = self._backend()
        if self._session is None or backend is None:
            return None
        return time.monotonic() - self._renewed if backend.capabilities.shared else 0.0

    def threads(self) -> ThreadPool:
        """Return the private threads on which calls to this store are made for event loops.

        They end with the backend.
        """
        with self._lock:
            if self._threads is None:
                self._threads = ThreadPool(STORE_THREADS, "sayiir-store")
                backend = self._backend()
                assert backend is not None, "a keeper is used through its backend"
                weakref.finalize(backend, self._threads.close).atexit = False
            return self._threads

    def save_definition(self, definition: Definition) -> None:
        """Store a definition, once per process and policy."""
        mark = (definition.workflow_id, definition.structure_hash, definition.policy_fingerprint)
        if mark not in self._saved:
            backend = self._backend()
            assert backend is not None, "a keeper is used through its backend"
            backend.definitions.save(definition)
            self._saved.add(mark)

    def lost(self, session: SessionId) -> None:
        """Forget a session that the store calls ended; the next use registers a new one."""
        with self._lock:
            if self._session == session:
                self._session = None
                self._stop.set()

    def disown_later(self, run: RunKey) -> None:
        """Give a run back as soon as the store can be reached again.

        And again for as long as the lease lasts: what asked for the run may still be on its way,
        and nobody would know that it was granted.
        """
        with self._lock:
            self._undone[run] = time.monotonic() + self.ttl.total_seconds()

    def close(self) -> None:
        """End the session in good order, as far as the store can be reached, and idle threads."""
        with self._lock:
            session, self._session = self._session, None
            threads, self._threads = self._threads, None
            self._stop.set()
        if threads is not None:
            threads.close()
        backend = self._backend()
        if session is None or backend is None or not self._is_current():
            return
        try:
            backend.sessions.end(session)
        except BackendError as error:
            logger.warning("session %s could not be ended: %s", session, error)

    def _is_current(self) -> bool:
        """Tell whether this process registered the session, and no close has ended it since."""
        backend = self._backend()
        return backend is not None and self._epoch == backend.epoch and self._pid == os.getpid()

    def _register(self) -> SessionId:
        backend = self._backend()
        assert backend is not None, "a keeper is used through its backend"
        session = SessionId(uuid.uuid4().hex)
        backend.sessions.register(
            NewSession(
                session_id=session, worker_id=self._worker_id, ttl=self.ttl, lanes=self._lanes
            )
        )
        self._session = session
        self._renewed = time.monotonic()
        self._epoch = backend.epoch
        if self._pid != os.getpid():
            self.drives = Drives()
            self.lookout = Lookout()
            self._pid = os.getpid()
        self._stop = threading.Event()
        self._undone = {}
        if backend.capabilities.shared and self.heartbeat is not None:
            try:
                self._start_thread(session, self.heartbeat)
            except BaseException:
                # A session that nothing renews must not be used, nor be there for others to see.
                self._session = None
                backend.sessions.end(session)
                raise
        return session

    def _start_thread(self, session: SessionId, heartbeat: timedelta) -> None:
        threading.Thread(
            target=self._keep,
            args=(session, heartbeat, self._stop),
            name=f"sayiir-heartbeat-{session[:8]}",
            daemon=True,
        ).start()

    def _keep(self, session: SessionId, heartbeat: timedelta, stop: threading.Event) -> None:
        pause = heartbeat
        while not stop.wait(pause.total_seconds()):
            pause = heartbeat
            backend = self._backend()
            if backend is None or not self._is_current():
                return
            try:
                alive = backend.sessions.renew(session)
                if not alive:
                    self._report_end(session, time.monotonic() - self._renewed)
                    self.lost(session)
                    if self._on_lost is not None:
                        self._on_lost(session)
                    return
                self._renewed = time.monotonic()
                if not self._is_current():
                    # What follows would open again what was closed meanwhile.
                    return
                self._tidy(backend, session)
                pause = min([heartbeat, *_leases_of_others(backend, session)])
            except Exception as error:  # noqa: BLE001 - nothing may end the lease of what runs
                logger.warning("heartbeat of session %s failed, trying again: %r", session, error)
            del backend

    def _report_end(self, session: SessionId, silent_seconds: float) -> None:
        if silent_seconds < self.ttl.total_seconds():
            # Nobody may take an unexpired lease from a living process.
            logger.debug("session %s was ended by closing its backend", session)
            return
        logger.warning(
            "session %s was ended by another process: its lease of %.0f s had expired (last "
            "renewed %.1f s ago); what it ran is taken over",
            session,
            self.ttl.total_seconds(),
            silent_seconds,
        )

    def _tidy(self, backend: Backend, session: SessionId) -> None:
        with self._lock:
            undone = tuple(self._undone)
        for run in undone:
            self._give_back(backend, session, run)
        for dead in backend.sessions.reap(session):
            logger.warning("session %s is dead; its work is free to be taken", dead)

    def _give_back(self, backend: Backend, session: SessionId, run: RunKey) -> None:
        """Give a run back, unless a call drives it again: then when that has ended."""
        if not self.drives.enter(run):
            return
        self.drives.end(run)
        try:
            backend.ownership.disown(session, run)
            with self._lock:
                if self._undone.get(run, 0.0) <= time.monotonic():
                    self._undone.pop(run, None)
        finally:
            self.drives.leave(run)


def _leases_of_others(backend: Backend, session: SessionId) -> list[timedelta]:
    """Return how long from now each lease lasts; one that runs out is looked at just then."""
    now = backend.now()
    ends = [
        view.renewed_at + view.ttl + _JUST_AFTER
        for view in backend.sessions.live()
        if view.session_id != session
    ]
    return [end - now for end in ends if end > now]


class _Keepers:
    """The keepers of this process, one per backend object that is alive."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self._lock = threading.Lock()
        # One for all: a call without a backend makes a store of its own, and shall not make a
        # thread, too.
        self._lookout = Lookout()
        self._by_backend: weakref.WeakKeyDictionary[Backend, SessionKeeper] = (
            weakref.WeakKeyDictionary()
        )

    def of(self, backend: Backend) -> SessionKeeper:
        keeper = self._by_backend.get(backend)
        if keeper is not None:
            return keeper
        with self._lock:
            keeper = self._by_backend.get(backend)
            if keeper is None:
                keeper = self._by_backend[backend] = SessionKeeper(backend, lookout=self._lookout)
            return keeper

    def close(self) -> None:
        for keeper in list(self._by_backend.values()):
            keeper.close()


_keepers: Final = _Keepers()
atexit.register(_keepers.close)
# A forked child has its parent's sessions neither to use nor to end.
os.register_at_fork(after_in_child=_keepers.clear)


def keeper_of(backend: Backend) -> SessionKeeper:
    """Return the keeper that all runs over this backend object share.

    Kept beside the backend and not by a runner, because each call of ``run_durable_workflow`` is
    a runner of its own, and a lease per call would double its round trips.
    """
    return _keepers.of(backend)
