"""The conformance suite of codecs is tested itself, on codecs with one bug each."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

FILE = Path(__file__).with_name("broken_codecs") / "codecs.py"

NAMED_BY = {
    "TestTurnsNanIntoNone": "test_each_kind_of_value_comes_back",
    "TestDropsTheFourthItem": "test_any_value_comes_back_as_the_model_says",
    "TestForgetsTuples": "test_each_kind_of_value_comes_back",
    "TestOrdersSetsByHash": "test_equal_values_have_equal_bytes",
    "TestAcceptsAnything": "test_a_value_outside_the_model_is_refused",
    "TestHidesThePlace": "test_a_refusal_names_the_place",
    "TestRecursesWithoutEnd": "test_what_is_nested_without_end_is_refused",
    "TestSharesWhatItDecodes": "test_what_is_decoded_belongs_to_the_reader",
    "TestMissesACutBody": "test_a_payload_cut_anywhere_is_truncated",
    "TestLetsErrorsEscape": "test_any_body_is_a_value_or_a_named_error",
    "TestIgnoresFlags": "test_unknown_flags_are_of_a_newer_release",
    "TestLosesTypes": "test_a_typed_value_comes_back",
    "TestTakesAMisfit": "test_a_value_that_does_not_fit_is_no_damage",
    "TestGivesDictsAsViews": "test_a_view_cannot_be_changed",
    "TestHandsOutWhatItHolds": "test_a_view_decodes_to_data_of_its_own",
    "TestCrashesTheProcess": "test_bombs_are_defused",
    "TestBelievesLengths": "test_a_length_that_lies_reserves_no_memory",
    "TestAuthenticatesNothing": "test_a_flipped_bit_is_found_or_gives_a_value",
    "TestDisturbsOtherThreads": "test_threads_do_not_disturb_each_other",
}
"""Each broken codec with the test that must find its bug."""


@pytest.fixture(scope="module")
def complaints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Run the named test of every broken codec, and return the complaints about each."""
    report = tmp_path_factory.mktemp("broken") / "report.xml"
    options = ["-p", "no:cacheprovider", "-p", "no:randomly", "-c", os.devnull, "-q"]
    run = subprocess.run(
        [
            *[sys.executable, "-m", "pytest", "--import-mode=importlib", *options],
            *[f"--rootdir={FILE.parent.parent}", f"--junitxml={report}"],
            *[f"{FILE}::{codec}::{test}" for codec, test in NAMED_BY.items()],
        ],
        env={**os.environ, "PYTHONPATH": str(FILE.parent.parent)},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert report.exists(), run.stdout + run.stderr
    found: dict[str, list[str]] = {codec: [] for codec in NAMED_BY}
    for case in ET.parse(report).getroot().iter("testcase"):  # noqa: S314 - our own file
        for kind in ("failure", "error"):
            texts = [each.attrib["message"] for each in case.iter(kind)]
            found[case.attrib["classname"].rpartition(".")[2]] += texts
    return found


@pytest.mark.parametrize("codec", list(NAMED_BY))
def test_a_broken_codec_fails_the_test_that_names_its_bug(
    codec: str, complaints: dict[str, list[str]]
) -> None:
    """Each bug is found by the test whose name says what must hold."""
    assert complaints[codec], f"{NAMED_BY[codec]} did not notice {codec}"


def test_every_broken_codec_is_listed() -> None:
    """Forget no class of the file."""
    written = set(re.findall(r"^class (Test\w+)", FILE.read_text("utf-8"), re.MULTILINE))

    assert set(NAMED_BY) == written
