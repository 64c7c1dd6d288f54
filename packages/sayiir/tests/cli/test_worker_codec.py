"""``sayiir worker`` takes its codec and its keys from the environment."""

from __future__ import annotations

import base64
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

import sayiir
from packages.sayiir.tests.cli import flows
from packages.sayiir.tests.cli.process import Command
from sayiir import KeyRing, SQLiteBackend, WorkflowClient, payload_codec
from sayiir_runtime.codec.envelope import parse_header

Start = Callable[..., Command]
KEY = bytes(range(32))


def codecs(command: Command) -> set[str]:
    """Return the codecs of what the tasks gave."""
    with closing(sqlite3.connect(command.folder / "store.db")) as connection:
        rows = connection.execute("SELECT output FROM steps").fetchall()
    return {parse_header(bytes(row[0])).codec for row in rows}


def stop(command: Command) -> None:
    """Ask it to stop, and wait for its end."""
    command.wait_for("works as session")
    command.process.send_signal(signal.SIGTERM)
    assert 0 == command.end()


@pytest.mark.parametrize("processes", [1, 2])
def test_a_worker_writes_by_the_codec_of_its_environment(
    worker: Start, client: WorkflowClient, monkeypatch: pytest.MonkeyPatch, processes: int
) -> None:
    """Also in the processes that it starts."""
    monkeypatch.setenv("SAYIIR_CODEC", "msgpack")
    command = worker("flows", f"--processes={processes}")

    result = client.submit(flows.quick, "q-1", 21).result(timeout="1m")
    if processes == 1:
        stop(command)

    assert 42 == result
    assert {"msgpack"} == codecs(command)


def test_a_worker_encrypts_by_the_keys_of_its_environment(
    worker: Start, client: WorkflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has the keys reads the result, and the log shows none."""
    backend = SQLiteBackend(str(tmp_path / "store.db"))
    encoded = base64.b64encode(KEY).decode()
    monkeypatch.setenv("SAYIIR_KEYS", f"2026:{encoded}")
    sealed = WorkflowClient(backend, codec=payload_codec(keys=KeyRing({"2026": KEY})))
    command = worker("flows")

    result = sealed.submit(flows.quick, "q-1", 21).result(timeout="1m")
    backend.close()
    stop(command)

    assert 42 == result
    assert {"aes-gcm"} == codecs(command)
    assert encoded not in command.said()
    with pytest.raises(sayiir.DeserializationError, match="by key '2026' and this process has no"):
        client.get_task_result("q-1", "double")


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("SAYIIR_CODEC", "nope", "no codec 'nope'"),
        ("SAYIIR_CODEC", "rkyw", "check the spelling"),
        ("SAYIIR_KEYS", "2026:c2hvcnQ=", "key number 1 must have 32 bytes"),
    ],
)
def test_a_codec_that_cannot_be_had_ends_the_command(
    worker: Start, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, words: str
) -> None:
    """As called wrongly: the same call would fail again."""
    monkeypatch.setenv(variable, value)

    command = worker("flows")

    assert 2 == command.end()
    assert words in command.said()
