"""A stranger's codec, installed from its wheel beside ours, writes and reads beside JSON."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plugins import environment
from tests.plugins.environment import Environment
from tests.wheels import builds

SCRIPTS = Path(__file__).parent / "plugins"
CHOSEN = "deflate"

pytestmark = builds


@pytest.fixture(scope="module")
def installed(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Install the example with the test kit."""
    return environment.make("custom_codec", tmp_path_factory.mktemp("codec"), wheels)


def test_it_passes_its_own_tests(installed: Environment, tmp_path: Path) -> None:
    """Values come back, and bytes that are not its own are refused."""
    outcomes, _ = installed.outcomes(tmp_path)

    assert {"passed"} == set(outcomes)


def test_it_is_found_by_its_entry_point(installed: Environment, tmp_path: Path) -> None:
    """``sayiir plugins`` names the distribution and the codec."""
    done = installed.run("-m", "sayiir", "plugins", cwd=tmp_path)

    assert (0, "") == (done.returncode, done.stderr)
    heading = "sayiir-deflate 0.1.0: deflate (sayiir_deflate.plugin)"
    assert f"{heading}\n  codecs: {CHOSEN}\n" in done.stdout


def test_a_run_holds_payloads_of_it_and_of_json(installed: Environment, tmp_path: Path) -> None:
    """Begun under JSON and continued under the codec, with nothing converted and nothing lost."""
    script = SCRIPTS / "mixed.py"

    output, *payloads = installed.printed(script, "sqlite:///s.db", CHOSEN, cwd=tmp_path)

    assert "42" == output
    written = [line.split() for line in payloads]
    assert ["json", "json", CHOSEN, CHOSEN] == [codec for codec, _, _ in written]
    assert ["alike", "alike", "unknown", "unknown"] == [read for _, _, read in written]
