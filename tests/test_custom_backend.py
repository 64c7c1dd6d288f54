"""A stranger's backend, installed from its wheel beside ours, is as good as ours."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.plugins import environment
from tests.plugins.environment import Environment
from tests.wheels import ROOT, builds

SCRIPTS = Path(__file__).parent / "plugins"
PATIENCE = 60.0
TTL = 30.0
URL = "journal:///store.journal"

pytestmark = builds


@pytest.fixture(scope="module")
def installed(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Install the example with the test kit."""
    return environment.make("custom_backend", tmp_path_factory.mktemp("backend"), wheels)


# Half a minute of computing, which a busy machine may take many times as long for.
@pytest.mark.timeout(600)
def test_it_passes_the_whole_conformance_suite(installed: Environment, tmp_path: Path) -> None:
    """Every test of every class passes, and none is left out."""
    outcomes, skipped = installed.outcomes(tmp_path)

    assert ({"passed"}, set()) == (set(outcomes), skipped)
    assert outcomes["passed"] > 500


def test_it_is_found_by_its_entry_point(installed: Environment, tmp_path: Path) -> None:
    """``sayiir plugins`` names the distribution and the scheme."""
    done = installed.run("-m", "sayiir", "plugins", cwd=tmp_path)

    assert (0, "") == (done.returncode, done.stderr)
    assert (
        "sayiir-journal 0.1.0: journal (sayiir_journal.plugin)\n  backends: journal://\n"
        in done.stdout
    )


def test_an_order_is_taken_through_it_by_its_url(installed: Environment, tmp_path: Path) -> None:
    """The workflow of an example, unchanged: fork, signal, join and route."""
    printed = installed.printed(SCRIPTS / "orders.py", str(ROOT / "examples"), URL, cwd=tmp_path)

    done = "59.80 EUR authorised, 2 × desk lamp reserved, parcel P-A-17 booked"
    assert ["awaiting_signal", f"confirmed, approved by Grace: {done}"] == printed
    assert (tmp_path / "store.journal").stat().st_size > 0


def test_a_run_whose_process_was_killed_goes_on_in_another(
    installed: Environment, tmp_path: Path
) -> None:
    """At once, long before the lease ends; only what was in flight runs again."""
    script = SCRIPTS / "killed.py"
    calls = tmp_path / "calls"
    child = installed.start(str(script), URL, "run", cwd=tmp_path)
    try:
        _wait_until(lambda: "second" in _read(calls))
    finally:
        child.kill()
        child.wait()
    (tmp_path / "go").touch()

    begun = time.monotonic()
    printed = installed.printed(script, URL, "resume", cwd=tmp_path)

    assert time.monotonic() - begun < TTL
    assert ["23"] == printed
    run = [line.split()[0] for line in calls.read_text().splitlines()]
    assert ["first", "second", "second", "third"] == run


def test_workers_share_it_and_go_on_when_one_is_killed(
    installed: Environment, tmp_path: Path
) -> None:
    """Every run is completed, and only what the dead one was doing is done twice."""
    shutil.copy(SCRIPTS / "shared_flow.py", tmp_path)
    command = ["-m", "sayiir", "worker", "shared_flow:workflow", f"--database={URL}"]
    options = ["--claim-ttl=2s", "--concurrency=2"]
    log = (tmp_path / "log").open("a")
    with log, ExitStack() as stack:
        first, second = (
            stack.enter_context(
                _ending(installed.start(*command, *options, cwd=tmp_path, stderr=log))
            )
            for _ in range(2)
        )
        client = stack.enter_context(
            _ending(installed.start("shared_flow.py", URL, cwd=tmp_path, stdout=subprocess.PIPE))
        )
        _wait_until(lambda: _read(tmp_path / "calls").count(f"{first.pid} ") > 5)
        first.kill()

        printed, _ = client.communicate(timeout=PATIENCE)
        second.terminate()

        assert 0 == second.wait(PATIENCE), _read(tmp_path / "log")
    assert str([(number + 1) * 10 + 3 for number in range(40)]) == printed.strip()
    callers: dict[str, list[int]] = {}
    for line in _read(tmp_path / "calls").splitlines():
        pid, call = line.split(maxsplit=1)
        callers.setdefault(call, []).append(int(pid))
    assert 3 * 40 == len(callers)
    again = [pids for pids in callers.values() if len(pids) > 1]
    assert [] == [pids for pids in again if pids[:-1] != [first.pid]]


@contextmanager
def _ending(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    with process:
        try:
            yield process
        finally:
            process.kill()


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def _wait_until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < until, "what a process should have done is not done"
        time.sleep(0.02)
