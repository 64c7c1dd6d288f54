"""The plugin: the codec ``deflate``."""

from __future__ import annotations

from sayiir_core.hookspecs import hookimpl
from sayiir_core.ports.codec import Codec


@hookimpl
def sayiir_codecs() -> list[Codec]:
    """Return the codec."""
    from sayiir_deflate.codec import DeflateCodec

    return [DeflateCodec()]
