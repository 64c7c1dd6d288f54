"""Load plugins one by one, and keep what is broken apart.

How this works: entry points are loaded one by one and hook implementations are called one by one,
because a plugin that raises must not take the others with it. Each plugin carries what it offers
and what went wrong with it; whether plugins contradict each other is looked at by who uses them.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final, cast

import pluggy

from sayiir_core import hookspecs
from sayiir_core.errors import PluginError
from sayiir_core.ports.backend import Backend
from sayiir_core.ports.codec import Codec, Wrapper
from sayiir_core.ports.executor import TaskExecutor
from sayiir_core.ports.telemetry import Instruments

Factory = Callable[[str], Backend]
Observe = Callable[[], Instruments]
MakeExecutor = Callable[[], TaskExecutor]


@dataclass(slots=True, kw_only=True)
class Plugin:
    """One plugin that is installed: where it is from, what it offers, and what is wrong with it.

    ``module`` is what its entry point names. ``distribution`` and ``version`` are None for an
    entry point of no distribution, or of one that is half removed. ``backends`` are factories by URL scheme, ``codecs`` and
    wrappers are by name, ``executors`` are factories by name, ``instruments`` are asked at each
    opening of a backend; what went wrong offers nothing here.
    """

    name: str
    module: str
    distribution: str | None = None
    version: str | None = None
    backends: dict[str, Factory] = field(default_factory=dict[str, Factory])
    codecs: dict[str, Codec | Wrapper] = field(default_factory=dict[str, Codec | Wrapper])
    executors: dict[str, MakeExecutor] = field(default_factory=dict[str, MakeExecutor])
    instruments: list[Observe] = field(default_factory=list[Observe])
    errors: list[Exception] = field(default_factory=list[Exception])

    @property
    def label(self) -> str:
        """Return how texts name it."""
        if self.distribution is None:
            return repr(self.name)
        return f"{self.name!r} of {self.distribution} {self.version}"


def load_plugins(found: Iterable[EntryPoint] | None = None) -> list[Plugin]:
    """Load the plugins of this environment, or of the given entry points, in their order.

    A module that two entry points name is one plugin, that of the first.
    """
    loader = _Loader()
    for entry_point in entry_points(group=hookspecs.PROJECT_NAME) if found is None else found:
        loader.load(entry_point)
    return loader.plugins


class _Loader:
    """Everything that a stranger's code can spoil."""

    def __init__(self) -> None:
        self.plugins: list[Plugin] = []
        self._manager = pluggy.PluginManager(hookspecs.PROJECT_NAME)
        self._manager.add_hookspecs(hookspecs)

    def load(self, entry_point: EntryPoint) -> None:
        plugin = Plugin(name=entry_point.name, module=entry_point.value)
        with _keeping_errors_of(plugin):
            if entry_point.dist is not None:
                plugin.distribution = entry_point.dist.name
                plugin.version = entry_point.dist.version
            module = entry_point.load()
            if self._manager.is_registered(module):
                return
            self._register(module, plugin)
            self._collect(plugin)
        self.plugins.append(plugin)

    def _register(self, module: object, plugin: Plugin) -> None:
        self._manager.register(module, plugin.label)
        callers = self._manager.get_hookcallers(module) or []
        if not callers:
            raise PluginError("it implements no hook; mark functions with hookimpl")
        for caller in callers:
            if not caller.has_spec():
                text = f"there is no hook {caller.name!r} in this release"
                plugin.errors.append(PluginError(text))

    def _collect(self, plugin: Plugin) -> None:
        hooks = self._manager.hook
        readings: Final = (
            (hooks.sayiir_backends, _read_backends, plugin.backends),
            (hooks.sayiir_codecs, _read_codecs, plugin.codecs),
            (hooks.sayiir_executors, _read_executors, plugin.executors),
        )
        for caller, read, offered in readings:
            for implementation in caller.get_hookimpls():
                if implementation.plugin_name != plugin.label:
                    continue
                with _keeping_errors_of(plugin):
                    offered.update(_by_name(read(implementation.function())))
        plugin.instruments += [
            cast("Observe", implementation.function)
            for implementation in hooks.sayiir_instruments.get_hookimpls()
            if implementation.plugin_name == plugin.label
        ]


@contextmanager
def _keeping_errors_of(plugin: Plugin) -> Generator[None, None, None]:
    try:
        yield
    except SystemExit as error:
        plugin.errors.append(PluginError(f"it wants to end the process by {error!r}"))
    except Exception as error:  # noqa: BLE001  # a stranger's module may raise anything
        plugin.errors.append(error)


def _read_backends(answer: Any) -> Iterator[tuple[str, Factory]]:
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


def _read_executors(answer: Any) -> Iterator[tuple[str, MakeExecutor]]:
    _expect(isinstance(answer, dict), f"sayiir_executors returned {answer!r}, not a dict")
    for name, factory in answer.items():
        fits = isinstance(name, str), callable(factory)
        _expect(all(fits), f"sayiir_executors: {name!r}: {factory!r} is no name with a factory")
        yield name, factory


def _by_name(answer: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    offered: dict[str, Any] = {}
    for name, thing in answer:
        _expect(name not in offered, f"{name!r} is offered twice")
        offered[name] = thing
    return offered


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise TypeError(otherwise)
