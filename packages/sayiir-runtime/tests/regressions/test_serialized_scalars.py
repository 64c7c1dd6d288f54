"""A scalar that its annotation serializes differently reaches the next task as stored."""

from __future__ import annotations

from typing import Annotated

from pydantic import PlainSerializer

from sayiir_core.authoring import Flow
from sayiir_runtime.api import run_durable_workflow, run_workflow
from sayiir_runtime.memory import InMemoryBackend

Hundredfold = Annotated[int, PlainSerializer(lambda value: value * 100)]


def produce(value: int) -> Hundredfold:
    """Return a number that is stored a hundredfold."""
    return value + 1


def test_a_custom_serializer_of_a_scalar_counts_in_every_driver() -> None:
    """The driver once handed the returned object on, instead of the decoded form of its bytes."""
    workflow = Flow[int, int]("serialized").then(produce).then(lambda value: value).build()

    in_process = run_workflow(workflow, 1)
    durable = run_durable_workflow(workflow, "s", 1, InMemoryBackend()).output

    assert (200, 200) == (in_process, durable)
