"""What an executor must do, as a pytest base class.

To test an executor, subclass ``ExecutorConformance`` and say how it is made::

    from sayiir_pytest.conformance.executor import ExecutorConformance

    class TestMine(ExecutorConformance):
        def make_executor(self):
            return MyExecutor()

The functions that are run stand in ``sayiir_pytest.executor_bodies``. Some write files,
so what runs them must see the file system of the test.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest

from sayiir_core.errors import EncodeError, TaskCrashedError
from sayiir_core.ports.executor import TaskExecutor
from sayiir_pytest import executor_bodies as bodies
from sayiir_pytest.conformance.executor_run import (
    Run,
    body_of,
    check_silence,
    refusal_of,
    until,
)

VALUES: Final = {
    "nothing": None,
    "a text": "Grüße \ud83d\ude00 \0",
    "a whole number": 2**70,
    "bytes": b"\x00\xff",
    "a tuple": (1, (2, [3])),
    "a set": {1, 2},
    "keys of any kind": {1: "one", (2, 3): "pair", None: "none"},
    "a date": date(2026, 2, 28),
    "a decimal": Decimal("1.10"),
    "an object": bodies.Order(1, ("a", "b")),
    "much": "x" * 5_000_000,
}

FEWEST_TURNS: Final = 10
"""How often a thread must get its turn in 2 seconds; one that has to wait for them gets one or two."""


class ExecutorConformance:
    """Test an executor, which all tests of the class share as drivers do.

    ``isolated``: a body may end its process, and takes nobody else along.
    """

    isolated: bool = True

    _shared: TaskExecutor | None = None

    def make_executor(self) -> TaskExecutor:
        """Return the executor under test."""
        raise NotImplementedError(f"{type(self).__name__} must define make_executor(self)")

    @pytest.fixture
    def executor(self, request: pytest.FixtureRequest) -> TaskExecutor:
        """Give the executor of the class, which is closed after its last test."""
        cls = type(self)
        shared: TaskExecutor | None = vars(cls).get("_shared")
        if shared is None:
            shared = cls._shared = self.make_executor()
            last: Any = request.node.getparent(pytest.Class)
            last.addfinalizer(cls._close)
        return shared

    @classmethod
    def _close(cls) -> None:
        assert cls._shared is not None
        cls._shared.close()
        cls._shared = None

    # Values.

    @pytest.mark.parametrize("function", [bodies.same, bodies.later], ids=["plain", "coroutine"])
    def test_a_value_comes_back_as_it_was(
        self, executor: TaskExecutor, function: Callable[[Any], Any]
    ) -> None:
        """Keep types, also those that no codec keeps, to the function and back."""
        is_async = function is bodies.later

        found = {
            kind: Run(executor, body_of(function, value, is_async=is_async)).result()
            for kind, value in VALUES.items()
        }

        assert found == VALUES
        assert {kind: type(it) for kind, it in found.items()} == {
            kind: type(it) for kind, it in VALUES.items()
        }

    def test_a_function_without_a_parameter_is_given_nothing(self, executor: TaskExecutor) -> None:
        """Call it as it is declared."""
        assert "nothing given" == Run(executor, body_of(bodies.nothing_given)).result()

    @pytest.mark.parametrize("side", ["input", "output"])
    def test_what_cannot_be_carried_is_an_encode_error(
        self, executor: TaskExecutor, side: str
    ) -> None:
        """Name the task; a lock can be given to no other process. What follows is not disturbed."""
        value = threading.Lock() if side == "input" else 1
        body = body_of(bodies.same if side == "input" else bodies.locked, value)

        with pytest.raises(EncodeError, match="'charge'"):
            Run(executor, body).result()

        assert 2 == Run(executor, body_of(bodies.same, 2)).result()

    # The context.

    def test_a_body_knows_itself(self, executor: TaskExecutor) -> None:
        """Set the context of the task, and take it away after the call."""
        found = Run(executor, body_of(bodies.about_itself, 1)).result()

        line = {
            "instance_id": "order-17",
            "workflow": "order",
            "task": "charge",
            "attempt": 2,
            "worker_id": "w-1",
            "trace_id": "a" * 32,
        }
        assert found == {
            "workflow_id": "order",
            "workflow_metadata": {"team": "shop"},
            "instance_id": "order-17",
            "run_id": "r-1",
            "task_id": "charge",
            "task_path": "charge",
            "turns": (2, 0),
            "attempt": 2,
            "idempotency_key": "r-1/s0@2.0",
            "trace_parent": f"00-{'a' * 32}-{'b' * 16}-01",
            "timeout": 60.0,
            "cancelled": False,
            "line": line,
        }

    # Errors.

    @pytest.mark.parametrize(
        ("kind", "error"),
        [
            ("of the language", ValueError),
            ("of an application", bodies.MisfortuneError),
            ("that ends programs", SystemExit),
        ],
    )
    def test_an_exception_arrives_as_it_was_raised(
        self, executor: TaskExecutor, kind: str, error: type[BaseException]
    ) -> None:
        """Keep its class, text and facts; the next body is not disturbed."""
        with pytest.raises(error) as raised:
            Run(executor, body_of(bodies.fail, kind)).result()

        assert "the text" in str(raised.value)
        assert 17 == getattr(raised.value, "code", 17) or kind == "that ends programs"
        assert 2 == Run(executor, body_of(bodies.same, 2)).result()

    def test_a_retry_policy_knows_an_exception_that_cannot_be_sent(
        self, executor: TaskExecutor
    ) -> None:
        """Give it the names of its class and of its ancestors, and its text."""
        body = body_of(bodies.fail, "that cannot be sent")
        policy = body.node.policy.retry
        assert policy is not None

        with pytest.raises(Exception, match="the text") as raised:
            Run(executor, body).result()

        assert "UnmovableError" == type(raised.value).__name__
        assert policy.retries(raised.value)
        assert not policy.retries(ValueError())

    # Crashes.

    def test_a_crash_is_an_error_of_its_task_alone(
        self, executor: TaskExecutor, tmp_path: Path
    ) -> None:
        """Name task and instance; what runs beside it and after it is not disturbed."""
        self._require_isolation()
        here, there = str(tmp_path / "here"), str(tmp_path / "there")
        beside = Run(executor, body_of(bodies.meet, (here, there)))

        with pytest.raises(TaskCrashedError, match="'charge' of instance 'order-17'") as raised:
            Run(executor, body_of(bodies.die, str(tmp_path / "calls"))).result()
        after = Run(executor, body_of(bodies.meet, (there, here)))

        assert ("charge", "order-17") == (raised.value.task_id, raised.value.instance_id)
        assert ["here", "there"] == [beside.result(), after.result()]

    def test_a_body_is_called_once(self, executor: TaskExecutor, tmp_path: Path) -> None:
        """Leave it to the retry policy to call it again, also after a crash."""
        calls = tmp_path / "calls"

        if self.isolated:
            with pytest.raises(TaskCrashedError):
                Run(executor, body_of(bodies.die, str(calls))).result()
        Run(executor, body_of(bodies.note, str(calls))).result()

        assert "x" * (1 + self.isolated) == calls.read_text()

    # Several at once.

    def test_bodies_run_beside_each_other(self, executor: TaskExecutor, tmp_path: Path) -> None:
        """Let each of two wait for the other."""
        here, there = str(tmp_path / "here"), str(tmp_path / "there")
        runs = [Run(executor, body_of(bodies.meet, it)) for it in ((here, there), (there, here))]

        assert ["here", "there"] == [run.result() for run in runs]

    def test_a_body_that_holds_the_interpreters_lock_holds_only_its_own(
        self, executor: TaskExecutor
    ) -> None:
        """Go on here while C code over there gives no thread a turn."""
        self._require_isolation()
        Run(executor, body_of(bodies.same, 1)).result()
        run, turns = Run(executor, body_of(bodies.hold_the_lock, 2)), 0
        while not run.ends(0.01):
            turns += 1

        assert 2 == run.result()
        assert turns >= FEWEST_TURNS

    def test_a_body_runs_in_another_process(self, executor: TaskExecutor) -> None:
        """Protect the driver from what a body does to its process."""
        self._require_isolation()

        assert os.getpid() != Run(executor, body_of(bodies.process, 1)).result()

    # Giving up.

    def test_a_body_that_is_given_up_is_stopped(
        self, executor: TaskExecutor, tmp_path: Path
    ) -> None:
        """End the wait, and really stop it; to give it up again does nothing."""
        file = tmp_path / "beats"
        run = Run(executor, body_of(bodies.beat, str(file)))
        until(file.exists)

        run.give_up()
        run.give_up()

        assert run.ends(), "wait() does not end after give_up()"
        check_silence(file)

    def test_a_body_that_was_given_up_early_does_not_run_on(
        self, executor: TaskExecutor, tmp_path: Path
    ) -> None:
        """Stop also what has not begun."""
        file = tmp_path / "beats"
        run = Run(executor, body_of(bodies.beat, str(file)))
        run.give_up()

        assert run.ends(), "wait() does not end after give_up()"
        file.touch()
        check_silence(file)

    def test_giving_up_what_has_ended_disturbs_nobody(
        self, executor: TaskExecutor, tmp_path: Path
    ) -> None:
        """Leave what the next body runs in alone."""
        first = Run(executor, body_of(bodies.same, 1))
        assert 1 == first.result()
        here, there = tmp_path / "here", tmp_path / "there"
        second = Run(executor, body_of(bodies.meet, (str(here), str(there))))
        until(here.exists)

        first.give_up()
        there.touch()

        assert "here" == second.result()

    def test_what_runs_when_it_is_closed_is_stopped(self, tmp_path: Path) -> None:
        """Leave nothing behind when the process is about to end."""
        executor = self.make_executor()
        file = tmp_path / "beats"
        run = Run(executor, body_of(bodies.beat, str(file)))
        until(file.exists)

        executor.close()

        assert run.ends(), "wait() does not end after close()"
        check_silence(file)

    # The gate.

    @pytest.mark.parametrize("kind", ["at the top of a module", "local", "lambda", "method"])
    def test_what_passes_the_gate_can_be_run(self, executor: TaskExecutor, kind: str) -> None:
        """Refuse what cannot be run, with a reason, but never what can be imported."""

        def local(value: Any) -> Any:
            return value

        functions: dict[str, Callable[[Any], Any]] = {
            "at the top of a module": bodies.same,
            "local": local,
            "lambda": lambda value: value,
            "method": _Counter(1).same,
        }
        function = functions[kind]
        if kind != "at the top of a module" and (reason := refusal_of(executor, function)):
            assert len(reason) > 20
            return
        executor.check(function)

        assert 2 == Run(executor, body_of(function, 2)).result()

    def _require_isolation(self) -> None:
        if not self.isolated:
            pytest.skip("isolated = False: it runs bodies in the driver's process")


class _Counter:
    def __init__(self, number: int) -> None:
        self.number = number

    def same(self, value: Any) -> Any:
        return value
