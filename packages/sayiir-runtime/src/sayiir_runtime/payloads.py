"""Which codec is used: what the caller names, or else JSON.

Codecs of plugins are looked for when a name is met that is not JSON's, at the gate or in a stored
payload. So whoever uses JSON alone pays nothing for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from importlib import import_module
from typing import Any, Final, TypeVar, cast

from sayiir_core.errors import EncodeError, PluginError
from sayiir_core.ports.codec import Codec
from sayiir_runtime.codec import JsonCodec, PayloadCodec
from sayiir_runtime.codec.catalogue import Discovery, Part
from sayiir_runtime.codec.key_ring import KeyRing

T = TypeVar("T")

CodecChoice = PayloadCodec | Codec | str | None
"""What may be given as ``codec``: a name such as ``zstd+msgpack``, a codec, or all that is read."""

CODEC_VARIABLE: Final = "SAYIIR_CODEC"
KEYS_VARIABLE: Final = "SAYIIR_KEYS"


@cache
def default_codec() -> PayloadCodec:
    """Return the JSON codec, made once: it keeps what it has learnt of annotated types."""
    return PayloadCodec([JsonCodec()], discovery=_DISCOVERY)


def resolve_codec(codec: CodecChoice) -> PayloadCodec:
    """Return what a caller means by ``codec``; JSON for None.

    Raises ``PluginError`` for a name that nothing installed has, and says what to install.
    """
    if codec is None:
        return default_codec()
    return codec if isinstance(codec, PayloadCodec) else default_codec().choosing(codec)


def payload_codec(
    choice: str = "json",
    *,
    keys: KeyRing | None = None,
    accept_plain: bool = False,
    codecs: Iterable[Part] = (),
) -> PayloadCodec:
    """Return a payload codec to be given as ``codec=`` to runners, clients and workers.

    ``choice`` writes where neither task nor workflow names a codec: ``json``, ``msgpack``,
    ``auto``, or with wrappers, ``zstd+json``. With ``keys`` all that is stored is encrypted,
    whatever they name, and nothing else is read unless ``accept_plain``. ``codecs`` are further
    codecs and wrappers that no plugin brings. Raises ``PluginError`` as ``resolve_codec``.
    """
    around = [] if keys is None else [_encryption(keys, accept_plain=accept_plain)]
    return PayloadCodec([*codecs, JsonCodec()], default=choice, around=around, discovery=_DISCOVERY)


def codec_from_environment(environment: Mapping[str, str]) -> PayloadCodec:
    """Return the codec that ``SAYIIR_CODEC`` and ``SAYIIR_KEYS`` name; for command line tools.

    ``SAYIIR_KEYS`` is ``id:base64,id:base64``, the first of which encrypts. Raises
    ``PluginError`` as ``resolve_codec``, and ``ValueError`` for bad keys, without showing any.
    """
    choice, keys = environment.get(CODEC_VARIABLE), environment.get(KEYS_VARIABLE)
    if not keys:
        return resolve_codec(choice or None)
    return payload_codec(choice or "json", keys=KeyRing.from_text(keys))


def convert_to(value: Any, kind: type[T]) -> T:
    """Read a plain value as a type, just as a task that takes it would.

    Raises ``InvalidValueError`` if it does not fit.
    """
    codec = default_codec()
    try:
        payload = codec.encode(value)
    except EncodeError:
        # What a rich codec gave, such as a datetime.
        form = codec.forms.of(kind)
        return cast("T", value if form is None else form.load_rich(value))
    return cast("T", codec.decode_as(payload, kind))


def _encryption(keys: KeyRing, *, accept_plain: bool) -> Any:
    try:
        from sayiir_runtime.codec.aes_gcm import AesGcm

        return AesGcm(keys, accept_plain=accept_plain)
    except ImportError as error:
        raise PluginError(
            "encryption lacks the library 'cryptography'; install it with: "
            "pip install 'sayiir[crypto]'"
        ) from error


def _installed() -> Mapping[str, Part]:
    from sayiir_runtime.plugins import create_plugin_manager

    return create_plugin_manager().codecs


def _reader(name: str) -> Part | None:
    """Return what reads the payloads of a codec that is not installed, or says what is missing."""
    module, make = _READERS.get(name, (None, ""))
    if module is None:
        return None
    try:
        reader: Part = getattr(import_module(module), make)()
    except ImportError:
        return None
    return reader


_READERS: Final[dict[str, tuple[str, str]]] = {
    "aes-gcm": ("sayiir_runtime.codec.aes_gcm", "AesGcm"),
    "rkyv": ("sayiir_runtime.codec.rkyv", "RkyvReader"),
}

_DISCOVERY: Final = Discovery(installed=_installed, reader=_reader)
