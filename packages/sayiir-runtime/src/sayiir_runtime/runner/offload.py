"""Blocking calls made for an event loop, off its thread.

Never asyncio's default executor: user code may fill it, and a store call must not wait for that.
Cancelling the awaiting caller does not cancel the call.
"""

from __future__ import annotations

import asyncio
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

    def resolve(result: T | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result: T | None = None
        failure: BaseException | None = None
        try:
            result = context.run(call)
        except BaseException as error:  # noqa: BLE001 - raised again where it is awaited
            failure = error
        if not loop.is_closed():
            loop.call_soon_threadsafe(resolve, result, failure)

    return future, run
