"""Texts of errors are stored in the clear, so they quote no value that may have been encrypted."""

from __future__ import annotations

from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field

from sayiir_core.errors import InvalidValueError
from sayiir_runtime.codec import JsonCodec, PayloadCodec

PAYLOADS = PayloadCodec([JsonCodec()])


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]


def test_the_tag_of_a_union_is_not_quoted() -> None:
    """Pydantic's own text has it, even where inputs are left out."""
    payload = PAYLOADS.encode({"kind": "secret"})

    with pytest.raises(InvalidValueError, match="by 'kind' is none of 'cat', 'dog'") as told:
        PAYLOADS.decode_as(payload, Annotated[Cat | Dog, Field(discriminator="kind")])
    assert "secret" not in str(told.value)
