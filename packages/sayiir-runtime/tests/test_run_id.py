"""Run ids are UUIDs, which PostgreSQL stores as such."""

from __future__ import annotations

import uuid

from sayiir_runtime.run_id import new_run_id


def test_a_run_id_is_a_random_uuid_in_its_canonical_form() -> None:
    """A store that keeps the number gives back the very same text."""
    run_ids = [new_run_id() for _ in range(1000)]

    parsed = [uuid.UUID(run_id) for run_id in run_ids]

    assert [str(it) for it in parsed] == run_ids
    assert {(4, uuid.RFC_4122)} == {(it.version, it.variant) for it in parsed}
    assert len(run_ids) == len(set(run_ids))
