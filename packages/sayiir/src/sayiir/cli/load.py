"""Finding workflows by name, as ``package.module:attribute``."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sayiir_core.authoring import Workflow
from sayiir_core.errors import DefinitionError


def load_workflows(names: Iterable[str]) -> list[Workflow[Any, Any]]:
    """Return the workflows that names stand for, each once, in order.

    A name is ``module:attribute``; the attribute is a workflow, or a list, tuple or dict of
    workflows. ``module`` alone means every workflow of the module. Raises ``DefinitionError``.
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
    module_name, _, attribute = name.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        raise DefinitionError(
            f"there is no module {error.name!r} for {name!r}; workflows are named "
            f"package.module:attribute, as Python would import them from {Path.cwd()}"
        ) from error
    if not attribute:
        return _every(module, name)
    value: Any = module
    for part in attribute.split("."):
        value = getattr(value, part, None)
    workflows = _workflows_in(value)
    if not workflows:
        raise DefinitionError(
            f"{name!r} is {'missing' if value is None else f'a {type(value).__name__}'}, and no "
            f"workflow as Flow(...).build() returns it; {_offer(module)}"
        )
    return workflows


def _every(module: Any, name: str) -> list[Workflow[Any, Any]]:
    workflows = [value for value in vars(module).values() if isinstance(value, Workflow)]
    if not workflows:
        raise DefinitionError(f"module {name!r} has no workflow as Flow(...).build() returns it")
    return workflows


def _workflows_in(value: Any) -> list[Workflow[Any, Any]]:
    if isinstance(value, Workflow):
        return [value]
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple) and all(isinstance(it, Workflow) for it in value):
        return list(value)
    return []


def _offer(module: Any) -> str:
    names = sorted(name for name, value in vars(module).items() if _workflows_in(value))
    if not names:
        return "the module has none"
    return "the module has " + ", ".join(f"{module.__name__}:{name}" for name in names)
