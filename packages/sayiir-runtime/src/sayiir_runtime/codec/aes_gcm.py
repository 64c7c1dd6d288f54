"""Encryption of payloads by AES-256-GCM, each bound to the place where it is stored.

How this works: the body names the key, says which key that was (a check value), and for which
place the payload was written (a digest of it), then follow the random part and what is encrypted.
All that stands before the random part is authenticated with it. So a payload of another row
decrypts well and is *then* found to be misplaced, which tells a swap from damage.

Every payload has a key of its own, derived from the ring's key and 16 random bytes. With random
nonces under one key alone, 2**32 payloads would be the limit, which a busy fleet reaches in
weeks (``docs/adr/0017-payload-wrappers.md``).
"""

from __future__ import annotations

import hashlib
import hmac
import os
from typing import Final, NamedTuple

from sayiir_core.errors import (
    CorruptPayloadError,
    EncodeError,
    MisplacedPayloadError,
    PayloadError,
    TamperedPayloadError,
    TruncatedPayloadError,
    UnknownKeyError,
    UnsupportedVersionError,
    WrongKeyError,
)
from sayiir_core.ports.codec import Place
from sayiir_runtime.codec.envelope import header_bytes
from sayiir_runtime.codec.key_ring import CHECK_BYTES, KeyRing, check_id

NAME: Final = "aes-gcm"

_PURPOSE: Final = b"sayiir payload 1"
_PLACE_BYTES: Final = 16
_SALT_BYTES: Final = 16
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_LENGTH_BYTES: Final = 4
_HEADER: Final = header_bytes(NAME, 0)


class _Parts(NamedTuple):
    """What stands in a body, and where what is authenticated ends."""

    key_id: str
    check: bytes
    place: bytes
    salt: bytes
    nonce: bytes
    sealed: bytes
    end: int


class AesGcm:
    """Encrypt payloads with the keys of a ring; without a ring, say that there are none."""

    def __init__(self, ring: KeyRing | None = None, *, accept_plain: bool = False) -> None:
        """Take the keys.

        Payloads that are not encrypted are refused, or a row could be replaced by one that is
        not, unless ``accept_plain``: for the time in which instances end that were started before
        encryption was switched on. Raises ``ImportError`` where the library is missing: install
        ``sayiir[crypto]``.
        """
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._cipher = AESGCM
        self._invalid = InvalidTag
        self._ring = ring
        self._accept_plain = accept_plain

    @property
    def name(self) -> str:
        """Return ``aes-gcm``."""
        return NAME

    @property
    def binds(self) -> bool:
        """Return True: each payload is bound to its place."""
        return True

    @property
    def seals(self) -> bool:
        """Return whether payloads that are not encrypted are refused."""
        return not self._accept_plain

    def wrap(self, payload: bytes, place: Place | None) -> tuple[int, bytes]:
        """Return the payload encrypted; raises ``EncodeError`` without keys or a place."""
        ring = self._ring
        if ring is None:
            raise EncodeError(
                "$: there are no keys to encrypt with; pass codec=payload_codec(…, keys=KeyRing(…))"
            )
        if place is None:
            raise EncodeError("$: an encrypted payload must be told the place that it is for")
        key_id, sealed_bytes = ring.writes, len(payload) + _TAG_BYTES
        if sealed_bytes >= 1 << 31:
            raise EncodeError(f"$: {len(payload):,} bytes are too many to encrypt as one payload")
        key = ring.key(key_id)
        assert key is not None, "a ring has the key that writes"
        head = bytes((len(key_id),)) + key_id.encode() + ring.check(key_id) + _digest(place)
        head += sealed_bytes.to_bytes(_LENGTH_BYTES, "little")
        drawn = os.urandom(_SALT_BYTES + _NONCE_BYTES)
        salt, nonce = drawn[:_SALT_BYTES], drawn[_SALT_BYTES:]
        cipher = self._cipher(_own_key(key, salt))
        return 0, head + drawn + cipher.encrypt(nonce, payload, _HEADER + head)

    def unwrap(self, payload: bytes, start: int, flags: int, place: Place | None) -> bytes:
        """Return the payload that was encrypted for this place.

        Raises ``UnknownKeyError``, ``WrongKeyError``, ``TamperedPayloadError``,
        ``MisplacedPayloadError``, ``TruncatedPayloadError``, or another ``PayloadError``.
        """
        if flags:
            raise UnsupportedVersionError(
                f"the encrypted payload has flags {flags:#06b}, which this release does not know: "
                f"upgrade sayiir-runtime here to the release that wrote it"
            )
        parts = _parse(payload, start)
        key = self._key(parts)
        cipher = self._cipher(_own_key(key, parts.salt))
        try:
            inner = cipher.decrypt(parts.nonce, parts.sealed, payload[: parts.end])
        except self._invalid:
            raise TamperedPayloadError(
                f"the payload was encrypted by key {parts.key_id!r} and changed afterwards: it is "
                f"damaged, or somebody wrote to the store; restore the row from a backup"
            ) from None
        if place is None or parts.place != _digest(place):
            raise MisplacedPayloadError(
                f"the payload was encrypted by key {parts.key_id!r} for another place than "
                f"{_describe(place)}: rows were swapped or copied; restore them from a backup. "
                f"Whoever copies payloads on purpose calls PayloadCodec.moved"
            )
        return inner

    def _key(self, parts: _Parts) -> bytes:
        ring = self._ring
        key = None if ring is None else ring.key(parts.key_id)
        if ring is None or key is None:
            known = "no keys" if ring is None else f"only {', '.join(ring.ids)}"
            raise UnknownKeyError(
                f"the payload is encrypted by key {parts.key_id!r} and this process has {known}: "
                f"add that key to the KeyRing behind the one that writes, and pass "
                f"codec=payload_codec(…, keys=ring)"
            )
        if not hmac.compare_digest(parts.check, ring.check(parts.key_id)):
            raise WrongKeyError(
                f"the payload is encrypted by another key than the one that is called "
                f"{parts.key_id!r} here: give this process the right key, and use a new id for "
                f"every new key"
            )
        return key


def _own_key(key: bytes, salt: bytes) -> bytes:
    return hmac.digest(key, _PURPOSE + salt, "sha256")


def _digest(place: Place) -> bytes:
    text = place.text().encode("utf-8", "surrogatepass")
    return hashlib.sha256(text).digest()[:_PLACE_BYTES]


def _describe(place: Place | None) -> str:
    return "where it is read" if place is None else f"this one of instance {place.instance_id!r}"


def _parse(payload: bytes, start: int) -> _Parts:
    position = start

    def take(size: int) -> bytes:
        nonlocal position
        part = payload[position : position + size]
        if len(part) < size:
            raise _cut_short(payload)
        position += size
        return part

    name = take(take(1)[0])
    try:
        key_id = check_id(name.decode("ascii", "replace"))
    except ValueError:
        raise _corrupt("the id of its key is none") from None
    check, place = take(CHECK_BYTES), take(_PLACE_BYTES)
    length = int.from_bytes(take(_LENGTH_BYTES), "little")
    end = position
    salt, nonce = take(_SALT_BYTES), take(_NONCE_BYTES)
    sealed = take(length)
    if position != len(payload) or length < _TAG_BYTES:
        raise _corrupt("its length is wrong")
    return _Parts(key_id, check, place, salt, nonce, sealed, end)


def _cut_short(payload: bytes) -> PayloadError:
    return TruncatedPayloadError(
        f"the encrypted payload ends after {len(payload)} bytes without its end: it was cut short "
        f"after it was written; restore the row from a backup, or run the instance again"
    )


def _corrupt(why: str) -> PayloadError:
    return CorruptPayloadError(
        f"the encrypted payload cannot be read ({why}): it was damaged after it was written; "
        f"restore the row from a backup, or run the instance again"
    )
