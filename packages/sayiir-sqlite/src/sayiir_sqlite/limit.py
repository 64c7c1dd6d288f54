"""The limit of what one payload may weigh."""

from __future__ import annotations

from sayiir_core.ids import InstanceId
from sayiir_sqlite.errors import BadRowError


class PayloadLimit:
    """Refuse what is larger than a number of bytes."""

    __slots__ = ("_bytes",)

    def __init__(self, size: int) -> None:
        self._bytes = size

    def check(self, payload: bytes | None, what: str, instance_id: InstanceId) -> None:
        """Raise ``BackendError`` that names the instance if a payload is too large."""
        if payload is not None and len(payload) > self._bytes:
            raise BadRowError(
                f"the {what} of instance {instance_id!r} has {len(payload):,} bytes, more than "
                f"max_payload_bytes={self._bytes:,} of this SQLite backend; store large values "
                f"elsewhere and pass a reference, or raise the limit",
                instance_id=instance_id,
            )
