"""The executor of this distribution is under the suite."""

from __future__ import annotations

from sayiir_pytest.conformance.executor import ExecutorConformance
from sayiir_runtime.executor.process import ProcessExecutor


class TestProcess(ExecutorConformance):
    """Child processes."""

    def make_executor(self) -> ProcessExecutor:
        """Return an executor that keeps one child warm, so that the next body meets it."""
        return ProcessExecutor(warm=1)
