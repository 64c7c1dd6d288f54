"""The other side of the process executor: a fresh interpreter that calls one body at a time.

How this works: requests come and answers go through one channel. Of a second pipe, the lifeline, only
the parent has the writing end. When the parent dies, however it dies, the kernel tells this process by a
signal whose default is to end it: a body that holds the interpreter's lock could not hear anything else.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import signal
import sys
import threading
from logging.handlers import QueueHandler
from multiprocessing.connection import Connection
from types import FrameType
from typing import Any, Final, cast

from sayiir_core.ports.executor import Body
from sayiir_runtime.executor.exchange import RECORD, pack_error, pack_value

_HANDLED: Final = (signal.SIGINT, signal.SIGTERM)


def main(channel: int, lifeline: int) -> None:
    """Serve requests until the parent closes the channel."""
    for descriptor in (channel, lifeline):
        # They came through the start of this program; those that a body starts do without.
        os.set_inheritable(descriptor, False)
    _tie(lifeline)
    for number in _HANDLED:
        # What ends the parent is also sent to the whole group or service: it decides, and may drain.
        # Not ignored, which programs that a body starts would inherit.
        signal.signal(number, _pass)
    _Server(Connection(channel)).serve()


def _pass(_number: int, _frame: FrameType | None) -> None:
    """Do nothing."""


def _tie(lifeline: int) -> None:
    """Have this process killed when the writing end of a pipe is closed."""
    if sys.platform != "linux":  # elsewhere the end of the channel is all there is to notice
        return
    import fcntl

    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    flags = fcntl.fcntl(lifeline, fcntl.F_GETFL)
    fcntl.fcntl(lifeline, fcntl.F_SETFL, flags | os.O_ASYNC | os.O_NONBLOCK)
    with contextlib.suppress(BlockingIOError):
        # Its end, if the parent has died before it could be told.
        if not os.read(lifeline, 1):
            sys.exit(1)


class _Server:
    def __init__(self, channel: Connection) -> None:
        self._channel = channel
        self._lock = threading.Lock()
        self._is_busy = False

    def serve(self) -> None:
        # This object stands for the queue.
        logging.getLogger().addHandler(QueueHandler(cast("Any", self)))
        with contextlib.suppress(EOFError, OSError):
            while True:
                setting = pickle.loads(self._channel.recv_bytes())  # noqa: S301 - of the parent
                self._prepare(*setting)
                self._answer(self._channel.recv_bytes())

    def _prepare(self, path: list[str], levels: dict[str, int], disabled: int) -> None:
        sys.path[:] = path
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
        logging.disable(disabled)

    def _answer(self, request: bytes) -> None:
        self._is_busy = True
        try:
            body: Body = pickle.loads(request)  # noqa: S301 - of the parent
            answer = pack_value(body(), body.path)
        except BaseException as error:  # noqa: BLE001 - the boundary around user code
            answer = pack_error(error)
        finally:
            self._is_busy = False
        for stream in (sys.stdout, sys.stderr):
            # What the body has printed stands before what its driver says next.
            with contextlib.suppress(Exception):
                stream.flush()
        self.send(*answer)

    def put_nowait(self, record: logging.LogRecord) -> None:
        """Send a line of the log; nobody takes what threads write that a body has left behind."""
        if self._is_busy:
            self.send(RECORD, pickle.dumps(record))

    def send(self, kind: bytes, payload: bytes) -> None:
        with self._lock:
            self._channel.send_bytes(kind)
            self._channel.send_bytes(payload)
