"""The parent of worker processes: whom it starts again, and when it gives up."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sayiir_runtime.worker import processes
from sayiir_runtime.worker.processes import Supervisor


@pytest.fixture(autouse=True)
def quick_and_harmless(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Wait little between two starts, and give the handlers of this process back."""
    monkeypatch.setattr(processes, "_FIRST_DELAY_SECONDS", 0.01)
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def _supervise(program: str, *arguments: object, count: int = 1) -> int:
    # The interpreter alone, so that a start costs little.
    command = [sys.executable, "-I", "-S", "-c", program, *map(str, arguments)]
    return Supervisor(command, {}, count, "w").run()


def test_a_child_that_fails_five_times_at_its_start_ends_the_parent_with_1(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Four times it gets another chance, and then no more."""
    caplog.set_level(logging.INFO, "sayiir.worker")
    starts = tmp_path / "starts"

    code = _supervise("import sys; open(sys.argv[1], 'a').write('x'); sys.exit(3)", starts)

    assert 1 == code
    assert "x" * 5 == starts.read_text()
    assert "w.0 ended (exit code 3)" in caplog.text
    assert 4 == caplog.text.count("it starts again in")
    assert "w.0 cannot be kept running (exit code 3, 5 times)" in caplog.text


def test_a_child_that_was_called_wrongly_is_not_started_again(tmp_path: Path) -> None:
    """Its exit code says that another start would fail, too."""
    starts = tmp_path / "starts"

    code = _supervise("import sys; open(sys.argv[1], 'a').write('x'); sys.exit(2)", starts)

    assert (2, "x") == (code, starts.read_text())


def test_a_child_that_is_killed_is_started_again_however_often(tmp_path: Path) -> None:
    """Six deaths by a signal, the work of the machine and not of the call; then it asks to stop."""
    starts = tmp_path / "starts"

    code = _supervise(
        "import os, signal, sys\n"
        "open(sys.argv[1], 'a').write('x')\n"
        "if len(open(sys.argv[1]).read()) > 6:\n"
        "    os.kill(os.getppid(), signal.SIGTERM)\n"
        "    signal.pause()\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n",
        starts,
    )

    assert (0, "x" * 7) == (code, starts.read_text())


def test_each_child_has_an_id_of_its_own_and_a_pipe_that_ends_with_the_parent(
    tmp_path: Path,
) -> None:
    """The pipe stays silent while the parent lives."""
    code = _supervise(
        "import os, select, signal, sys\n"
        "folder, worker_id, pipe = sys.argv[1:]\n"
        "silent = not select.select([int(pipe.partition('=')[2])], [], [], 0)[0]\n"
        "open(f'{folder}/{worker_id}', 'w').write(str(silent))\n"
        "if len(os.listdir(folder)) == 3:\n"
        "    os.kill(os.getppid(), signal.SIGTERM)\n"
        "signal.pause()\n",
        tmp_path,
        count=3,
    )

    assert 0 == code
    assert ["--worker-id=w.0", "--worker-id=w.1", "--worker-id=w.2"] == sorted(
        path.name for path in tmp_path.iterdir()
    )
    assert {"True"} == {path.read_text() for path in tmp_path.iterdir()}
