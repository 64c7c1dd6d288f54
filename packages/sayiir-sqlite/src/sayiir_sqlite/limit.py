"""The limit of what one payload may weigh."""

from __future__ import annotations

from sayiir_core.ids import InstanceId
from sayiir_sqlite.errors import BadRowError


class PayloadLimit:
    """Refuse what is larger than a number of bytes."""

    __slots__ = ("_bytes",)

    def __init__(self, size: int) -> None:
        self._bytes = size

    def check(self, payload: bytes, what: str, instance_id: InstanceId) -> None:
        """Raise ``RefusedRowError`` that names the instance if a payload is too large."""
        problem = self.problem(payload, what, instance_id)
        if problem is not None:
            raise BadRowError(problem, instance_id=instance_id)

    def problem(self, payload: bytes | None, what: str, instance_id: InstanceId) -> str | None:
        """Return what is wrong with a payload, and the remedy, None for one that fits."""
        if payload is None or len(payload) <= self._bytes:
            return None
        return (
            f"the {what} of instance {instance_id!r} has {len(payload):,} bytes, more than "
            f"max_payload_bytes={self._bytes:,} of this SQLite backend; store large values "
            f"elsewhere and pass a reference, or raise the limit"
        )
