"""The first head of a run."""

from __future__ import annotations

from typing import Final

from sayiir_core.snapshot.answer import Claim
from sayiir_core.snapshot.head import Cursor, CursorKey, CursorState, Head, Header
from sayiir_core.snapshot.motion import grant
from sayiir_core.snapshot.reference import INPUT
from sayiir_core.workflow.node import ROOT

_KEY: Final = CursorKey(ROOT, ())
_READY: Final = CursorState.READY


def born(header: Header, *, node: int, group: str, priority: int) -> tuple[Head, Claim | None]:
    """Return a head with one ready cursor at a node of the root scope.

    If the header names an owner, the cursor is granted to it by the claim that is returned too.
    """
    cursor = Cursor(ROOT, (), node, (), INPUT, group, priority, _READY, header.created_at)
    head = Head(header, {_KEY: cursor}, [], {})
    return head, None if header.owner is None else grant(head, cursor, header.owner)
