"""The native codec in real runs: large values through many steps, and machines without it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sayiir import Flow, InMemoryBackend, Lazy, SQLiteBackend, WorkflowClient, run_durable_workflow
from sayiir_runtime.payloads import payload_codec

if TYPE_CHECKING:
    from sayiir_rkyv import RkyvCodec

ROOT = Path(__file__).resolve().parents[2]
STEPS = 5

ELSEWHERE = """
import sys
sys.modules["sayiir_rkyv._native"] = None  # as where the wheel is not installed
from sayiir import SQLiteBackend, WorkflowClient
client = WorkflowClient(SQLiteBackend(sys.argv[1]))
print(client.get_task_result("r-1", "make")["orders"][17]["id"])
"""


def make(count: int) -> dict[str, Any]:
    """Return many orders."""
    return {"orders": [{"id": n, "note": f"note {n}", "tags": ["a", "b"]} for n in range(count)]}


def look(orders: Lazy[Any]) -> Any:
    """Read one field, and pass the value on as it is stored."""
    assert 17 == orders["orders"][17]["id"]
    return orders


def read(orders: Any) -> Any:
    """Read one field of decoded data, and pass it on."""
    assert 17 == orders["orders"][17]["id"]
    return orders


def chain(step: Any, codec: str) -> Any:
    """Return a workflow that makes a value and passes it through steps."""
    flow = Flow[Any, Any]("chain", codec=codec).then(make)
    for number in range(STEPS):
        flow = flow.then(step, name=f"step-{number}")
    return flow.build()


def third(orders: Lazy[Any]) -> Any:
    """Read one field."""
    return orders["orders"][3]["id"]


def steps_take(codec: str, step: Any, folder: Path) -> float:
    """Return the processor time of the steps alone: a run with them less one without."""
    backend = SQLiteBackend(folder / f"{codec}.db")
    alone = Flow[Any, Any]("alone", codec=codec).then(make).build()
    times: list[float] = []
    for name, workflow in (("without", alone), ("with", chain(step, codec))):
        start = time.process_time()
        run_durable_workflow(workflow, name, 100_000, backend)
        times.append(time.process_time() - start)
    return times[1] - times[0]


@pytest.mark.usefixtures("codec")
def test_steps_that_look_at_a_large_value_cost_a_tenth_of_decoding_it(tmp_path: Path) -> None:
    """Five steps that each read one field of some megabytes and pass the value on, on SQLite."""
    taken: dict[str, list[float]] = {"json": [], "rkyv": []}

    for turn in range(3):
        folder = tmp_path / str(turn)
        folder.mkdir()
        taken["json"].append(steps_take("json", read, folder))
        taken["rkyv"].append(steps_take("rkyv", look, folder))

    assert min(taken["json"]) > 10 * min(taken["rkyv"])


@pytest.mark.usefixtures("codec")
def test_a_payload_is_read_on_a_machine_without_the_wheel(tmp_path: Path) -> None:
    """By another process, through the same store."""
    path = tmp_path / "runs.db"
    run_durable_workflow(chain(look, "rkyv"), "r-1", 100, SQLiteBackend(path))
    command = [sys.executable, "-c", ELSEWHERE, str(path)]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert ("17\n", "") == (done.stdout, done.stderr)


def test_branches_of_a_fork_share_one_document(
    codec: RkyvCodec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many branches look, the payload is validated once."""
    validated: list[int] = []
    validate = type(codec._library).validate

    def counted(library: Any, payload: bytes, start: int) -> None:
        validated.append(len(payload))
        validate(library, payload, start)

    monkeypatch.setattr(type(codec._library), "validate", counted)
    flow = Flow[Any, Any]("wide", codec="rkyv").then(make).fork()
    for number in range(20):
        flow = flow.branch(third, name=f"branch-{number}")
    workflow = flow.join(dict[str, Any]).build()
    backend = InMemoryBackend()

    status = run_durable_workflow(workflow, "f-1", 50, backend)

    assert [3] * 20 == [*status.output.values()]
    assert WorkflowClient(backend).get_task_result("f-1", "make") == make(50)
    assert 1 == len(validated)


@pytest.mark.usefixtures("codec")
def test_small_and_large_values_find_their_codec() -> None:
    """``auto`` writes archives only where they pay, and reads both."""
    auto = payload_codec("auto")
    small, large = {"id": 1, "t": (1,)}, make(500)

    payloads = [auto.encode(small), auto.encode(large)]

    assert [b"msgpack", b"rkyv"] == [payloads[0][4:11], payloads[1][4:8]]
    assert [small, large] == [auto.decode(payload) for payload in payloads]
