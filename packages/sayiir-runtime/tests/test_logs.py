"""Log lines of user code and of its libraries say which run they belong to."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from sayiir_core.authoring import Flow, task
from sayiir_core.policy import RetryPolicy
from sayiir_core.ports.telemetry import RunPlace, TaskCall
from sayiir_runtime.client import WorkflowClient
from sayiir_runtime.logs import FIELDS, CorrelationFilter, JsonFormatter, correlate
from sayiir_runtime.memory import InMemoryBackend
from sayiir_runtime.runner.checkpointing import CheckpointingRunner
from sayiir_runtime.telemetry import observed
from sayiir_runtime.worker import PooledWorker

TRACE = "0af7651916cd43dd8448eb211c80319c"


class Tracing:
    """A tracer that gives every run one trace."""

    def submit(self, runs: list[RunPlace]) -> tuple[None, str]:  # noqa: ARG002
        """Give the trace, with baggage beside it."""
        return None, f"traceparent: 00-{TRACE}-b7ad6b7169203331-01\nbaggage: user=ada"

    def enter(self, call: TaskCall) -> None:
        """Do nothing."""

    def leave(self, token: None, error: BaseException | None) -> None:
        """Do nothing."""

    def rest(self, run: RunPlace) -> None:
        """Do nothing."""


@pytest.fixture
def lines() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Give what the logger "shop" wrote through the filter and the formatter, parsed."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(CorrelationFilter())
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger("shop")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    logger.removeHandler(handler)


def write(value: int) -> int:
    """Write a line."""
    logging.getLogger("shop").info("charged %d", value, extra={"currency": "EUR"})
    return value


@task(retries=RetryPolicy(1, 0.001))
def stumble(value: int) -> int:
    """Fail once."""
    logging.getLogger("shop").info("trying")
    from sayiir_core.authoring import get_task_context

    context = get_task_context()
    assert context is not None
    if context.attempt == 1:
        raise ValueError("not yet")
    return value


async def write_async(value: int) -> int:
    """Write a line in a coroutine."""
    return write(value)


FLOW = Flow[int, int]("order").fork().branch(write).branch(write_async).join(len, name="j").build()


@pytest.mark.parametrize("is_pooled", [False, True])
def test_a_line_inside_a_task_names_its_run(
    lines: Callable[[], list[dict[str, Any]]], is_pooled: bool
) -> None:
    """In threads and on the loop, of a runner and of a worker, whose name is there, too."""
    store = observed(InMemoryBackend(), tracer=Tracing())
    if is_pooled:
        with PooledWorker("till-1", store).start([FLOW]):
            WorkflowClient(store).submit(FLOW, "o-7", 3).result("20s")
    else:
        CheckpointingRunner(store).run(FLOW, "o-7", 3)
    logging.getLogger("shop").info("outside")

    *inside, outside = lines()

    named = {"worker_id": "till-1"} if is_pooled else {}
    expected = [
        {
            "level": "info",
            "logger": "shop",
            "message": "charged 3",
            "currency": "EUR",
            "instance_id": "o-7",
            "workflow": "order",
            "task": f"fork_0/{name}/{name}",
            "attempt": 1,
            "trace_id": TRACE,
            **named,
        }
        for name in ("write", "write_async")
    ]
    for line in inside:
        assert line.pop("time").endswith("+00:00")
    assert expected == sorted(inside, key=lambda line: str(line["task"]))
    assert not set(FIELDS) & set(outside)


def test_a_line_says_which_attempt_it_belongs_to(
    lines: Callable[[], list[dict[str, Any]]],
) -> None:
    """Count as the context does."""
    flow = Flow[int, int]("order").then(stumble).build()

    assert CheckpointingRunner(InMemoryBackend()).run(flow, "o-1", 1).is_completed()

    assert [1, 2] == [line["attempt"] for line in lines()]


def test_a_format_may_name_the_fields_anywhere() -> None:
    """Outside of tasks they are empty, and no format fails."""
    record = logging.makeLogRecord({"msg": "hello"})

    assert CorrelationFilter().filter(record)

    text = logging.Formatter("[%(instance_id)s/%(task)s/%(trace_id)s] %(message)s").format(record)
    assert "[//] hello" == text


def test_an_exception_and_what_json_cannot_hold_are_written() -> None:
    """One line, whatever is in it."""
    try:
        raise ValueError("bad\nthing")
    except ValueError:
        record = logging.makeLogRecord({"msg": "no", "exc_info": sys.exc_info(), "where": {1}})

    line = json.loads(JsonFormatter().format(record))

    assert "ValueError: bad" in line["exception"]
    assert "{1}" == line["where"]


def test_structlog_lines_inside_a_task_name_their_run() -> None:
    """The processor needs nothing else."""
    capture = structlog.testing.LogCapture()
    logger = structlog.wrap_logger(None, processors=[correlate, capture])

    def body(value: int) -> int:
        logger.info("charged", amount=value)
        return value

    flow = Flow[int, int]("order").then(body).build()
    CheckpointingRunner(InMemoryBackend()).run(flow, "o-2", 4)
    logger.info("outside")

    inside, outside = capture.entries
    assert ("o-2", "order", "body", 1, 4) == tuple(
        inside[name] for name in ("instance_id", "workflow", "task", "attempt", "amount")
    )
    assert {"event", "log_level"} == set(outside)


def test_nothing_is_written_where_nobody_has_set_up_logging() -> None:
    """The library has a null handler, and leaves standard error to the application."""
    program = "import sayiir_runtime, logging\nlogging.getLogger('sayiir.worker').error('a library speaks')\n"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)

    assert (b"", b"") == (done.stdout, done.stderr)
