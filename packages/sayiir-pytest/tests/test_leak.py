"""What counts as left behind by a test."""

from __future__ import annotations

import gc
from pathlib import Path

from sayiir_pytest.connection import open_files
from sayiir_pytest.leak import LeakWatch


class _Cycle:
    """Hold a file, and itself."""

    def __init__(self, path: Path) -> None:
        self.descriptor = path.open("rb", buffering=0)
        self.me = self

    def __del__(self) -> None:
        self.descriptor.close()


def test_what_only_the_collector_can_close_is_no_leak(tmp_path: Path) -> None:
    """A connection in a cycle is open until the next collection, whose time nobody chooses."""
    path = tmp_path / "store.db"
    path.touch()
    watch = LeakWatch(lambda: open_files(path))
    gc.disable()
    try:
        _Cycle(path)

        assert [] == watch.found()
    finally:
        gc.enable()
