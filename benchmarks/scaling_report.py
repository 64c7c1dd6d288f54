"""What the measurements say of the model, and the model of machines that nobody has measured here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from scaling_model import (
    PAGE,
    Constants,
    Load,
    Machine,
    Shape,
    Store,
    error,
    fit,
    middle,
    pages,
    predict,
)

SHAPES = {
    "sync1": Shape("chain of 1", 1),
    "sync": Shape("chain of 4", 4),
    "sync10": Shape("chain of 10", 10),
    "sync20": Shape("chain of 20", 20),
    "fork": Shape("fork of 4", 6, branches=4),
}
FITTED = (("sync20", 1), ("sync1", 1))
"""What the constants come from: two lengths of chain, one worker process. All else is a check."""

_LARGE = Machine(
    "16 cores, disk of 125 MB/s and 3,000 operations/s",
    server_cores=16,
    worker_cores=32,
    processes=32,
    sync_seconds=0.0015,
    disk_bytes=125e6,
    disk_operations=3_000,
    connections=400,
)
_FAST = replace(
    _LARGE,
    name="16 cores, disk of 1 GB/s and 50,000 operations/s",
    disk_bytes=1e9,
    disk_operations=50_000,
)
_MEMORY = 24 * 2.0**30
SCENARIOS = (
    (Machine("this machine, 2 cores for all", 2, 2, sync_seconds=0.001), Store()),
    (_LARGE, Store()),
    (_LARGE, Store(100_000_000, _MEMORY)),
    (_LARGE, Store(1_000_000_000, _MEMORY)),
    (_LARGE, Store(1_000_000_000, _MEMORY, ordered=True)),
    (_FAST, Store()),
    (_FAST, Store(1_000_000_000, _MEMORY)),
    (_FAST, Store(1_000_000_000, _MEMORY, ordered=True)),
)

Row = Mapping[str, Any]
Runs = Mapping[tuple[str, int], Sequence[Row]]


def constants_of(runs: Runs) -> Constants:
    """Fit to two chains of one process."""
    (long, _), (short, _) = FITTED
    return fit(SHAPES[long], _load(runs[long, 1]), SHAPES[short], _load(runs[short, 1]))


def _load(rows: Sequence[Row]) -> Load:
    """Return the least of each: what others do on a machine makes CPU time dearer, never cheaper."""
    return Load(
        min(row["server_us"] for row in rows) / 1e6,
        min(row["client_us"] for row in rows) / 1e6,
        min(row["log_per_step"] for row in rows),
    )


def runs_of(measured: Row) -> Runs:
    """Return the runs by flow and number of processes."""
    runs: dict[tuple[str, int], list[Row]] = defaultdict(list)
    for row in measured["processes"]:
        runs[row["flow"], row["processes"]].append(row)
    return runs


def checks(measured: Row) -> list[dict[str, Any]]:
    """Compare every kind of run with its prediction."""
    runs, cores = runs_of(measured), measured["machine"]["cores"]
    constants = constants_of(runs)
    return [
        _check(constants, flow, processes, rows, cores)
        for (flow, processes), rows in sorted(runs.items())
    ]


def _check(
    constants: Constants, flow: str, processes: int, rows: Sequence[Row], cores: int
) -> dict[str, Any]:
    shape, found = SHAPES[flow], _load(rows)
    load = constants.load(shape)
    rates = []
    for row in rows:
        # What others took was not to be had.
        left = cores - row["others"] / row["wall"]
        machine = Machine("", left, processes)
        rates.append(
            error(predict(constants, shape, machine, Store()).rate, row["steps_per_second"])
        )
    return {
        "run": f"{shape.name}, {processes} process{'es' if processes > 1 else ''}",
        "processes": processes,
        "fitted": (flow, processes) in FITTED,
        "server_us": (load.server * 1e6, found.server * 1e6, error(load.server, found.server)),
        "client_us": (load.client * 1e6, found.client * 1e6, error(load.client, found.client)),
        "log": (load.log, found.log, error(load.log, found.log)),
        "rate_error": middle(rates),
    }


def page_checks(measured: Row) -> list[dict[str, Any]]:
    """Compare the full pages of runs behind a checkpoint with those that the model expects."""
    constants, shape = constants_of(runs_of(measured)), SHAPES["sync"]
    found = []
    done = 0
    for row in measured.get("rows", ()):
        if "steps_per_second" not in row:
            continue
        if row["behind_checkpoint"]:
            store = Store(row["beside"] + done)
            instances = row["instances"]
            # Their rows were created before the checkpoint, and change at their end.
            expected = pages(constants, shape, store, instances)
            expected += instances * constants.row / PAGE
            found.append(
                {
                    "beside": store.steps,
                    "pages": (expected, row["full_pages"], error(expected, row["full_pages"])),
                }
            )
        done += row["steps"]
    return found


def scenarios(measured: Row) -> list[dict[str, Any]]:
    """Return what saturates first, and next, on machines that were not measured."""
    constants, shape = constants_of(runs_of(measured)), SHAPES["sync"]
    found = []
    for machine, store in SCENARIOS:
        bounds = predict(constants, shape, machine, store).bounds
        ordered = sorted(bounds.items(), key=lambda item: item[1])
        found.append(
            {
                "machine": machine.name,
                "stored": store.steps,
                "ordered": store.ordered,
                "bounds": [(name, rate) for name, rate in ordered if rate < 1e9],
            }
        )
    return found


def as_json(measured: Row) -> dict[str, Any]:
    """Return all that the report says."""
    constants = constants_of(runs_of(measured))
    return {
        "constants": {
            name: {"server_us": it.server * 1e6, "client_us": it.client * 1e6, "log": it.log}
            for name, it in (("instance", constants.instance), ("step", constants.step))
        },
        "checks": checks(measured),
        "pages": page_checks(measured),
        "scenarios": scenarios(measured),
    }


def report(measured: Row) -> str:
    """Return the same for people."""
    said = as_json(measured)
    lines = ["constants: server µs, client µs, log bytes"]
    for name, it in said["constants"].items():
        lines.append(f"  {name:<10} {it['server_us']:6.1f} {it['client_us']:6.1f} {it['log']:6.0f}")
    lines.append("checks: predicted, measured, error; the rate by the cores that others left")
    for it in said["checks"]:
        parts = [
            f"{name} {it[name][0]:6.1f} {it[name][1]:6.1f} {it[name][2]:+4.0%}"
            for name in ("server_us", "client_us", "log")
        ]
        fitted = "  (fitted)" if it["fitted"] else ""
        lines.append(
            f"  {it['run']:<26} {'  '.join(parts)}  steps/s {it['rate_error']:+4.0%}{fitted}"
        )
    lines.append("pages logged in full behind a checkpoint: predicted, measured, error")
    for it in said["pages"]:
        expected, found, off = it["pages"]
        lines.append(f"  beside {it['beside']:>9,} steps {expected:6.0f} {found:6.0f} {off:+4.0%}")
    lines.append("what saturates first, in chains of 4 (steps/s)")
    for it in said["scenarios"]:
        bounds = ", ".join(f"{name} {rate:,.0f}" for name, rate in it["bounds"][:3])
        order = ", runs in order of time" if it["ordered"] else ""
        lines.append(f"  {it['machine']}, {it['stored']:,} steps stored{order}: {bounds}")
    return "\n".join(lines)
