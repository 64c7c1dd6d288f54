"""The examples print what they promise, and their parts hold what their docstrings say."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent
_CACHE = ".mypy_cache/examples"
EXAMPLES = sorted(path.parent for path in ROOT.glob("examples/*/main.py"))

_ORDERS = """\
Order A-17: 2 × desk lamp
  awaiting_signal: payment, inventory and shipping are done,
  and it waits for the signal 'approval'. The process may end here.
  Grace approves it.
  completed: confirmed, approved by Grace: 59.80 EUR authorised, 2 × desk lamp reserved, parcel P-A-17 booked

Order A-18: 1 × grand piano
  awaiting_signal: payment, inventory and shipping are done,
  and it waits for the signal 'approval'. The process may end here.
  Nobody approves it, and after two seconds ...
  completed: declined (nobody answered in time), undone: 48000.00 EUR authorised, 1 × grand piano reserved, parcel P-A-18 booked

"""

_TRACE = """\
The shop answers: 202 {"order": "order-1"}
The workers made: a parcel with a lamp, with our thanks

10 spans of 1 trace:

buy a lamp (shop)
  POST /orders (shop)
    submit order (shop)
      run order (ada)
        pay (ada)
          ask the bank (ada)
      run order (bob)
        pack (bob)
      run order (ada)
        thank (ada)
"""

_SOURCE = '''"""A module."""
import os
import os.path
from json import dumps
from . import near


class Public:
    def documented(self):
        """Have one."""
        return [x for x in y if x and z]

    def bare(self):
        pass

    def _private(self):
        if a:
            while b:
                pass
'''


def _printed(example: str) -> str:
    command = [sys.executable, str(ROOT / "examples" / example / "main.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (0, "") == (done.returncode, done.stderr)
    return done.stdout


@pytest.fixture
def analysis(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Give the analyses of the report, imported as the example itself does."""
    monkeypatch.syspath_prepend(ROOT / "examples" / "03_stdlib_report")
    monkeypatch.delitem(sys.modules, "analysis", raising=False)
    module = importlib.import_module("analysis")
    monkeypatch.delitem(sys.modules, "analysis")
    return module


def test_hello_says_hello() -> None:
    """The smallest workflow."""
    assert "Hello, world!\n" == _printed("01_hello")


def test_orders_are_approved_by_a_signal_or_declined_by_a_deadline() -> None:
    """Both ends of the story, on a SQLite file."""
    assert _ORDERS == _printed("02_order")


@pytest.mark.slow
def test_a_request_and_its_tasks_in_two_workers_are_one_trace() -> None:
    """The picture that the guide shows, and nothing beside it."""
    assert _TRACE == _printed("05_traced_service")


def test_orders_on_three_workers_are_all_done_although_one_worker_is_killed() -> None:
    """Nothing is lost, no payment is taken twice, and tagged steps run where they may."""
    printed = _printed("04_distributed_orders")

    table = {
        line.split()[0]: [int(word) for word in line.split()[1:]]
        for line in printed.splitlines()
        if re.fullmatch(r"\w+( +\d+){3}", line)
    }
    again = int(re.findall(r"(\d+) were begun again", printed)[0])
    assert ["pay", "reserve", "draw_label", "pack", "ship"] == list(table)
    assert 1000 + again == sum(map(sum, table.values()))
    assert 0 <= again <= sum(bob for _, bob, _ in table.values())
    assert [0, 0] == table["draw_label"][:2]
    assert 50 <= sum(bob for _, bob, _ in table.values()) < 1000
    for words in (
        "180 small orders are shipped.",
        "20 large orders wait for an approval. Grace approves them.",
        "20 large orders are shipped.",
        "200 payments were taken, one for each order.",
        "stopped as asked: exit codes [0, 0].",
    ):
        assert words in printed


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_type_checks_under_strict_rules(example: Path) -> None:
    """Examples are copied, so they must pass the checkers of those who copy them."""
    settings = ["--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", str(ROOT / _CACHE)]
    files = [path.name for path in sorted(example.glob("*.py"))]
    command = [sys.executable, "-m", "mypy", "--strict", *settings, *files]

    done = subprocess.run(command, cwd=example, capture_output=True, text=True, check=False)

    assert 0 == done.returncode, done.stdout


@pytest.mark.parametrize("name", ["custom_backend", "custom_codec"])
def test_an_example_of_a_distribution_type_checks_under_strict_rules(name: str) -> None:
    """Its tests too: what they subclass must fit."""
    project = ROOT / "examples" / name
    settings = ["--config-file", "pyproject.toml", "--cache-dir", _CACHE]
    command = [sys.executable, "-m", "mypy", "--strict", *settings]
    files = [str(path) for folder in ("src", "tests") for path in (project / folder).rglob("*.py")]

    done = subprocess.run(
        [*command, *sorted(files)],
        cwd=ROOT,
        env={"MYPYPATH": str(project / "src")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert 0 == done.returncode, done.stdout


def test_the_analyses_count_what_they_say(analysis: ModuleType) -> None:
    """Sizes, imports, docstrings and complexity of one small module."""
    sources = [analysis.Source("pack.mod", _SOURCE)]

    assert {"modules": 1, "lines": 19, "longest": [[19, "pack.mod"]]} == analysis.sizes({}, sources)
    assert {"importers": {"json": 1, "os": 1}} == analysis.imports({}, sources)
    assert {"packages": {"pack": [2, 4]}} == analysis.docstrings({}, sources)
    assert {
        "functions": 3,
        "most_complex": [
            [3, "pack.mod:_private", 16],
            [3, "pack.mod:documented", 9],
            [1, "pack.mod:bare", 13],
        ],
    } == analysis.complexity({}, sources)


@pytest.mark.parametrize("name", ["sizes", "imports", "docstrings", "complexity"])
def test_analysing_in_batches_gives_what_analysing_at_once_gives(
    analysis: ModuleType, name: str
) -> None:
    """Each analysis is a fold, so batches may be cut anywhere."""
    fold = getattr(analysis, name)
    sources = [analysis.Source(f"m{n}", _SOURCE + "import sys\n" * n) for n in range(4)]

    at_once = fold({}, sources)
    in_batches = fold(fold({}, sources[:1]), sources[1:])

    assert at_once == in_batches


def test_a_module_that_does_not_parse_is_left_out(analysis: ModuleType) -> None:
    """Template files in a source tree do not stop the report."""
    assert {"importers": {}} == analysis.imports({}, [analysis.Source("bad", "def (")])
