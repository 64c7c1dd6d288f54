"""Without pydantic plain values work, and everything else says what to install."""

from __future__ import annotations

import subprocess
import sys
import textwrap

PRELUDE = """
import sys
sys.modules["pydantic"] = sys.modules["pydantic_core"] = None
import dataclasses
from datetime import date
from sayiir_core.errors import EncodeError, InvalidValueError
from sayiir_runtime.codec import JsonCodec, PayloadCodec, TaskValues
payloads = PayloadCodec([JsonCodec()])

@dataclasses.dataclass
class Row:
    a: int
"""


def run(source: str) -> str:
    """Return what the source prints in a process that cannot import pydantic."""
    finished = subprocess.run(
        [sys.executable, "-W", "error", "-c", PRELUDE + textwrap.dedent(source)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def test_plain_values_and_annotations_work() -> None:
    """Nothing of the plain path asks for pydantic."""
    printed = run("""
        def fn(value: dict[str, int]) -> list[int]: ...
        values = TaskValues.from_function(fn, payloads)
        print(values.plain_input, values.decode_input(values.encode_output([(1,), 2**70])))
    """)

    assert f"True [[1], {2**70}]\n" == printed


def test_a_typed_input_names_the_extra() -> None:
    """Reading a signature never fails; reading a value says why it cannot be read."""
    printed = run("""
        def fn(day: date): ...
        values = TaskValues.from_function(fn, payloads)
        try:
            values.decode_input(payloads.encode("2026-01-02"))
        except InvalidValueError as error:
            print(error)
    """)

    assert printed.startswith("ValidationError: parameter 'day' of fn: ")
    assert "install sayiir[pydantic]" in printed


def test_a_typed_output_that_is_plain_is_stored() -> None:
    """The annotation asks for more, but the value does not."""
    printed = run("""
        def fn(x) -> date: ...
        values = TaskValues.from_function(fn, payloads)
        print(payloads.decode(values.encode_output("2026-01-02")))
    """)

    assert "2026-01-02\n" == printed


def test_an_instance_names_the_extra() -> None:
    """A dataclass and an annotated datetime are refused with the remedy."""
    printed = run("""
        for value, annotation in ((Row(1), None), (Row(1), Row), (date(2026, 1, 2), date)):
            try:
                payloads.encode_as(value, annotation)
            except EncodeError as error:
                print("install sayiir[pydantic]" in str(error))
    """)

    assert "True\nTrue\nTrue\n" == printed


def test_importing_the_codecs_does_not_import_pydantic() -> None:
    """It is loaded when the first annotation needs it, so that imports stay light."""
    source = "import sys, sayiir_runtime.codec; print('pydantic' in sys.modules)"

    printed = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, timeout=60, check=True
    ).stdout

    assert "False\n" == printed
