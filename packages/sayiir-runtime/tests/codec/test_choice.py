"""Which codec is used, and what is said where it is not there."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from sayiir_core.errors import EncodeError, PluginError, UnknownCodecError
from sayiir_core.ids import InstanceId, RunId
from sayiir_core.ports.codec import Place
from sayiir_core.snapshot.reference import INPUT
from sayiir_runtime.codec import JsonCodec, KeyRing, PayloadCodec
from sayiir_runtime.codec.catalogue import Discovery
from sayiir_runtime.codec.envelope import header_bytes, parse_header
from sayiir_runtime.codec.msgpack_codec import MsgpackCodec
from sayiir_runtime.codec.zstd_wrapper import Zstd
from sayiir_runtime.payloads import codec_from_environment, payload_codec, resolve_codec

HERE = Place(InstanceId("i"), RunId("r"), INPUT)


class Large(MsgpackCodec):
    """Stands for the codec that ``auto`` uses for large values; refuses what is nested."""

    @property
    def name(self) -> str:
        """Return its name."""
        return "rkyv"

    def encode(self, value: Any) -> tuple[int, bytes]:
        """Encode as MessagePack does."""
        if value == ["nested" * 1000]:
            raise EncodeError("$: too deep")
        return super().encode(value)


def codec_of(payload: bytes) -> str:
    """Return the name in an envelope."""
    return parse_header(payload).codec


def test_json_writes_where_nobody_chooses() -> None:
    """The default of defaults."""
    assert "json" == codec_of(resolve_codec(None).encode(1))


@pytest.mark.parametrize("name", ["json", "msgpack", "zstd+json", "zstd+msgpack", "auto"])
def test_a_codec_is_chosen_by_name(name: str) -> None:
    """Whatever plugins bring, without being passed."""
    codec = resolve_codec(name)
    value = ["x" * 2000]

    payload = codec.encode(value)

    assert {"zstd": "zstd", "auto": "msgpack"}.get(
        name.split("+", maxsplit=1)[0], name
    ) == codec_of(payload)
    assert value == resolve_codec(None).decode(payload)
    assert codec is resolve_codec(name)


def test_a_codec_is_chosen_by_object() -> None:
    """A stranger's codec needs no plugin."""
    codec = Large()

    chosen = resolve_codec(codec)

    assert "rkyv" == codec_of(chosen.encode(1))
    assert 1 == chosen.decode(chosen.encode(1))
    assert chosen is resolve_codec(codec)


def test_auto_takes_the_best_codec_for_each_value() -> None:
    """Small values by MessagePack, large ones by rkyv where it is, with one value model."""
    alone = PayloadCodec([MsgpackCodec()], default="auto")
    both = PayloadCodec([JsonCodec(), MsgpackCodec(), Large()], default="auto")
    small, large = (1, 2), ("x" * 5000,)

    names = [codec_of(codec.encode(it)) for codec in (alone, both) for it in (small, large)]

    assert ["msgpack", "msgpack", "msgpack", "rkyv"] == names
    assert [small, large] == [both.decode(both.encode(it)) for it in (small, large)]
    assert "msgpack" == codec_of(both.encode(["nested" * 1000]))


def test_auto_never_depends_on_what_is_installed_for_its_values() -> None:
    """Without MessagePack it is refused: JSON would turn tuples into lists."""
    with pytest.raises(PluginError, match=r"no codec 'auto'.*pip install 'sayiir\[msgpack\]'"):
        PayloadCodec([JsonCodec()], default="auto")


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("msgpack", r"pip install 'sayiir\[msgpack\]'"),
        ("rkyv", r"pip install 'sayiir\[rkyv\]'"),
        ("zstd+json", r"pip install 'sayiir\[zstd\]'"),
        ("aes-gcm+json", r"keys=KeyRing"),
        ("morse", "install the package that brings it, check the spelling"),
    ],
)
def test_what_is_missing_is_refused_with_the_remedy(name: str, remedy: str) -> None:
    """The extra for what is ours."""
    with pytest.raises(PluginError, match=remedy):
        PayloadCodec([JsonCodec()]).choosing(name)


def test_codecs_are_discovered_when_they_are_needed() -> None:
    """Once, at the first name that was not given, and never for JSON alone."""
    asked: list[str] = []

    def installed() -> dict[str, Any]:
        asked.append("asked")
        return {"msgpack": MsgpackCodec(), "json": JsonCodec()}

    codec = PayloadCodec([JsonCodec()], discovery=Discovery(installed=installed))
    codec.decode(codec.encode({"a": 1}))
    before = list(asked)

    value = codec.decode(PayloadCodec([MsgpackCodec()]).encode((1,)))
    with pytest.raises(UnknownCodecError, match="only json, msgpack can be read here"):
        codec.decode(header_bytes("morse", 0) + b"...")

    assert ([], (1,), ["asked"]) == (before, value, asked)


def test_a_choice_shares_what_was_learnt_of_types() -> None:
    """All choices over one catalogue have one memory of annotations."""
    codec = payload_codec("json")

    assert codec.forms is codec.choosing("msgpack").forms is codec.unsealed.forms


def test_nothing_is_wrapped_that_is_not_stored() -> None:
    """Values in process are not encrypted, whatever the workflow chooses on top."""
    codec = payload_codec("zstd+msgpack", keys=KeyRing({"k": bytes(32)}))

    assert "msgpack" == codec_of(codec.unsealed.encode("x" * 2000))
    assert "json" == codec_of(codec.unsealed.choosing("zstd+json").encode("x" * 2000))
    assert "aes-gcm" == codec_of(codec.choosing("json").encode("x", HERE))


def test_the_environment_names_codec_and_keys() -> None:
    """For command line tools and workers; empty variables count as absent."""
    keys = f"2026:{base64.b64encode(bytes(32)).decode()}"

    plain = codec_from_environment({"SAYIIR_CODEC": "msgpack", "SAYIIR_KEYS": ""})
    sealed = codec_from_environment({"SAYIIR_KEYS": keys})
    unsaid = codec_from_environment({})

    assert "msgpack" == codec_of(plain.encode(1))
    assert "aes-gcm" == codec_of(sealed.encode(1, HERE))
    assert unsaid is resolve_codec(None)
    with pytest.raises(PluginError, match="no codec 'nope'"):
        codec_from_environment({"SAYIIR_CODEC": "nope"})
    with pytest.raises(ValueError, match="number 1 has no colon"):
        codec_from_environment({"SAYIIR_KEYS": "secret"})


def test_a_wrapper_is_no_codec_and_a_codec_no_wrapper() -> None:
    """Each mistake has its own text."""
    codec = PayloadCodec([JsonCodec(), Zstd()])

    with pytest.raises(PluginError, match=r"as in 'zstd\+json'"):
        codec.choosing("zstd")
    with pytest.raises(PluginError, match="codec 'json' cannot stand around"):
        codec.choosing("json+json")


class Marked(JsonCodec):
    """A codec with a setting of its own, as strangers may write one."""

    def __init__(self, mark: str) -> None:
        self.mark = mark

    @property
    def name(self) -> str:
        """Return its name, whatever the mark."""
        return "marked"

    def decode(self, payload: bytes, start: int, flags: int) -> Any:
        """Tell who reads."""
        return [self.mark, super().decode(payload, start, flags)]


def test_of_two_codec_objects_of_one_name_each_reads_what_it_writes() -> None:
    """Whoever passed the first one somewhere else in the process does not matter."""
    everyone = PayloadCodec([JsonCodec()])
    first, second = (everyone.choosing(Marked(mark)) for mark in ("first", "second"))

    for codec, mark in ((first, "first"), (second, "second")):
        payload = codec.encode(1)
        assert [mark, 1] == codec.decode(payload)
        assert [mark, 1] == codec.open(payload).decode()
        assert [mark, 1] == codec.unsealed.open(payload).decode()
