"""Payloads: the envelope, the JSON codec, and values typed by annotations.

The codecs and wrappers of extras (``msgpack_codec``, ``zstd_wrapper``, ``aes_gcm``) are imported
by whoever uses them.
"""

from sayiir_runtime.codec.json_codec import JsonCodec
from sayiir_runtime.codec.key_ring import KeyRing
from sayiir_runtime.codec.payload_codec import PayloadCodec
from sayiir_runtime.codec.task_values import TaskValues
from sayiir_runtime.codec.value import SCALARS, is_scalar, model

__all__ = ["SCALARS", "JsonCodec", "KeyRing", "PayloadCodec", "TaskValues", "is_scalar", "model"]
