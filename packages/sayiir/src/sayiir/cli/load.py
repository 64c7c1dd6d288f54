"""Finding workflows by name, as ``package.module:attribute``."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from sayiir.cli.refusal import CommandError
from sayiir_core.authoring import Workflow


def load_workflows(names: Iterable[str]) -> list[Workflow[Any, Any]]:
    """Return the workflows that names stand for, each once, in order.

    A name is ``module:attribute``; the attribute is a workflow, or a list, tuple or dict of
    workflows. ``module`` alone means every workflow of the module. Raises ``CommandError`` for a
    name that stands for none; what a module raises when it is imported is not caught.
    """
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    found: dict[int, Workflow[Any, Any]] = {}
    for name in names:
        for workflow in _load(name):
            found[id(workflow)] = workflow
    return list(found.values())


def _load(name: str) -> list[Workflow[Any, Any]]:
    module_name, colon, attribute = name.partition(":")
    module = _module(module_name, name)
    if not colon:
        workflows = [one for value in vars(module).values() for one in _workflows_in(value)]
        if not workflows:
            raise CommandError(f"module {name!r} has no workflow as Flow(...).build() returns it")
        return workflows
    value: Any = module
    for part in attribute.split("."):
        value = getattr(value, part, None)
    workflows = _workflows_in(value)
    if not workflows:
        raise CommandError(
            f"{name!r} is {'missing' if value is None else f'a {type(value).__name__}'}, and no "
            f"workflow as Flow(...).build() returns it; {_offer(module)}"
        )
    return workflows


def _module(module_name: str, name: str) -> ModuleType:
    if not all(part.isidentifier() for part in module_name.split(".")):
        raise CommandError(
            f"{name!r} names no module: workflows are named package.module:attribute, as Python "
            f"imports them, not by the path of a file"
        )
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        raise CommandError(
            f"there is no module {error.name!r} for {name!r}; workflows are named "
            f"package.module:attribute, as Python would import them from {Path.cwd()}"
        ) from error


def _workflows_in(value: Any) -> list[Workflow[Any, Any]]:
    several: list[Any] = [value]
    if issubclass(type(value), Mapping):
        several = list(value.values())
    elif issubclass(type(value), list | tuple):
        several = list(value)
    return several if all(isinstance(one, Workflow) for one in several) else []


def _offer(module: ModuleType) -> str:
    names = sorted(name for name, value in vars(module).items() if _workflows_in(value))
    if not names:
        return "the module has none"
    return "the module has " + ", ".join(f"{module.__name__}:{name}" for name in names)
