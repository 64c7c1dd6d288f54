"""An error at any store call leaves an instance that the next call finishes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sayiir_core.authoring import Flow
from sayiir_core.errors import BackendError
from sayiir_core.ids import InstanceId
from sayiir_runtime.api import run_durable_workflow, send_signal

CALLS = (
    "definitions.save",
    "sessions.register",
    "instances.create",
    "instances.load",
    "ownership.own",
    "ownership.claim_owned",
    "ownership.disown",
    "checkpoints.commit",
)


def inc(value: int) -> int:
    return value + 1


def joined(value: Any) -> int:
    return value["x"]


def workflow() -> Any:
    return (
        Flow("w")
        .then(inc, name="a")
        .fork()
        .branch(inc, name="x")
        .branch(inc, name="y")
        .join(joined)
        .wait_for_signal("go")
        .then(inc, name="z")
        .build()
    )


def fault_at(number: int, *, done: bool, error: type[BaseException]) -> Callable[..., Any]:
    """Return what raises at one call, before the store does it or after it has."""
    count = 0

    def around(call: Callable[[], Any]) -> Any:
        nonlocal count
        count += 1
        if count != number:
            return call()
        if done:
            call()
        raise error("the store is down")

    return around


@pytest.mark.parametrize("error", [BackendError, KeyboardInterrupt])
@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("name", CALLS)
def test_an_error_at_any_store_call_loses_nothing(
    disturbed: Any,
    in_thread: Any,
    name: str,
    number: int,
    done: bool,
    error: type[BaseException],
) -> None:
    """Whichever call it hits, the same call made again comes to the same end and disowns."""
    flow = workflow()
    send_signal("i", "go", 5, disturbed)
    disturbed.around[name] = fault_at(number, done=done, error=error)

    def run() -> Any:
        return run_durable_workflow(flow, "i", 0, disturbed, "use_existing")

    outputs: list[Any] = []
    for _ in range(2):
        try:
            outputs.append(in_thread(run).result().output)
        except (BackendError, KeyboardInterrupt):
            continue

    assert 6 == outputs[-1]
    assert disturbed.plain.instances.load(InstanceId("i")).header.owner is None
