"""A server of their own for the chaos tests, and the modules of this folder, which is no package."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from sayiir_pytest.postgres_server import PostgresServer

FOLDER = Path(__file__).parent


def load(name: str) -> ModuleType:
    """Load a module of this folder."""
    spec = importlib.util.spec_from_file_location(f"chaos_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their own module up.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def server(postgres_binaries: None) -> Iterator[PostgresServer]:
    """Serve a cluster that the test may stop; nobody else uses it."""
    with PostgresServer() as server:
        yield server


@pytest.fixture
def chaos() -> ModuleType:
    """Give the module that makes chaos."""
    return load("chaos")


@pytest.fixture
def plans() -> ModuleType:
    """Give the workflows of the chaos runs."""
    return load("plans")


@pytest.fixture
def team() -> ModuleType:
    """Give the module that starts worker processes."""
    return load("team")


@pytest.fixture
def flows() -> ModuleType:
    """Give the workflows that they serve, imported as they import it."""
    sys.path.insert(0, str(FOLDER))
    try:
        return importlib.import_module("flows")
    finally:
        sys.path.remove(str(FOLDER))
