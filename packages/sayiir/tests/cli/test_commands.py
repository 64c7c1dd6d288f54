"""The command line: help, refusals, and ``migrate``."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sayiir.cli import main
from sayiir.cli.store import without_secrets

FLOWS = "packages.sayiir.tests.cli.flows:quick"


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Name no store by the environment, and keep what a command sets up inside the test."""
    monkeypatch.delenv("SAYIIR_DATABASE_URL", raising=False)
    monkeypatch.setattr(sys, "path", [*sys.path])
    logger = logging.getLogger("sayiir")
    level = logger.level
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    logger.setLevel(level)
    for number, handler in before.items():
        signal.signal(number, handler)


def test_without_a_command_it_prints_help_that_lists_the_commands(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The first thing that anybody tries."""
    code = main([])

    printed = capsys.readouterr().out
    assert 2 == code
    assert "worker" in printed
    assert "migrate" in printed


def test_the_module_is_the_command() -> None:
    """``python -m sayiir`` needs no script on the path."""
    done = subprocess.run(
        [sys.executable, "-m", "sayiir", "worker", "--help"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (0, "") == (done.returncode, done.stderr)
    assert "--concurrency" in done.stdout
    assert "exit codes: 0 stopped as asked" in done.stdout
    assert "--parent-pipe" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([FLOWS], "no store: give --database URL or set SAYIIR_DATABASE_URL"),
        ([FLOWS, "--database=nowhere://x"], "no plugin has a backend for nowhere://"),
        ([FLOWS, "--database=memory://", "--concurrency=0"], "concurrency must be at least 1"),
        ([FLOWS, "--database=memory://", "--claim-ttl=soon"], "soon"),
        ([FLOWS, "--database=memory://", "--processes=0"], "--processes must be at least 1"),
        (["no_such_module", "--database=memory://"], "there is no module 'no_such_module'"),
    ],
)
def test_a_wrong_call_of_worker_says_why_and_exits_with_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another try would fail in the same way, and the code says so."""
    code = main(["worker", *arguments])

    assert 2 == code
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:///shop.db", "sqlite:///shop.db"),
        ("postgresql://db:5433/shop", "postgresql://db:5433/shop"),
        ("postgresql://ada:s3cret@db/shop", "postgresql://ada@db/shop"),
        ("postgresql://ada:s3#cr?t/@x@db/shop", "postgresql://ada@db/shop"),
        ("postgresql://db/shop?password=s3cret", "postgresql://db/shop"),
    ],
)
def test_what_is_shown_of_a_url_has_no_password(url: str, shown: str) -> None:
    """Wherever the password stands."""
    assert shown == without_secrets(url)


def test_migrate_apply_makes_the_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Before any worker or client has used it."""
    code = main(["migrate", "--apply", f"--database=sqlite:///{tmp_path}/new.db"])

    assert 0 == code
    assert "new.db is up to date" in capsys.readouterr().out
    assert (tmp_path / "new.db").stat().st_size > 0


def test_migrate_print_of_a_store_without_a_script_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And makes nothing."""
    code = main(["migrate", "--print", f"--database=sqlite:///{tmp_path}/new.db"])

    assert 2 == code
    assert "has nothing to print" in capsys.readouterr().err
    assert [] == list(tmp_path.iterdir())


def test_migrate_print_of_postgresql_gives_its_script_without_a_server(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The owner of the database applies it by hand."""
    from sayiir_postgres import migration_script

    code = main(["migrate", "--print", "--database=postgresql://nobody@127.0.0.1:1/none"])

    assert 0 == code
    assert migration_script() == capsys.readouterr().out


def test_migrate_apply_to_a_store_out_of_reach_exits_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another try may succeed."""
    code = main(["migrate", "--apply", f"--database=sqlite:///{tmp_path}/none/new.db"])

    assert 1 == code
    assert "new.db" in capsys.readouterr().err
