"""Tasks that look at their input instead of having it decoded."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

import sayiir
from sayiir import Lazy
from sayiir_runtime.codec import JsonCodec, PayloadCodec
from sayiir_runtime.codec.envelope import parse_header
from sayiir_runtime.codec.view import view_of
from sayiir_runtime.worker import PooledWorker
from tests.codecs.conftest import Store

PATIENCE = 20.0
BRANCHES = 20


@dataclass
class Order:
    """What the payload is a form of."""

    id: str
    lines: list[dict[str, Any]]


ORDER = {"id": "o1", "lines": [{"sku": "a", "qty": 2}, {"sku": "b", "qty": 3}]}


class CountingCodec(JsonCodec):
    """The JSON codec under another name, with views that count how often bodies are read."""

    def __init__(self) -> None:
        self.views = 0
        self.decoded = 0
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """Return a name of its own."""
        return "counting"

    def view(self, payload: bytes, start: int, flags: int) -> Any:
        """Validate a body and return a view of it."""
        with self._lock:
            self.views += 1
        return view_of(super().decode(payload, start, flags))

    def decode(self, payload: bytes, start: int, flags: int) -> Any:
        """Decode a body."""
        with self._lock:
            self.decoded += 1
        return super().decode(payload, start, flags)


def total(order: Lazy[Order]) -> int:
    """Look at one field of each line."""
    return sum(order["lines"].pluck("qty"))


def passed(order: Lazy[Order]) -> Lazy[Order]:
    """Hand on what was not even looked at."""
    return order


@pytest.mark.parametrize("codec", ["json", "msgpack", "zstd+json"])
def test_a_look_is_the_same_in_every_driver(store: Store, codec: str) -> None:
    """In process, checkpointing and pooled, with codecs that have views and that have none."""
    workflow = sayiir.Flow[Any, Any]("w", codec=codec).then(passed).then(total).build()
    backend = store.open()
    worker = PooledWorker("w", backend).start([workflow])

    results = [
        sayiir.run_workflow(workflow, ORDER),
        sayiir.run_durable_workflow(workflow, "i", ORDER, backend).output,
        sayiir.WorkflowClient(backend).submit(workflow, "j", ORDER).result(PATIENCE),
    ]
    worker.shutdown()
    worker.join(PATIENCE)
    backend.close()

    assert [5, 5, 5] == results


def test_what_is_passed_on_is_neither_decoded_nor_changed(store: Store) -> None:
    """The bytes of the input are the bytes of the output."""
    codec = CountingCodec()
    payloads = PayloadCodec([codec, JsonCodec()])
    workflow = sayiir.Flow[Any, Any]("w").then(passed).then(passed, name="again").build()
    backend = store.open()

    sayiir.run_durable_workflow(workflow, "i", ORDER, backend, codec=payloads)
    backend.close()

    assert 3 == len(store.payloads())
    assert 1 == len(set(store.payloads()))
    # Once for the caller of the runner, who gets the output.
    assert (0, 1) == (codec.views, codec.decoded)


@pytest.mark.parametrize("pooled", [False, True])
def test_all_branches_of_a_fork_share_one_look(store: Store, pooled: bool) -> None:
    """The input is read and validated once, whoever looks at it, and decoded by nobody."""
    codec = CountingCodec()
    payloads = PayloadCodec([codec, JsonCodec()])
    seen: set[int] = set()

    def look(order: Lazy[Order]) -> int:
        seen.add(id(order.root))
        return int(order.at("lines", -1, "qty"))

    fork = sayiir.Flow[Any, Any]("w").then(passed).fork()
    for number in range(BRANCHES):
        fork = fork.branch(look, name=f"b{number}")
    workflow = fork.join(lambda results: sum(results.values())).build()
    backend = store.open()

    if pooled:
        worker = PooledWorker("w", backend, codec=payloads).start([workflow])
        client = sayiir.WorkflowClient(backend, codec=payloads)
        output = client.submit(workflow, "i", ORDER).result(PATIENCE)
        worker.shutdown()
        worker.join(PATIENCE)
    else:
        output = sayiir.run_durable_workflow(workflow, "i", ORDER, backend, codec=payloads).output
    backend.close()

    assert 3 * BRANCHES == output
    assert (1, 1) == (codec.views, len(seen))


def test_nothing_that_a_look_gives_can_be_changed() -> None:
    """Law 6: branches share no mutable object, though they share the look."""
    problems: list[str] = []

    def look(order: Lazy[Order]) -> int:
        for change in (
            lambda: order.root.update(id="x"),
            lambda: order["lines"].append(1),
            lambda: order["lines"][0].__setitem__("qty", 9),
        ):
            try:
                change()
            except (AttributeError, TypeError):
                continue
            problems.append("a view was changed")
        order.root.decode()["lines"].append("mine")
        return len(order["lines"])

    workflow = (
        sayiir.Flow[Any, Any]("w")
        .then(passed)
        .fork()
        .branch(look, name="a")
        .branch(look, name="b")
        .join(lambda results: results)
        .build()
    )

    assert {"a": 2, "b": 2} == sayiir.run_workflow(workflow, ORDER)
    assert [] == problems


def test_a_look_loads_what_the_annotation_says() -> None:
    """The whole value, of its type, a new one with every call."""

    def load(order: Lazy[Order]) -> list[Any]:
        first, second = order.load(), order.load()
        return [type(first).__name__, first == second, first is second, first.lines[0]["sku"]]

    workflow = sayiir.Flow[Any, Any]("w").then(load).build()

    assert ["Order", True, False, "a"] == sayiir.run_workflow(workflow, ORDER)


def test_a_join_looks_at_what_its_branches_gave(store: Store) -> None:
    """The parts are views of the branches' payloads, none of them decoded."""

    def grow(order: dict[str, Any]) -> dict[str, Any]:
        return {**order, "lines": order["lines"] * 2}

    def join(results: Lazy[dict[str, Order]]) -> list[Any]:
        assert isinstance(results.root, Mapping)
        loaded = results.load()
        return [results.at("left", "lines", 3, "qty"), list(results), type(loaded["left"]).__name__]

    workflow = (
        sayiir.Flow[Any, Any]("w", codec="msgpack")
        .fork()
        .branch(grow, name="left")
        .branch(grow, name="right")
        .join(join)
        .build()
    )
    backend = store.open()

    results = [
        sayiir.run_workflow(workflow, ORDER),
        sayiir.run_durable_workflow(workflow, "i", ORDER, backend).output,
    ]
    backend.close()

    assert [[3, ["left", "right"], "Order"]] * 2 == results


def test_a_scalar_is_looked_at_as_it_is() -> None:
    """What needs no view has none."""

    def look(value: Lazy[int]) -> list[Any]:
        return [value.root, value.load()]

    workflow = sayiir.Flow[Any, Any]("w").then(lambda x: x + 1).then(look).build()

    assert [3, 3] == sayiir.run_workflow(workflow, 2)


def test_parts_of_a_look_may_be_returned() -> None:
    """They are stored as what they show, also inside other values."""

    def part(order: Lazy[Order]) -> Any:
        return {"first": order["lines"][0], "whole": order, "ids": order["lines"].pluck("sku")}

    for codec in ("json", "msgpack"):
        workflow = sayiir.Flow[Any, Any]("w", codec=codec).then(part).build()

        expected = {"first": ORDER["lines"][0], "whole": ORDER, "ids": ["a", "b"]}
        assert expected == sayiir.run_workflow(workflow, ORDER)


def test_a_look_that_is_passed_on_is_encrypted_for_its_new_place(store: Store) -> None:
    """The same inner bytes are bound to each step's own place."""
    codec = sayiir.payload_codec(keys=sayiir.KeyRing({"k": bytes(32)}))
    workflow = sayiir.Flow[Any, Any]("w").then(passed).then(total).build()
    backend = store.open()

    status = sayiir.run_durable_workflow(workflow, "i", ORDER, backend, codec=codec)
    step = sayiir.WorkflowClient(backend, codec=codec).get_task_result("i", "passed")
    backend.close()

    assert (5, ORDER) == (status.output, step)
    assert {"aes-gcm"} == {parse_header(payload).codec for payload in store.payloads()}


def test_a_misfit_is_told_when_it_is_loaded() -> None:
    """It names the parameter, as for a task that takes the value itself."""

    def load(order: Lazy[Order]) -> str:
        return order.load().id

    workflow = sayiir.Flow[Any, Any]("w").then(load).build()

    with pytest.raises(sayiir.TaskError, match=r"ValidationError: parameter 'order' of .*load"):
        sayiir.run_workflow(workflow, {"id": 1})
