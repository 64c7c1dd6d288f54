"""``sayiir worker`` as a process: what it says, how it stops, and what it leaves behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable

import pytest

from packages.sayiir.tests.cli import flows
from packages.sayiir.tests.cli.process import Command, is_alive, wait_until
from sayiir import WorkflowClient

Start = Callable[..., Command]


def test_a_worker_says_what_it_serves_works_and_stops_when_asked(
    worker: Start, client: WorkflowClient
) -> None:
    """The log tells a stranger what runs where."""
    command = worker("flows", "--worker-id=ada", "--tags=cpu", "--concurrency=3")

    result = client.submit(flows.quick, "q-1", 21).result(timeout="1m")
    command.wait_for("works as session")
    command.process.send_signal(signal.SIGTERM)

    assert 42 == result
    assert 0 == command.end()
    said = command.said()
    assert f"serves {flows.quick.definition.identity}\n" in said
    assert f"serves {flows.picture.definition.identity}; leaves tasks tagged gpu" in said
    assert "no task of these workflows has the tag 'cpu'" in said
    assert f"worker ada on sqlite:///{command.folder}/store.db: 3 tasks at once, tags cpu" in said
    assert "SIGTERM: nothing runs" in said
    assert "worker ada has stopped: 1 claimed, 1 started, 1 succeeded" in said


def test_a_worker_that_is_asked_to_stop_lets_its_tasks_end(
    worker: Start, client: WorkflowClient
) -> None:
    """The result of what ran is stored, and the log names it."""
    command = worker("flows:slow")
    handle = client.submit(flows.slow, "s-1", "first")
    command.wait_for_body("first")

    command.process.send_signal(signal.SIGINT)
    command.wait_for("SIGINT: letting these tasks end: linger (1)")
    command.let_go()

    assert 0 == command.end()
    assert "first is done" == handle.result(timeout="5s")


@pytest.mark.parametrize(("grace", "signals"), [("0.2s", 1), ("1h", 2)])
def test_what_does_not_end_in_the_grace_or_before_a_second_signal_is_given_back(
    worker: Start, client: WorkflowClient, grace: str, signals: int
) -> None:
    """It is nobody's failure: another worker starts it again at once."""
    command = worker("flows:slow", f"--grace={grace}", "--claim-ttl=1h")
    handle = client.submit(flows.slow, "s-1", "first")
    command.wait_for_body("first")

    command.process.send_signal(signal.SIGTERM)
    command.wait_for("SIGTERM: letting these tasks end")
    if signals == 2:
        command.ask_again()
    code = command.end()
    left = handle.status().status
    command.let_go()
    worker("flows:slow")

    assert (0, "in_progress") == (code, left)
    assert "1 tasks did not end in time" in command.said()
    assert "first is done" == handle.result(timeout="1m")


def test_signals_that_come_together_are_one(worker: Start, client: WorkflowClient) -> None:
    """A service manager that tells every process of a group does not make tasks be given up."""
    command = worker("flows:slow", "--processes=2")
    handle = client.submit(flows.slow, "s-1", "first")
    runs = command.wait_for_body("first")

    for pid in (runs, command.process.pid, runs):
        os.kill(pid, signal.SIGTERM)
    command.wait_for("SIGTERM: letting these tasks end")
    command.wait_for("SIGTERM: stopping all worker processes")
    command.let_go()

    assert 0 == command.end()
    assert "first is done" == handle.result(timeout="5s")
    assert "giving everything back" not in command.said()


def test_a_worker_stops_as_process_1_of_a_container(worker: Start, client: WorkflowClient) -> None:
    """Signals without a handler do nothing there, so its own must be in place."""
    unshare = ("unshare", "--pid", "--fork", "--kill-child")
    if (
        shutil.which("unshare") is None
        or subprocess.run([*unshare, "true"], check=False).returncode
    ):
        pytest.skip("this machine lets nobody make a process namespace")
    command = worker("flows:slow", wrapper=unshare)
    handle = client.submit(flows.slow, "s-1", "first")
    command.wait_for_body("first")
    inner = _child_of(command.process.pid)

    os.kill(inner, signal.SIGTERM)
    command.wait_for("SIGTERM: letting these tasks end")
    command.let_go()

    assert 0 == command.end()
    assert "1" == (command.folder / "first.pid").read_text()
    assert "first is done" == handle.result(timeout="5s")


def _child_of(pid: int) -> int:
    with open(f"/proc/{pid}/task/{pid}/children") as children:  # noqa: PTH123 - no real file
        return int(children.read())


def test_a_killed_worker_process_is_started_again_and_its_task_with_it(
    worker: Start, client: WorkflowClient
) -> None:
    """The log tells how it died; the parent's signal then stops all."""
    command = worker("flows:slow", "--processes=2", "--worker-id=team")
    handle = client.submit(flows.slow, "s-1", "first")
    victim = command.wait_for_body("first")
    command.wait_for("works as session", times=2)
    position = command.children().index(victim)

    os.kill(victim, signal.SIGKILL)
    command.wait_for(f"worker process team.{position} ended (SIGKILL)")
    command.wait_for("started (pid", times=3)
    command.let_go()
    result = handle.result(timeout="1m")
    command.wait_for("works as session", times=3)
    command.process.send_signal(signal.SIGTERM)

    assert "first is done" == result
    assert 0 == command.end()
    assert [] == [pid for pid in command.children() if is_alive(pid)]
    assert 2 == command.said().count("SIGTERM: nothing runs")


def test_children_of_a_killed_parent_finish_what_runs_and_end(
    worker: Start, client: WorkflowClient
) -> None:
    """Nobody is left who could stop them, so they stop themselves."""
    command = worker("flows:slow", "--processes=2")
    handle = client.submit(flows.slow, "s-1", "first")
    command.wait_for_body("first")
    command.wait_for("works as session", times=2)

    command.process.kill()
    command.wait_for("the process that started this one is gone", times=2)
    command.let_go()

    wait_until(lambda: not any(map(is_alive, command.children())), command.said)
    assert "first is done" == handle.result(timeout="5s")
    assert 2 == command.said().count("has stopped: ")


def test_a_wrong_call_of_many_processes_ends_them_all_with_2(worker: Start) -> None:
    """A mistake in a name is not tried again."""
    command = worker("flows:nothing", "--processes=2")

    assert 2 == command.end()
    said = command.said()
    assert "'flows:nothing' is missing" in said
    assert "cannot be kept running (exit code 2, 1 times)" in said
