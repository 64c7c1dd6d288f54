"""Payloads of several codecs live side by side, and a stranger's codec is ten lines."""

# ruff: noqa: D102, ARG002 - the ten lines stand here as a stranger would write them

from __future__ import annotations

import ast
from datetime import date
from typing import Any

import pytest
from pydantic import BaseModel

from sayiir_core.errors import EncodeError, PluginError, UnknownCodecError
from sayiir_core.ports.codec import Codec, ValueForm
from sayiir_runtime.codec import JsonCodec, PayloadCodec


class LiteralCodec:
    """What a stranger writes: Python literals as text."""

    name = "literal"

    def encode(self, value: Any) -> tuple[int, bytes]:
        return 3, repr(value).encode()

    def decode(self, payload: bytes, start: int, flags: int) -> Any:
        return ast.literal_eval(payload[start:].decode())

    def encode_as(self, value: Any, form: ValueForm) -> tuple[int, bytes]:
        return self.encode(form.dump(value))

    def decode_as(self, payload: bytes, start: int, flags: int, form: ValueForm) -> Any:
        return form.load(self.decode(payload, start, flags))


class Order(BaseModel):
    """A typed value."""

    day: date


def test_each_payload_is_read_by_the_codec_that_it_names() -> None:
    """Changing the default needs no drain: what the old one wrote stays readable."""
    before = PayloadCodec([JsonCodec(), LiteralCodec()])
    after = PayloadCodec([JsonCodec(), LiteralCodec()], default="literal")

    old, new = before.encode({"a": (1,)}), after.encode({"a": (1,)})

    assert b"\xf5S\x01\x73literal{'a': (1,)}" == new
    assert {"a": [1]} == after.decode(old)
    assert {"a": (1,)} == before.decode(new)


def test_a_strangers_codec_stores_typed_values() -> None:
    """Forms convert to and from plain data, so a codec need not know any type."""
    codec: Codec = LiteralCodec()
    payloads = PayloadCodec([codec])
    order = Order(day=date(2026, 1, 2))

    payload = payloads.encode_as([order], list[Order])

    assert b"\xf5S\x01\x73literal[{'day': '2026-01-02'}]" == payload
    assert [order] == payloads.decode_as(payload, list[Order])


def test_a_codec_that_is_missing_is_named_with_those_that_are_there() -> None:
    """The reader knows what to install."""
    payload = PayloadCodec([LiteralCodec()]).encode(1)

    with pytest.raises(UnknownCodecError, match="'literal' and only json can be read here"):
        PayloadCodec([JsonCodec()]).decode(payload)


def test_two_codecs_of_one_name_are_refused() -> None:
    """Which of them wrote a payload could not be known."""
    with pytest.raises(PluginError, match="two codecs are called 'json'"):
        PayloadCodec([JsonCodec(), JsonCodec()])


def test_a_default_that_is_not_there_is_refused() -> None:
    """The error lists what there is."""
    with pytest.raises(PluginError, match="no codec 'msgpack'; there are json, literal"):
        PayloadCodec([JsonCodec(), LiteralCodec()], default="msgpack")


def test_no_codec_at_all_is_refused() -> None:
    """Something has to write."""
    with pytest.raises(PluginError, match=r"pass JsonCodec\(\)"):
        PayloadCodec([])


def test_a_refused_value_leaves_the_codec_as_it_was() -> None:
    """An error in one value has no effect on the next."""
    payloads = PayloadCodec([JsonCodec()])

    with pytest.raises(EncodeError):
        payloads.encode([1, object()])

    assert [1] == payloads.decode(payloads.encode([1]))
