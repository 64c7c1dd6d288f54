"""Private daemon threads for synchronous task bodies.

The standard executor joins its threads when the interpreter exits, so a body that hangs would
keep the process alive for ever. These threads are daemons, made when needed and kept while the
pool lives. A body that was given up still occupies its thread until it returns; the pool makes a
new one in its place and counts it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable


class ThreadPool:
    """Run jobs on at most ``size`` threads at once, in the order of submission."""

    def __init__(self, size: int, name: str) -> None:
        self.size = size
        self._name = name
        self._ready = threading.Condition()
        self._jobs: deque[Job] = deque()
        self._threads = 0
        self._idle = 0
        self._abandoned = 0
        self._closed = False

    @property
    def abandoned(self) -> int:
        """Return how many bodies were given up and still run."""
        return self._abandoned

    def submit(self, run: Callable[[], None]) -> Job:
        """Queue a job; ``run`` must not raise.

        Raises ``RuntimeError`` if there is no thread to be had for it.
        """
        job = Job(run)
        with self._ready:
            if self._idle <= len(self._jobs) and self._threads - self._abandoned < self.size:
                self._start_thread()
                self._jobs.append(job)
            else:
                self._jobs.append(job)
                self._ready.notify()
        return job

    def _start_thread(self) -> None:
        name = f"{self._name}-{self._threads + 1}"
        threading.Thread(target=self._work, name=name, daemon=True).start()
        self._threads += 1

    def close(self) -> None:
        """Let idle threads end; running bodies are left alone."""
        with self._ready:
            self._closed = True
            self._jobs.clear()
            self._ready.notify_all()

    def _work(self) -> None:
        while (job := self._next()) is not None:
            job.run()
            if self._finish(job):
                return
            # An idle thread must not keep alive what it has run last.
            del job

    def _next(self) -> Job | None:
        with self._ready:
            self._idle += 1
            while not self._jobs and not self._closed:
                self._ready.wait()
            self._idle -= 1
            if self._closed:
                self._threads -= 1
                return None
            job = self._jobs.popleft()
            job.started = True
            return job

    def give_up(self, job: Job) -> None:
        """Stop waiting for a job; its thread no longer counts, and ends after it."""
        with self._ready:
            if job.finished or job.abandoned:
                return
            if not job.started:
                self._jobs.remove(job)
                return
            job.abandoned = True
            self._abandoned += 1
            if self._jobs:
                self._start_thread()

    def _finish(self, job: Job) -> bool:
        with self._ready:
            job.finished = True
            if job.abandoned:
                self._abandoned -= 1
                self._threads -= 1
            return job.abandoned


class Job:
    """A body that waits for a thread or occupies one."""

    __slots__ = ("abandoned", "finished", "run", "started")

    def __init__(self, run: Callable[[], None]) -> None:
        self.run = run
        self.started = False
        self.finished = False
        self.abandoned = False
