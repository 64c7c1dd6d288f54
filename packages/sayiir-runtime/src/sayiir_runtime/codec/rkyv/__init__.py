"""Read rkyv payloads in plain Python, where the native codec is not installed."""

from sayiir_runtime.codec.rkyv.reader import RkyvReader

__all__ = ["RkyvReader"]
