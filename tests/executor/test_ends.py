"""How children end: with their parent, with their body, and with nobody else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from sayiir import Flow, SQLiteBackend, WorkflowClient, run_workflow
from tests.executor import bodies
from tests.executor.conftest import LATE, is_alive, pid_in, poll
from tests.executor.flows import waiting

ROOT = Path(__file__).parents[2]
STRICT = ["-X", "dev", "-W", "error::ResourceWarning"]


@contextmanager
def started(*command: str) -> Iterator[subprocess.Popen[str]]:
    """Start a program in a session of its own, and kill it at the end."""
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=ROOT,
        text=True,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def program(name: str, place: Path, *options: str) -> list[str]:
    """Return the command of one of the programs of these tests."""
    return [*options, "-m", "tests.executor.program", name, str(place)]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere such a body is not stopped")
def test_a_body_that_hears_nothing_ends_with_its_parent(tmp_path):
    """Killed with SIGKILL, while the body in its child holds the interpreter's lock."""
    with started(*program("hold", tmp_path / "pid")) as parent:
        pid = pid_in(tmp_path / "pid")
        parent.kill()

    poll(lambda: not is_alive(pid))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere such a body is not stopped")
def test_a_forked_copy_does_not_keep_the_children_of_its_parent_alive(tmp_path):
    """It inherits the descriptors whose closing tells them of the parent's death."""
    with started(*program("copy", tmp_path / "pid")) as parent:
        pid, copy = pid_in(tmp_path / "pid"), pid_in(tmp_path / "pid.copy")
        parent.kill()

        poll(lambda: not is_alive(pid))
        assert is_alive(copy)
        os.kill(copy, signal.SIGKILL)


def test_idle_children_end_in_good_order_with_their_program(tmp_path):
    """Quickly, without a word, and nothing is left for the interpreter to warn of."""
    with started(*program("use", tmp_path / "pid", *STRICT)) as parent:
        _, errors = parent.communicate(timeout=LATE)

    assert (0, "") == (parent.returncode, errors)
    assert not is_alive(pid_in(tmp_path / "pid"))


def test_a_forked_copy_leaves_the_children_to_its_parent(tmp_path):
    """It makes its own; the end of the copy disturbs nobody."""
    with started(*program("fork", tmp_path / "pids")) as parent:
        _, errors = parent.communicate(timeout=LATE)

    assert 0 == parent.returncode, errors
    before, after, status = (tmp_path / "pids").read_text().split()
    assert (before, "0") == (after, status)
    assert before != (tmp_path / "pids.copy").read_text()


def test_what_stops_a_worker_does_not_stop_the_tasks_that_it_drains(tmp_path):
    """Ctrl-C reaches the group of a terminal, SIGTERM all of a service: the worker decides."""
    url, place = f"sqlite:///{tmp_path / 's.db'}", tmp_path / "pid"
    command = ["-m", "sayiir", "worker", "--database", url, "tests.executor.flows:waiting"]
    with closing(SQLiteBackend(tmp_path / "s.db")) as backend, started(*command) as worker:
        handle = WorkflowClient(backend).submit(waiting, "i", str(place))
        pid = pid_in(place)

        os.killpg(worker.pid, signal.SIGINT)
        for number in (signal.SIGTERM, signal.SIGINT):
            os.kill(pid, number)
        Path(f"{place}.go").touch()

        assert "done" == handle.result(LATE)
        assert 0 == worker.wait(LATE)
    poll(lambda: not is_alive(pid))


def test_bodies_that_are_killed_leave_nothing_behind(fresh_executors, tmp_path):
    """No descriptors and no processes that nobody has collected."""
    crash, work = Flow("c").then(bodies.breaks).build(), Flow("w").then(bodies.add_one).build()
    run_workflow(work, 1)
    before = _descriptors(), len(_children())

    for _ in range(2):
        with pytest.raises(Exception, match="signal 11"):
            run_workflow(crash, 1)
        run_workflow(work, 1)

    # Fewer, if what another test has left was collected meanwhile.
    descriptors, children = _descriptors(), _children()
    assert descriptors <= before[0]
    assert len(children) <= before[1]
    fresh_executors["process"].close()
    assert len(_children()) < len(children)
    assert [] == fresh_executors["process"].pids


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def _children() -> list[str]:
    """Return the processes that this one has started, dead ones as well."""
    found: list[str] = []
    for task in Path("/proc/self/task").iterdir():
        # A thread may end meanwhile; its children are another one's then.
        with suppress(FileNotFoundError):
            found += (task / "children").read_text().split()
    return found
