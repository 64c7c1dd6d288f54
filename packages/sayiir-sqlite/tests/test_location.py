"""Where a database may be."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sayiir_core.errors import PluginError
from sayiir_sqlite import SQLiteBackend
from sayiir_sqlite.plugin import open_url, sayiir_backends


def test_a_path_and_its_urls_name_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take text, a path object, an absolute and a relative URL."""
    monkeypatch.chdir(tmp_path)

    spellings: list[str | os.PathLike[str]] = [
        "a b.db",
        tmp_path / "a b.db",
        "sqlite:///a b.db",
        "sqlite:///a%20b.db",
        f"sqlite:///{tmp_path}/a b.db",
    ]

    assert {str(tmp_path / "a b.db")} == {SQLiteBackend(it).path for it in spellings}


def test_a_link_names_the_file_that_is_meant(tmp_path: Path) -> None:
    """Follow links, so that all processes look for the same files beside the database."""
    link = tmp_path / "link.db"
    link.symlink_to(tmp_path / "real.db")

    assert str(tmp_path / "real.db") == SQLiteBackend(link).path


@pytest.mark.parametrize("location", [":memory:", "", "sqlite://", "sqlite:///:memory:", "sqlite:"])
def test_a_database_in_memory_is_refused_with_the_remedy(location: str) -> None:
    """Point to the backend that is meant for that."""
    with pytest.raises(ValueError, match="InMemoryBackend"):
        SQLiteBackend(location)


@pytest.mark.parametrize(
    "location", ["sqlite://host/file.db", "sqlite:file.db", "sqlite:///a.db?mode=ro", "a\0b"]
)
def test_a_location_that_cannot_be_meant_is_refused(location: str) -> None:
    """Refuse hosts, options and NUL instead of opening a file of an odd name."""
    with pytest.raises(ValueError, match=r"sqlite:///|NUL"):
        SQLiteBackend(location)


@pytest.mark.parametrize("location", [None, 7, b"bytes.db"])
def test_a_location_of_another_type_is_refused(location: object) -> None:
    """Raise ``TypeError`` at once."""
    with pytest.raises(TypeError, match="path"):
        SQLiteBackend(location)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("synchronous", "OFF"),
        ("max_payload_bytes", 0),
        ("max_page_count", 0),
        ("busy_timeout", "-1s"),
        ("aging_interval", "soon"),
    ],
)
def test_an_argument_that_cannot_be_meant_is_refused(
    tmp_path: Path, argument: str, value: object
) -> None:
    """Raise ``ValueError`` at once."""
    with pytest.raises(ValueError, match=r"."):
        SQLiteBackend(tmp_path / "a.db", **{argument: value})  # type: ignore[arg-type]


def test_nothing_is_opened_by_the_constructor(tmp_path: Path) -> None:
    """Leave no trace before the first use."""
    SQLiteBackend(tmp_path / "a.db").close()

    assert [] == list(tmp_path.iterdir())


def test_the_plugin_makes_a_backend_for_its_scheme(tmp_path: Path) -> None:
    """Open nothing, and answer a URL that cannot be read with ``PluginError``."""
    factory = sayiir_backends()["sqlite"]

    backend = factory(f"sqlite:///{tmp_path}/a.db")

    assert isinstance(backend, SQLiteBackend)
    assert str(tmp_path / "a.db") == backend.path
    with pytest.raises(PluginError, match="InMemoryBackend"):
        open_url("sqlite://")
