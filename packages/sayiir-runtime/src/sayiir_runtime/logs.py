"""Log lines that say which run they belong to, also those of user code.

How this works: every driver keeps the facts of the body that it calls in a context variable, for
``get_task_context``. A filter reads them when a line is written, and only then; so lines cost a little, and
steps nothing. The name of the worker is set once, in the context that all bodies of its crew start from.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import MutableMapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Final

from sayiir_core.authoring import get_task_context

FIELDS: Final = ("instance_id", "workflow", "task", "attempt", "worker_id", "trace_id")
"""What a line inside a task says beside its text."""

worker_name: Final[ContextVar[str]] = ContextVar("sayiir_worker", default="")
"""The id of the worker that calls the body; empty for runners."""

_TRACE_ID: Final = re.compile(r"\b[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}\b")
_OWN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def correlation() -> dict[str, Any]:
    """Return the fields of the body that this is called from, without those that it has not.

    Empty outside of tasks. ``trace_id`` is that of the trace which the run was submitted in.
    """
    context = get_task_context()
    if context is None:
        return {}
    found: dict[str, Any] = {
        "instance_id": context.instance_id,
        "workflow": context.workflow_id,
        "task": context.task_path,
        "attempt": context.attempt,
    }
    name = worker_name.get()
    if name:
        found["worker_id"] = name
    trace = _TRACE_ID.search(context.trace_parent or "")
    if trace is not None:
        found["trace_id"] = trace[1]
    return found


class CorrelationFilter(logging.Filter):
    """Give each record the fields of ``FIELDS``, empty texts where it has none.

    Add it to a handler, so that it sees the lines of all loggers; a format may then name
    ``%(instance_id)s``.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the fields; pass every record."""
        found = correlation()
        for name in FIELDS:
            if not hasattr(record, name):
                setattr(record, name, found.get(name, ""))
        return True


class JsonFormatter(logging.Formatter):
    """Write one JSON object per line: time, level, logger, message, fields, extras, exception.

    Works with a ``CorrelationFilter`` on its handler and without one.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line.update(correlation())
        line.update(
            (name, value)
            for name, value in vars(record).items()
            if name not in _OWN and not (name in FIELDS and value == "")
        )
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            line["stack"] = self.formatStack(record.stack_info)
        return json.dumps(line, default=str, ensure_ascii=False)


def correlate(
    logger: object,  # noqa: ARG001 - the shape of a structlog processor
    method: str,  # noqa: ARG001
    event: MutableMapping[str, Any],
) -> MutableMapping[str, Any]:
    """Add the fields to an event of structlog; one of its processors."""
    for name, value in correlation().items():
        event.setdefault(name, value)
    return event
