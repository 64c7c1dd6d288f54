"""What docs/hooks.md says of the hooks."""

from __future__ import annotations

import inspect
import os
import re
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from sayiir_core import hookspecs
from sayiir_core.errors import PluginError
from sayiir_pytest.conformance.executor_run import body_of
from sayiir_runtime.plugin_loader import Plugin
from sayiir_runtime.plugins import create_plugin_manager, list_plugins

PAGE = (Path(__file__).parent.parent / "docs" / "hooks.md").read_text(encoding="utf-8")
HOOKS = [name for name, _ in inspect.getmembers(hookspecs, inspect.isfunction) if "_" in name]


def _example(hook: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Plugin:
    """Load the first block below the heading of a hook as a plugin of its own."""
    section = re.split(r"^## ", PAGE, flags=re.MULTILINE)
    (text,) = (part for part in section if part.startswith(f"`{hook}("))
    block = text.partition("```python\n")[2].partition("```\n")[0]
    module = f"example_of_{hook}"
    (folder / f"{module}.py").write_text(block, encoding="utf-8")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, module, raising=False)
    (plugin,) = list_plugins([EntryPoint("example", module, hookspecs.PROJECT_NAME)])
    return plugin


def test_every_hook_is_documented_with_its_exact_arguments() -> None:
    """The headings of the page are the signatures of the hooks, no more and no less."""
    declared = {
        f"{name}({', '.join(inspect.signature(getattr(hookspecs, name)).parameters)})"
        for name in HOOKS
    }

    documented = re.findall(r"^## `(.+)`$", PAGE, re.MULTILINE)

    assert sorted(declared) == sorted(documented)
    assert declared


@pytest.mark.parametrize("hook", HOOKS)
def test_the_example_of_a_hook_is_a_plugin_that_implements_it(
    hook: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its block, as a module behind an entry point, offers something and has no error."""
    plugin = _example(hook, tmp_path, monkeypatch)

    assert [] == plugin.errors
    offered = getattr(plugin, hook.removeprefix("sayiir_"))
    assert 1 == len(offered)


def test_the_example_of_a_backend_opens_one_store_per_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its URLs mean what the page says, and others are refused."""
    factory = _example("sayiir_backends", tmp_path, monkeypatch).backends["scratch"]

    assert factory("scratch://a") is factory("scratch://a")
    assert factory("scratch://a") is not factory("scratch://b")
    with pytest.raises(PluginError, match="scratch://tests"):
        factory("scratch://a/b")


def test_the_example_of_an_executor_runs_bodies_with_a_lower_priority(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each in a process of its own, so that it is lowered once."""
    executor = _example("sayiir_executors", tmp_path, monkeypatch).executors["background"]()

    levels = [executor.start(body_of(os.nice, 0)).wait() for _ in range(2)]
    executor.close()

    assert [min(os.nice(0) + 10, 19)] * 2 == levels


def test_every_plugin_of_the_workspace_can_be_used() -> None:
    """Each scheme of the page's table is served, and no plugin of ours is broken."""
    documented = re.findall(r"^\| `(\w+)://", PAGE, re.MULTILINE)

    plugins = create_plugin_manager()

    assert () == plugins.failures
    assert set(documented) <= set(plugins.backends)
    assert {"json", "msgpack", "zstd"} <= set(plugins.codecs)
