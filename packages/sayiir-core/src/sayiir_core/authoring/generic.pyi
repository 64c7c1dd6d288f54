# ruff: noqa: PYI001 - these parameters are shared by the modules of this package.
# Type checkers bring their own typing_extensions, so the default costs no dependency: a flow that
# nobody has parametrised stands at Open until its first step binds its input.
from typing import TypeVar, final

from typing_extensions import TypeVar as DefaultedTypeVar

In = DefaultedTypeVar("In", default=Open)
Out = DefaultedTypeVar("Out", default=Open)
In_contra = TypeVar("In_contra", contravariant=True)
Out_co = TypeVar("Out_co", covariant=True)

@final
class Open: ...
