"""Executors by name: of plugins, made when they are needed, and once."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from types import SimpleNamespace
from typing import Any

import pytest

from sayiir_core import hookspecs
from sayiir_core.authoring import Flow, task
from sayiir_core.errors import PluginError
from sayiir_core.ports.telemetry import TaskStarted
from sayiir_runtime import plugins
from sayiir_runtime.api import run_durable_workflow, run_workflow
from sayiir_runtime.client import WorkflowClient
from sayiir_runtime.executor import registry
from sayiir_runtime.memory import InMemoryBackend
from sayiir_runtime.plugins import create_plugin_manager, list_plugins
from sayiir_runtime.telemetry.observed import observed


class AtOnce:
    """An executor that calls bodies itself, and counts itself and them."""

    made = 0

    def __init__(self) -> None:
        type(self).made += 1
        self.calls: list[str] = []

    def check(self, function: Any) -> None:
        """Take everything."""

    def start(self, body: Any) -> Any:
        """Call the body."""
        self.calls.append(f"{body.path} of {body.instance_id}")
        value = body()
        return SimpleNamespace(wait=lambda: value, give_up=lambda: None)

    def close(self) -> None:
        """Do nothing."""


class Plugin:
    """A plugin that offers it under a name."""

    @staticmethod
    @hookspecs.hookimpl
    def sayiir_executors() -> Any:
        """Return the factory."""
        return {"at-once": AtOnce}


class BrokenPlugin:
    """A plugin that offers what is no factory."""

    @staticmethod
    @hookspecs.hookimpl
    def sayiir_executors() -> Any:
        """Return nonsense."""
        return {"at-once": 7}


class Found(EntryPoint):
    """An entry point of a class of this module."""

    def load(self) -> Any:
        """Return what it names."""
        return {"Plugin": Plugin, "BrokenPlugin": BrokenPlugin}[self.value]


def found(*names: str) -> list[EntryPoint]:
    """Return entry points of classes of this module."""
    return [Found(f"p{number}", name, "sayiir") for number, name in enumerate(names)]


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Install the plugin, in a process that has made no executor yet."""
    manager = create_plugin_manager(found("Plugin"))
    monkeypatch.setattr(plugins, "create_plugin_manager", lambda: manager)
    monkeypatch.setattr(registry, "_executors", {})
    monkeypatch.setattr(AtOnce, "made", 0)


workflow = Flow[Any, Any]("f").then(task("t", executor="at-once")(lambda value: value + 1)).build()


@pytest.mark.usefixtures("offered")
def test_an_executor_of_a_plugin_is_made_once_when_it_is_needed() -> None:
    """Not by whoever submits; then all drivers share it."""
    backend = InMemoryBackend()
    WorkflowClient(backend).submit(workflow, "submitted", 1)
    before = AtOnce.made

    outputs = [run_workflow(workflow, 1), run_durable_workflow(workflow, "i", 1, backend).output]

    assert (0, 1) == (before, AtOnce.made)
    assert [2, 2] == outputs
    executor: Any = registry.executor_of("at-once")
    assert ["t of in-process", "t of i"] == executor.calls


@pytest.mark.usefixtures("offered")
def test_a_span_and_an_event_are_told_where_it_is_driven() -> None:
    """Observers see the task as they see all others."""
    told: list[Any] = []
    sink: Any = SimpleNamespace(
        kinds=frozenset({TaskStarted}), receive=told.extend, close=lambda: None
    )
    backend = observed(InMemoryBackend(), sink)

    run_durable_workflow(workflow, "i", 1, backend)
    backend.close()

    assert ["t"] == [event.node.path for event in told]


def test_what_is_no_factory_is_left_out_and_told() -> None:
    """As with every hook."""
    (plugin,) = list_plugins(found("BrokenPlugin"))

    assert {} == plugin.executors
    assert "no name with a factory" in str(plugin.errors[0])


def test_two_plugins_for_one_name_are_an_error() -> None:
    """Nobody could say which of them would win."""
    again = EntryPoint("again", "sayiir_runtime.plugin", "sayiir")

    class Process:
        @staticmethod
        @hookspecs.hookimpl
        def sayiir_executors() -> Any:
            return {"process": AtOnce}

    class Other(EntryPoint):
        def load(self) -> Any:
            return Process

    with pytest.raises(PluginError, match="two plugins claim the executor name 'process'"):
        create_plugin_manager([again, Other("other", "Other", "sayiir")])
