"""SEMANTICS 54 and 55: what an operation costs, and what unreadable bytes are called."""

from __future__ import annotations

import threading

import psycopg
import pytest

from sayiir import Flow, Operations, resume_workflow, run_durable_workflow, send_signal
from sayiir_core.errors import (
    BadMagicError,
    DeserializationError,
    PayloadError,
    TruncatedPayloadError,
    UnknownCodecError,
    UnsupportedVersionError,
)
from sayiir_runtime.codec import JsonCodec, PayloadCodec


class OtherCodec(JsonCodec):
    """The JSON codec under another name, which no reader knows."""

    name = "other"


def sealed():
    return PayloadCodec([JsonCodec()]).encode({"a": [1, 2, 3]})


def of_newer_version():
    """Return a payload whose version byte is one higher."""
    payload = bytearray(sealed())
    payload[2] += 1
    return bytes(payload)


BROKEN = {
    BadMagicError: b"\x00\x00" + sealed()[2:],
    UnsupportedVersionError: of_newer_version(),
    UnknownCodecError: PayloadCodec([OtherCodec()]).encode(1),
    TruncatedPayloadError: sealed()[:-2],
}


@pytest.mark.parametrize(
    ("error", "payload"), BROKEN.items(), ids=lambda x: getattr(x, "__name__", "")
)
def test_case_55_each_kind_of_broken_payload_has_its_own_error(error, payload):
    """Bad magic, a newer version, an unknown codec and truncation are told apart."""
    with pytest.raises(PayloadError) as caught:
        PayloadCodec([JsonCodec()]).decode(payload)

    assert error is type(caught.value)
    assert isinstance(caught.value, DeserializationError)


@pytest.mark.parametrize(
    ("error", "payload"), BROKEN.items(), ids=lambda x: getattr(x, "__name__", "")
)
def test_case_55_a_broken_payload_in_a_store_fails_the_step_that_reads_it(
    backend, iid, error, payload
):
    """The step is failed by that error, and is not tried again."""
    calls = []
    workflow = Flow("f").wait_for_signal("go").then(calls.append, name="read").build()
    run_durable_workflow(workflow, iid, 1, backend)

    backend.signals.send(iid, "go", payload)
    status = resume_workflow(workflow, iid, backend)

    assert ("failed", "read") == (status.status, status.failed_task)
    assert status.error.startswith(error.__name__)
    assert [] == calls


def test_case_54_an_operation_starts_no_threads(backend, iid):
    """A hundred signals make no thread that one did not."""
    send_signal(iid, "go", 0, backend)
    before = set(threading.enumerate())

    for number in range(100):
        send_signal(iid, "go", number, backend)

    assert not set(threading.enumerate()) - before
    assert 101 == len(backend.signals.pending(iid))


def test_case_54_an_operation_opens_no_connection_of_its_own(make_store, iid):
    """On Postgres every call shares the few connections of the backend."""
    store = make_store("postgres")
    send_signal(iid, "go", 0, store.backend)
    operations = Operations(store.backend)

    with psycopg.connect(store.address, autocommit=True) as observer:
        before = started_connections(observer)
        for number in range(100):
            operations.send_signal(iid, "go", number)
        after = started_connections(observer)

    assert before == after


def started_connections(observer):
    """Return the process ids that serve other connections to this database."""
    rows = observer.execute(
        "select pid from pg_stat_activity where datname = current_database() "
        "and pid <> pg_backend_pid()"
    )
    return {pid for (pid,) in rows}
