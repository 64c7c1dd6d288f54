"""What docs/hooks.md says of the hooks."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from sayiir_core import hookspecs
from sayiir_runtime.plugins import create_plugin_manager

HOOKS_PAGE = Path(__file__).parent.parent / "docs" / "hooks.md"


def test_every_hook_is_documented_with_its_exact_arguments() -> None:
    """The headings of the page are the signatures of the hooks, no more and no less."""
    declared = {
        f"{name}({', '.join(inspect.signature(function).parameters)})"
        for name, function in inspect.getmembers(hookspecs, inspect.isfunction)
        if name.startswith("sayiir_")
    }

    documented = re.findall(r"^## `(.+)`$", HOOKS_PAGE.read_text(), re.MULTILINE)

    assert sorted(declared) == sorted(documented)
    assert declared


def test_every_plugin_of_the_workspace_can_be_used() -> None:
    """Each scheme of the page's table is served, and no plugin of ours is broken."""
    documented = re.findall(r"^\| `(\w+)://", HOOKS_PAGE.read_text(), re.MULTILINE)

    plugins = create_plugin_manager()

    assert () == plugins.failures
    assert set(documented) <= set(plugins.backends)
    assert {"json", "msgpack", "zstd"} <= set(plugins.codecs)
