"""The codecs and wrappers that a process can use, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any, Final, TypeGuard, cast

from sayiir_core.errors import PluginError
from sayiir_core.ports.codec import Codec, Wrapper

Part = Codec | Wrapper

EXTRAS: Final = {"auto": "msgpack", "msgpack": "msgpack", "rkyv": "rkyv", "zstd": "zstd"}
"""Names of optional parts, and the extra that installs each."""

ENCRYPTION: Final = "aes-gcm"


def _nothing() -> Mapping[str, Part]:
    return {}


def _nobody(_name: str) -> Part | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """Where a catalogue looks for names that it was not given.

    ``installed`` is asked once, when the first such name is met. ``reader`` gives what can read
    the payloads of a codec that is not installed, or say what is missing.
    """

    installed: Callable[[], Mapping[str, Part]] = _nothing
    reader: Callable[[str], Part | None] = _nobody


class Catalogue:
    """Codecs and wrappers that were given, and those that are discovered when they are needed."""

    def __init__(self, parts: Iterable[Part], discovery: Discovery | None = None) -> None:
        """Take parts; raises ``PluginError`` for two of one name."""
        self._parts: dict[str, Part] = {}
        self._discovery = discovery
        self._reader_of = _nobody if discovery is None else discovery.reader
        self._readers: dict[str, Part] = {}
        self._binds = False
        self._asked = 0  # of how many parts it is known whether they bind
        for part in parts:
            self.add(part)

    def add(self, part: Part) -> None:
        """Take one more part; raises ``PluginError`` if its name means another one already."""
        known = self._parts.setdefault(part.name, part)
        if known is not part:
            raise PluginError(f"two codecs are called {part.name!r}: {known!r} and {part!r}")

    def with_part(self, part: Part) -> Catalogue:
        """Return a catalogue in which a part stands for whatever has its name here."""
        made: Catalogue = copy(self)
        made._parts = {**self._parts, part.name: part}
        made._readers = {}
        made._asked = 0
        return made

    def names(self) -> list[str]:
        """Return the names of what was given or discovered, in order."""
        return list(self._parts)

    @property
    def binds(self) -> bool:
        """Tell whether a wrapper among what was given or discovered binds payloads to their place."""
        if self._asked != len(self._parts):
            # Every run asks. Parts are added and never taken away.
            parts = list(self._parts.values())
            self._binds = any(is_wrapper(part) and part.binds for part in parts)
            self._asked = len(parts)
        return self._binds

    def get(self, name: str) -> Part | None:
        """Return the part of a name, None if there is none."""
        part = self._parts.get(name)
        if part is None and self._discovery is not None:
            # Two threads may both do it: the first part of a name stays.
            for found in self._discovery.installed().values():
                self._parts.setdefault(found.name, found)
            self._discovery = None
            part = self._parts.get(name)
        return part

    def reader(self, name: str) -> Part | None:
        """Return what reads the payloads of a name, None if nothing does."""
        part = self.get(name) or self._readers.get(name)
        if part is None:
            part = self._reader_of(name)
            if part is not None:
                self._readers[name] = part
        return part

    def codec(self, name: str) -> Codec:
        """Return the codec of a name; ``PluginError`` with the remedy if there is none."""
        part = self.get(name)
        if part is None:
            raise self.missing(name)
        if is_wrapper(part):
            raise PluginError(
                f"{name!r} wraps the payloads of a codec and is none itself; say around which, "
                f"as in '{name}+json'"
            )
        return cast("Codec", part)

    def wrapper(self, name: str) -> Wrapper:
        """Return the wrapper of a name; ``PluginError`` with the remedy if there is none."""
        part = self.get(name)
        if part is None:
            raise self.missing(name)
        if not is_wrapper(part):
            raise PluginError(f"codec {name!r} cannot stand around another one")
        return part

    def chain(self, text: str) -> tuple[list[Wrapper], str]:
        """Split ``zstd+msgpack`` into wrappers, outermost first, and the name of the codec."""
        # The name of a codec may have a plus sign itself.
        if "+" not in text or self.get(text) is not None:
            return [], text
        *outer, codec = text.split("+")
        return [self.wrapper(name) for name in outer], codec

    def missing(self, name: str) -> PluginError:
        """Return the error for a name that nothing has."""
        known = ", ".join(sorted(self._parts))
        return PluginError(f"no codec {name!r}; there are {known}; {remedy_for(name)}")


def is_wrapper(part: Any) -> TypeGuard[Wrapper]:
    """Tell wrappers from codecs."""
    return callable(getattr(part, "unwrap", None))


def remedy_for(name: str) -> str:
    """Say how a codec or wrapper that is not there is got."""
    if name == ENCRYPTION:
        return "give it keys: codec=payload_codec('json', keys=KeyRing(…))"
    extra = EXTRAS.get(name)
    if extra is None:
        return "install the package that brings it, check the spelling, or pass the codec"
    return f"install it with: pip install 'sayiir[{extra}]'"
