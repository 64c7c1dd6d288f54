"""A stranger's distribution, built and installed beside ours into an empty environment."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from tests.wheels import ROOT, build, install, requirement


@dataclass(frozen=True, slots=True)
class Environment:
    """Its Python, and the folder of the example whose wheel is installed."""

    python: Path
    project: Path

    def run(self, *arguments: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run its Python, with nothing of this checkout on the path."""
        return subprocess.run(
            [self.python, *arguments],
            cwd=cwd,
            env={**_clean(), **variables},
            capture_output=True,
            text=True,
            check=False,
        )

    def printed(self, script: Path, *arguments: str, cwd: Path) -> list[str]:
        """Return the lines that a script prints; ``AssertionError`` if it fails."""
        done = self.run(str(script), *arguments, cwd=cwd)
        assert (0, "") == (done.returncode, done.stderr)
        return done.stdout.splitlines()

    def start(self, *arguments: str, cwd: Path, **options: Any) -> subprocess.Popen[str]:
        """Start its Python as a process whose end is the caller's."""
        command = [self.python, *arguments]
        return subprocess.Popen(command, cwd=cwd, env=_clean(), text=True, **options)

    def outcomes(self, folder: Path) -> tuple[Counter[str], set[str]]:
        """Run the example's own tests on a copy: how many passed and so on, and why any skipped.

        Nothing but the tests is copied, so that only what is installed can be imported.
        """
        shutil.copytree(self.project / "tests", folder / "tests")
        shutil.copy(self.project / "pyproject.toml", folder)
        options = ["-q", "-p", "no:cacheprovider", "--hypothesis-seed=0", "--junitxml=report.xml"]
        done = self.run("-m", "pytest", *options, cwd=folder)
        assert done.returncode == 0, done.stdout[-10_000:] + done.stderr
        return _read(folder / "report.xml")


def make(name: str, folder: Path, wheels: dict[str, Path]) -> Environment:
    """Build an example and install it with its extra ``test``, and ``sayiir`` beside it."""
    project = ROOT / "examples" / name
    wheel = build(project, folder)
    wanted = [requirement(wheel, "[test]"), requirement(wheels["sayiir"])]
    python = install(folder / "venv", *wanted, beside=wheels["sayiir"].parent)
    return Environment(python, project)


def _clean() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}


def _read(report: Path) -> tuple[Counter[str], set[str]]:
    outcomes: Counter[str] = Counter()
    reasons: set[str] = set()
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 - written by the run above
        kinds = [child for child in case if child.tag in {"skipped", "failure", "error"}]
        outcomes.update([child.tag for child in kinds] or ["passed"])
        reasons.update(child.get("message", "") for child in kinds)
    return outcomes, reasons
