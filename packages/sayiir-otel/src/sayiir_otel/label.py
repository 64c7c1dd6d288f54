"""The budget of labels: names that users choose are bounded, whatever they choose."""

from __future__ import annotations

from typing import Final

BUDGET: Final = 500
"""How many workflows, pairs of workflow and task, and lanes have labels of their own."""

OTHER: Final = "_other"
"""The label of all that came later."""

Labels = tuple[str, ...]


class Budget:
    """Let the first so many combinations of names through, and call all others by one name."""

    def __init__(self, most: int = BUDGET) -> None:
        self._most = most
        self._known: set[Labels] = set()

    def admit(self, *names: str) -> Labels:
        """Return the names, or as many times ``OTHER``."""
        if names in self._known:
            return names
        if len(self._known) < self._most:
            self._known.add(names)
            return names
        return (OTHER,) * len(names)
