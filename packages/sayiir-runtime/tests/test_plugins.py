"""Plugins: found one by one, reported when broken, refused when they contradict each other."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint, distributions
from pathlib import Path
from textwrap import dedent

import pytest

from sayiir_core.errors import PluginError
from sayiir_runtime.memory import InMemoryBackend
from sayiir_runtime.plugins import create_plugin_manager, list_plugins, open_backend

MARKED = "from sayiir_core.hookspecs import hookimpl\n"

Install = Callable[[str, str], list[EntryPoint]]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Return a function that installs a distribution of one plugin, and returns all so far."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def _install(name: str, source: str) -> list[EntryPoint]:
        monkeypatch.delitem(sys.modules, f"plugin_of_{name}", raising=False)
        (tmp_path / f"plugin_of_{name}.py").write_text(MARKED + dedent(source))
        folder = tmp_path / f"{name}-1.5.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.5\n")
        (folder / "entry_points.txt").write_text(f"[sayiir]\n{name}_ep = plugin_of_{name}\n")
        return _entry_points(tmp_path)

    return _install


def _entry_points(folder: Path) -> list[EntryPoint]:
    found: Iterable[EntryPoint] = (
        entry_point
        for distribution in distributions(path=[str(folder)])
        for entry_point in distribution.entry_points
    )
    return sorted(found)


def _backend(scheme: str) -> str:
    return f"""
        @hookimpl
        def sayiir_backends():
            return {{{scheme!r}: lambda url: ("opened", url)}}
    """


def test_a_plugin_opens_the_urls_of_its_scheme(install: Install) -> None:
    """The factory receives the whole URL."""
    found = install("tape", _backend("tape"))

    backend = create_plugin_manager(found).open_backend("tape://reel/7?speed=2")

    assert ("opened", "tape://reel/7?speed=2") == backend


def test_a_plugin_that_cannot_be_imported_is_named_and_breaks_no_other(install: Install) -> None:
    """The failure names the entry point, the distribution and the error."""
    install("broken", "import no_such_module_at_all")
    found = install("tape", _backend("tape"))

    plugins = create_plugin_manager(found)

    assert ["tape"] == list(plugins.backends)
    (failure,) = plugins.failures
    assert str(failure) == (
        "plugin 'broken_ep' of broken 1.5: ModuleNotFoundError: "
        "No module named 'no_such_module_at_all'"
    )


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("@hookimpl\ndef sayiir_backends():\n    raise OSError('no disk')", "no disk"),
        ("@hookimpl\ndef sayiir_backends():\n    return ['tape']", "not a dict"),
        ("@hookimpl\ndef sayiir_backends():\n    return {'tape': 7}", "no scheme with a factory"),
        ("@hookimpl\ndef sayiir_codecs():\n    return {}", "not a list"),
        ("@hookimpl\ndef sayiir_codecs():\n    return [object()]", "has no name"),
        (
            "class C:\n    name = 'morse'\n@hookimpl\ndef sayiir_codecs():\n    return [C(), C()]",
            "'morse' is offered twice",
        ),
        ("@hookimpl\ndef sayiir_backends(url):\n    return {}", "Argument(s) {'url'}"),
        ("@hookimpl\ndef sayiir_cron():\n    return {}", "no hook 'sayiir_cron'"),
        ("VALUE = 7", "implements no hook"),
        ("raise SystemExit('no main')", "wants to end the process by SystemExit('no main')"),
        ("@hookimpl\ndef sayiir_codecs():\n    raise SystemExit(3)", "by SystemExit(3)"),
    ],
)
def test_a_plugin_that_breaks_its_word_is_left_out(
    install: Install, source: str, complaint: str
) -> None:
    """Whatever a hook raises or returns, the others work and the failure says why."""
    install("broken", source)
    found = install("tape", _backend("tape"))

    plugins = create_plugin_manager(found)

    assert ["tape"] == list(plugins.backends)
    assert 1 == len(plugins.failures)
    assert "'broken_ep' of broken 1.5" in str(plugins.failures[0])
    assert complaint in str(plugins.failures[0])


def test_two_plugins_with_one_scheme_are_an_error_that_names_both(install: Install) -> None:
    """Nobody has to guess which of them would have won."""
    install("first", _backend("tape"))
    found = install("second", _backend("tape"))

    with pytest.raises(PluginError) as caught:
        create_plugin_manager(found)

    assert "'tape'" in str(caught.value)
    assert "'first_ep' of first 1.5" in str(caught.value)
    assert "'second_ep' of second 1.5" in str(caught.value)


def test_two_plugins_with_one_codec_name_are_an_error_that_names_both(install: Install) -> None:
    """A stored payload must have one reader."""
    source = """
        class Codec:
            name = "morse"

        @hookimpl
        def sayiir_codecs():
            return [Codec()]
    """
    install("first", source)
    alone = create_plugin_manager(install("tape", _backend("tape")))
    found = install("second", source)

    with pytest.raises(PluginError, match=r"'morse'.*first 1\.5.*second 1\.5"):
        create_plugin_manager(found)
    assert ["morse"] == list(alone.codecs)


def test_an_unknown_scheme_names_the_extra_to_install() -> None:
    """What is optional here can be installed by the text of the error."""
    with pytest.raises(PluginError, match=r"pip install 'sayiir\[postgres\]'"):
        create_plugin_manager([]).open_backend("postgresql://localhost/db")


def test_an_unknown_scheme_never_shows_the_password(install: Install) -> None:
    """The text lists what is installed, and why something is not usable."""
    install("broken", "import no_such_module_at_all")
    plugins = create_plugin_manager(install("tape", _backend("tape")))

    with pytest.raises(PluginError) as caught:
        plugins.open_backend("redis://user:hunter2@host/0")

    assert "hunter2" not in str(caught.value)
    assert "tape://" in str(caught.value)
    assert "'broken_ep' of broken 1.5" in str(caught.value)


def test_a_text_without_a_scheme_is_told_what_a_url_looks_like() -> None:
    """A bare path is the likeliest mistake."""
    with pytest.raises(PluginError, match=r"sqlite:///file\.db"):
        create_plugin_manager([]).open_backend("file.db")


def test_a_backend_without_its_driver_names_the_missing_module(install: Install) -> None:
    """A factory imports late, so its ImportError becomes a remedy."""
    source = """
        def _open(url):
            import no_such_driver

        @hookimpl
        def sayiir_backends():
            return {"tape": _open}
    """
    plugins = create_plugin_manager(install("tape", source))

    with pytest.raises(PluginError, match="lacks the module 'no_such_driver'"):
        plugins.open_backend("tape://reel")


def test_every_memory_url_opens_a_store_of_its_own() -> None:
    """Two of them share nothing."""
    first, second = open_backend("memory://"), open_backend("memory://")

    assert isinstance(first, InMemoryBackend)
    assert first is not second


@pytest.mark.parametrize("url", ["memory://shared", "memory:///file.db", "memory://?size=3"])
def test_a_memory_url_has_no_path_and_no_options(url: str) -> None:
    """Whoever writes one expects something that memory cannot give."""
    with pytest.raises(PluginError, match="has no path"):
        open_backend(url)


def test_a_list_of_plugins_tells_origin_offer_and_error_of_each(install: Install) -> None:
    """A contradiction is an error of both, and stops nothing."""
    install("second", _backend("tape"))
    install("broken", "import no_such_module_at_all")
    found = install("first", _backend("tape"))

    broken, first, second = list_plugins(found)

    assert ("broken", "1.5", "broken_ep") == (broken.distribution, broken.version, broken.name)
    assert "plugin_of_broken" == broken.module
    assert ["ModuleNotFoundError"] == [type(error).__name__ for error in broken.errors]
    assert ["tape"] == list(first.backends) == list(second.backends)
    assert first.errors == second.errors
    assert "'first_ep' of first 1.5" in str(first.errors[0])


def test_an_entry_point_of_no_distribution_is_named_all_the_same(
    install: Install, tmp_path: Path
) -> None:
    """As a test or a program may make one by hand."""
    install("tape", _backend("tape"))

    (plugin,) = list_plugins([EntryPoint("by_hand", "plugin_of_tape", "sayiir")])

    assert (None, None, "'by_hand'") == (plugin.distribution, plugin.version, plugin.label)
    assert ["tape"] == list(plugin.backends)


def test_two_entry_points_for_one_module_are_one_plugin(install: Install) -> None:
    """A distribution that was renamed and is still installed contradicts nothing."""
    (known,) = install("tape", _backend("tape"))

    plugins = list_plugins([known, EntryPoint("again", "plugin_of_tape", "sayiir")])

    assert ["tape_ep"] == [plugin.name for plugin in plugins]


def test_a_distribution_that_is_half_removed_is_told_and_breaks_no_other(
    install: Install, tmp_path: Path
) -> None:
    """Only its entry points are left: neither its name nor its module."""
    install("removed", "")
    found = install("tape", _backend("tape"))
    (tmp_path / "removed-1.5.dist-info" / "METADATA").unlink()
    (tmp_path / "plugin_of_removed.py").unlink()

    plugins = create_plugin_manager(found)

    assert ["tape"] == list(plugins.backends)
    assert ["plugin 'removed_ep': ModuleNotFoundError: No module named 'plugin_of_removed'"] == [
        str(failure) for failure in plugins.failures
    ]
