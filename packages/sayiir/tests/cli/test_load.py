"""Finding workflows by name: what a name may stand for, and what is said of one that does not."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sayiir.cli.load import load_workflows
from sayiir.cli.refusal import CommandError

FLOWS = "packages.sayiir.tests.cli.flows"


@pytest.fixture(autouse=True)
def search_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what loading adds to the search path inside the test."""
    monkeypatch.setattr(sys, "path", [*sys.path])


@pytest.mark.parametrize(
    ("attribute", "expected"),
    [
        (":quick", ["quick"]),
        (":listed", ["quick", "slow"]),
        (":named", ["quick", "picture"]),
        ("", ["quick", "slow", "picture"]),
    ],
)
def test_a_name_stands_for_a_workflow_a_list_a_dict_or_all_of_a_module(
    attribute: str, expected: list[str]
) -> None:
    """Every form that the help promises."""
    found = load_workflows([FLOWS + attribute])

    assert expected == [workflow.workflow_id for workflow in found]


def test_a_workflow_that_is_named_twice_is_served_once() -> None:
    """Overlapping names do not clash with themselves."""
    found = load_workflows([f"{FLOWS}:listed", f"{FLOWS}:quick"])

    assert ["quick", "slow"] == [workflow.workflow_id for workflow in found]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("no_such_module:flow", "there is no module 'no_such_module'"),
        ("json.nowhere:flow", "there is no module 'json.nowhere'"),
        ("shop/flows.py:flow", "not by the path of a file"),
        (":flow", "names no module"),
        ("json", "module 'json' has no workflow"),
        ("json:dumps", "is a function, and no workflow .*the module has none"),
        (f"{FLOWS}:quikc", f"is missing, .*{FLOWS}:quick"),
        (f"{FLOWS}:unbuilt", "is a Flow, and no workflow as Flow"),
        (f"{FLOWS}:mixed", "is a list, and no workflow"),
    ],
)
def test_a_name_that_stands_for_no_workflow_is_refused_with_what_there_is(
    name: str, said: str
) -> None:
    """The text names what was meant, and what the module has."""
    with pytest.raises(CommandError, match=said):
        load_workflows([name])


def test_a_module_that_lacks_a_module_of_its_own_raises_what_python_raises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is no spelling mistake on the command line, so its traceback is kept."""
    (tmp_path / "needy_flows.py").write_text("import not_installed_here\n")
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ModuleNotFoundError, match="not_installed_here"):
        load_workflows(["needy_flows:flow"])
