"""The type parameters of flows and workflows; their defaults stand in ``generic.pyi``."""

from __future__ import annotations

from typing import TypeVar, final

In = TypeVar("In")
Out = TypeVar("Out")
In_contra = TypeVar("In_contra", contravariant=True)
Out_co = TypeVar("Out_co", covariant=True)


@final
class Open:
    """Stand for the type of a flow's input before its first step."""
