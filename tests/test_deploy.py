"""The files for systemd and Kubernetes agree with the command line that they start."""

from __future__ import annotations

import argparse
import configparser
import re
import shlex
from pathlib import Path

import pytest

from sayiir.cli import worker
from sayiir_core.duration import parse_duration

FOLDER = Path(__file__).resolve().parent.parent / "examples" / "deploy"
OPERATING = FOLDER.parent.parent / "docs" / "guide" / "operating.md"
LAST_WRITES = 15
"""Seconds that a worker may take after its grace."""


def _options(command: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(exit_on_error=False)
    worker.add(parser.add_subparsers())
    return parser.parse_args(command)


def _unit() -> configparser.ConfigParser:
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment]
    unit.read_string((FOLDER / "sayiir-worker.service").read_text())
    return unit


def _value(name: str, text: str) -> str:
    """Return the one value of a key, wherever in the file it stands."""
    (value,) = re.findall(rf"^\s*(?:- )?{name}: (.+)$", text, re.MULTILINE)
    return str(value)


def test_the_unit_starts_a_worker_and_waits_for_its_end() -> None:
    """Its time limit is the grace and what comes after it."""
    service = _unit()["Service"]

    program, *command = shlex.split(service["ExecStart"])

    assert "sayiir" == Path(program).name
    grace = parse_duration(_options(command).grace)
    assert grace + LAST_WRITES == int(service["TimeoutStopSec"])
    assert "mixed" == service["KillMode"]
    assert "2" == service["RestartPreventExitStatus"]


def test_the_deployment_starts_a_worker_and_waits_for_its_end() -> None:
    """As the unit does."""
    text = (FOLDER / "worker.yaml").read_text()

    program, *command = re.findall(r'"([^"]*)"', _value("command", text))

    assert "sayiir" == program
    grace = parse_duration(_options(command).grace)
    assert grace + LAST_WRITES == int(_value("terminationGracePeriodSeconds", text))
    assert "SAYIIR_DATABASE_URL" == re.findall(r"- name: (SAYIIR\w+)", text)[0]


def test_the_autoscaler_asks_what_the_guide_says_about_the_deployment() -> None:
    """The view and its columns are those of the documentation, which is tested on a server."""
    text = (FOLDER / "autoscaling.yaml").read_text()
    deployment = re.findall(r"^  name: (.+)$", (FOLDER / "worker.yaml").read_text(), re.MULTILINE)

    query = _value("query", text).strip('"')

    assert query.replace("'order'", "'article'") in OPERATING.read_text()
    assert deployment == re.findall(r"scaleTargetRef:\n    name: (.+)", text)


@pytest.mark.parametrize("name", ["worker.yaml", "autoscaling.yaml"])
def test_a_yaml_file_is_indented_as_yaml_wants_it(name: str) -> None:
    """No tabs, steps of two, and every line a key, an item or a comment."""
    for line in (FOLDER / name).read_text().splitlines():
        assert re.fullmatch(r"( {2})*(#.*|(- )?[\w./]+:( \S.*)?)", line), line
