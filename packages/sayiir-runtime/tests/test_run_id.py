"""Run ids are UUIDs, which PostgreSQL stores as such."""

from __future__ import annotations

import itertools
import uuid

import pytest

from sayiir_runtime import run_id
from sayiir_runtime.run_id import new_run_id


def test_a_run_id_is_a_uuid_in_its_canonical_form() -> None:
    """A store that keeps the number gives back the very same text."""
    run_ids = [new_run_id() for _ in range(1000)]

    parsed = [uuid.UUID(run_id) for run_id in run_ids]

    assert [str(it) for it in parsed] == run_ids
    assert {(7, uuid.RFC_4122)} == {(it.version, it.variant) for it in parsed}
    assert len(run_ids) == len(set(run_ids))


def test_run_ids_grow_with_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is stored of later runs stands behind what is stored of earlier ones."""
    moments = itertools.count(1_700_000_000_000_000_000, 1_000_000)
    monkeypatch.setattr(run_id.time, "time_ns", lambda: next(moments))

    run_ids = [new_run_id() for _ in range(1000)]

    assert sorted(run_ids) == run_ids
