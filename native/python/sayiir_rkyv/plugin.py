"""What this distribution adds: the rkyv codec."""

from __future__ import annotations

from sayiir_core.hookspecs import hookimpl
from sayiir_core.ports.codec import Codec


@hookimpl
def sayiir_codecs() -> list[Codec]:
    """Return the rkyv codec; raises ``ImportError`` where its native library is missing."""
    from sayiir_rkyv.codec import RkyvCodec

    return [RkyvCodec()]
