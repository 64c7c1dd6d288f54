"""One child process, seen from its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from multiprocessing.connection import Pipe
from typing import Final

_START: Final = (
    "import sys; sys.path[:] = sys.argv[3:]; from sayiir_runtime.executor.child import main; "
    "main(int(sys.argv[1]), int(sys.argv[2]))"
)
_LOOK_SECONDS: Final = 1.0
_FAREWELL_SECONDS: Final = 1.0


class WorkerProcess:
    """A child that answers one request after the other; made by starting it.

    Its standard output and error are those of this process.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._channel, theirs = Pipe()
        reading, self._lifeline = os.pipe()
        command = [sys.executable, "-c", _START, str(theirs.fileno()), str(reading)]
        try:
            self._process = subprocess.Popen(
                [*command, *sys.path],
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(), reading),
                # A Ctrl-C reaches the whole group of a terminal; this process decides what it means.
                start_new_session=True,
            )
        except BaseException:
            self._close()
            raise
        finally:
            theirs.close()
            os.close(reading)

    @property
    def pid(self) -> int:
        """Return its process id."""
        return self._process.pid

    def is_alive(self) -> bool:
        """Tell whether it has not ended."""
        with self._lock:
            return self._process.poll() is None

    def send(self, *frames: bytes) -> None:
        """Send frames; raises ``OSError`` if it is dead."""
        for frame in frames:
            self._channel.send_bytes(frame)

    def receive(self) -> tuple[bytes, bytes]:
        """Return the next frame with its letter; raises ``EOFError`` or ``OSError`` if it is dead."""
        return self._next(), self._next()

    def _next(self) -> bytes:
        # A process that the body has forked may hold the channel open after the child's death.
        while not self._channel.poll(_LOOK_SECONDS):
            if not self.is_alive() and not self._channel.poll(0):
                raise EOFError
        return self._channel.recv_bytes()

    def kill(self) -> None:
        """Kill it at once, and its process group; harmless if it has ended."""
        with self._lock:
            # Under the lock nobody else collects it, so that its number cannot be another's.
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)

    def release(self) -> None:
        """Tell it that nothing more comes."""
        self._channel.close()

    def retire(self) -> int:
        """Wait for its end, which it is told of, and kill it if it does not end; return its code."""
        self.release()
        try:
            code = self._process.wait(_FAREWELL_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            code = self._process.wait()
        self._close()
        return code

    def disinherit(self) -> None:
        """In a forked copy of this process: close the copies of its descriptors, and leave it alone."""
        self._close()
        self._process.returncode = 0

    def _close(self) -> None:
        self._channel.close()
        lifeline, self._lifeline = self._lifeline, -1
        if lifeline >= 0:
            os.close(lifeline)
