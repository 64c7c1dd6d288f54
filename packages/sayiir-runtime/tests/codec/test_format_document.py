"""The tables of docs/format.md are true: golden bytes, written and read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from sayiir_runtime.codec import JsonCodec, PayloadCodec

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
    return eval(source, {"float": float})  # noqa: S307 - our own document


@pytest.mark.parametrize(("written", "read", "payload"), ROWS, ids=[row[0] for row in ROWS])
def test_the_golden_bytes_are_written_and_read(written: str, read: str, payload: bytes) -> None:
    """A release that moves a byte fails here."""
    payloads = PayloadCodec([JsonCodec()])

    assert payload == payloads.encode(evaluate(written))
    assert repr(evaluate(read)) == repr(payloads.decode(payload))


def test_the_document_has_its_examples() -> None:
    """The pattern above still finds the rows of both tables."""
    assert len(ROWS) == 19
