"""The daemon threads of synchronous bodies."""

from __future__ import annotations

import queue
import threading

from sayiir_runtime.runner.pool import ThreadPool


def wait_for(event: threading.Event) -> None:
    """Wait for an event, at most ten seconds."""
    assert event.wait(10)


def test_jobs_run_side_by_side_up_to_the_size() -> None:
    """Two threads meet at a barrier; a third job waits for one of them."""
    pool = ThreadPool(2, "test")
    barrier = threading.Barrier(2, timeout=10)
    done = threading.Event()
    met: queue.Queue[int] = queue.Queue()

    def meet() -> None:
        met.put(barrier.wait())

    for _ in range(2):
        pool.submit(meet)
    pool.submit(done.set)

    wait_for(done)
    # The third job needs only one of them to have ended.
    assert sorted(met.get(timeout=10) for _ in range(2)) == [0, 1]
    pool.close()


def test_a_job_that_was_given_up_frees_its_place() -> None:
    """A hanging body no longer counts, so that the next one gets a thread."""
    pool = ThreadPool(1, "test")
    started, release, done = (threading.Event() for _ in range(3))

    def hang() -> None:
        started.set()
        release.wait(10)

    job = pool.submit(hang)
    wait_for(started)
    pool.give_up(job)
    pool.submit(done.set)

    wait_for(done)
    assert pool.abandoned == 1
    release.set()
    pool.close()


def test_a_queued_job_that_was_given_up_never_runs() -> None:
    """Given up before it got a thread, a job is dropped."""
    pool = ThreadPool(1, "test")
    release, last = threading.Event(), threading.Event()
    ran: list[str] = []
    pool.submit(lambda: wait_for(release))
    dropped = pool.submit(lambda: ran.append("dropped"))
    pool.submit(last.set)

    pool.give_up(dropped)
    release.set()

    wait_for(last)
    assert ran == []
    pool.close()


def test_threads_do_not_keep_the_interpreter_alive() -> None:
    """Every thread is a daemon."""
    pool = ThreadPool(1, "test-daemon")
    done = threading.Event()
    pool.submit(done.set)
    wait_for(done)

    daemons = [t.daemon for t in threading.enumerate() if t.name.startswith("test-daemon")]

    assert [True] == daemons
    pool.close()
