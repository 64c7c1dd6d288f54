"""The law of the question "why is it stuck": there is an answer at every moment, and it is true."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sayiir_core.engine.condition import Condition
from sayiir_core.engine.explain import Explanation, SessionFacts
from sayiir_core.ids import SessionId
from sayiir_core.snapshot.head import Head, InstanceState, Lane

Explain = Callable[..., list[Explanation]]


def fault_of_reasons(
    found: list[Explanation],
    head: Head,
    sessions: Mapping[SessionId, SessionFacts],
    served: set[Lane],
) -> str | None:
    """Return what is wrong with the explanations of an instance; ``served`` are lanes of workers.

    Each cursor that is not at rest has a sentence and a next action, and one that waits for a
    worker is told apart from one that no worker will ever take.
    """
    header = head.header
    is_running = header.state is InstanceState.RUNNING
    cursors = [
        head.cursors[key]
        for key in sorted(head.cursors)
        if is_running or head.cursors[key].session is not None
    ]
    if len(found) != len(cursors) + (not is_running):
        return f"nobody can say why {header.instance_id} waits: {found} of {cursors}"
    for each, cursor in zip(found[not is_running :], cursors, strict=True):
        if not (each.sentence and each.action):
            return f"nobody can say why {header.instance_id} waits, or what to do: {each}"
        if each.condition in {Condition.EXECUTING, Condition.RESERVED, Condition.STOPPING}:
            if cursor.session not in sessions:
                return f"{each} is said of what nobody alive holds: {cursor}"
        elif each.condition in {Condition.CLAIMABLE, Condition.UNSERVED}:
            is_served = Lane(header.identity, cursor.group) in served
            if is_served is (each.condition is Condition.UNSERVED):
                return f"{each} is said of what is served by {served}"
    return None
