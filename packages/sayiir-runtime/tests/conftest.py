"""A backend whose calls a test can disturb, and calls that may hang."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from sayiir_core.ports.backend import Backend
from sayiir_runtime.memory import InMemoryBackend

PATIENCE: Final = 10.0
_PORTS: Final = frozenset(
    {"instances", "checkpoints", "ownership", "sessions", "definitions", "results", "control"}
    | {"claims", "signals"}
)


class DisturbedBackend:
    """Pass calls on, through ``around[name]`` where a test set one, and count them by name."""

    def __init__(self, backend: Backend) -> None:
        self.plain = backend
        self.around: dict[str, Callable[[Callable[[], Any]], Any]] = {}
        self.calls: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.plain, name)
        return _Port(self, name, value) if name in _PORTS else value


class _Port:
    def __init__(self, owner: DisturbedBackend, name: str, port: Any) -> None:
        self._owner, self._name, self._port = owner, name, port

    def __getattr__(self, method: str) -> Any:
        call, name, owner = getattr(self._port, method), f"{self._name}.{method}", self._owner
        if not callable(call):
            return call

        def made(*args: Any, **kwargs: Any) -> Any:
            owner.calls[name] += 1
            around = owner.around.get(name)
            return (
                call(*args, **kwargs) if around is None else around(lambda: call(*args, **kwargs))
            )

        return made


@pytest.fixture
def disturbed() -> Iterator[Any]:
    """Give a memory store whose calls the test can disturb."""
    backend = DisturbedBackend(InMemoryBackend())
    yield backend
    backend.around.clear()
    backend.plain.close()


class InThread:
    """A call on a daemon thread of its own."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._call, self._value, self._error = call, None, None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def result(self) -> Any:
        """Return what the call returned, or raise what it raised; fail if it does not end."""
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "the call does not end"
        if self._error is not None:
            raise self._error
        return self._value

    def _run(self) -> None:
        try:
            self._value = self._call()
        except BaseException as error:  # noqa: BLE001 - raised again by result()
            self._error = error


@pytest.fixture
def in_thread() -> Callable[[Callable[[], Any]], InThread]:
    """Give a function that makes a call on a thread, which may hang."""
    return InThread
