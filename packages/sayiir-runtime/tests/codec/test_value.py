"""The value model itself: the plain definition that the codec is held against."""

from __future__ import annotations

import enum
import json
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayiir_core.errors import EncodeError
from sayiir_runtime.codec import is_scalar, model
from sayiir_runtime.codec.value import MAX_DEPTH, key_text


class Colour(enum.StrEnum):
    RED = "red"


class Text(str):
    __slots__ = ()


def nested(levels: int) -> Any:
    """Return a list in a list in a list."""
    value: Any = []
    for _ in range(levels - 1):
        value = [value]
    return value


def test_a_tuple_arrives_as_a_list_and_keys_as_text() -> None:
    """SEMANTICS 13: a tuple becomes a list, and a key becomes what JSON writes."""
    value = {1: (1, (2,)), None: 2**70, False: None, 1.5: "x"}

    assert {"1": [1, [2]], "null": 2**70, "false": None, "1.5": "x"} == model(value)


@given(st.one_of(st.none(), st.booleans(), st.integers(), st.floats()))
def test_a_key_becomes_the_text_that_the_json_module_writes(key: Any) -> None:
    """The rule for keys is that of the standard library's encoder."""
    (written,) = json.loads(json.dumps({key: 0}))

    assert written == key_text(key)


@pytest.mark.parametrize(
    "value",
    [
        b"x",
        {1, 2},
        object(),
        Colour.RED,
        Text("x"),
        uuid.uuid4(),
        datetime.now(UTC),
        {("a",): 1},
        {Colour.RED: 1},
        {1: "a", "1": "b"},
        nested(MAX_DEPTH + 1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_plain_value_is_outside_the_model(value: Any) -> None:
    """Subclasses, other types, colliding keys and too deep nesting are refused."""
    with pytest.raises(EncodeError):
        model(value)


def test_the_deepest_value_of_the_model_is_inside_it() -> None:
    """The limit counts the containers that stand inside each other."""
    value = nested(MAX_DEPTH)

    assert value == model(value)


def test_only_exact_scalars_need_no_round_trip() -> None:
    """Law 6: None, bool, int, float and str are what storing leaves as it is."""
    scalars = [None, True, 0, 2**70, 1.5, float("nan"), "x", "\ud800"]
    others = [[], {}, (), b"", Colour.RED, Text("x")]

    assert [True] * len(scalars) == [is_scalar(value) for value in scalars]
    assert [False] * len(others) == [is_scalar(value) for value in others]
