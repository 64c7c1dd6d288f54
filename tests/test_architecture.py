"""The shape of the code: who may import what, and how long things may get."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
NATIVE = ROOT / "native"
MEMBERS = [NATIVE, *sorted(path.parent for path in ROOT.glob("packages/*/pyproject.toml"))]
SOURCES = sorted([*ROOT.glob("packages/*/src/**/*.py"), *NATIVE.glob("python/*/*.py")])
RUST = sorted([*NATIVE.glob("src/**/*.rs"), *NATIVE.glob("tests/*.rs")])
TOOLS = [ROOT / "dev.py", *sorted(ROOT.glob("devtools/*.py"))]
LONGEST_FILE = 400
LONGEST_FUNCTION = 50
VAGUE_NAMES = {"utils", "util", "common", "helpers", "helper", "manager", "base", "misc"}


def _parsed(path: Path) -> ast.Module:
    """Parse a file; CPython 3.11 now and then miscounts its own depth, and is asked again."""
    text = path.read_text()
    try:
        return ast.parse(text)
    except SystemError:
        return ast.parse(text)


def _relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _source(member: Path) -> Path:
    """Return the folder of a member's Python; the other folder of ``native`` holds Rust."""
    return member / ("python" if member == NATIVE else "src")


def _imported_packages(path: Path) -> set[str]:
    """Return the top-level packages that a file imports anywhere, those of the stdlib left out."""
    names: set[str] = set()
    for node in ast.walk(_parsed(path)):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names.add(node.module.partition(".")[0])
    return names - sys.stdlib_module_names


def _project(member: Path) -> dict[str, object]:
    project: dict[str, object] = tomllib.loads((member / "pyproject.toml").read_text())["project"]
    return project


def _declared_packages(member: Path) -> set[str]:
    """Return the import names of all that a distribution may need, extras included."""
    project = _project(member)
    required = list(project.get("dependencies", []))  # type: ignore[call-overload]
    for extra in project.get("optional-dependencies", {}).values():  # type: ignore[attr-defined]
        required += extra
    names = {re.split(r"[\[<>=~! ]", requirement)[0] for requirement in required}
    declared = {name.replace("-", "_") for name in {*names, str(project["name"])}}
    # The distributions of OpenTelemetry share one namespace package.
    return declared | {"opentelemetry" for name in declared if name.startswith("opentelemetry_")}


def _functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(_parsed(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("member", MEMBERS, ids=lambda member: member.name)
def test_a_package_imports_only_what_it_declares(member: Path) -> None:
    """What a source file imports stands among its distribution's dependencies or extras."""
    paths = _source(member).glob("*/**/*.py")
    imported = {name for path in paths for name in _imported_packages(path)}

    assert imported <= _declared_packages(member)


def test_the_core_imports_the_standard_library_and_pluggy_only() -> None:
    """Nothing else may ever stand below the domain."""
    imported = {
        name
        for path in ROOT.glob("packages/sayiir-core/src/**/*.py")
        for name in _imported_packages(path)
    }

    assert imported <= {"sayiir_core", "pluggy"}


def test_the_core_never_reads_a_clock() -> None:
    """Instants are arguments: no ``now()``, ``utcnow()`` or ``today()`` is called in the core."""
    readers = {"now", "utcnow", "today"}
    calls = [
        f"{_relative(path)}:{node.lineno}"
        for path in ROOT.glob("packages/sayiir-core/src/**/*.py")
        for node in ast.walk(_parsed(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in readers
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in {"datetime", "date"}
    ]

    assert [] == calls


def test_every_package_stands_under_the_import_contracts_and_the_type_checkers() -> None:
    """A new workspace member can't be forgotten in the tools' configuration."""
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    packages = {str(_project(member)["name"]).replace("-", "_") for member in MEMBERS}
    folders = {_relative(_source(member)) for member in MEMBERS}
    sources = {f"$MYPY_CONFIG_FILE_DIR/{folder}" for folder in folders}

    assert packages == set(tools["importlinter"]["root_packages"])
    assert {_relative(member) for member in MEMBERS} == set(tools["uv"]["workspace"]["members"])
    assert sources == set(tools["mypy"]["mypy_path"])
    assert folders <= set(tools["pyright"]["include"])


@pytest.mark.parametrize("path", [*SOURCES, *TOOLS], ids=_relative)
def test_a_file_fits_in_the_head(path: Path) -> None:
    """No file is longer than 400 lines and no function longer than 50."""
    lines = len(path.read_text().splitlines())
    long_functions = [
        function.name
        for function in _functions(path)
        if (function.end_lineno or function.lineno) - function.lineno + 1 > LONGEST_FUNCTION
    ]

    assert lines <= LONGEST_FILE
    assert [] == long_functions


@pytest.mark.parametrize("path", RUST, ids=_relative)
def test_a_rust_file_fits_in_the_head(path: Path) -> None:
    """No file is longer than 400 lines, and unsafe code stands in the one that may have it."""
    text = path.read_text()

    assert len(text.splitlines()) <= LONGEST_FILE
    assert path.name == "ffi.rs" or not re.search(r"\bunsafe\s*(?:\{|fn|impl|extern)", text)
    assert not re.search(r"\baccess\w*_unchecked\b", text)


def test_modules_are_named_after_what_they_hold() -> None:
    """Nothing is called utils, common, helpers, manager or base."""
    vague = [_relative(path) for path in SOURCES if path.stem in VAGUE_NAMES]

    assert [] == vague
