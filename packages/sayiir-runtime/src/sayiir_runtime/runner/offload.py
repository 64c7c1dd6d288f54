"""Blocking calls made for an event loop, off its thread.

Never asyncio's default executor: user code may fill it, and a store call must not wait for that.
Cancelling the awaiting caller does not cancel the call.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Callable
from typing import TypeVar

from sayiir_core.ports.backend import Backend
from sayiir_runtime.runner.lease import keeper_of

T = TypeVar("T")


async def call_store(backend: Backend, call: Callable[[], T]) -> T:
    """Make a short store call: inline if the store never blocks, else on its private threads."""
    if backend.capabilities.never_blocks:
        return call()
    future, run = _bridge(call)
    keeper_of(backend).threads().submit(run)
    return await future


async def call_in_thread(
    call: Callable[[], T], *, name: str, on_cancel: Callable[[], None] | None = None
) -> T:
    """Make a call that may take long on a daemon thread of its own."""
    future, run = _bridge(call)
    threading.Thread(target=run, name=name, daemon=True).start()
    try:
        return await future
    except asyncio.CancelledError:
        if on_cancel is not None:
            on_cancel()
        raise


def _bridge(call: Callable[[], T]) -> tuple[asyncio.Future[T], Callable[[], None]]:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()
    context = contextvars.copy_context()

    def succeed(result: T) -> None:
        if not future.done():
            future.set_result(result)

    def fail(error: BaseException) -> None:
        if not future.done():
            future.set_exception(error)

    def run() -> None:
        try:
            result = context.run(call)
        except BaseException as error:  # noqa: BLE001 - raised again where it is awaited
            _post(loop, fail, error)
        else:
            _post(loop, succeed, result)

    return future, run


def _post(loop: asyncio.AbstractEventLoop, settle: Callable[[T], None], with_: T) -> None:
    # The caller's loop may be gone by now; then nobody waits for the answer.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(settle, with_)
