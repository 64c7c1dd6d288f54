"""The process executor, broken in one way each."""

# ruff: noqa: ARG002, D102, D106 - the name of each class says what it does wrong

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sayiir_core.errors import EncodeError, TaskCrashedError
from sayiir_pytest.conformance import executor_run
from sayiir_pytest.conformance.executor import ExecutorConformance
from sayiir_runtime.executor.process import ProcessExecution, ProcessExecutor
from sayiir_runtime.executor.worker_process import WorkerProcess

# What never happens here need not be waited for so long.
executor_run.PATIENCE = 2.0


class Broken(ExecutorConformance):
    Executor: Any = ProcessExecutor
    Execution: Any = ProcessExecution

    def make_executor(self) -> Any:
        executor = self.Executor(warm=1)
        executor.start = lambda body: self.Execution(executor, self.given(body))
        return executor

    def given(self, body: Any) -> Any:
        return body


class TestTurnsTuplesIntoLists(Broken):
    class Execution(ProcessExecution):
        def wait(self) -> Any:
            value = super().wait()
            return json.loads(json.dumps(value)) if type(value) is tuple else value


class TestLetsErrorsOfPickleEscape(Broken):
    class Execution(ProcessExecution):
        def wait(self) -> Any:
            try:
                return super().wait()
            except EncodeError as error:
                raise (error.__cause__ or error) from None


class TestStartsCountingAnew(Broken):
    def given(self, body: Any) -> Any:
        return replace(body, attempt=1)


class TestLosesTheClass(Broken):
    class Execution(ProcessExecution):
        def wait(self) -> Any:
            try:
                return super().wait()
            except BaseException as error:
                raise RuntimeError(str(error)) from error


class TestLosesTheAncestors(Broken):
    class Execution(ProcessExecution):
        def wait(self) -> Any:
            try:
                return super().wait()
            except Exception as error:
                raise type(type(error).__name__, (Exception,), {})(str(error)) from error


class TestHidesTheCrash(Broken):
    class Execution(ProcessExecution):
        def wait(self) -> Any:
            try:
                return super().wait()
            except TaskCrashedError:
                return None


class TestTakesTheOthersAlong(Broken):
    class Execution(ProcessExecution):
        def wait(self) -> Any:
            try:
                return super().wait()
            except TaskCrashedError:
                for child in list(self._executor._children):
                    child.kill()
                raise


class TestCallsAgain(Broken):
    class Execution(ProcessExecution):
        def wait(self) -> Any:
            try:
                return super().wait()
            except TaskCrashedError:
                return super().wait()


class TestRunsOneAtATime(Broken):
    lock = threading.Lock()

    class Execution(ProcessExecution):
        def wait(self) -> Any:
            with TestRunsOneAtATime.lock:
                return super().wait()


class TestRunsAtHome(Broken):
    class Execution(ProcessExecution):
        def wait(self) -> Any:
            return self._body()


class TestHoldsTheLockOfAll(TestRunsAtHome):
    """The same, for the test of another name."""


class TestNeverStops(Broken):
    class Execution(ProcessExecution):
        def give_up(self) -> None:
            return


class TestStopsWaitingOnly(Broken):
    class Execution(ProcessExecution):
        gone = False

        def wait(self) -> Any:
            thread = threading.Thread(target=super().wait, daemon=True)
            thread.start()
            while thread.is_alive() and not self.gone:
                thread.join(0.05)

        def give_up(self) -> None:
            self.gone = True


class TestForgetsAnEarlyEnd(Broken):
    class Execution(ProcessExecution):
        def _hold(self, child: WorkerProcess) -> None:
            self._child = child


class TestKillsTheNext(Broken):
    class Execution(ProcessExecution):
        def _let_go(self) -> bool:
            return False


class TestLeavesThemRunning(Broken):
    class Executor(ProcessExecutor):
        def close(self) -> None:
            return


class TestRunsOnlyWhatItRefuses(Broken):
    class Executor(ProcessExecutor):
        def check(self, function: Callable[..., Any]) -> None:
            return
