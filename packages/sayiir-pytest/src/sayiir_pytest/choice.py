"""Which stores a test runs on: by its marker, or else by the option, or else in memory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import pytest

NAMES: Final = ("memory", "sqlite", "postgres")
_DEFAULT: Final = "memory"
_LEAKS: Final = ("fail", "ignore")


def names_of_option(config: pytest.Config) -> list[str]:
    """Return the stores that the command line names, none without the option.

    Raises ``pytest.UsageError`` for an unknown one.
    """
    given: str | None = config.getoption("--sayiir-backend")
    if given is None:
        return []
    try:
        return _checked(given)
    except ValueError as error:
        raise pytest.UsageError(f"--sayiir-backend={given}: {error}") from None


def parametrize(metafunc: pytest.Metafunc) -> None:
    """Run a test once for each store of its marker, or else of the option.

    Raises ``pytest.Collector.CollectError`` for a marker that says nothing sensible.
    """
    names = _names_of_marker(metafunc.definition) or names_of_option(metafunc.config)
    if names:
        metafunc.parametrize("sayiir_backend_name", names)


def default_name(request: pytest.FixtureRequest) -> str:
    """Return the store of a test that asked for it while it ran: the first one that is named."""
    names = _names_of_marker(request.node) or names_of_option(request.config)
    return names[0] if names else _DEFAULT


def ignores_leaks(node: pytest.Item) -> bool:
    """Tell whether the marker of a test lets it leave something behind."""
    return any(mark.kwargs.get("leaks") == "ignore" for mark in node.iter_markers("sayiir"))


def _names_of_marker(node: pytest.Item) -> list[str]:
    names: list[str] = []
    # The closest marker first: that of the function wins over those of its class and module.
    for mark in node.iter_markers("sayiir"):
        try:
            named = _read(mark)
        except ValueError as error:
            raise pytest.Collector.CollectError(
                f"{node.nodeid}: @pytest.mark.sayiir{_shown(mark)}: {error}"
            ) from None
        names = names or named
    return names


def _read(mark: pytest.Mark) -> list[str]:
    unknown = sorted(mark.kwargs.keys() - {"backend", "leaks"})
    if mark.args or unknown:
        what = f"{unknown[0]!r} is no argument of it" if unknown else "it takes no bare values"
        raise ValueError(f"{what}; write backend='sqlite', backend=['memory', 'sqlite'] or leaks=")
    leaks = mark.kwargs.get("leaks", "fail")
    if leaks not in _LEAKS:
        raise ValueError(f"leaks= must be 'fail' or 'ignore', not {leaks!r}")
    return _checked(mark.kwargs["backend"]) if "backend" in mark.kwargs else []


def _checked(given: Any) -> list[str]:
    parts: Iterable[Any] = given.split(",") if isinstance(given, str) else given
    if not isinstance(parts, list | tuple | set | frozenset):
        raise ValueError(f"backend= must be a name or a list of names, not {given!r}")
    names = [part.strip() if isinstance(part, str) else part for part in parts]
    unknown = [name for name in names if name not in NAMES]
    if unknown or not names:
        which = f"there is no backend {unknown[0]!r}" if unknown else "no backend is named"
        raise ValueError(
            f"{which}; choose among {', '.join(NAMES)}. To test on a store of your own, override "
            f"the fixture sayiir_backend"
        )
    return list(dict.fromkeys(names))


def _shown(mark: pytest.Mark) -> str:
    words = [*map(repr, mark.args), *(f"{key}={value!r}" for key, value in mark.kwargs.items())]
    return f"({', '.join(words)})"
