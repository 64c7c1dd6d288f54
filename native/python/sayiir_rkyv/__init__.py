"""The zero-copy codec: payloads that are rkyv archives, and views of them."""

from sayiir_rkyv.codec import RkyvCodec
from sayiir_rkyv.view import MapView, SequenceView

__all__ = ["MapView", "RkyvCodec", "SequenceView"]
