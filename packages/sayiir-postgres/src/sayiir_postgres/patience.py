"""How often, and after which delays, one piece of work is done again."""

from __future__ import annotations

from collections.abc import Iterable

from sayiir_postgres.errors import CallTimeoutError


class Patience:
    """The delays that are left, in seconds; None where there is none.

    ``conflicts`` are for what the server took back, ``breaks`` for connections that broke.
    """

    def __init__(self, conflicts: Iterable[float], breaks: Iterable[float]) -> None:
        self._conflicts = iter(conflicts)
        self._breaks = iter(breaks)
        self._is_silent = False

    def after_conflict(self) -> float | None:
        """Return how long to wait after the server took the work back."""
        return next(self._conflicts, None)

    def after_break(self, error: BaseException | None) -> float | None:
        """Return how long to wait after the connection broke.

        A silent server is asked once more, on another connection, since it may be that connection
        alone; who was then silent again would be for as long as anybody asks.
        """
        if isinstance(error, CallTimeoutError):
            if self._is_silent:
                return None
            self._is_silent = True
        return next(self._breaks, None)

    def before_connecting(self) -> float | None:
        """Return how long to wait until the server, which could not be reached, is tried again."""
        return next((delay for delay in self._breaks if delay), None)
