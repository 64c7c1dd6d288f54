"""Listings: pages of headers, from the newest to the oldest run."""

from __future__ import annotations

from typing import Any, Final

from sayiir_core.ports.instances import InstancePage, InstanceQuery
from sayiir_core.snapshot.head import Header
from sayiir_sqlite.connection import Handle
from sayiir_sqlite.results import page_token
from sayiir_sqlite.rows import read_header, write_instant
from sayiir_sqlite.statement import statement

_ALL: Final = statement("listing")
_BY_STATE: Final = statement("listing_by_state")
_BY_LABEL: Final = statement("listing_by_label")
_BY_ERROR: Final = statement("listing_by_error")

_ABOVE_EVERY_RUN: Final = 2**62


def list_headers(handle: Handle, query: InstanceQuery) -> InstancePage:
    """Return one page; runs are read along the narrowest index until it is full."""
    headers: list[Header] = []
    last: int | None = None
    for row in handle.each(*_statement(query)):
        header = read_header(row)
        if not query.selects(header):
            continue
        if len(headers) >= max(query.limit, 1):
            return InstancePage(headers, str(last))
        headers.append(header)
        last = row[0]
    return InstancePage(headers, None)


def _statement(query: InstanceQuery) -> tuple[str, Any]:
    conditions = {
        "before": page_token(query.after, _ABOVE_EVERY_RUN),
        "workflow_id": query.workflow_id,
        "id_prefix": query.id_prefix,
        "created_before": write_instant(query.created_before),
        "created_after": write_instant(query.created_after),
    }
    for key, value in query.labels.items():
        return _BY_LABEL, {**conditions, "key": key, "value": value}
    if query.error_contains is not None:
        return _BY_ERROR, conditions
    if query.state is not None:
        return _BY_STATE, {**conditions, "state": query.state.value}
    return _ALL, conditions
