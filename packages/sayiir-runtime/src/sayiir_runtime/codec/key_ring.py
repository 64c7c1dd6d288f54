"""Keys by id: one that writes, and all that read."""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Mapping
from typing import Final, NoReturn

KEY_BYTES: Final = 32
CHECK_BYTES: Final = 4

_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,32}")
_CHECK: Final = b"sayiir payload key check 1"


class KeyRing:
    """Keys of 32 bytes by id.

    To rotate, put a new key in front: it writes, and the others go on reading what they wrote. A
    key may go when no stored payload names it any more. Neither ``repr`` nor any error shows keys.
    """

    __slots__ = ("_checks", "_keys", "writes")

    def __init__(self, keys: Mapping[str, bytes], *, writes: str | None = None) -> None:
        """Take the keys; the one called ``writes``, or else the first, encrypts.

        Raises ``ValueError`` for a bad id or key, and for an id in ``writes`` without key.
        """
        self._keys = {
            check_id(name): _checked(position, key)
            for position, (name, key) in enumerate(keys.items(), 1)
        }
        self._checks = {name: _check_of(key) for name, key in self._keys.items()}
        if not self._keys:
            raise ValueError("a key ring needs a key, such as {'2026': secrets.token_bytes(32)}")
        self.writes: Final = next(iter(self._keys)) if writes is None else writes
        if self.writes not in self._keys:
            raise ValueError(f"the key to write with is none of {', '.join(self.ids)}")

    @classmethod
    def from_text(cls, text: str) -> KeyRing:
        """Read ``id:key,id:key``, keys in base64, the first of which writes.

        Raises ``ValueError``, without a key in its text.
        """
        keys: dict[str, bytes] = {}
        parts = [part.strip() for part in text.split(",") if part.strip()]
        for position, part in enumerate(parts, 1):
            name, separator, encoded = part.partition(":")
            if not separator:
                raise ValueError(
                    f"keys are written as id:base64,id:base64; number {position} has no colon"
                )
            if check_id(name) in keys:
                raise ValueError(f"the id of key number {position} is there twice")
            try:
                keys[name] = base64.b64decode(encoded, validate=True)
            except binascii.Error:
                raise ValueError(f"key number {position} is no base64") from None
        return cls(keys)

    @property
    def ids(self) -> list[str]:
        """Return the ids of the keys, in order."""
        return list(self._keys)

    def key(self, name: str) -> bytes | None:
        """Return the key of an id, None if there is none."""
        return self._keys.get(name)

    def check(self, name: str) -> bytes:
        """Return bytes by which a payload tells a wrong key from a damaged payload."""
        return self._checks[name]

    def __repr__(self) -> str:
        return f"<KeyRing {', '.join(self._keys)}; {self.writes} writes>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key ring is not pickled, so that no key leaves the process by accident")


def check_id(name: object) -> str:
    """Return the id of a key; ``ValueError`` for a bad one."""
    if not isinstance(name, str) or not _ID.fullmatch(name):
        # It is not shown: somebody may have put the key where the id belongs.
        raise ValueError("the id of a key must have 1 to 32 characters of A-Z a-z 0-9 . _ -")
    return name


def _checked(position: int, key: object) -> bytes:
    # Told by its position: somebody may have exchanged the key and its id.
    if not isinstance(key, bytes) or len(key) != KEY_BYTES:
        what = f"{len(key)} bytes" if isinstance(key, bytes) else f"a {type(key).__name__}"
        raise ValueError(
            f"key number {position} must have {KEY_BYTES} bytes, as secrets.token_bytes("
            f"{KEY_BYTES}) makes them, and not be {what}"
        )
    return key


def _check_of(key: bytes) -> bytes:
    return hmac.digest(key, _CHECK, "sha256")[:CHECK_BYTES]
