"""The plain steps of a flow: each checks its arguments and adds its element to the draft."""

from __future__ import annotations

import json
from typing import Any, Final, cast

from sayiir_core.authoring.draft import Draft
from sayiir_core.authoring.names import check_segment
from sayiir_core.authoring.plan import DelayElement, Element, Line, LoopElement, SignalElement
from sayiir_core.authoring.workflow import is_workflow
from sayiir_core.duration import Duration, to_timedelta
from sayiir_core.errors import DefinitionError
from sayiir_core.ids import check_name
from sayiir_core.policy import OnMax
from sayiir_core.workflow.node import ScopeKind

MAX_ITERATIONS: Final = 2**32 - 1
"""Turns are stored as 32-bit numbers."""

UNSET: Final = object()
"""The default of ``on_timeout``: None is a value that a flow may go on with."""


def add_task(draft: Draft, fn: object, *, name: str | None) -> None:
    """Add a task for a function or a registered name."""
    where = draft.step("then")
    task = draft.task(fn, where, name=name)
    if task is not None:
        draft.elements.append(task)


def add_delay(draft: Draft, name: str, duration: Duration) -> None:
    """Add a pause."""
    where = draft.step("delay")
    try:
        element = DelayElement(check_segment(name, "delay name"), to_timedelta(duration))
    except ValueError as problem:
        draft.note(where, problem)
    else:
        draft.elements.append(element)


def add_signal(
    draft: Draft,
    signal_name: str,
    *,
    name: str | None,
    timeout: Duration | None,
    payload: Any,
    on_timeout: Any,
) -> None:
    """Add a wait for a signal."""
    where = draft.step("wait_for_signal")
    try:
        check_name(signal_name, "signal name")
        element = SignalElement(
            check_segment(name or signal_name, "signal node name"),
            signal_name,
            None if timeout is None else to_timedelta(timeout),
            _default_text(on_timeout, has_deadline=timeout is not None),
            payload,
        )
    except (ValueError, TypeError) as problem:
        draft.note(where, problem)
    else:
        draft.elements.append(element)


def add_loop(
    draft: Draft, fn: object, *, max_iterations: int, on_max: str, name: str | None
) -> None:
    """Add a loop around a function or a workflow."""
    where = draft.step("loop")
    cap = _cap(draft, where, max_iterations)
    policy = _on_max(draft, where, on_max)
    loop_id, elements = _body(draft, where, fn, name)
    if elements and cap is not None and policy is not None:
        body = Line(ScopeKind.BODY, "", elements)
        draft.elements.append(LoopElement(loop_id, body, cap, policy))


def _body(
    draft: Draft, where: str, fn: object, name: str | None
) -> tuple[str, tuple[Element, ...]]:
    if not is_workflow(fn):
        task = draft.task(fn, where, name=name)
        return draft.numbering.name("loop"), () if task is None else (task,)
    try:
        return check_segment(name or draft.numbering.name("loop"), "loop name"), fn.plan
    except DefinitionError as problem:
        draft.note(where, problem)
        return "", ()


def add_workflow(draft: Draft, workflow: object) -> None:
    """Add a workflow that runs in place."""
    where = draft.step("then_flow")
    if is_workflow(workflow):
        draft.elements.append(draft.child(workflow))
    else:
        draft.note(where, f"{workflow!r:.200} is not a workflow; give what Flow.build() returned")


def _default_text(value: object, *, has_deadline: bool) -> str | None:
    if value is UNSET:
        return None
    if not has_deadline:
        raise DefinitionError("on_timeout= has no effect without timeout=; give both")
    try:
        return json.dumps(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise DefinitionError(f"on_timeout= must be JSON-able: {error}") from error


def _cap(draft: Draft, where: str, value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_ITERATIONS:
        return value
    draft.note(where, f"max_iterations must be 1 to {MAX_ITERATIONS}, not {value!r:.100}")
    return None


def _on_max(draft: Draft, where: str, value: object) -> OnMax | None:
    try:
        return OnMax(cast("str", value))
    except ValueError:
        words = " or ".join(repr(word.value) for word in OnMax)
        draft.note(where, f"on_max must be {words}, not {value!r:.100}")
        return None
