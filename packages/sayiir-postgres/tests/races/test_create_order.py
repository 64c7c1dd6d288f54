"""Rule 1 for those who create: overlapping batches meet in the order of the instance ids."""

import pytest

from sayiir_core.errors import BackendError
from sayiir_core.ports.instances import Created, Exists

RIGHT_AND_WRONG = pytest.mark.parametrize("wrong", [False, True], ids=["right", "wrong"])


@RIGHT_AND_WRONG
def test_two_batches_of_new_runs_never_wait_for_each_other(stage, wrong) -> None:
    """Insert by id; in the order of the batch, each waits for what the other has inserted."""
    edits = {"create_runs": stage.swap('ORDER BY b.instance_id COLLATE "C"', "ORDER BY b.position")}
    one, two = (stage.actor(name, **(edits if wrong else {})) for name in ("one", "two"))
    for actor in (one, two):
        actor.give_up_on_conflicts()
    stem = stage.rig.name()
    low, middle, high = (f"{stem}-{place}" for place in "abc")
    up, down = (
        [stage.rig.new(it) for it in ids] for ids in ((low, middle, high), (high, middle, low))
    )

    held = stage.lock(
        "INSERT INTO {schema}.instances (instance_id, run, definition, policy_fingerprint, state, "
        "labels, created_at, input) "
        "VALUES (%(id)s, gen_random_uuid(), 1, '', 'running', '{{}}', now(), '')",
        id=middle,
    )
    first = one.do(lambda it: it.instances.create(down))
    assert "waiting" == stage.settle(first)
    second = two.do(lambda it: it.instances.create(up))
    assert "waiting" == stage.settle(second)
    held.connection.rollback()

    check(wrong, first, second)
    if not wrong:
        kinds = [type(answer) for task in (first, second) for answer in task.result()]
        assert sorted([Created, Exists] * 3, key=str) == sorted(kinds, key=str)


@RIGHT_AND_WRONG
def test_two_batches_that_replace_never_wait_for_each_other(stage, wrong) -> None:
    """Lock inboxes, then instances, by id; in opposite orders, two replacements deadlock."""
    descending = stage.swap(
        'ORDER BY instance_id COLLATE "C"', 'ORDER BY instance_id COLLATE "C" DESC'
    )
    one = stage.actor("one", **({"lock_inboxes": descending} if wrong else {}))
    two = stage.actor("two")
    for actor in (one, two):
        actor.give_up_on_conflicts()
    stem = stage.rig.name()
    ids = [f"{stem}-{place}" for place in "abc"]
    stage.rig.backend.instances.create([stage.rig.new(it) for it in ids])
    for instance_id in ids:
        stage.rig.backend.signals.send(instance_id, "go", b"")

    held = stage.lock(
        "SELECT 1 FROM {schema}.inbox WHERE instance_id = %(id)s FOR NO KEY UPDATE", id=ids[1]
    )
    tasks = []
    for actor in (one, two):
        batch = [stage.rig.new(it, replace=True) for it in ids]
        tasks.append(actor.do(lambda it, batch=batch: it.instances.create(batch)))
        assert "waiting" == stage.settle(tasks[-1])
    held.release()

    check(wrong, *tasks)
    if not wrong:
        assert [Created] * 6 == [type(answer) for task in tasks for answer in task.result()]


def check(wrong: bool, *tasks) -> None:
    """Expect a deadlock of the wrong store, and no error of the right one."""
    errors = [task.error() for task in tasks]
    deadlocked = [it for it in errors if isinstance(it, BackendError) and "[40P01]" in str(it)]
    assert wrong == bool(deadlocked)
    if not wrong:
        assert [None] * len(tasks) == errors
