"""``sayiir plugins``, in an environment with plugins of every kind."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

Install = Callable[[str, str], None]
Run = Callable[[], tuple[int, dict[str, list[str]]]]

TAPE = """
    @hookimpl
    def sayiir_backends():
        return {"tape": lambda url: None, "reel": lambda url: None}
"""


@pytest.fixture
def install(tmp_path: Path) -> Install:
    """Return a function that installs a distribution of one plugin, of version 1.5."""

    def _install(name: str, source: str) -> None:
        marked = "from sayiir_core.hookspecs import hookimpl\n" + dedent(source)
        (tmp_path / f"plugin_of_{name}.py").write_text(marked)
        folder = tmp_path / f"{name}-1.5.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.5\n")
        (folder / "entry_points.txt").write_text(f"[sayiir]\nep = plugin_of_{name}\n")

    return _install


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Return a function that runs the command: its exit code, and the lines below each heading."""

    def _run() -> tuple[int, dict[str, list[str]]]:
        done = subprocess.run(
            [sys.executable, "-m", "sayiir", "plugins"],
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert "" == done.stderr
        told: dict[str, list[str]] = {}
        for line in done.stdout.splitlines():
            if line.startswith("  "):
                told[next(reversed(told))].append(line.strip())
            else:
                told[line] = []
        return done.returncode, told

    return _run


def test_it_lists_each_plugin_with_its_distribution_and_what_it_offers(
    install: Install, run: Run
) -> None:
    """Ours and a stranger's, and all is well."""
    install("tape", TAPE)

    code, told = run()

    assert 0 == code
    assert ["backends: tape://, reel://"] == told["tape 1.5: ep (plugin_of_tape)"]
    (runtime,) = (lines for heading, lines in told.items() if "(sayiir_runtime.plugin)" in heading)
    assert "backends: memory://" == runtime[0]
    assert runtime[1].startswith("codecs: json")


def test_it_says_why_a_plugin_cannot_be_used_and_lists_the_others(
    install: Install, run: Run
) -> None:
    """A broken plugin is told by name, and the exit code says that there is one."""
    install("broken", "import no_such_module_at_all")
    install("tape", TAPE)

    code, told = run()

    assert 1 == code
    assert ["not usable: ModuleNotFoundError: No module named 'no_such_module_at_all'"] == told[
        "broken 1.5: ep (plugin_of_broken)"
    ]
    assert ["backends: tape://, reel://"] == told["tape 1.5: ep (plugin_of_tape)"]


def test_two_plugins_with_one_name_are_both_told(install: Install, run: Run) -> None:
    """Where no backend could be opened any more, the list still says why."""
    install("tape", TAPE)
    install("reel", TAPE.replace('"tape": lambda url: None, ', ""))

    code, told = run()

    assert 1 == code
    for heading in ("tape 1.5: ep (plugin_of_tape)", "reel 1.5: ep (plugin_of_reel)"):
        (clash,) = told[heading][1:]
        assert "not usable: PluginError: two plugins claim the URL scheme 'reel'" in clash
        assert "'ep' of tape 1.5" in clash
        assert "'ep' of reel 1.5" in clash


def test_a_plugin_for_a_newer_release_offers_what_this_one_knows(
    install: Install, run: Run
) -> None:
    """A hook that is not known yet is told, and the others of its plugin work."""
    install("tape", TAPE + "\n    @hookimpl\n    def sayiir_calendars():\n        return {}\n")

    code, told = run()

    assert 1 == code
    assert [
        "backends: tape://, reel://",
        "not usable: PluginError: there is no hook 'sayiir_calendars' in this release",
    ] == told["tape 1.5: ep (plugin_of_tape)"]
