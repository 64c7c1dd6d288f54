"""What the type checkers say about flows: expected lines and codes, not wording."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

SAMPLES = Path(__file__).parent / "typing"
NAMES = sorted(path.name for path in SAMPLES.glob("*.py"))

Findings = set[tuple[int, str]]

_MARK = re.compile(r"# error: mypy\[(?P<mypy>[^]]*)\] pyright\[(?P<pyright>[^]]*)\]$")


def expected(name: str, checker: str) -> Findings:
    """Return the lines and codes that a sample marks for a checker."""
    found: Findings = set()
    for number, line in enumerate((SAMPLES / name).read_text().splitlines(), start=1):
        mark = _MARK.search(line)
        if mark is not None:
            found |= {(number, code.strip()) for code in mark[checker].split(",") if code}
    return found


def run(*command: str) -> str:
    """Return what a checker printed; it ends with 1 where it found something."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def mypy(tmp_path_factory) -> dict[str, Findings]:
    """Return the findings of one run of mypy over all samples."""
    cache = tmp_path_factory.mktemp("mypy")
    options = ("--strict", "--follow-imports=silent", "--output=json", "--config-file=")
    files = [str(SAMPLES / name) for name in NAMES]
    printed = run(sys.executable, "-m", "mypy", *options, f"--cache-dir={cache}", *files)
    found: dict[str, Findings] = {name: set() for name in NAMES}
    for line in printed.splitlines():
        finding = json.loads(line)
        if finding["severity"] == "error":
            found[Path(finding["file"]).name].add((finding["line"], finding["code"]))
    return found


@pytest.fixture(scope="module")
def pyright() -> dict[str, Findings]:
    """Return the findings of one run of pyright over all samples."""
    options = ("--outputjson", "--pythonpath", sys.executable, "--project", str(SAMPLES))
    found: dict[str, Findings] = {name: set() for name in NAMES}
    for finding in json.loads(run(sys.executable, "-m", "pyright", *options))["generalDiagnostics"]:
        line = finding["range"]["start"]["line"] + 1
        found[Path(finding["file"]).name].add((line, finding["rule"]))
    return found


@pytest.mark.parametrize("name", NAMES)
def test_mypy_refuses_exactly_the_marked_lines(name, mypy):
    """``mypy --strict`` finds each marked mistake and no other."""
    assert mypy[name] == expected(name, "mypy")


@pytest.mark.parametrize("name", NAMES)
def test_pyright_refuses_exactly_the_marked_lines(name, pyright):
    """Pyright in strict mode finds each marked mistake and no other."""
    assert pyright[name] == expected(name, "pyright")


def test_every_sample_marks_a_mistake():
    """A sample without one could not show that the checkers look."""
    assert all(expected(name, "mypy") and expected(name, "pyright") for name in NAMES)
