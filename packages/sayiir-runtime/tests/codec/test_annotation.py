"""Which annotations ask for nothing beyond plain JSON values."""

from __future__ import annotations

import collections.abc
import typing
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Literal, NewType, Optional, TypedDict, TypeVar, Union

import pytest

from sayiir_runtime.codec.annotation import is_plain

T = TypeVar("T")
UserId = NewType("UserId", int)
Birthday = NewType("Birthday", date)


class Word(StrEnum):
    A = "a"


class Row(TypedDict):
    a: int


PLAIN: list[Any] = [
    Any,
    object,
    None,
    type(None),
    bool,
    int,
    float,
    str,
    list,
    dict,
    list[int],
    typing.List[str],  # noqa: UP006 - the older spelling is what is tried
    dict[str, Any],
    dict[str, list[float | None]],
    Optional[int],  # noqa: UP045
    Union[int, str],  # noqa: UP007
    int | None,
    Literal["a", 1, True],
    collections.abc.Sequence[int],
    collections.abc.Mapping[str, int],
    collections.abc.Mapping,
    T,
    UserId,
    list[T],
]

TYPED: list[Any] = [
    date,
    bytes,
    tuple,
    tuple[int, ...],
    set,
    set[int],
    list[date],
    dict[int, int],
    dict[str, date],
    Optional[date],  # noqa: UP045
    int | date,
    Annotated[int, "positive"],
    Literal[Word.A],
    Word,
    Row,
    Birthday,
    type,
    collections.abc.Mapping[str, date],
]


@pytest.mark.parametrize("annotation", PLAIN, ids=repr)
def test_plain_annotations_need_no_form(annotation: Any) -> None:
    """Builtins, and containers and unions of them, are not validated."""
    assert is_plain(annotation)


@pytest.mark.parametrize("annotation", TYPED, ids=repr)
def test_other_annotations_need_a_form(annotation: Any) -> None:
    """Whatever JSON has no word for, and whatever carries rules."""
    assert not is_plain(annotation)
