"""The golden vectors by the native path: written bit for bit, and read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from native.tests.values import HEADER, evaluate, same

if TYPE_CHECKING:
    from sayiir_rkyv import RkyvCodec

VECTORS = [
    line.split("\t") for line in (Path(__file__).parent / "vectors.tsv").read_text().splitlines()
]


@pytest.mark.parametrize(("expression", "_packed", "payload"), VECTORS)
def test_the_golden_payload_is_written_and_read(
    codec: RkyvCodec, expression: str, _packed: str, payload: str
) -> None:
    """A release that moves a byte fails here."""
    value = evaluate(expression)
    data = bytes.fromhex(payload)

    assert data == HEADER + codec.encode(value)[1]
    assert same(value, codec.decode(data, len(HEADER), 0))


def test_there_is_a_vector_for_every_tag_and_extension() -> None:
    """The table names each kind of value at least once."""
    tags = {bytes.fromhex(payload)[-9] for _, _, payload in VECTORS}

    assert set(range(15)) == tags
    assert 65 == len(VECTORS)
