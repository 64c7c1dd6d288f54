"""The benchmarks of the codec run, and what they are quoted for still holds by far."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from sayiir_rkyv import RkyvCodec

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def tables(codec: RkyvCodec) -> str:
    """Return the table of memory, measured at a tenth of its size."""
    pytest.importorskip("msgspec", reason=f"{codec.name} is measured beside msgspec")
    command = [sys.executable, str(ROOT / "benchmarks" / "codec_run.py"), "--quick"]

    done = subprocess.run(
        [*command, "--only", "Memory"], capture_output=True, text=True, check=False
    )

    assert "" == done.stderr
    return done.stdout


def test_looking_allocates_a_thousandth_of_what_decoding_does(tables: str) -> None:
    """The count of objects in the payload does not matter to a look."""
    allocated = [
        int(number.replace(",", ""))
        for number in re.findall(r"\| 1 MiB, \w+ \| [\d,]+ \| ([\d,]+) \|", tables)
    ]

    assert 2 == len(allocated)
    assert allocated[0] > 1000 * allocated[1]
