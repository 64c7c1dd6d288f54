"""Every example recovers from a death at every boundary, on every store.

In memory each boundary is tried; on the others a sample, which ``SAYIIR_PROOF_LIMIT=0`` widens to all.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sayiir import Workflow
from sayiir_core.ports.backend import Backend
from sayiir_pytest.clock import VirtualClock
from sayiir_pytest.recovery import prove_recovery
from sayiir_runtime.memory import InMemoryBackend

EXAMPLES = Path(__file__).resolve().parent.parent.parent / "examples"
LIMITS: dict[str, int | None] = {"memory": None, "sqlite": 20, "postgres": 6}
KILLS: dict[str, int | None] = {"sqlite": 8, "postgres": 3}
# It takes fifty steps, each of them like the next.
REPORT_LIMITS = {"memory": 40, "sqlite": 6, "postgres": 2}
MODULES = ("main", "flow", "orders", "analysis", "report", "progress", "service")

MakeBackend = Callable[[VirtualClock], Backend]


@dataclass(frozen=True)
class Example:
    """A workflow of an example, and a run of it."""

    workflow: Workflow[Any, Any]
    input: Any
    signals: tuple[tuple[str, Any], ...] = ()
    effects: Callable[[], list[Any]] | None = None


Load = Callable[[str, str], Any]


def hello(load: Load, _folder: Path) -> Example:
    return Example(load("01_hello", "main").workflow, "world")


def order(load: Load, _folder: Path) -> Example:
    value = {"id": "A-17", "item": "desk lamp", "count": 2, "amount": 59.8}
    approval = {"approved": True, "by": "Grace"}
    return Example(load("02_order", "main").workflow, value, (("approval", approval),))


def forgotten_order(load: Load, _folder: Path) -> Example:
    value = {"id": "A-18", "item": "grand piano", "count": 1, "amount": 48_000}
    return Example(load("02_order", "main").workflow, value)


def report(load: Load, folder: Path) -> Example:
    source = folder / "source"
    source.mkdir()
    for number in range(14):
        (source / f"m{number}.py").write_text(
            "import os\n\n\ndef f(x):\n    return x\n" * (number + 1)
        )
    job = {"root": str(source), "report": str(folder / "report.md")}
    return Example(load("03_stdlib_report", "flow").build(), job)


def distributed_order(load: Load, folder: Path) -> Example:
    orders = load("04_distributed_orders", "orders")
    bank = folder / "bank"
    value = orders.Order(id="B-1", item="lamp", amount=orders.LARGE)
    return Example(
        orders.order,
        value,
        (("approval", {"by": "Grace"}),),
        # What the bank has taken: it is told a key, and takes each once.
        lambda: list(bank.iterdir()) if bank.exists() else [],
    )


def traced_order(load: Load, _folder: Path) -> Example:
    return Example(load("05_traced_service", "service").order, "lamp")


RUNS = [hello, order, forgotten_order, report, distributed_order, traced_order]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Load:
    """Give a function that imports a module of an example as the example itself does."""
    monkeypatch.setenv("ORDERS_FOLDER", str(tmp_path))

    def load_module(folder: str, name: str) -> Any:
        monkeypatch.syspath_prepend(EXAMPLES / folder)
        for known in MODULES:
            monkeypatch.delitem(sys.modules, known, raising=False)
        module = importlib.import_module(name)
        # It takes its time and notes who works; neither is what is proved.
        monkeypatch.setattr(module, "work", lambda _step: None, raising=False)
        for known in MODULES:
            monkeypatch.delitem(sys.modules, known, raising=False)
        return module

    return load_module


def opened(store: str, folder: Path, request: pytest.FixtureRequest) -> MakeBackend:
    """Return a function that opens a store of a kind, the same at each call but for memory."""
    if store == "memory":
        return lambda clock: InMemoryBackend(clock=clock)
    if store == "sqlite":
        from sayiir_sqlite import SQLiteBackend

        path = str(folder / "proof.db")
        return lambda clock: SQLiteBackend(path, synchronous="NORMAL", clock=clock)
    from sayiir_postgres import PostgresBackend

    dsn: Any = request.getfixturevalue("postgres_database")
    return lambda clock: PostgresBackend(dsn, clock=clock)


def limit_of(usual: int | None) -> int | None:
    """Return how many boundaries are tried per driver; none: all."""
    chosen = os.environ.get("SAYIIR_PROOF_LIMIT")
    return usual if chosen is None else int(chosen) or None


@pytest.mark.parametrize("store", LIMITS)
@pytest.mark.parametrize("run", RUNS)
def test_an_example_recovers_wherever_its_process_dies(
    run: Callable[[Load, Path], Example],
    store: str,
    load: Load,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    """Same outcome, nothing recorded runs again, and no payment is taken twice."""
    example = run(load, tmp_path)

    made = prove_recovery(
        example.workflow,
        example.input,
        backend=opened(store, tmp_path, request),
        signals=example.signals,
        effects=example.effects,
        limit=limit_of(REPORT_LIMITS[store] if run is report else LIMITS[store]),
    )

    assert made.ok, str(made)
    assert "completed" == made.expected.status
    assert [] == [trial for trial in made.trials if not trial.is_reached]


@pytest.mark.parametrize("store", KILLS)
@pytest.mark.parametrize("run", RUNS)
def test_an_example_recovers_wherever_its_process_is_killed(
    run: Callable[[Load, Path], Example],
    store: str,
    load: Load,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    """The same with real processes, with the real worker, and with SIGKILL."""
    example = run(load, tmp_path)

    made = prove_recovery(
        example.workflow,
        example.input,
        backend=opened(store, tmp_path, request),
        mode="sigkill",
        signals=example.signals,
        effects=example.effects,
        limit=limit_of(REPORT_LIMITS[store] if run is report else KILLS[store]),
    )

    assert made.ok, str(made)
    assert [trial for trial in made.trials if trial.is_reached and trial.boundary.place]
