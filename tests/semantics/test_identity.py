"""SEMANTICS 12: what the definition hash covers, and what it does not."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import pytest

from sayiir import (
    Flow,
    LoopResult,
    task,
)


def inc(value):
    return value + 1


def dbl(value):
    return value * 2


def inc_copy():
    """Return a fresh function, so that a decorator of one test is not seen by another."""

    def inc(value):
        return value + 1

    return inc


class Kind(StrEnum):
    LEFT = "left"
    RIGHT = "right"


def shape(
    *,
    name="f",
    metadata=None,
    first=None,
    delay="1s",
    cap=3,
    key="right",
    signal="go",
    deadline="1h",
):
    """Return a workflow of every kind of node, with one thing changed."""
    return (
        Flow(name, metadata=metadata)
        .then(first or task("start")(inc_copy()))
        .delay("nap", delay)
        .wait_for_signal(signal, name="gate", timeout=deadline)
        .loop(LoopResult.done, max_iterations=cap, name="turn")
        .route(lambda _: "left", keys=["left", key])
        .branch("left", dbl)
        .branch(key, inc)
        .done()
        .build()
    )


def start(value):
    return value


SAME = {
    "name of the flow": {"name": "another"},
    "metadata": {"metadata": {"a": 1}},
    "tags": {"first": task("start", tags=["x"])(inc_copy())},
    "priority": {"first": task("start", priority=1)(inc_copy())},
    "timeout": {"first": task("start", timeout=1)(inc_copy())},
    "retries": {"first": task("start", retries=5)(inc_copy())},
    "description": {"first": task("start", description="other")(inc_copy())},
    "body": {"first": task("start")(lambda x: x - 1)},
    "delay length": {"delay": "2h"},
    "loop cap": {"cap": 99},
    "deadline of a signal": {"deadline": "2h"},
}

DIFFERENT = {
    "id": {"first": task("begin")(inc_copy())},
    "version": {"first": task("start", version="2")(inc_copy())},
    "route key": {"key": "up"},
    "signal name": {"signal": "stop"},
}


@pytest.mark.parametrize("change", list(SAME.values()), ids=list(SAME))
def test_case_12_tuning_leaves_the_definition_hash_alone(change):
    """What may be tuned under running instances does not change the hash."""
    assert shape().definition_hash == shape(**change).definition_hash


@pytest.mark.parametrize("change", list(DIFFERENT.values()), ids=list(DIFFERENT))
def test_case_12_structure_changes_the_definition_hash(change):
    """What a stored cursor relies on changes the hash."""
    assert shape().definition_hash != shape(**change).definition_hash


def test_case_12_kinds_nesting_and_order_change_the_definition_hash():
    """The same functions in another arrangement are another definition."""
    flows = [
        Flow("f").then(inc).then(dbl),
        Flow("f").then(dbl).then(inc),
        Flow("f").then(inc),
        Flow("f").fork().branch(inc).join(dbl),
        Flow("f").fork().branch(inc).branch(start).join(dbl),
        Flow("f").then(inc).loop(dbl),
        Flow("f").then_flow(Flow("g").then(inc).build()).then(dbl),
    ]

    hashes = [flow.build().definition_hash for flow in flows]

    assert len(hashes) == len(set(hashes))


def test_case_12_tuning_is_recorded_by_its_own_fingerprint():
    """Two tunings of one definition differ in the fingerprint."""
    one, other = shape().definition, shape(delay="2h").definition

    assert one.identity == other.identity
    assert one.policy_fingerprint != other.policy_fingerprint


def test_case_33_keys_may_come_from_an_enum_or_a_literal():
    """A list, a string Enum class and a ``Literal`` of the same keys are the same definition."""
    flows = [
        Flow("f").route(lambda x: x, keys=keys).branch("left", inc).branch("right", dbl).done()
        for keys in (["left", "right"], Kind, Literal["left", "right"])
    ]

    assert 1 == len({flow.build().definition_hash for flow in flows})
