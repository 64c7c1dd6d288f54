"""The marker proves what a test names or runs, in a pytest of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PREAMBLE = """
import pytest
from sayiir_core.authoring import Flow, task
from sayiir_pytest.crash_marker import note_run

paid = []

def charge(amount):
    paid.append(amount)
    return amount

def double(amount):
    return amount * 2

order = Flow("order").then(double).then(charge).build()
"""


def run(folder: Path, tests: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run tests in a process of their own, with the plugin as pytest finds it."""
    (folder / "test_it.py").write_text(PREAMBLE + tests)
    command = [sys.executable, "-m", "pytest", "-p", "no:asyncio"]
    switches = ["-p", "no:cacheprovider", "-p", "no:randomly", "-c", os.devnull, "--rootdir=."]
    return subprocess.run(
        [*command, *switches, "--strict-markers", *options, "test_it.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_a_marked_test_proves_the_workflow_that_it_names(tmp_path: Path) -> None:
    """One line; the table is among what a test prints."""
    done = run(
        tmp_path,
        """
@pytest.mark.sayiir_crashes(order, 5)
def test_order():
    pass
""",
        "-rP",
    )

    assert "1 passed" in done.stdout, done.stdout
    assert "after charge ran, before its checkpoint" in done.stdout


def test_a_marked_test_fails_with_the_table(tmp_path: Path) -> None:
    """The task whose effect happened twice is named."""
    done = run(
        tmp_path,
        """
@pytest.mark.sayiir_crashes(order, 5, effects=lambda: paid, drivers=["runner"])
def test_order():
    pass
""",
    )

    assert "1 failed" in done.stdout, done.stdout
    assert "RecoveryError" in done.stdout
    assert "happened twice at 3 boundaries: charge, idempotency key" in done.stdout


def test_a_test_may_look_at_the_report(tmp_path: Path) -> None:
    """The proof is made once, when the fixture asks for it."""
    done = run(
        tmp_path,
        """
@pytest.mark.sayiir_crashes(order, 5, drivers=["pool"], limit=4)
def test_order(sayiir_recovery):
    calls = len(paid)
    assert sayiir_recovery.ok
    assert {"pool"} == {trial.driver for trial in sayiir_recovery.trials}
    assert calls == len(paid)

def test_unmarked(sayiir_recovery):
    pass
""",
    )

    assert "1 passed, 1 error" in done.stdout, done.stdout
    assert "sayiir_recovery needs @pytest.mark.sayiir_crashes" in done.stdout


def test_what_a_marked_test_runs_is_proved_after_it(tmp_path: Path) -> None:
    """A fixture that runs workflows notes them; options of the marker count more than its own."""
    done = run(
        tmp_path,
        """
@pytest.fixture
def engine(request):
    def run(workflow, value):
        note_run(request.node, workflow, value, drivers=["runner"], limit=3)
    return run

@pytest.mark.sayiir_crashes(limit=2)
def test_order(engine):
    engine(order, 5)
    engine(order, 6)

def test_unmarked(engine):
    engine(order, 7)
""",
        "-rP",
    )

    assert "2 passed" in done.stdout, done.stdout
    assert 2 == done.stdout.count("killed by exception at 2 of")
    assert "pool" not in done.stdout


def test_what_a_marked_test_runs_by_its_engine_is_proved_after_it(tmp_path: Path) -> None:
    """With the signals that the test has sent; also where the marker has no arguments at all."""
    done = run(
        tmp_path,
        """
asked = Flow("asked").then(double).wait_for_signal("go").then(charge).build()

@pytest.mark.sayiir_crashes
def test_order(sayiir_engine):
    instance = sayiir_engine.start(asked, 5)
    instance.signal("go", 7)
    assert 7 == instance.output
""",
        "-rP",
    )

    assert "1 passed" in done.stdout, done.stdout
    assert "signal go" in done.stdout
    assert "after charge ran, before its checkpoint" in done.stdout


def test_a_body_that_fails_is_not_proved(tmp_path: Path) -> None:
    """Its own failure is what the reader needs."""
    done = run(
        tmp_path,
        """
@pytest.mark.sayiir_crashes(order, 5)
def test_order():
    assert 1 == 2
""",
    )

    assert "1 failed" in done.stdout, done.stdout
    assert "killed by" not in done.stdout


def test_a_marked_test_with_nothing_to_prove_fails(tmp_path: Path) -> None:
    """A proof of nothing must not be green."""
    done = run(
        tmp_path,
        """
@pytest.mark.sayiir_crashes
def test_order():
    pass
""",
    )

    assert "1 failed" in done.stdout, done.stdout
    assert "names no workflow and ran none" in done.stdout


def test_a_marked_test_that_stubs_is_refused_before_the_real_task_is_called(tmp_path: Path) -> None:
    """A stub keeps the real thing from being called, and the proof knows no stubs."""
    done = run(
        tmp_path,
        """
@pytest.mark.sayiir_crashes
def test_order(sayiir_engine):
    sayiir_engine.stub(charge, returns=10)
    assert 10 == sayiir_engine.run(order, 5).output

def test_nothing_was_paid():
    assert [] == paid
""",
    )

    assert "1 failed, 1 passed" in done.stdout, done.stdout
    assert "stubs 'charge' of workflow 'order', but a proof calls the real tasks" in done.stdout


def test_a_failed_proof_fails_again_when_its_test_is_run_again(tmp_path: Path) -> None:
    """As plugins do that rerun what failed: nothing of the first try is left."""
    (tmp_path / "conftest.py").write_text(
        """
import pytest
from _pytest.runner import runtestprotocol

@pytest.hookimpl
def pytest_runtest_protocol(item, nextitem):
    for _ in range(2):
        item._initrequest()
        for report in runtestprotocol(item, nextitem=nextitem, log=False):
            item.ihook.pytest_runtest_logreport(report=report)
    return True
"""
    )
    done = run(
        tmp_path,
        """
@pytest.mark.sayiir_crashes(order, 5, effects=lambda: paid, drivers=["runner"], show=False)
def test_named():
    pass

@pytest.mark.sayiir_crashes(effects=lambda: paid, drivers=["runner"], show=False)
def test_run(sayiir_engine):
    sayiir_engine.run(order, 5)
""",
    )

    assert "4 failed" in done.stdout, done.stdout


def test_a_third_value_of_the_marker_is_refused(tmp_path: Path) -> None:
    """It would be a mode that is not proved."""
    done = run(
        tmp_path,
        """
@pytest.mark.sayiir_crashes(order, 5, "sigkill")
def test_order():
    pass
""",
    )

    assert "1 failed" in done.stdout, done.stdout
    assert "options by name; write 'sigkill' as in mode='sigkill'" in done.stdout


@pytest.mark.parametrize("option", ["--markers"])
def test_the_marker_is_declared(tmp_path: Path, option: str) -> None:
    """It is listed with its arguments."""
    done = run(tmp_path, "", option)

    assert "@pytest.mark.sayiir_crashes(workflow=None, input=None, **options)" in done.stdout
