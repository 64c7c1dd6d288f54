"""A payload whose codec is known, not decoded yet."""

from __future__ import annotations

import os
import threading
from typing import Any, Final

from sayiir_core.ports.codec import Codec, SupportsViews, ValueForm
from sayiir_runtime.codec.view import view_of


class _Unknown:
    __slots__ = ()


_UNKNOWN: Final = _Unknown()


class Opened:
    """A payload without its wrappers, its codec, and where the body starts.

    It may be shared: ``decode`` makes its value anew, and ``root`` gives nothing that could be
    changed.
    """

    __slots__ = ("_codec", "_flags", "_lock", "_pid", "_root", "_start", "payload")

    def __init__(self, codec: Codec, payload: bytes, start: int, flags: int) -> None:
        self.payload = payload
        self._codec = codec
        self._start = start
        self._flags = flags
        self._root: Any = _UNKNOWN
        self._lock = threading.Lock()
        self._pid = os.getpid()

    def decode(self, form: ValueForm | None = None) -> Any:
        """Return the value, as the form says if there is one; errors as the codec's."""
        if form is None:
            return self._codec.decode(self.payload, self._start, self._flags)
        return self._codec.decode_as(self.payload, self._start, self._flags, form)

    def root(self) -> Any:
        """Return the value as a view, made by the first call; errors as ``decode``."""
        if self._root is _UNKNOWN:
            if self._pid != os.getpid():
                # At the fork a thread may have held the lock that is not here to let it go.
                self._lock, self._pid = threading.Lock(), os.getpid()
            # All others wait for the first, instead of validating the same bytes beside it.
            with self._lock:
                if self._root is _UNKNOWN:
                    self._root = self._view()
        return self._root

    def _view(self) -> Any:
        if isinstance(self._codec, SupportsViews):
            return self._codec.view(self.payload, self._start, self._flags)
        return view_of(self.decode())
