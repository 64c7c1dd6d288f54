"""Give the tests that span packages the wheels of all distributions, and sum up what guards say."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.wheels import ROOT, uv


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Build every distribution once; map its name to its wheel."""
    folder = tmp_path_factory.mktemp("wheels")
    members = {path.parent.name for path in ROOT.glob("packages/*/pyproject.toml")}
    for name in sorted(members):
        uv("build", "--package", name, "--out-dir", str(folder), "--quiet")
    found = {path.name.split("-")[0].replace("_", "-"): path for path in folder.glob("*.whl")}
    assert members == set(found)
    return found


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how many times the raw limit each guarded workload took, passed or not."""
    lines = [
        str(value)
        for outcome in ("passed", "failed")
        for report in terminalreporter.getreports(outcome)
        for name, value in report.user_properties
        if name == "overhead" and report.when == "call"
    ]
    if lines:
        terminalreporter.section("overhead beside the raw limit")
        terminalreporter.write_line("\n".join(sorted(lines)))
