"""Bugs in reading; the names of the ports' methods say what they do."""

# ruff: noqa: D102

from __future__ import annotations

from typing import Any

from broken_stores.making import Broken
from sayiir_core.ids import RunId
from sayiir_core.ports.results import StepPage
from sayiir_pytest.conformance import (
    ResultConformance,
)
from sayiir_runtime.memory.results import MemoryResults


class BrokenResults(Broken):
    """Break the result port."""

    port = "results"


class OrdersTurnsAsText(MemoryResults):
    """Find the last turn by comparing texts."""

    def last_turn(self, run_id: RunId, node: int, prefix: tuple[int, ...]) -> Any:
        rows = super().steps(run_id, limit=10**6).rows
        found = [it.record.turns for it in rows if it.record.node == node]
        return max((it for it in found if it[: len(prefix)] == prefix), key=str, default=None)


class TestOrdersTurnsAsText(BrokenResults, ResultConformance):
    broken = OrdersTurnsAsText


class SortsItsHistory(MemoryResults):
    """List records by their key instead of the order of writing."""

    def steps(self, run_id: RunId, *, after: str | None = None, limit: int = 100) -> StepPage:
        rows = sorted(super().steps(run_id, limit=10**6).rows, key=lambda it: it.record.node)
        start = int(after or 0)
        end = start + limit
        return StepPage(rows[start:end], str(end) if len(rows) > end else None)


class TestSortsItsHistory(BrokenResults, ResultConformance):
    broken = SortsItsHistory
