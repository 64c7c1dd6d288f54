"""The guide to testing tells the truth: its blocks are a suite, which passes and fails as it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

GUIDE = Path(__file__).resolve().parent.parent / "docs" / "guide" / "testing.md"
_FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_blocks_of_the_guide_are_a_suite_that_ends_as_it_says(
    pytester: pytest.Pytester,
) -> None:
    """Every test passes but the one that shows a failure, whose report is printed as shown."""
    blocks = _FENCED.findall(GUIDE.read_text(encoding="utf-8"))
    suite = "\n\n".join(text for language, text in blocks if language == "python")
    (shown,) = [text for language, text in blocks if language == "console"]
    pytester.makepyfile(test_guide=suite)

    result = pytester.runpytest_inprocess("-v", "-p", "no:asyncio", "-W", "error")

    # One of them runs on two stores.
    result.assert_outcomes(passed=suite.count("\ndef test_"), failed=1)
    result.stdout.fnmatch_lines(["*::test_wrong FAILED*"])
    printed = [line for line in result.stdout.lines if line]
    start = printed.index(shown.splitlines()[0])
    assert shown.splitlines() == printed[start : start + len(shown.splitlines())]
