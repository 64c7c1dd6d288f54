"""The tables of docs/format.md are true: golden bytes, written and read."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from sayiir_core.ids import InstanceId, RunId
from sayiir_core.ports.codec import Place
from sayiir_core.snapshot.reference import StepRef
from sayiir_runtime.codec import JsonCodec, KeyRing, PayloadCodec, aes_gcm
from sayiir_runtime.codec.envelope import parse_header
from sayiir_runtime.codec.msgpack_codec import MsgpackCodec
from sayiir_runtime.codec.zstd_wrapper import Zstd

DOCUMENT = Path(__file__).parents[4] / "docs" / "format.md"
ROW = re.compile(r"^\| `(.+?)` \| (?:`(.+?)` \| )?`(F5 53[0-9A-F ]*)` \|$", re.MULTILINE)


def golden_rows() -> list[tuple[str, str, bytes]]:
    """Return what is written, what is read, and the bytes between, as the document has them."""
    text = DOCUMENT.read_text(encoding="utf-8")
    return [
        (written, read or written, bytes.fromhex(payload))
        for written, read, payload in ROW.findall(text)
    ]


ROWS = golden_rows()


def evaluate(source: str) -> Any:
    """Return the value of an expression of the document."""
    names = {"float": float, "dt": dt, "Decimal": Decimal, "UUID": UUID, "ZoneInfo": ZoneInfo}
    return eval(source, names)  # noqa: S307 - our own document


@pytest.mark.parametrize(("written", "read", "payload"), ROWS, ids=[row[0] for row in ROWS])
def test_the_golden_bytes_are_written_and_read(written: str, read: str, payload: bytes) -> None:
    """A release that moves a byte fails here."""
    codec = parse_header(payload).codec
    payloads = PayloadCodec([JsonCodec(), MsgpackCodec()], default=codec)

    assert payload == payloads.encode(evaluate(written))
    assert repr(evaluate(read)) == repr(payloads.decode(payload))


def test_the_document_has_its_examples() -> None:
    """The pattern above still finds the rows of all tables."""
    assert len(ROWS) == 43
    assert 2 == len(LINES)


LINES = [
    bytes.fromhex(line)
    for line in re.findall(r"^`(F5 53[0-9A-F ]*)`$", DOCUMENT.read_text("utf-8"), re.MULTILINE)
]


def test_the_golden_compressed_payload_is_read() -> None:
    """Whatever release of the library wrote it."""
    assert "x" * 300 == PayloadCodec([JsonCodec(), Zstd()]).decode(LINES[0])


def test_the_golden_encrypted_payload_is_written_and_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the random bytes of the document in place of random ones."""
    ring = KeyRing({"k1": bytes(range(32))})
    payloads = PayloadCodec([JsonCodec()], around=[aes_gcm.AesGcm(ring)])
    place = Place(InstanceId("order-1"), RunId("run-1"), StepRef(3, (1,)))
    monkeypatch.setattr(aes_gcm, "os", SimpleNamespace(urandom=lambda size: bytes(range(size))))

    assert LINES[1] == payloads.encode([1], place)
    assert [1] == payloads.decode(LINES[1], place)
