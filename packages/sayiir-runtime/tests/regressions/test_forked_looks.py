"""A child that is forked while a payload is opened can look at it, too."""

from __future__ import annotations

import signal
import threading
from typing import Any

from sayiir_pytest.conformance.child import in_forked_child
from sayiir_runtime.codec import JsonCodec
from sayiir_runtime.codec.opened import Opened

PATIENCE_SECONDS = 20


class SlowCodec(JsonCodec):
    """A codec that opens a payload when it is let, in the process that made it."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.is_slow = True

    def decode(self, payload: bytes, start: int, flags: int) -> Any:
        """Wait, then decode."""
        if self.is_slow:
            self.begun.set()
            assert self.go_on.wait(PATIENCE_SECONDS)
        return super().decode(payload, start, flags)


def test_a_forked_child_does_not_wait_for_a_thread_that_is_not_there() -> None:
    """A task may fork (as multiprocessing does) beside branches that look at the same value."""
    codec = SlowCodec()
    flags, body = codec.encode({"price": 30})
    opened = Opened(codec, body, 0, flags)
    looking = threading.Thread(target=opened.root)
    looking.start()
    assert codec.begun.wait(PATIENCE_SECONDS)

    def look() -> None:
        signal.alarm(PATIENCE_SECONDS)
        codec.is_slow = False
        assert opened.root()["price"] == 30

    in_forked_child(look)
    codec.go_on.set()
    looking.join()

    assert opened.root()["price"] == 30
