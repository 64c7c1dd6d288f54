"""The type parameters of flows and workflows.

A ``Flow("order")`` that nobody has parametrised stands at ``Open`` until its first step binds its
input. Only type checkers see the default; they bring their own ``typing_extensions``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, final

if TYPE_CHECKING:
    from typing_extensions import TypeVar as DefaultedTypeVar

    In = DefaultedTypeVar("In", default="Open")
    Out = DefaultedTypeVar("Out", default="Open")
else:
    In = TypeVar("In")
    Out = TypeVar("Out")

In_contra = TypeVar("In_contra", contravariant=True)
Out_co = TypeVar("Out_co", covariant=True)


@final
class Open:
    """Stand for the type of a flow's input before its first step."""
