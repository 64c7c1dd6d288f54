"""Payloads of several codecs in one store: a change of codec needs no drain (SEMANTICS 12, 55)."""

from __future__ import annotations

from collections import Counter
from typing import Any, TypedDict

import pytest

import sayiir
from sayiir_core.errors import UnknownCodecError
from sayiir_runtime.codec import JsonCodec, PayloadCodec
from sayiir_runtime.codec.envelope import parse_header
from sayiir_runtime.worker import PooledWorker
from tests.codecs.conftest import Store

PATIENCE = 20.0


def add(value: dict[str, Any]) -> dict[str, Any]:
    """Note one more step."""
    return {**value, "steps": [*value["steps"], len(value["steps"])]}


def gather(results: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Put what the branches gave beside each other."""
    return {"steps": [step for part in results.values() for step in part["steps"]]}


def flow(codec: str | None) -> sayiir.Workflow[dict[str, Any], dict[str, Any]]:
    """Return a workflow that waits in its middle, with a fork behind."""
    return (
        sayiir.Flow[dict[str, Any], dict[str, Any]]("order", codec=codec)
        .then(add, name="first")
        .wait_for_signal("go", payload=dict[str, Any])
        .then(add, name="second")
        .fork()
        .branch(add, name="left")
        .branch(add, name="right")
        .join(gather)
        .build()
    )


def codecs(store: Store) -> Counter[str]:
    """Return how many payloads of each codec are stored."""
    return Counter(parse_header(payload).codec for payload in store.payloads())


def test_the_codec_is_no_part_of_the_definition() -> None:
    """SEMANTICS 12: tuning must never strand an instance."""
    plain, other = flow(None), flow("zstd+msgpack")

    assert plain.definition.identity == other.definition.identity
    assert plain.definition == other.definition


def test_an_instance_in_flight_goes_on_under_another_codec(store: Store) -> None:
    """Started and parked as JSON, it is resumed as MessagePack, and then looked at as JSON."""
    backend = store.open()
    parked = sayiir.run_durable_workflow(flow("json"), "i", {"steps": []}, backend)
    backend.close()

    backend = store.open()
    sayiir.send_signal("i", "go", {"steps": [7]}, backend)
    done = sayiir.resume_workflow(flow("msgpack"), "i", backend)
    seen = sayiir.WorkflowClient(backend).status("i")
    first = sayiir.WorkflowClient(backend).get_task_result("i", "first")
    backend.close()

    assert parked.is_awaiting_signal()
    assert {"steps": [7, 1, 2, 7, 1, 2]} == done.output == seen.output
    assert {"steps": [0]} == first
    assert {"json": 2, "msgpack": 4} == codecs(store)


def test_a_worker_goes_on_under_its_own_codec(store: Store) -> None:
    """Submitted as compressed JSON, run by a worker whose default is another one."""
    backend = store.open()
    client = sayiir.WorkflowClient(backend, codec="zstd+json")
    handle = client.submit(flow(None), "i", {"steps": [], "text": "x" * 2000})
    handle.send_signal("go", {"steps": [], "text": "y" * 2000})
    worker = PooledWorker("w", backend, codec="msgpack").start([flow(None)])
    output = handle.result(PATIENCE)
    worker.shutdown()
    worker.join(PATIENCE)
    backend.close()

    assert {"steps": [0, 1, 0, 1]} == output
    assert {"zstd": 1, "msgpack": 5} == codecs(store)


def test_a_task_chooses_for_what_it_returns(store: Store) -> None:
    """A task's choice wins over the workflow's, and that over the caller's."""

    @sayiir.task(codec="json")
    def told(value: list[int]) -> list[int]:
        return value

    def untold(value: list[int]) -> list[int]:
        return value

    workflow = sayiir.Flow[Any, Any]("choice", codec="msgpack").then(told).then(untold).build()
    unsaid = sayiir.Flow[Any, Any]("unsaid").then(untold).build()
    outer = sayiir.Flow[Any, Any]("outer").then_flow(workflow).then(untold, name="last").build()

    backend = store.open()
    sayiir.run_durable_workflow(workflow, "i", [1], backend, codec="zstd+json")
    inner = codecs(store)
    sayiir.run_durable_workflow(unsaid, "j", ["x" * 2000], backend, codec="zstd+json")
    backend.close()

    assert {"msgpack": 2, "json": 1} == inner
    assert {"msgpack": 2, "json": 1, "zstd": 2} == codecs(store)
    assert ["json", "msgpack"] == [outer.codecs[ordinal] for ordinal in sorted(outer.codecs)]


def test_the_value_model_of_the_codec_holds_in_every_driver(store: Store) -> None:
    """Law 1: a tuple of a MessagePack workflow is a tuple, in process too."""

    def kind(value: Any) -> str:
        return type(value).__name__

    def pair(value: Any) -> Any:
        return value, {1: value}

    kept = sayiir.Flow[Any, Any]("kept", codec="msgpack").then(pair).then(kind).build()
    lost = sayiir.Flow[Any, Any]("lost").then(pair).then(kind).build()
    backend = store.open()

    seen = {
        name: (
            sayiir.run_workflow(workflow, 1),
            sayiir.run_durable_workflow(workflow, name, 1, backend).output,
        )
        for name, workflow in (("kept", kept), ("lost", lost))
    }
    backend.close()

    assert {"kept": ("tuple", "tuple"), "lost": ("list", "list")} == seen


@sayiir.task(codec="msgpack")
def seal(_: int) -> bytes:
    """Give what JSON cannot hold."""
    return b"\x00\xff"


def count(number: int) -> int:
    """Give what it can hold, as JSON."""
    return number + 1


class Parts(TypedDict):
    """What the two give."""

    seal: bytes
    count: int


def join_parts(parts: Parts) -> str:
    """Read both."""
    return f"{parts['seal'].hex()} {parts['count']}"


def join_look(parts: sayiir.Lazy[Parts]) -> str:
    """Read both, one of them without loading."""
    return f"{parts.load()['seal'].hex()} {parts['count']}"


@pytest.mark.parametrize("join", [join_parts, join_look])
def test_a_typed_join_reads_branches_of_several_codecs(join: Any) -> None:
    """Whatever its own codec could hold: nothing of what it is given is stored again."""
    flow = sayiir.Flow[int, str]("mixed").fork().branch(seal).branch(count).join(join).build()

    status = sayiir.run_durable_workflow(flow, "one", 1, sayiir.InMemoryBackend())

    assert "00ff 2" == status.output, status.error


@pytest.mark.parametrize("name", ["nope", "rkyw", "zstd+nope", "zstd", "json+json"])
def test_an_unknown_codec_is_refused_at_the_gate(name: str) -> None:
    """Nothing is stored and nothing is called; the error says what there is."""
    backend = sayiir.InMemoryBackend()
    workflow = sayiir.Flow[Any, Any]("w", codec=name).then(add).build()
    client = sayiir.WorkflowClient(backend)

    for call in (
        lambda: sayiir.run_workflow(workflow, {"steps": []}),
        lambda: sayiir.run_durable_workflow(workflow, "i", {"steps": []}, backend),
        lambda: client.submit(workflow, "i", {"steps": []}),
        lambda: PooledWorker("w", backend).start([workflow]),
        lambda: sayiir.WorkflowClient(backend, codec=name),
    ):
        with pytest.raises(sayiir.PluginError, match=r"codec|wraps"):
            call()
    with pytest.raises(sayiir.BackendError, match="no instance 'i'"):
        client.status("i")


@pytest.mark.parametrize("codec", [7, "", "Big", "a b", object(), b"json"])
def test_what_can_be_no_codec_is_an_error_of_the_definition(codec: Any) -> None:
    """``build()`` lists it with all other problems; the decorator raises at once."""
    with pytest.raises(sayiir.DefinitionErrors, match="codec= must be a name"):
        sayiir.Flow[Any, Any]("w", codec=codec).then(add).build()
    with pytest.raises(sayiir.DefinitionError, match="codec= must be a name"):
        sayiir.task(codec=codec)


def test_a_step_whose_codec_is_missing_fails_with_the_remedy(store: Store) -> None:
    """It is not retried for ever, and the row is not lost: with the codec it can be read."""
    backend = store.open()
    sayiir.run_durable_workflow(flow("msgpack"), "i", {"steps": []}, backend)
    sayiir.send_signal("i", "go", {"steps": []}, backend, codec="msgpack")
    alone = PayloadCodec([JsonCodec()])

    failed = sayiir.CheckpointingRunner(backend, codec=alone).resume(flow(None), "i")
    retried = sayiir.retry_workflow(flow("msgpack"), "i", backend)
    backend.close()

    assert failed.is_failed()
    assert str(failed.error).startswith(UnknownCodecError.__name__)
    assert "pip install 'sayiir[msgpack]'" in str(failed.error)
    assert {"steps": [0, 1, 0, 1]} == retried.output
