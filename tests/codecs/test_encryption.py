"""Encrypted payloads in real stores: bound to their place, rotated, and never told in an error."""

# ruff: noqa: S608 - the names of tables and columns stand in this file

from __future__ import annotations

import dataclasses
import datetime as dt
import logging
from typing import Any, cast

import pytest

import sayiir
from sayiir_core.errors import (
    MisplacedPayloadError,
    TamperedPayloadError,
    UnknownKeyError,
    UnsealedPayloadError,
    WrongKeyError,
)
from sayiir_runtime.codec import JsonCodec, PayloadCodec
from sayiir_runtime.codec.envelope import parse_header
from sayiir_runtime.worker import PooledWorker
from tests.codecs.conftest import Store

PATIENCE = 20.0
SECRET = "attack-at-dawn"
OLD, NEW = b"o" * 32, b"n" * 32
RING = sayiir.KeyRing({"2026": OLD})


def note(value: list[str]) -> list[str]:
    """Add to a secret."""
    return [*value, SECRET]


def join(results: dict[str, list[str]]) -> list[str]:
    """Put the branches together."""
    return [part for result in results.values() for part in result]


def key(value: list[str]) -> str:
    """Choose an arm."""
    return "arm" if value else "other"


def loop(value: list[str]) -> sayiir.LoopResult[list[str]]:
    """Go round twice."""
    return sayiir.LoopResult.done(value) if len(value) > 7 else sayiir.LoopResult.again(note(value))


def flow(codec: str | None = None) -> sayiir.Workflow[Any, Any]:
    """Return a workflow in which every kind of place has a payload."""
    return (
        sayiir.Flow[Any, Any]("secret", codec=codec)
        .then(note, name="first")
        .fork()
        .branch(note, name="left")
        .branch(note, name="right")
        .join(join)
        .route(key, keys=["arm"])
        .branch("arm", note)
        .done()
        .then(lambda routed: routed["result"], name="unwrap")
        .loop(loop)
        .wait_for_signal("go")
        .then(note, name="last")
        .build()
    )


def run(store: Store, codec: PayloadCodec, name: str = "i") -> Any:
    """Run the workflow to its end and return its status."""
    backend = store.open()
    sayiir.run_durable_workflow(flow(), name, [SECRET], backend, codec=codec)
    sayiir.send_signal(name, "go", ["signal", SECRET], backend, codec=codec)
    status = sayiir.resume_workflow(flow(), name, backend, codec=codec)
    backend.close()
    return status


def read_all(store: Store, codec: PayloadCodec, name: str = "i") -> list[Any]:
    """Return what every node gave."""
    backend = store.open()
    client = sayiir.WorkflowClient(backend, codec=codec)
    try:
        nodes = ["first", "left", "right", "join", "branch_0", "loop_0", "go", "last"]
        return [client.get_task_result(name, node) for node in nodes]
    finally:
        backend.close()


def test_nothing_is_stored_in_the_clear(store: Store) -> None:
    """Inputs, outputs, signals: every payload is encrypted, and each can be read again."""
    codec = sayiir.payload_codec(keys=RING)

    status = run(store, codec)

    assert ["signal", SECRET, SECRET] == status.output
    assert {"aes-gcm"} == {parse_header(payload).codec for payload in store.payloads()}
    assert [] == [it for it in store.payloads() if SECRET.encode() in it]
    signals = store.query("SELECT payload FROM signals", ())
    assert [True] == [bytes(row[0]).startswith(b"\xf5S\x01\x70aes-gcm") for row in signals]
    assert [SECRET, SECRET] == read_all(store, codec)[0]


def test_a_workflow_cannot_opt_out_of_encryption(store: Store) -> None:
    """Whoever runs it decides; its own choice of a codec stays inside."""
    backend = store.open()
    codec = sayiir.payload_codec(keys=RING)

    @sayiir.task(codec="json")
    def plain(value: list[str]) -> list[str]:
        return value

    workflow = sayiir.Flow[Any, Any]("w", codec="zstd+msgpack").then(plain).build()
    status = sayiir.run_durable_workflow(workflow, "i", [SECRET * 300], backend, codec=codec)
    backend.close()

    assert [SECRET * 300] == status.output
    assert {"aes-gcm"} == {parse_header(payload).codec for payload in store.payloads()}


def test_a_pool_and_a_client_share_what_they_encrypt(store: Store) -> None:
    """Submit, run by a worker, and read the result, all with one ring."""
    codec = sayiir.payload_codec("msgpack", keys=RING)
    backend = store.open()
    handle = sayiir.WorkflowClient(backend, codec=codec).submit(flow(), "i", [SECRET])
    handle.send_signal("go", [SECRET])
    worker = PooledWorker("w", backend, codec=codec).start([flow()])
    output = handle.result(PATIENCE)
    worker.shutdown()
    worker.join(PATIENCE)
    backend.close()

    assert [SECRET, SECRET] == output
    assert {"aes-gcm"} == {parse_header(payload).codec for payload in store.payloads()}


def test_swapped_rows_are_found(store: Store) -> None:
    """Between the steps of one run, and between two runs, also for the run's input."""
    codec = sayiir.payload_codec(keys=RING)
    run(store, codec, "i")
    run(store, codec, "j")
    ids = store.query("SELECT run FROM instances ORDER BY instance_id", ())
    first, second = [row[0] for row in ids]
    table, column = store.inputs
    swaps = [
        ("steps", "output", "node = 0 AND run = %s", (second,), "node = 0 AND run = %s", (first,)),
        ("steps", "output", "node = 3 AND run = %s", (first,), "node = 0 AND run = %s", (first,)),
        (table, column, "run = %s", (second,), "run = %s", (first,)),
    ]

    for place, payload, source, source_id, target, target_id in swaps:
        kept = store.query(f"SELECT {payload} FROM {place} WHERE {target}", target_id)[0][0]
        other = store.query(f"SELECT {payload} FROM {place} WHERE {source}", source_id)[0][0]
        update = f"UPDATE {place} SET {payload} = %s WHERE {target}"
        store.query(update, (other, *target_id))
        backend = store.open()
        if place == "steps":
            with pytest.raises(MisplacedPayloadError, match="rows were swapped or copied"):
                sayiir.WorkflowClient(backend, codec=codec).get_task_result("i", "first")
        else:
            failed = rerun_input(store, codec, other)
            assert "MisplacedPayloadError" in str(failed)
        backend.close()
        store.query(update, (kept, *target_id))
    assert [SECRET, SECRET] == read_all(store, codec)[0]


def rerun_input(store: Store, codec: PayloadCodec, other: bytes) -> str | None:
    """Submit a run, replace its input by another one's, and return how its worker fails it."""
    backend = store.open()
    client = sayiir.WorkflowClient(backend, codec=codec)
    workflow = sayiir.Flow[Any, Any]("input").then(note).build()
    handle = client.submit(workflow, "k", [SECRET])
    table, column = store.inputs
    run_row = store.query("SELECT run FROM instances WHERE instance_id = %s", ("k",))[0][0]
    store.query(f"UPDATE {table} SET {column} = %s WHERE run = %s", (other, run_row))
    worker = PooledWorker("w", backend, codec=codec).start([workflow])
    status = handle.wait(PATIENCE)
    worker.shutdown()
    worker.join(PATIENCE)
    backend.close()
    return status.error


def test_keys_are_rotated_while_instances_run(store: Store) -> None:
    """What the old key wrote is read, what is written now is of the new key."""
    backend = store.open()
    before = sayiir.payload_codec(keys=RING)
    sayiir.run_durable_workflow(flow(), "i", [SECRET], backend, codec=before)
    rotated = sayiir.payload_codec(keys=sayiir.KeyRing({"2027": NEW, "2026": OLD}))
    sayiir.send_signal("i", "go", [], backend, codec=rotated)

    status = sayiir.resume_workflow(flow(), "i", backend, codec=rotated)
    backend.close()

    assert [SECRET] == status.output
    ids = {payload[12 : 12 + payload[11]] for payload in store.payloads()}
    assert {b"2026", b"2027"} == ids
    with pytest.raises(UnknownKeyError, match="by key '2027' and this process has only 2026"):
        read_all(store, before)


def test_a_wrong_key_an_unknown_one_and_damage_are_told_apart(store: Store) -> None:
    """Each is an error of its own, with its own remedy."""
    codec = sayiir.payload_codec(keys=RING)
    run(store, codec)

    with pytest.raises(WrongKeyError, match="use a new id for every new key"):
        read_all(store, sayiir.payload_codec(keys=sayiir.KeyRing({"2026": NEW})))
    with pytest.raises(UnknownKeyError, match="by key '2026' and this process has only other"):
        read_all(store, sayiir.payload_codec(keys=sayiir.KeyRing({"other": NEW})))
    with pytest.raises(UnknownKeyError, match="this process has no keys"):
        read_all(store, PayloadCodec([JsonCodec()], discovery=_discovery()))
    output = bytes(store.query("SELECT output FROM steps WHERE node = 0", ())[0][0])
    damaged = output[:-1] + bytes((output[-1] ^ 1,))
    store.query("UPDATE steps SET output = %s WHERE node = 0", (damaged,))
    with pytest.raises(TamperedPayloadError, match="restore the row from a backup"):
        read_all(store, codec)
    plain = sayiir.payload_codec().encode(["forged"])
    store.query("UPDATE steps SET output = %s WHERE node = 0", (plain,))
    with pytest.raises(UnsealedPayloadError, match="accept_plain=True"):
        read_all(store, codec)


def _discovery() -> Any:
    from sayiir_runtime import payloads

    return payloads._DISCOVERY


def test_encryption_is_switched_on_while_instances_run(store: Store) -> None:
    """For that time payloads in the clear are read, if that is asked for."""
    backend = store.open()
    sayiir.run_durable_workflow(flow(), "i", [SECRET], backend)
    sayiir.send_signal("i", "go", [], backend)
    strict = sayiir.payload_codec(keys=RING)
    lenient = sayiir.payload_codec(keys=RING, accept_plain=True)

    refused = sayiir.resume_workflow(flow(), "i", backend, codec=strict)
    status = sayiir.retry_workflow(flow(), "i", backend, codec=lenient)
    backend.close()

    assert str(refused.error).startswith("UnsealedPayloadError")
    assert [SECRET] == status.output
    assert "aes-gcm" in {parse_header(payload).codec for payload in store.payloads()}


def test_no_error_and_no_log_tells_a_secret(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever fails, neither the value nor a key is in the text, the traceback or the log."""
    caplog.set_level(logging.DEBUG)
    codec = sayiir.payload_codec(keys=RING)
    run(store, codec)
    told: list[str] = [repr(RING), repr(codec)]
    output = bytes(store.query("SELECT output FROM steps WHERE node = 0", ())[0][0])

    for payload in (output[:-1], output[:-1] + b"\0", output[:20] + b"\0" + output[21:]):
        store.query("UPDATE steps SET output = %s WHERE node = 0", (payload,))
        with pytest.raises(sayiir.DeserializationError) as caught:
            read_all(store, codec)
        told.append(repr(caught.value))
    for keys in ("2026", f"2026:{OLD.decode()}", "a:!!", f"{OLD.decode()}:x"):
        with pytest.raises(ValueError, match=r"key|id") as refused:
            sayiir.KeyRing.from_text(keys)
        told.append(repr(refused.value))

    everything = "\n".join([*told, caplog.text])
    assert SECRET not in everything
    assert OLD.decode() not in everything


@pytest.mark.parametrize("codec", ["json", "msgpack"])
def test_a_value_that_does_not_fit_is_not_quoted_in_what_is_stored(
    store: Store, codec: str
) -> None:
    """Neither a bad input nor a bad output stands in the clear in an error or its traceback."""

    def take(value: int | dt.date) -> int:
        raise AssertionError("is not called")

    def give(value: str) -> list[Order]:
        return cast("list[Order]", [{"id": value, "when": object()}, value])

    backend = store.open()
    sealed = sayiir.payload_codec(codec, keys=RING)
    taken = sayiir.Flow[Any, Any]("taken").then(take).build()
    given = sayiir.Flow[Any, Any]("given").then(give).build()

    failed = [
        sayiir.run_durable_workflow(workflow, name, SECRET, backend, codec=sealed)
        for name, workflow in (("t", taken), ("g", given))
    ]
    backend.close()

    assert ["ValidationError", "EncodeError"] == [str(it.error).split(":")[0] for it in failed]
    assert [] == [it for it in failed if SECRET in f"{it.error}{it.error_traceback}"]


@dataclasses.dataclass
class Order:
    """What a task says that it gives."""

    id: int
    when: dt.date
