"""A private event loop that serves the coroutines of bodies from a thread of its own."""

from __future__ import annotations

import asyncio


def serve(loop: asyncio.AbstractEventLoop) -> None:
    """Run a loop until it is stopped, end its tasks, and close it; for a thread of its own."""
    asyncio.set_event_loop(loop)
    try:
        _run_until_stopped(loop)
        pending = asyncio.all_tasks(loop)
        for task in pending:
            task.cancel()
        if pending:
            loop.run_until_complete(asyncio.wait(pending, timeout=1.0))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()


def _run_until_stopped(loop: asyncio.AbstractEventLoop) -> None:
    while True:
        try:
            loop.run_forever()
        except (KeyboardInterrupt, SystemExit):
            # Raised by a task that a body made. The loop passes it on to whoever awaits that
            # task, and here as well; but it has other bodies to serve.
            continue
        return
