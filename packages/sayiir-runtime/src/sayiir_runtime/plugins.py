"""Find plugins, keep broken ones apart, and open backends by URL.

How this works: entry points are loaded one by one and hook implementations are called one by one,
because a plugin that raises must not take the others with it. What went wrong is collected in
``failures``. Only a contradiction between plugins that work, two for one name, is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import Any, Final, TypeVar

import pluggy

from sayiir_core import hookspecs
from sayiir_core.errors import PluginError
from sayiir_core.ports.backend import Backend
from sayiir_core.ports.codec import Codec, Wrapper

T = TypeVar("T")

_EXTRAS: Final = {"postgresql": "postgres", "postgres": "postgres"}
"""Schemes of optional distributions, and the extra that installs each."""


@dataclass(frozen=True, slots=True)
class PluginFailure:
    """A plugin, or a part of it, that cannot be used, and why."""

    plugin: str
    error: Exception

    def __str__(self) -> str:
        return f"plugin {self.plugin}: {type(self.error).__name__}: {self.error}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginManager:
    """What the plugins of this environment add: backends by URL scheme, codecs by name."""

    backends: Mapping[str, Callable[[str], Backend]]
    codecs: Mapping[str, Codec | Wrapper]
    failures: tuple[PluginFailure, ...]

    def open_backend(self, url: str) -> Backend:
        """Return the backend of a URL; it connects at its first use or at ``open()``.

        Raises ``PluginError`` for a scheme that no plugin has, and says what to install.
        """
        # The rest of the URL may hold a password, so no text below repeats it.
        scheme, separator, _ = url.partition("://")
        if not separator:
            raise PluginError(
                "a backend is named by a URL such as 'memory://', 'sqlite:///file.db' or "
                "'postgresql://host/database'; this one has no '://'"
            )
        factory = self.backends.get(scheme)
        if factory is None:
            raise PluginError(self._unknown(scheme))
        try:
            return factory(url)
        except ImportError as error:
            raise PluginError(
                f"the backend for {scheme}:// lacks the module {error.name!r}; {_remedy(scheme)}"
            ) from error

    def _unknown(self, scheme: str) -> str:
        lines = [f"no plugin has a backend for {scheme[:40]}://; {_remedy(scheme)}"]
        lines.append(f"installed: {', '.join(f'{known}://' for known in sorted(self.backends))}")
        lines.extend(f"not usable: {failure}" for failure in self.failures)
        return "\n".join(lines)


def create_plugin_manager(found: Iterable[EntryPoint] | None = None) -> PluginManager:
    """Load the plugins of this environment, or the given entry points.

    Raises ``PluginError`` if two plugins claim one URL scheme or one codec name.
    """
    loader = _Loader()
    for entry_point in entry_points(group=hookspecs.PROJECT_NAME) if found is None else found:
        loader.load(entry_point)
    return PluginManager(
        backends=loader.collect("sayiir_backends", _read_backends, "the URL scheme"),
        codecs=loader.collect("sayiir_codecs", _read_codecs, "the codec name"),
        failures=tuple(loader.failures),
    )


def open_backend(url: str) -> Backend:
    """Return the backend of a URL that an installed plugin serves.

    For instance ``memory://``, ``sqlite:///file.db`` or ``postgresql://host/db``. It connects at its first use or at ``open()``. Raises ``PluginError`` for an unknown scheme.
    """
    return create_plugin_manager().open_backend(url)


class _Loader:
    """Everything that a stranger's code can spoil."""

    def __init__(self) -> None:
        self.failures: list[PluginFailure] = []
        self._manager = pluggy.PluginManager(hookspecs.PROJECT_NAME)
        self._manager.add_hookspecs(hookspecs)

    def load(self, entry_point: EntryPoint) -> None:
        name = _name_of(entry_point)
        try:
            self._register(entry_point.load(), name)
        except Exception as error:  # noqa: BLE001  # a stranger's module may raise anything
            self.failures.append(PluginFailure(name, error))

    def _register(self, plugin: object, name: str) -> None:
        if self._manager.is_registered(plugin):
            return
        self._manager.register(plugin, name)
        callers = self._manager.get_hookcallers(plugin) or []
        if not callers:
            raise PluginError("it implements no hook; mark functions with hookimpl")
        for caller in callers:
            if not caller.has_spec():
                error = PluginError(f"there is no hook {caller.name!r} in this release")
                self.failures.append(PluginFailure(name, error))

    def collect(
        self, hook: str, read: Callable[[Any], Iterable[tuple[str, T]]], what: str
    ) -> Mapping[str, T]:
        owners: dict[str, str] = {}
        things: dict[str, T] = {}
        caller: pluggy.HookCaller = getattr(self._manager.hook, hook)
        for implementation in caller.get_hookimpls():
            plugin = implementation.plugin_name
            try:
                answer = list(read(implementation.function()))
            except Exception as error:  # noqa: BLE001  # as above
                self.failures.append(PluginFailure(plugin, error))
                continue
            for name, thing in answer:
                if name in owners:
                    raise PluginError(
                        f"two plugins claim {what} {name!r}: {owners[name]} and {plugin}; "
                        f"uninstall one"
                    )
                owners[name], things[name] = plugin, thing
        return MappingProxyType(things)


def _read_backends(answer: Any) -> Iterator[tuple[str, Callable[[str], Backend]]]:
    _expect(isinstance(answer, dict), f"sayiir_backends returned {answer!r}, not a dict")
    for scheme, factory in answer.items():
        fits = isinstance(scheme, str), callable(factory)
        _expect(all(fits), f"sayiir_backends: {scheme!r}: {factory!r} is no scheme with a factory")
        yield scheme, factory


def _read_codecs(answer: Any) -> Iterator[tuple[str, Codec | Wrapper]]:
    _expect(isinstance(answer, list), f"sayiir_codecs returned {answer!r}, not a list")
    for codec in answer:
        _expect(isinstance(getattr(codec, "name", None), str), f"{codec!r} has no name")
        yield codec.name, codec


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise TypeError(otherwise)


def _name_of(entry_point: EntryPoint) -> str:
    distribution = entry_point.dist
    if distribution is None:
        return repr(entry_point.name)
    return f"{entry_point.name!r} of {distribution.name} {distribution.version}"


def _remedy(scheme: str) -> str:
    extra = _EXTRAS.get(scheme)
    if extra is None:
        return "install the distribution that serves it, or check the spelling"
    return f"install it with: pip install 'sayiir[{extra}]'"
