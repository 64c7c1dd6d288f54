"""What docs/backends.md says of the ports is what the ports say of themselves."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sayiir_core.ports.backend import Backend
from sayiir_core.ports.checkpoints import CheckpointStore
from sayiir_core.ports.claims import ClaimStore
from sayiir_core.ports.clock import Clock
from sayiir_core.ports.control import ControlStore
from sayiir_core.ports.definitions import DefinitionStore
from sayiir_core.ports.instances import InstanceStore
from sayiir_core.ports.ownership import OwnershipStore
from sayiir_core.ports.results import ResultStore
from sayiir_core.ports.sessions import SessionStore
from sayiir_core.ports.signals import SignalStore
from sayiir_core.ports.wakeup import Subscription, Wakeup
from sayiir_pytest import conformance

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "backends.md").read_text(encoding="utf-8")
PORTS: list[type] = [
    InstanceStore,
    DefinitionStore,
    CheckpointStore,
    ClaimStore,
    OwnershipStore,
    SessionStore,
    SignalStore,
    ControlStore,
    ResultStore,
    Wakeup,
    Subscription,
    Backend,
    Clock,
]


def _flat(documented: object) -> str:
    return " ".join((inspect.getdoc(documented) or "").replace("``", "`").split())


def _contracts(port: type) -> list[str]:
    """Return a line for each member: its name and arguments, and its contract."""
    lines: list[str] = []
    for name, member in vars(port).items():
        if isinstance(member, property):
            lines.append(f"* **`{name}`** {_flat(member)}")
        elif inspect.isfunction(member) and not name.startswith("_"):
            arguments = ", ".join(list(inspect.signature(member).parameters)[1:])
            lines.append(f"* **`{name}({arguments})`** {_flat(member)}")
    return lines


@pytest.mark.parametrize("port", PORTS, ids=lambda port: port.__name__)
def test_each_port_is_described_in_its_own_words(port: type) -> None:
    """Its purpose, its members with their arguments, and their contracts, no more and no less."""
    section = PAGE.partition(f"### `{port.__name__}`\n")[2].partition("\n#")[0]
    purpose, *lines = section.strip().split("\n\n", 1)
    told = [re.sub(r" \*By .*\*$", "", line) for line in "\n".join(lines).splitlines()]

    assert _flat(port) == purpose
    assert _contracts(port) == told


def test_every_store_of_a_backend_is_described() -> None:
    """A new port cannot be forgotten."""
    stores = {
        word
        for member in vars(Backend).values()
        if isinstance(member, property) and member.fget is not None
        for word in re.findall(r"\w+", str(member.fget.__annotations__["return"]))
    }

    assert stores - {"None", "int", "Capabilities"} <= {port.__name__ for port in PORTS}
    assert len(stores) > 10


def test_the_functions_that_are_named_exist() -> None:
    """What a contract is kept by can be looked up."""
    named = {name for line in PAGE.splitlines() for name in re.findall(r" \*By (.*)\.\*$", line)}
    dotted = sorted({word for text in named for word in re.findall(r"`(\w+\.[\w.]+)`", text)})
    sources = {
        path.relative_to(ROOT).with_suffix("").as_posix().replace("/", "."): path.read_text()
        for path in (ROOT / "packages" / "sayiir-core" / "src" / "sayiir_core").rglob("*.py")
    }

    missing = [
        name
        for name in dotted
        for module, _, function in [name.rpartition(".")]
        if not any(
            key.endswith(module) and re.search(rf"^(def|class) {function}\b", text, re.MULTILINE)
            for key, text in sources.items()
        )
        and name != "InstanceQuery.selects"
    ]
    assert [] == missing
    assert len(dotted) > 10


def test_the_example_of_a_suite_has_every_class_of_it() -> None:
    """Who copies it tests everything; to look past the adapter takes code of one's own."""
    subclassed = set(re.findall(r"^class Test\w+\((?:\w+, )?(\w+)\)", PAGE, re.MULTILINE))

    expected = set(conformance.__all__) - {"Conformance", "RawConformance", "RawStore"}
    assert expected == subclassed
    assert "RawConformance" in PAGE


@pytest.mark.slow
def test_the_backend_of_the_page_passes_the_suite_of_the_page(tmp_path: Path) -> None:
    """Its blocks, put together into a test file; histories and races, which take long, are left out."""
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    (tmp_path / "test_page.py").write_text("\n\n".join(blocks), encoding="utf-8")
    options = ["-q", "-c", os.devnull, "--import-mode=importlib", "-p", "no:cacheprovider"]

    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            *options,
            "test_page.py",
            "-k",
            "not Equivalence and not Races",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert 0 == done.returncode, done.stdout[-5000:] + done.stderr
    passed = re.findall(r"(\d+) passed", done.stdout)
    assert [True] == [int(number) > 400 for number in passed]
