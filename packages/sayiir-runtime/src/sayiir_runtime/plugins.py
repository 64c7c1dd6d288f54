"""Find plugins, and open backends by URL.

What is broken is left out and told in ``failures``. Only a contradiction between plugins that work,
two for one name, is an error: nobody could say which of them would win.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from types import MappingProxyType
from typing import Final, TypeVar

from sayiir_core.errors import PluginError
from sayiir_core.ports.backend import Backend
from sayiir_core.ports.codec import Codec, Wrapper
from sayiir_core.ports.telemetry import Instruments
from sayiir_runtime.plugin_loader import MakeExecutor, Observe, Plugin, load_plugins
from sayiir_runtime.telemetry.observed import with_instruments

logger = logging.getLogger("sayiir.plugins")

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
    """What the plugins of this environment add: backends by URL scheme, the rest by name."""

    backends: Mapping[str, Callable[[str], Backend]]
    codecs: Mapping[str, Codec | Wrapper]
    executors: Mapping[str, MakeExecutor]
    failures: tuple[PluginFailure, ...]
    instruments: tuple[tuple[str, Observe], ...] = ()

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
            backend = factory(url)
        except ImportError as error:
            raise PluginError(
                f"the backend for {scheme}:// lacks the module {error.name!r}; {_remedy(scheme)}"
            ) from error
        return with_instruments(backend, self._observing())

    def _observing(self) -> Iterator[Instruments]:
        """Yield what plugins observe a backend by; one that fails is left out, and said."""
        for label, observe in self.instruments:
            try:
                yield observe()
            except Exception as error:  # noqa: BLE001  # a stranger's module may raise anything
                logger.warning("plugin %s observes nothing: %r", label, error)

    def _unknown(self, scheme: str) -> str:
        lines = [f"no plugin has a backend for {scheme[:40]}://; {_remedy(scheme)}"]
        lines.append(f"installed: {', '.join(f'{known}://' for known in sorted(self.backends))}")
        lines.extend(f"not usable: {failure}" for failure in self.failures)
        return "\n".join(lines)


def create_plugin_manager(found: Iterable[EntryPoint] | None = None) -> PluginManager:
    """Load the plugins of this environment, or the given entry points.

    Raises ``PluginError`` if two plugins claim one URL scheme, codec name or executor name.
    """
    plugins = load_plugins(found)
    for clash in _clashes(plugins):
        raise clash.error
    return PluginManager(
        backends=MappingProxyType(_merged(plugin.backends for plugin in plugins)),
        codecs=MappingProxyType(_merged(plugin.codecs for plugin in plugins)),
        executors=MappingProxyType(_merged(plugin.executors for plugin in plugins)),
        instruments=tuple(
            (plugin.label, observe) for plugin in plugins for observe in plugin.instruments
        ),
        failures=tuple(
            PluginFailure(plugin.label, error) for plugin in plugins for error in plugin.errors
        ),
    )


def list_plugins(found: Iterable[EntryPoint] | None = None) -> list[Plugin]:
    """Return every plugin of this environment, or of the given entry points, with its errors.

    Of two that claim one name, each has an error that names the other. Ordered by distribution
    and name.
    """
    plugins = load_plugins(found)
    for clash in _clashes(plugins):
        for plugin in clash.claimants:
            plugin.errors.append(clash.error)
    return sorted(plugins, key=lambda plugin: (plugin.distribution or "", plugin.name))


def open_backend(url: str) -> Backend:
    """Return the backend of a URL that an installed plugin serves.

    For instance ``memory://``, ``sqlite:///file.db`` or ``postgresql://host/db``. It connects at its first use or at ``open()``. Raises ``PluginError`` for an unknown scheme.
    """
    return create_plugin_manager().open_backend(url)


@dataclass(frozen=True, slots=True)
class _Clash:
    claimants: tuple[Plugin, Plugin]
    error: PluginError


def _clashes(plugins: Iterable[Plugin]) -> Iterator[_Clash]:
    owners: dict[tuple[str, str], Plugin] = {}
    for plugin in plugins:
        claims = [("the URL scheme", scheme) for scheme in plugin.backends]
        claims += [("the codec name", name) for name in plugin.codecs]
        claims += [("the executor name", name) for name in plugin.executors]
        for claim in claims:
            first = owners.setdefault(claim, plugin)
            if first is not plugin:
                what, name = claim
                error = PluginError(
                    f"two plugins claim {what} {name!r}: {first.label} and {plugin.label}; "
                    f"uninstall one"
                )
                yield _Clash((first, plugin), error)


def _merged(parts: Iterable[Mapping[str, T]]) -> dict[str, T]:
    return {name: thing for part in parts for name, thing in part.items()}


def _remedy(scheme: str) -> str:
    extra = _EXTRAS.get(scheme)
    if extra is None:
        return "install the distribution that serves it, or check the spelling"
    return f"install it with: pip install 'sayiir[{extra}]'"
