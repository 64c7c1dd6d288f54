"""Typed dicts of modules whose annotations are text."""

from __future__ import annotations

from typing import Any, NotRequired, Required, TypedDict

import pytest

from sayiir_runtime.codec import TaskValues
from sayiir_runtime.payloads import default_codec


class Parcel(TypedDict):
    """One key may be absent."""

    id: str
    weight: NotRequired[float]


class Note(TypedDict, total=False):
    """One key must be there."""

    text: Required[str]
    author: str


def take(value: Any) -> Any:
    """Pass a value through."""
    return value


@pytest.mark.parametrize(
    ("kind", "value"), [(Parcel, {"id": "p"}), (Note, {"text": "n"})], ids=["Parcel", "Note"]
)
def test_an_optional_key_may_be_absent_where_annotations_are_text(kind: Any, value: Any) -> None:
    """``from __future__ import annotations`` hides from the class what its hints still say."""
    take.__annotations__ = {"value": kind, "return": kind}
    values = TaskValues.from_function(take, default_codec())

    assert value == values.decode_input(values.encode_output(value))
