"""A Sayiir codec: JSON, compressed by zlib."""

from sayiir_deflate.codec import DeflateCodec

__all__ = ["DeflateCodec"]
