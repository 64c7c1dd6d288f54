"""A private event loop that serves the coroutines of bodies from a thread of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

logger = logging.getLogger("sayiir.runner")

LOOP_BROKEN: Final = "a task has broken the event loop that it shared with others"


def serve(loop: asyncio.AbstractEventLoop, is_over: Callable[[], bool]) -> None:
    """Run a loop until it is over, end its tasks, and close it; for a thread of its own.

    A body that stops the loop does not end it. One that breaks it does, and its tasks are gone:
    whoever started this looks for them when it returns too early.
    """
    asyncio.set_event_loop(loop)
    try:
        _run_until(loop, is_over)
        _end_tasks(loop)
    except Exception:
        logger.exception("the event loop of the tasks has broken down")
    finally:
        loop.close()


def _run_until(loop: asyncio.AbstractEventLoop, is_over: Callable[[], bool]) -> None:
    while not is_over():
        try:
            loop.run_forever()
        except (KeyboardInterrupt, SystemExit):
            # Raised by a task that a body made. The loop passes it on to whoever awaits that
            # task, and here as well; but it has other bodies to serve.
            continue


def _end_tasks(loop: asyncio.AbstractEventLoop) -> None:
    pending = asyncio.all_tasks(loop)
    for task in pending:
        task.cancel()
    if pending:
        loop.run_until_complete(asyncio.wait(pending, timeout=1.0))
    loop.run_until_complete(loop.shutdown_asyncgens())
