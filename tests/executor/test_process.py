"""Tasks with ``executor="process"`` in every driver: what they give, and how they end."""

from __future__ import annotations

import logging
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

import sayiir
from sayiir import Flow, TaskError, run_workflow, task
from sayiir.cli import main as command_line
from sayiir_core.authoring import TaskRegistry
from sayiir_core.errors import DefinitionError, PluginError, TaskCrashedError
from sayiir_runtime.executor.registry import executor_of
from sayiir_runtime.logs import CorrelationFilter
from sayiir_runtime.runner.bodies import BodyRunner
from tests.executor import bodies
from tests.executor.conftest import LATE, is_alive, pid_in


def flow(function, name="f"):
    return Flow(name).then(function).build()


# What they give.


@pytest.mark.parametrize("body", [bodies.where, bodies.where_later], ids=["plain", "coroutine"])
def test_a_body_runs_in_another_process(drive, body):
    """Under every driver, and coroutines as well as functions."""
    status = drive(flow(body), 1)

    assert "completed" == status.status
    assert os.getpid() != status.output


def test_control_nodes_know_what_a_process_has_decided(drive):
    """Branches, a loop's verdict, and the key of a route."""
    workflow = (
        Flow("f")
        .fork()
        .branch(bodies.add_one, name="a")
        .branch(bodies.add_one, name="b")
        .join(lambda both: both["a"] - both["b"])
        .loop(bodies.until_three)
        .route(bodies.parity, keys=["odd", "even"])
        .branch("odd", lambda value: f"{value} is odd")
        .branch("even", lambda value: f"{value} is even")
        .done()
        .build()
    )

    assert {"branch": "odd", "result": "3 is odd"} == drive(workflow, 1).output


def test_a_run_without_a_store_uses_processes_too():
    """Between functions that this process calls itself; what fails keeps its class."""
    workflow = Flow("f").then(lambda value: value * 2).then(bodies.add_one).then(str).build()

    assert "15" == run_workflow(workflow, 7)
    with pytest.raises(TaskError, match="'bad' failed: ValueError: bad") as raised:
        run_workflow(flow(bodies.bad), 1)
    assert isinstance(raised.value.__cause__, ValueError)


def test_a_registered_task_names_its_executor_too():
    """``TaskRegistry.task`` has the options of ``task``."""
    registry = TaskRegistry()
    registry.task("x", executor="nowhere")(lambda value: value)

    with pytest.raises(PluginError, match="'nowhere'"):
        run_workflow(Flow("f", registry=registry).then("x").build(), 1)


def test_an_error_says_where_it_was_raised(drive):
    """The stored traceback has the line in the child."""
    status = drive(flow(bodies.bad), 1)

    assert "ValueError: bad" == status.error
    assert 'raise ValueError("bad")' in status.error_traceback


def test_a_retry_policy_knows_the_error_of_another_process(drive):
    """Its class decides, and the next attempt knows its number."""
    assert 2 == drive(flow(bodies.busy_at_first), 1).output


def test_what_a_body_says_is_heard_here(fresh_executors, drive, capfd, caplog):
    """Lines of its log carry the fields of the task and obey the levels here; prints pass through."""
    caplog.handler.addFilter(CorrelationFilter())
    with caplog.at_level(logging.WARNING, "shop"):
        drive(flow(bodies.talks), "hello")

    lines = [record for record in caplog.records if record.name == "shop.bodies"]
    assert ["said hello"] == [line.getMessage() for line in lines]
    assert ("i", "talks", 1, 7) == (
        lines[0].instance_id,
        lines[0].task,
        lines[0].attempt,
        lines[0].shelf,
    )
    assert "printed hello" in capfd.readouterr().out


def test_the_next_body_finds_a_warm_child():
    """A start takes longer than most calls, so a child is kept."""
    pids = {run_workflow(flow(bodies.where), 1) for _ in range(3)}

    assert len(pids) == 1


# How they end.


def test_a_child_that_is_killed_fails_its_attempt_alone(drive, client, tmp_path):
    """As where memory runs out: the attempt fails, the policy has it run again, the driver lives."""
    place = tmp_path / "pid"
    with ThreadPoolExecutor(1) as threads:
        driven = threads.submit(drive, flow(bodies.dies_at_first), str(place))
        os.kill(pid_in(place), signal.SIGKILL)
        status = driven.result()

    assert "attempt 2" == status.output
    assert 2 == client.task("i", "dies_at_first").attempts


def test_a_child_that_breaks_is_an_error_with_a_name(drive):
    """It says how the process ended, in which task of which instance."""
    status = drive(flow(bodies.breaks), 1)

    assert "failed" == status.status
    assert status.error.startswith("TaskCrashedError: the process of task 'breaks' of instance 'i'")
    assert "signal 11" in status.error


def test_a_run_without_a_store_raises_the_crash_as_the_cause():
    """By its class, like anything that a task raises."""
    with pytest.raises(TaskError) as raised:
        run_workflow(flow(bodies.breaks), 1)

    assert isinstance(raised.value.__cause__, TaskCrashedError)


def test_a_timeout_kills_the_child(drive, tmp_path, until, caplog):
    """Although it holds its interpreter's lock; and nobody complains of a thread that still runs."""
    place = tmp_path / "pid"
    # The time counts from the start of a child, which may take long on a busy machine.
    run_workflow(flow(bodies.add_one), 1)

    status = drive(flow(bodies.holds_too_long), str(place))

    assert status.error.startswith("TaskTimeoutError")
    until(lambda: not is_alive(pid_in(place)))
    assert "still runs" not in caplog.text


def test_a_body_that_is_killed_at_its_timeout_has_timed_out(backend, tmp_path, until, monkeypatch):
    """Its thread is back with an error at once, maybe before the driver looks at the outcome."""
    plain = BodyRunner.overdue

    def overdue(runner, running):
        late = plain(runner, running)
        until(lambda: not late or not runner._pool.abandoned)
        return late

    monkeypatch.setattr(BodyRunner, "overdue", overdue)
    workflow = flow(bodies.holds_too_long)

    status = sayiir.run_durable_workflow(workflow, "i", str(tmp_path / "pid"), backend)

    assert status.error.startswith("TaskTimeoutError")


def test_what_a_body_has_started_is_killed_with_it(start, client, tmp_path, until):
    """A program in its process group would otherwise go on for nobody."""
    workflow, place = flow(bodies.starts_another), tmp_path / "pid"
    start(workflow)
    client.submit(workflow, "i", str(place))
    program = pid_in(place)

    client.cancel("i")

    until(lambda: not is_alive(program))


def test_the_slot_of_a_body_that_was_killed_is_free(start, client, tmp_path, until):
    """A worker with one slot goes on with the next task, and counts nothing as abandoned."""
    workflow, quick = flow(bodies.holds_too_long), flow(bodies.add_one, "quick")
    worker = start(workflow, quick, concurrency=1)

    client.submit(workflow, "i", str(tmp_path / "pid"))
    after = client.submit(quick, "next", 1)

    assert 2 == after.result(LATE)
    until(lambda: not worker.report().abandoned)


def test_a_cancelled_instance_kills_its_body(drive, backend, tmp_path, until):
    """In a worker and in a runner; the instance is cancelled and not failed."""
    place = tmp_path / "pid"
    with ThreadPoolExecutor(1) as threads:
        driven = threads.submit(drive, flow(bodies.holds), str(place))
        pid = pid_in(place)
        sayiir.cancel_workflow("i", backend)
        status = driven.result()

    assert "cancelled" == status.status
    assert not is_alive(pid)


def test_a_worker_that_is_aborted_gives_the_task_back(start, client, tmp_path, until):
    """The child is killed, and no attempt is counted; another worker runs the task."""
    workflow, place = flow(bodies.until_told), tmp_path / "pid"
    first = start(workflow)
    handle = client.submit(workflow, "i", str(place))
    pid = pid_in(place)

    first.abort()
    first.join(LATE)
    until(lambda: not is_alive(pid))
    (tmp_path / "pid.go").touch()
    start(workflow)

    assert "done" == handle.result(LATE)
    assert 1 == client.task("i", "until_told").attempts


# What is refused.


def test_a_name_that_nobody_has_is_refused_before_anything_is_claimed(start, client):
    """By every driver, with the task, the name, what is there, and the remedy."""
    workflow = flow(task("render", executor="ray")(lambda value: value))
    text = "task 'render' of workflow 'f' cannot run: no plugin has an executor 'ray' .installed: process.*install"

    client.submit(workflow, "i", 1)
    with pytest.raises(PluginError, match=text):
        start(workflow)
    with pytest.raises(PluginError, match=text):
        run_workflow(workflow, 1)
    with pytest.raises(PluginError, match=text):
        sayiir.run_durable_workflow(workflow, "j", 1)

    assert 0 == client.task("i", "render").attempts


def local_function():
    def local(value):
        return value

    local.__qualname__ = "local"
    return local


def main_function():
    def started(value):
        return value

    started.__module__, started.__qualname__ = "__main__", "started"
    return started


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda value: value, "<lambda> cannot be found by its name.*top of a module"),
        (local_function(), "local cannot be found by its name"),
        (partial(print, end=""), "partial.* cannot be found by its name"),
        (main_function(), "started is defined in the program that was started.*module of its own"),
    ],
    ids=["lambda", "local", "partial", "main"],
)
def test_a_function_that_no_process_finds_is_refused(start, function, reason):
    """With the reason and the remedy, at the start of a worker."""
    named = task("t", executor="process")(function)

    with pytest.raises(
        DefinitionError, match=f"'t' of workflow 'f' cannot run.*'process': .*{reason}"
    ):
        start(flow(named))


def test_a_look_at_a_value_is_refused(start):
    """It would open the payload where that is not."""
    with pytest.raises(DefinitionError, match=r"'takes_a_look'.*takes a Lazy.*take the value"):
        start(flow(bodies.takes_a_look))


@pytest.mark.parametrize("name", ["", "Process", "a b", 7, "x" * 80])
def test_a_name_that_is_none_is_refused_where_it_stands(name):
    """``@task`` says so at once."""
    with pytest.raises(DefinitionError, match="executor= must be a name"):
        task(executor=name)


def test_the_command_line_lists_executors(capsys):
    """``sayiir plugins`` names them beside backends and codecs."""
    command_line(["plugins"])

    assert "  executors: process\n" in capsys.readouterr().out


def test_an_executor_is_made_once():
    """All drivers of a process share its children."""
    assert executor_of("process") is executor_of("process")
