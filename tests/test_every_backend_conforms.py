"""Every backend and executor that an installed plugin offers is under every conformance class."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from functools import cache
from pathlib import Path

import pytest

from sayiir_core.errors import PluginError
from sayiir_core.ports.backend import Backend
from sayiir_pytest import conformance
from sayiir_runtime.plugins import create_plugin_manager

ROOT = Path(__file__).resolve().parent.parent
SUITE = {
    name
    for name in conformance.__all__
    if inspect.isclass(found := getattr(conformance, name))
    and issubclass(found, conformance.Conformance)
    and found is not conformance.Conformance
}
"""The names of the conformance classes of a backend, one per port and some for the whole."""

PLACES = ("", "localhost/sayiir", "/absent/sayiir.db", "localhost", "sayiir")
"""What may follow the scheme of a URL; a factory opens nothing, so none of it need exist."""


@cache
def backends() -> dict[str, type[Backend]]:
    """Return the backend class of each URL scheme that an installed plugin serves."""
    manager = create_plugin_manager()
    return {scheme: type(_opened(scheme)) for scheme in manager.backends}


def _opened(scheme: str) -> Backend:
    for place in PLACES:
        try:
            return create_plugin_manager().open_backend(f"{scheme}://{place}")
        except PluginError as error:
            last = error
    pytest.fail(f"no URL of the scheme {scheme}:// is known to this test: {last}")


def _test_modules() -> Iterator[Path]:
    for pattern in ("packages/*/tests/**/*.py", "examples/**/test*.py", "native/**/test*.py"):
        for path in ROOT.glob(pattern):
            if not {"broken_stores", "broken_executors"} & set(path.parts):
                yield path


def classes_for(source: str, tested: str, suite: AbstractSet[str] = SUITE) -> set[str]:
    """Return the conformance classes under which a module's source puts a class."""
    tree = ast.parse(source)
    imported = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    if tested not in imported:
        return set()
    return {
        base.id
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and node.name.startswith("Test")
        for base in node.bases
        if isinstance(base, ast.Name)
    } & suite


def test_the_plugins_of_this_environment_work() -> None:
    """Nothing hides behind a plugin that cannot be loaded."""
    manager = create_plugin_manager()

    assert () == manager.failures
    assert {"memory", "sqlite", "postgresql"} <= set(manager.backends)


@pytest.mark.parametrize("scheme", sorted(create_plugin_manager().backends))
def test_a_backend_is_under_every_conformance_class(scheme: str) -> None:
    """A plugin whose backend has no conformance tests is not done."""
    name = backends()[scheme].__name__

    tested: set[str] = set()
    for path in _test_modules():
        tested |= classes_for(path.read_text("utf-8"), name)

    assert sorted(SUITE) == sorted(tested), f"{name} ({scheme}://)"


@pytest.mark.parametrize("name", sorted(create_plugin_manager().executors))
def test_an_executor_is_under_its_suite(name: str) -> None:
    """A plugin whose executor has no conformance tests is not done."""
    executor = create_plugin_manager().executors[name]()
    suite = {"ExecutorConformance"}

    tested: set[str] = set()
    for path in _test_modules():
        tested |= classes_for(path.read_text("utf-8"), type(executor).__name__, suite)
    executor.close()

    assert suite == tested, f"{type(executor).__name__} ({name})"


def test_an_executor_without_a_suite_is_noticed() -> None:
    """A module that uses it otherwise is not enough."""
    source = "from x import Mine\nclass TestIt(ExecutorConformance): ...\n"

    assert {"ExecutorConformance"} == classes_for(source, "Mine", {"ExecutorConformance"})
    assert set() == classes_for("from x import Mine\n", "Mine", {"ExecutorConformance"})
    assert {"process"} <= set(create_plugin_manager().executors)


def test_a_backend_without_conformance_classes_is_noticed() -> None:
    """Neither a mention nor a class of another backend is enough."""
    source = "from x import Mine\nclass TestIt(On, ClaimConformance): ...\nclass Half(RaceConformance): ...\n"

    assert {"ClaimConformance"} == classes_for(source, "Mine")
    assert set() == classes_for(source, "Other")
    assert len(SUITE) >= 14
